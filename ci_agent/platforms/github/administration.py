"""GitHub's settings that our jobs need: the token's kind and rights, Actions' right to open pull requests, workflow,
labels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from ci_agent.errors import AuthenticationError, CiAgentError, UsageError
from ci_agent.platforms import Label
from ci_agent.platforms.administration import Check, Look, Step, looked
from ci_agent.platforms.github import reading
from ci_agent.platforms.github.api import Api
from ci_agent.platforms.patience import TIMEOUT, Refusal, made_once

# What the token has to be; docs/tokens.md has the table.
WANTED = (
    "a token for this repository: fine-grained with Contents, Issues, Pull requests, Commit statuses (write) and "
    "Actions (read), or classic with the scope repo"
)
_WORKFLOWS = ".github/workflows"
_WORKFLOW = f"{_WORKFLOWS}/ci-agent.yml"  # as `ci-agent init` writes it
_SETTING = "Settings → Actions → General → Allow GitHub Actions to create and approve pull requests"
_PULLS = "let Actions open pull requests"
_LABELS = "Issues → Labels → New label"
_KINDS = {  # by how it begins ("GitHub's token formats")
    "ghs_": "of a GitHub App",
    "github_pat_": "fine-grained",
    "ghp_": "classic",
    "gho_": "of an OAuth app",
}
_WITH_SCOPES = ("ghp_", "gho_")
_BOT = "github-actions[bot]"
_READ = (("issues", "Issues"), ("pulls", "Pull requests"))  # lists, and the permission that shows them


def by_hand(labels: Sequence[Label]) -> Sequence[tuple[str, str]]:
    """All that `steps` may find missing, and where a person does it."""
    return [*((_making(label), _LABELS) for label in labels), (_PULLS, _SETTING)]


class GitHubAdministration:
    """The settings of the repository `owner/name`."""

    def __init__(
        self, repository: str, token: str, *, api_url: str, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._name = repository
        self._token = token
        self._url = api_url.rstrip("/")
        self._path = f"/repos/{repository}"
        self._api = Api(token, api_url, wait)

    def checks(self, labels: Sequence[Label]) -> Iterator[Check]:
        """Whether everything is there. What can't be looked at because of an earlier failure is named once."""
        looks = [
            Look("token", self._token_check, f"make {WANTED}"),
            Look(
                "repository", self._repository_check, f"look at its name, and whether the token is {WANTED}"
            ),
            Look("rights", self._rights_check, f"make {WANTED}"),
            Look("pull requests by Actions", self._pulls_check, f"look at {_SETTING}"),
            Look("workflow", self._workflow_check, "give the token Contents (read)"),
            Look("labels", lambda: self._labels_check(labels), "give the token Issues (read and write)"),
        ]
        return looked(looks, {"token", "repository"})

    def steps(self, labels: Sequence[Label]) -> Sequence[Step]:
        """What is missing and can be done by the API; also what this token can't see, as it may be missing."""
        found = [self._label_step(label) for label in self._missing(labels)]
        if self._may_open_pulls() is not True:
            found.append(Step(_PULLS, _SETTING, self._allow_pulls))
        return found

    # --- the token ----------------------------------------------------------------------------------------

    @cached_property
    def _login(self) -> str:
        return str(self._api.query("query { viewer { login } }", "asking who we are")["viewer"]["login"])

    def _token_check(self) -> Check:
        if self._login == _BOT:
            note = (
                "pull requests opened with this token start no CI until somebody approves it; docs/tokens.md"
            )
            return Check("token", True, f"the workflow's own, {_BOT}", note)
        kind = next(
            (kind for start, kind in _KINDS.items() if self._token.startswith(start)), "of an unknown kind"
        )
        note = f"set trigger.account to {self._login}, and mentions and assignments count"
        return Check("token", True, f"{kind}, of the account {self._login}", note)

    @cached_property
    def _repository(self) -> reading.Raw:
        return self._api.get(self._path, f"reading the repository {self._name}")  # type: ignore[no-any-return]

    def _repository_check(self) -> Check:
        raw = self._repository
        if not raw.get("has_issues"):
            return Check(
                "repository", False, f"{self._name} has no issues", "Settings → General → Features → Issues"
            )
        return Check("repository", True, f"{self._name}, default branch {raw['default_branch']}")

    def _rights_check(self) -> Check:
        """What the token may do, as far as that can be known without doing it."""
        if self._login == _BOT:
            return Check("rights", None, "those that the workflow's `permissions:` say", "see docs/tokens.md")
        # What is said of an app's account here is not what its token may do.
        rights = {} if self._token.startswith("ghs_") else self._repository.get("permissions") or {}
        if rights.get("push") is False:
            remedy = f"give {self._login} the role Write in {self._name}"
            return Check("rights", False, f"{self._login} may not push to {self._name}", remedy)
        if self._token.startswith(_WITH_SCOPES):
            return self._scopes_check()
        for place, permission in _READ:
            try:
                self._api.get(f"{self._path}/{place}", f"listing the {place}", per_page="1")
            except (AuthenticationError, UsageError):
                return Check("rights", False, f"it lacks the permission {permission}", f"make {WANTED}")
        found = "it can read issues and pull requests; what it may write only shows when it writes"
        return Check("rights", None, found, f"it has to be {WANTED}")

    def _scopes_check(self) -> Check:
        scopes = self._scopes()
        enough = {"repo"} if self._repository.get("private") else {"repo", "public_repo"}
        if scopes is None:
            return Check("rights", None, "its scopes can't be looked up", "it needs the scope repo")
        if not enough & scopes:
            has = ", ".join(sorted(scopes)) or "none"
            return Check("rights", False, f"without the scope repo; it has {has}", f"make {WANTED}")
        note = "" if "workflow" in scopes else "without the scope workflow it can't change workflow files"
        return Check("rights", True, f"the scopes {', '.join(sorted(scopes))}", note)

    def _scopes(self) -> set[str] | None:
        """What a classic token says of itself, in a header of every answer; None: nothing."""
        import requests

        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            answer = requests.get(
                f"{self._url}/user", headers=headers, timeout=TIMEOUT, allow_redirects=False
            )
        except requests.RequestException:
            return None
        said = answer.headers.get("X-OAuth-Scopes")
        return None if said is None else {scope.strip() for scope in said.split(",")} - {""}

    # --- pull requests by workflows -----------------------------------------------------------------------

    def _pulls_check(self) -> Check:
        may = self._may_open_pulls()
        if may is None:
            found = "only an administrator's token can see the setting"
            return Check("pull requests by Actions", None, found, f"look at {_SETTING}")
        if may:
            return Check("pull requests by Actions", True, "allowed")
        remedy = f"{_SETTING}, or `ci-agent init --apply` with an administrator's token"
        return Check("pull requests by Actions", False, "not allowed", remedy)

    @property
    def _actions(self) -> str:
        return f"{self._path}/actions/permissions/workflow"

    def _may_open_pulls(self) -> bool | None:
        """Whether workflows may open pull requests; None: this token can't see it."""
        try:
            raw = self._api.found(self._actions, "reading the settings of Actions")
        except AuthenticationError as error:
            if not _forbidden(error):
                raise
            return None
        return None if raw is None else bool(raw["can_approve_pull_request_reviews"])

    def _allow_pulls(self) -> str:
        body = {"can_approve_pull_request_reviews": True}
        try:
            self._api.change("PUT", self._actions, "changing the settings of Actions", body)
        except (AuthenticationError, UsageError) as error:
            if not _forbidden(error):
                raise
            raise AuthenticationError(
                "GitHub refuses it: that takes the token of an administrator of the repository, fine-grained with "
                "Administration (read and write) or classic with the scope repo."
            ) from error
        return "allowed"

    # --- files and labels ---------------------------------------------------------------------------------

    def _workflow_check(self) -> Check:
        where = f"{self._path}/contents"
        if self._api.found(f"{where}/{_WORKFLOW}", "reading the workflow") is not None:
            return Check("workflow", True, f"{_WORKFLOW}, on the default branch")
        files = self._api.found(f"{where}/{_WORKFLOWS}", "listing the workflows") or []
        names = [str(raw["name"]) for raw in files if raw.get("type") == "file"]
        ours = [name for name in names if "ci-agent" in name]
        if ours:
            return Check("workflow", True, f"{_WORKFLOWS}/{ours[0]}, on the default branch")
        remedy = f"`ci-agent init` writes {_WORKFLOW}; commit it to the default branch"
        return Check("workflow", False, f"no workflow named ci-agent among {len(names)}", remedy)

    def _labels_check(self, labels: Sequence[Label]) -> Check:
        missing = [label.name for label in self._missing(labels)]
        if not missing:
            return Check("labels", True, ", ".join(label.name for label in labels))
        remedy = (
            f"make {labels[0].name} by {_LABELS}, or all by `ci-agent init --apply`; jobs make the others"
        )
        return Check("labels", None, f"not there yet: {', '.join(missing)}", remedy)

    def _missing(self, labels: Sequence[Label]) -> list[Label]:
        there = {
            str(raw["name"]).casefold()
            for raw in self._api.pages(f"{self._path}/labels", "listing the labels")
        }
        return [label for label in labels if label.name.casefold() not in there]

    def _label_step(self, label: Label) -> Step:
        body = {"name": label.name, "color": label.colour, "description": label.description}

        def make() -> str:
            self._api.make(f"{self._path}/labels", f"making the label {label.name}", body)
            return "made"

        def find() -> str | None:
            return None if self._missing([label]) else "made"

        return Step(_making(label), _LABELS, lambda: made_once(make, find, self._api.wait))


def _making(label: Label) -> str:
    return f"make the label {label.name}"


def _forbidden(error: CiAgentError) -> bool:
    """Whether the platform knows the token and still says no; GitHub hides as missing what may not be seen."""
    return isinstance(error.__cause__, Refusal) and error.__cause__.status in (403, 404)
