"""GitLab's settings that our jobs need: the token's scopes, variables, the trigger with its webhook, labels."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import cached_property
from urllib.parse import quote

from ci_agent.errors import CiAgentError
from ci_agent.platforms import Label
from ci_agent.platforms.administration import Check, Step
from ci_agent.platforms.gitlab import reading
from ci_agent.platforms.gitlab.api import Api

_NEEDED_SCOPES = ("api", "write_repository")
_DEVELOPER = 30
_VARIABLES = ("GITLAB_TOKEN", "LLM_API_KEY")
_TRIGGER = "/trigger/pipeline"
_ROLE = "ci_pipeline_variables_minimum_override_role"
_ROLE_SETTING = "Settings → CI/CD → Variables → Minimum role to use pipeline variables"


class GitLabAdministration:
    """The settings of the project `group/name`."""

    def __init__(
        self, project: str, token: str, *, url: str, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._name = project
        self._url = url.rstrip("/")
        self._path = f"/projects/{quote(project, safe='')}"
        self._api = Api(token, url, wait)

    def checks(self, labels: Sequence[Label]) -> Iterator[Check]:
        """Whether everything is there."""
        for what, look in (
            ("token", self._token_check),
            ("project", self._project_check),
            ("pipeline variables", self._role_check),
            ("CI/CD variables", self._variables_check),
            (".gitlab-ci.yml", self._include_check),
            ("webhook", self._hook_check),
            ("labels", lambda: self._labels_check(labels)),
        ):
            try:
                yield look()
            except CiAgentError as error:
                yield Check(what, False, str(error), "see docs/tokens.md")

    def steps(self, labels: Sequence[Label]) -> Sequence[Step]:
        """What is missing and can be done by the API."""
        found = [self._label_step(label) for label in self._missing(labels)]
        if self._project.get(_ROLE) == "no_one_allowed":
            found.append(
                Step("let pipelines be started with variables", _ROLE_SETTING, self._allow_variables)
            )
        if self._hook() is None:
            by_hand = "Settings → CI/CD → Pipeline trigger tokens, then Settings → Webhooks: docs/quickstart-gitlab.md"
            found.append(Step("make a trigger and its webhook", by_hand, self._make_hook))
        return found

    def _token_check(self) -> Check:
        raw = self._api.found("/personal_access_tokens/self", "asking what the token may do")
        who = reading.account(self._api.get("/user", "asking who we are")).login
        if raw is None:
            return Check(
                "token", None, f"of {who}; its scopes can't be looked up", "it needs api and write_repository"
            )
        lacking = [scope for scope in _NEEDED_SCOPES if scope not in raw["scopes"]]
        if lacking:
            remedy = "make a new token with the scopes api and write_repository"
            return Check("token", False, f"of {who}, without the scope {' and '.join(lacking)}", remedy)
        ends = str(raw.get("expires_at") or "")
        soon = bool(ends) and (date.fromisoformat(ends) - date.today()).days < 14  # noqa: DTZ011, PLR2004 - days, roughly
        return Check(
            "token",
            True,
            f"of {who}, ends {ends or 'never'}",
            "it ends soon: make the next one" if soon else "",
        )

    @cached_property
    def _project(self) -> reading.Raw:
        return self._api.get(self._path, f"reading the project {self._name}")  # type: ignore[no-any-return]

    def _project_check(self) -> Check:
        if self._project.get("issues_access_level") == "disabled":
            remedy = "Settings → General → Visibility, project features, permissions → Issues"
            return Check("project", False, f"{self._name} has no issues", remedy)
        me = reading.account(self._api.get("/user", "asking who we are"))
        raw = self._api.found(f"{self._path}/members/all/{me.id}", "asking for our role")
        if raw is None or int(raw["access_level"]) < _DEVELOPER:
            remedy = "make the token's account a Developer of the project"
            return Check("project", False, f"{me.login} is no Developer of {self._name}", remedy)
        return Check("project", True, f"{self._name}, default branch {self._project['default_branch']}")

    def _role_check(self) -> Check:
        role = self._project.get(_ROLE)
        if role is None:
            return Check(
                "pipeline variables", None, "only a Maintainer's token can see it", f"look at {_ROLE_SETTING}"
            )
        if role == "no_one_allowed":
            found = "nobody may start pipelines with variables, so every webhook is refused"
            return Check("pipeline variables", False, found, f"{_ROLE_SETTING}: Developer")
        return Check("pipeline variables", True, f"allowed from the role {role}")

    def _variables_check(self) -> Check:
        path, what = f"{self._path}/variables", "CI/CD variables"
        refusal = self._api.attempt("get", path)
        if refusal is not None:
            return Check(
                what, None, "only a Maintainer's token can see them", f"set {' and '.join(_VARIABLES)}"
            )
        there = {str(raw["key"]): raw for raw in self._api.pages(path, "listing the CI/CD variables")}
        missing = [name for name in _VARIABLES if name not in there]
        if missing:
            remedy = (
                "Settings → CI/CD → Variables, masked and protected; the key of the model may be a group's"
            )
            return Check(what, False, f"not in the project: {', '.join(missing)}", remedy)
        open_ones = [name for name in _VARIABLES if not there[name].get("masked")]
        if open_ones:
            return Check(what, False, f"not masked: {', '.join(open_ones)}", "edit them: Masked")
        return Check(what, True, f"{', '.join(_VARIABLES)}, masked")

    def _include_check(self) -> Check:
        what, place = ".gitlab-ci.yml", f"{self._path}/repository/files/.gitlab-ci.yml"
        raw = self._api.found(place, "reading .gitlab-ci.yml", ref=self._branch)
        if raw is None:
            return Check(
                what, False, f"there is none on {self._branch}", "`ci-agent init` writes it; commit it there"
            )
        if b"ci-agent" in base64.b64decode(raw["content"]):
            return Check(what, True, "includes ci-agent")
        return Check(what, False, "does not include ci-agent", "`ci-agent init` prints what to add")

    @property
    def _branch(self) -> str:
        return str(self._project["default_branch"])

    def _hook(self) -> reading.Raw | None:
        hooks = self._api.pages(f"{self._path}/hooks", "listing the webhooks")
        return next((raw for raw in hooks if _TRIGGER in str(raw["url"])), None)

    def _hook_check(self) -> Check:
        refusal = self._api.attempt("get", f"{self._path}/hooks")
        if refusal is not None:
            return Check(
                "webhook", None, "only a Maintainer's token can see it", "docs/quickstart-gitlab.md, step 3"
            )
        hook = self._hook()
        if hook is None:
            return Check("webhook", False, "there is none to a trigger", "`ci-agent init --apply` makes it")
        if not (hook.get("issues_events") and hook.get("note_events")):
            return Check(
                "webhook",
                False,
                "does not hear of issues and comments",
                "Settings → Webhooks → Edit: tick both",
            )
        if str(hook.get("alert_status", "executable")) != "executable":
            found = f"switched off by GitLab after failures ({hook['alert_status']})"
            return Check(
                "webhook",
                False,
                found,
                "mend what was refused, then Settings → Webhooks → Test → Issues events",
            )
        note = "it hears of pushes as well, for nothing" if hook.get("push_events") else ""
        return Check("webhook", True, "issues and comments start the trigger", note)

    def _labels_check(self, labels: Sequence[Label]) -> Check:
        missing = [label.name for label in self._missing(labels)]
        if not missing:
            return Check("labels", True, ", ".join(label.name for label in labels))
        return Check(
            "labels", True, f"not there yet: {', '.join(missing)}", "they are made when they are needed"
        )

    def _missing(self, labels: Sequence[Label]) -> list[Label]:
        there = {str(raw["name"]) for raw in self._api.pages(f"{self._path}/labels", "listing the labels")}
        return [label for label in labels if label.name not in there]

    def _label_step(self, label: Label) -> Step:
        def do() -> str:
            body = {"name": label.name, "color": f"#{label.colour}", "description": label.description}
            self._api.change("post", f"{self._path}/labels", f"making the label {label.name}", body)
            return "made"

        return Step(f"make the label {label.name}", "Manage → Labels → New label", do)

    def _allow_variables(self) -> str:
        self._api.change("put", self._path, "changing the project's settings", {_ROLE: "developer"})
        return "Developers may"

    def _make_hook(self) -> str:
        """A trigger token of our own, and the webhook that uses it; the token is shown to nobody."""
        made = self._api.change(
            "post", f"{self._path}/triggers", "making a trigger token", {"description": "ci-agent"}
        )
        place = (
            f"{self._url}/api/v4/projects/{self._project['id']}/ref/{quote(self._branch, safe='')}{_TRIGGER}"
        )
        hook = {
            "url": f"{place}?token={made['token']}",
            "url_variables": [{"key": "token", "value": made["token"]}],
            "issues_events": True,
            "note_events": True,
            "push_events": False,
            "enable_ssl_verification": True,
        }
        hook["url"] = f"{place}?token={{token}}"
        self._api.change("post", f"{self._path}/hooks", "making the webhook", hook)
        return f"issues and comments start pipelines of {self._branch}"
