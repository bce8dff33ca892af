"""GitHub's settings that our jobs need: the token's kind, Actions' right to open pull requests, workflow, labels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from ci_agent.errors import CiAgentError
from ci_agent.platforms import Label
from ci_agent.platforms.administration import Check, Step
from ci_agent.platforms.github.api import Api

_WORKFLOWS = ".github/workflows"
_SETTING = "Settings → Actions → General → Allow GitHub Actions to create and approve pull requests"


class GitHubAdministration:
    """The settings of the repository `owner/name`."""

    def __init__(
        self, repository: str, token: str, *, api_url: str, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._name = repository
        self._token = token
        self._path = f"/repos/{repository}"
        self._api = Api(token, api_url, wait)

    def checks(self, labels: Sequence[Label]) -> Iterator[Check]:
        """Whether everything is there."""
        for what, look in (
            ("token", self._token_check),
            ("repository", self._repository_check),
            ("pull requests by Actions", self._pulls_check),
            ("workflow", self._workflow_check),
            ("labels", lambda: self._labels_check(labels)),
        ):
            try:
                yield look()
            except CiAgentError as error:
                yield Check(what, False, str(error), "see docs/tokens.md")

    def steps(self, labels: Sequence[Label]) -> Sequence[Step]:
        """What is missing and can be done by the API."""
        found = [self._label_step(label) for label in self._missing(labels)]
        if self._may_open_pulls() is not True:
            found.append(Step("let Actions open pull requests", _SETTING, self._allow_pulls))
        return found

    def _token_check(self) -> Check:
        login = str(self._api.query("query { viewer { login } }", "asking who we are")["viewer"]["login"])
        if login == "github-actions[bot]":
            note = (
                "pull requests opened with this token start no CI until somebody approves it; docs/tokens.md"
            )
            return Check("token", True, "the workflow's own, github-actions[bot]", note)
        kinds = {
            "ghs_": "of a GitHub App",
            "github_pat_": "fine-grained",
            "ghp_": "classic",
            "gho_": "of an OAuth app",
        }
        kind = next(
            (kind for start, kind in kinds.items() if self._token.startswith(start)), "of an unknown kind"
        )
        note = f"set trigger.account to {login}, and mentions and assignments count"
        return Check("token", True, f"{kind}, of the account {login}", note)

    def _repository_check(self) -> Check:
        raw = self._api.get(self._path, f"reading the repository {self._name}")
        if not raw.get("has_issues"):
            return Check(
                "repository", False, f"{self._name} has no issues", "Settings → General → Features → Issues"
            )
        rights = raw.get("permissions") or {}
        if rights.get("push") is False:
            remedy = "give the token `contents: write`, or its account the role Write"
            return Check("repository", False, f"the token may not push to {self._name}", remedy)
        return Check("repository", True, f"{self._name}, default branch {raw['default_branch']}")

    def _pulls_check(self) -> Check:
        may = self._may_open_pulls()
        if may is None:
            found = "only an administrator's token can see the setting"
            return Check("pull requests by Actions", None, found, f"look at {_SETTING}")
        if may:
            return Check("pull requests by Actions", True, "allowed")
        remedy = f"{_SETTING}, or `ci-agent init --apply` with an administrator's token"
        return Check("pull requests by Actions", False, "not allowed", remedy)

    def _may_open_pulls(self) -> bool | None:
        """Whether workflows may open pull requests; None: this token can't see it."""
        try:
            raw = self._api.found(
                f"{self._path}/actions/permissions/workflow", "reading the settings of Actions"
            )
        except CiAgentError:
            return None
        return None if raw is None else bool(raw["can_approve_pull_request_reviews"])

    def _allow_pulls(self) -> str:
        path = f"{self._path}/actions/permissions/workflow"
        self._api.change(
            "PUT", path, "changing the settings of Actions", {"can_approve_pull_request_reviews": True}
        )
        return "allowed"

    def _workflow_check(self) -> Check:
        files = self._api.found(f"{self._path}/contents/{_WORKFLOWS}", "listing the workflows") or []
        names = [str(raw["name"]) for raw in files if raw.get("type") == "file"]
        ours = [name for name in names if "ci-agent" in name]
        if ours:
            return Check("workflow", True, f"{_WORKFLOWS}/{ours[0]}, on the default branch")
        remedy = "`ci-agent init` writes .github/workflows/ci-agent.yml; commit it to the default branch"
        return Check("workflow", False, f"no workflow named ci-agent among {len(names)}", remedy)

    def _labels_check(self, labels: Sequence[Label]) -> Check:
        missing = [label.name for label in self._missing(labels)]
        if not missing:
            return Check("labels", True, ", ".join(label.name for label in labels))
        return Check(
            "labels", True, f"not there yet: {', '.join(missing)}", "they are made when they are needed"
        )

    def _missing(self, labels: Sequence[Label]) -> list[Label]:
        there = {
            str(raw["name"]).casefold()
            for raw in self._api.pages(f"{self._path}/labels", "listing the labels")
        }
        return [label for label in labels if label.name.casefold() not in there]

    def _label_step(self, label: Label) -> Step:
        def do() -> str:
            body = {"name": label.name, "color": label.colour, "description": label.description}
            self._api.change("POST", f"{self._path}/labels", f"making the label {label.name}", body)
            return "made"

        return Step(f"make the label {label.name}", "Issues → Labels → New label", do)
