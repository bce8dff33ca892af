"""GitLab's settings that our jobs need: the token's scopes, variables, the trigger with its webhook, labels."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import cached_property
from typing import TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from ci_agent.errors import AuthenticationError, CiAgentError
from ci_agent.platforms import Label
from ci_agent.platforms.administration import Check, Look, Step, looked
from ci_agent.platforms.gitlab import reading
from ci_agent.platforms.gitlab.api import Api
from ci_agent.platforms.patience import Refusal, made_once
from ci_agent.task import Account

T = TypeVar("T")

# What the token has to be; docs/tokens.md has the table.
WANTED = "an access token with the scopes api and write_repository, of a Developer of the project"
_NEEDED_SCOPES = ("api", "write_repository")
_DEVELOPER = 30
_VARIABLES = ("GITLAB_TOKEN", "LLM_API_KEY")
_ROLE = "ci_pipeline_variables_minimum_override_role"
_ROLE_SETTING = "Settings → CI/CD → Variables → Minimum role to use pipeline variables: Developer"
_HOOK_SETTING = (
    "Settings → CI/CD → Pipeline trigger tokens → Add new token, then Settings → Webhooks → Add new webhook with "
    "Comments and Issues events only, to …/api/v4/projects/NUMBER/ref/BRANCH/trigger/pipeline?token=TOKEN"
)
_EDIT = "Settings → Webhooks → Edit"
_LABELS = "Manage → Labels → New label"
_VARIABLES_STEP = "let pipelines be started with variables"
_HOOK_STEP = "make a trigger and its webhook"
# The address that starts a pipeline ("Trigger pipelines with the API", use a webhook), behind the server's own.
_PLACE = re.compile(r"/api/v4/projects/([^/]+)/(?:\(?ref/([^/]+)/)?trigger/pipeline/?$")
_HEARD = {"issues_events", "note_events"}
_OURS = "ci-agent"  # the description of our trigger token
_SHORT = 8  # characters; of the tokens of other people, GitLab shows no more than the first few


def by_hand(labels: Sequence[Label]) -> Sequence[tuple[str, str]]:
    """All that `steps` may find missing, and where a person does it."""
    return [
        *((_making(label), _LABELS) for label in labels),
        (_VARIABLES_STEP, _ROLE_SETTING),
        (_HOOK_STEP, _HOOK_SETTING),
    ]


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
        """Whether everything is there. What can't be looked at because of an earlier failure is named once."""
        looks = [
            Look("token", self._token_check, f"make {WANTED}"),
            Look("project", self._project_check, f"look at its name, and whether the token is {WANTED}"),
            Look("pipeline variables", self._role_check, f"look at {_ROLE_SETTING}"),
            Look("CI/CD variables", self._variables_check, f"set {' and '.join(_VARIABLES)}"),
            Look(".gitlab-ci.yml", self._include_check, f"the token has to be {WANTED}"),
            Look("webhook", self._hook_check, f"look at {_HOOK_SETTING}"),
            Look("labels", lambda: self._labels_check(labels), f"the token has to be {WANTED}"),
        ]
        return looked(looks, {"token", "project"})

    def steps(self, labels: Sequence[Label]) -> Sequence[Step]:
        """What is missing and can be done by the API; also what this token can't see, as it may be missing."""
        found = [self._label_step(label) for label in self._missing(labels)]
        hooks = self._seen("hooks")
        role = self._project.get(_ROLE)
        if role == "no_one_allowed" or (role is None and hooks is None):
            found.append(Step(_VARIABLES_STEP, _ROLE_SETTING, self._allow_variables))
        if hooks is None or self._fault(self._ours(hooks)):
            found.append(Step(_HOOK_STEP, _HOOK_SETTING, self._ensure_hook))
        return found

    def _seen(self, what: str) -> list[reading.Raw] | None:
        """A list among the project's settings; None: this token can't see it."""
        try:
            return list(self._api.pages(f"{self._path}/{what}", f"listing the project's {what}"))
        except AuthenticationError as error:
            if not _forbidden(error):
                raise
            return None

    # --- the token and the project ------------------------------------------------------------------------

    def _token_check(self) -> Check:
        raw = self._api.found("/personal_access_tokens/self", "asking what the token may do")
        lacking = [scope for scope in _NEEDED_SCOPES if raw and scope not in raw["scopes"]]
        if lacking:
            found = f"without the scope {' and '.join(lacking)}"
            return Check("token", False, found, f"make {WANTED}")
        who = self._me.login
        if raw is None:
            return Check("token", None, f"of {who}; its scopes can't be looked up", f"it has to be {WANTED}")
        ends = str(raw.get("expires_at") or "")
        soon = bool(ends) and (date.fromisoformat(ends) - date.today()).days < 14  # noqa: DTZ011, PLR2004 - days, roughly
        return Check(
            "token",
            True,
            f"of {who}, ends {ends or 'never'}",
            "it ends soon: make the next one" if soon else "",
        )

    @cached_property
    def _me(self) -> Account:
        return reading.account(self._api.get("/user", "asking who we are"))

    @cached_property
    def _project(self) -> reading.Raw:
        return self._api.get(self._path, f"reading the project {self._name}")  # type: ignore[no-any-return]

    def _project_check(self) -> Check:
        if self._project.get("issues_access_level") == "disabled":
            remedy = "Settings → General → Visibility, project features, permissions → Issues"
            return Check("project", False, f"{self._name} has no issues", remedy)
        raw = self._api.found(f"{self._path}/members/all/{self._me.id}", "asking for our role")
        if raw is None or int(raw["access_level"]) < _DEVELOPER:
            remedy = "make the token's account a Developer of the project"
            return Check("project", False, f"{self._me.login} is no Developer of {self._name}", remedy)
        return Check("project", True, f"{self._name}, default branch {self._branch}")

    @property
    def _branch(self) -> str:
        return str(self._project["default_branch"])

    # --- variables and the include ------------------------------------------------------------------------

    def _role_check(self) -> Check:
        role = self._project.get(_ROLE)
        if role is None:
            return Check(
                "pipeline variables", None, "only a Maintainer's token can see it", f"look at {_ROLE_SETTING}"
            )
        if role == "no_one_allowed":
            found = "nobody may start pipelines with variables, so every webhook is refused"
            return Check("pipeline variables", False, found, _ROLE_SETTING)
        return Check("pipeline variables", True, f"allowed from the role {role}")

    def _variables_check(self) -> Check:
        what, listed = "CI/CD variables", self._seen("variables")
        if listed is None:
            return Check(
                what, None, "only a Maintainer's token can see them", f"set {' and '.join(_VARIABLES)}"
            )
        there = {str(raw["key"]): raw for raw in listed}
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

    def _allow_variables(self) -> str:
        self._as_maintainer("put", self._path, "changing the project's settings", {_ROLE: "developer"})
        return "Developers may"

    # --- the webhook --------------------------------------------------------------------------------------

    def _hook_check(self) -> Check:
        hooks = self._seen("hooks")
        if hooks is None:
            return Check("webhook", None, "only a Maintainer's token can see it", f"look at {_HOOK_SETTING}")
        hook = self._ours(hooks)
        fault = self._fault(hook)
        if fault:
            how = f"mends it; by hand: {_EDIT}" if hook else f"makes it; by hand: {_HOOK_SETTING}"
            return Check("webhook", False, fault, f"`ci-agent init --apply` {how}")
        if str(hook.get("alert_status", "executable")) != "executable":
            found = f"switched off by GitLab after failures ({hook['alert_status']})"
            remedy = "mend what was refused, then Settings → Webhooks → Test → Issues events"
            return Check("webhook", False, found, remedy)
        note = "" if _token_in(hook) in ("", "{token}") else f"everybody can read its token: {_EDIT}, mask it"
        return Check("webhook", True, "issues and comments start the trigger", note)

    def _ours(self, hooks: Sequence[reading.Raw]) -> reading.Raw:
        """The webhook that starts pipelines of this project on this server; empty where there is none. That of the
        default branch, if there are more."""
        there = [hook for hook in hooks if self._ref(hook) is not None]
        return next((hook for hook in there if self._ref(hook) == self._branch), there[0] if there else {})

    def _ref(self, hook: reading.Raw) -> str | None:
        """The branch of this project whose pipelines a webhook starts; None: it does something else."""
        try:
            parts = urlsplit(str(hook["url"]))
        except ValueError:
            return None
        place = _PLACE.search(parts.path)
        homes = {urlsplit(url).netloc.casefold() for url in (self._url, str(self._project["web_url"]))}
        if place is None or parts.netloc.casefold() not in homes:
            return None
        if unquote(place[1]).casefold() not in (str(self._project["id"]), self._name.casefold()):
            return None
        return unquote(place[2] or dict(parse_qsl(parts.query)).get("ref", ""))

    def _fault(self, hook: reading.Raw) -> str:
        """What is wrong with a webhook in itself, in words; empty: nothing."""
        if not hook:
            return "there is none that starts pipelines of this project"
        if self._ref(hook) != self._branch:
            return f"starts pipelines of {self._ref(hook) or 'no branch'}, not of {self._branch}"
        if not all(hook.get(name) for name in _HEARD):
            return "does not hear of issues and comments"
        more = [name for name, on in hook.items() if name.endswith("_events") and on is True]
        others = sorted(name.removesuffix("_events") for name in more if name not in _HEARD)
        if others:
            return f"hears of more than issues and comments: {', '.join(others)}"
        return "" if self._has_trigger(hook) else "its trigger token is gone, so that GitLab refuses it"

    def _has_trigger(self, hook: reading.Raw) -> bool:
        """Whether there is a trigger token that the webhook can have. A masked one can be any."""
        given = _token_in(hook)
        masked = given.startswith("{")
        return any(
            masked or (given != "" and given.startswith(str(raw["token"])))
            for raw in self._seen("triggers") or []
        )

    def _ensure_hook(self) -> str:
        """A webhook for this project's trigger, made or mended; its token is shown to nobody."""
        hooks = self._seen("hooks")
        hook = self._ours(hooks or [])
        only = {name: False for name in hook if name.endswith("_events")} | {"push_events": False}
        body: dict[str, object] = {**only, **dict.fromkeys(_HEARD, True)}
        good = bool(hook) and self._ref(hook) == self._branch and self._has_trigger(hook)
        body |= {"url": hook["url"]} if good else self._address(self._trigger())
        if hook:
            self._as_maintainer("put", f"{self._path}/hooks/{hook['id']}", "mending the webhook", body)
            return f"mended; issues and comments start pipelines of {self._branch}"

        def find() -> reading.Raw | None:
            return self._ours(self._seen("hooks") or []) or None

        body["enable_ssl_verification"] = True
        self._made("hooks", "making the webhook", body, find)
        return f"issues and comments start pipelines of {self._branch}"

    def _address(self, token: str) -> dict[str, object]:
        """Where a webhook starts a pipeline, with the token masked."""
        branch = quote(self._branch, safe="")
        place = f"{self._url}/api/v4/projects/{self._project['id']}/ref/{branch}/trigger/pipeline"
        return {"url": f"{place}?token={{token}}", "url_variables": [{"key": "token", "value": token}]}

    def _trigger(self) -> str:
        """The token of our trigger: found where it is there, else made."""

        def find() -> reading.Raw | None:
            mine = [raw for raw in self._seen("triggers") or [] if raw.get("description") == _OURS]
            return next((raw for raw in mine if len(str(raw["token"])) > _SHORT), None)

        body: dict[str, object] = {"description": _OURS}
        return str((find() or self._made("triggers", "making a trigger token", body, find))["token"])

    def _made(
        self, what: str, doing: str, body: dict[str, object], find: Callable[[], reading.Raw | None]
    ) -> reading.Raw:
        """Something new among the project's settings, made once, whatever gets lost."""

        def make() -> reading.Raw:
            return _for_maintainers(lambda: self._api.make(f"{self._path}/{what}", doing, body))

        return made_once(make, find, self._api.wait)

    def _as_maintainer(self, verb: str, path: str, doing: str, body: dict[str, object]) -> None:
        _for_maintainers(lambda: self._api.change(verb, path, doing, body))

    # --- labels -------------------------------------------------------------------------------------------

    def _labels_check(self, labels: Sequence[Label]) -> Check:
        missing = [label.name for label in self._missing(labels)]
        if not missing:
            return Check("labels", True, ", ".join(label.name for label in labels))
        remedy = (
            f"make {labels[0].name} by {_LABELS}, or all by `ci-agent init --apply`; jobs make the others"
        )
        return Check("labels", None, f"not there yet: {', '.join(missing)}", remedy)

    def _missing(self, labels: Sequence[Label]) -> list[Label]:
        there = {str(raw["name"]) for raw in self._api.pages(f"{self._path}/labels", "listing the labels")}
        return [label for label in labels if label.name not in there]

    def _label_step(self, label: Label) -> Step:
        body = {"name": label.name, "color": f"#{label.colour}", "description": label.description}

        def make() -> str:
            self._api.make(f"{self._path}/labels", f"making the label {label.name}", body)
            return "made"

        def find() -> str | None:
            return None if self._missing([label]) else "made"

        return Step(_making(label), _LABELS, lambda: made_once(make, find, self._api.wait))


def _making(label: Label) -> str:
    return f"make the label {label.name}"


def _token_in(hook: reading.Raw) -> str:
    """The token in a webhook's address, `{…}` where it is masked."""
    return dict(parse_qsl(urlsplit(str(hook["url"])).query)).get("token", "")


def _for_maintainers(do: Callable[[], T]) -> T:
    """What `do` gives; where it is forbidden, the error says whose token it takes."""
    try:
        return do()
    except AuthenticationError as error:
        if not _forbidden(error):
            raise
        raise AuthenticationError(
            "GitLab refuses it: that takes the token of a Maintainer of the project, with the scope api."
        ) from error


def _forbidden(error: CiAgentError) -> bool:
    """Whether GitLab knows the token and its scopes, and still says no: the account's role is too low."""
    cause = error.__cause__
    return isinstance(cause, Refusal) and cause.status == 403 and "scope" not in cause.said  # noqa: PLR2004 - HTTP's number
