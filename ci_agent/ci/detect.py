"""Finding out which CI we run in, and reading what it says about the job: its variables and its event file.

Sources: GitHub's "Variables reference" (default environment variables), GitLab's "Predefined CI/CD variables
reference" and "Trigger pipelines with the API" (use a webhook).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ci_agent.ci import Definition, Happening, Job
from ci_agent.ci.workflow import DEFAULT_MINUTES
from ci_agent.errors import UsageError
from ci_agent.task import Account, is_bot_name

LARGEST_PAYLOAD = 26_214_400  # bytes; GitHub sends no webhook above 25 MB, GitLab's limits are lower
_SHOWN = 200


def _now() -> datetime:
    return datetime.now(UTC)


def here(environment: Mapping[str, str], now: Callable[[], datetime] = _now) -> Job | None:
    """The job we are; None: this is no CI we know. Raises `UsageError` for an event that can't be read.

    Gitea and Forgejo look like GitHub to a job and are not: their API is another one.
    """
    named_otherwise = environment.get("GITEA_ACTIONS") or environment.get("FORGEJO_ACTIONS")
    if environment.get("GITHUB_ACTIONS") == "true" and environment.get("GITHUB_REPOSITORY"):
        return None if named_otherwise else _github(environment, now)
    # Not by GITLAB_CI: it says no more than these two, and what runs pipelines on one's own machine says `false` there.
    if environment.get("CI_SERVER_URL") and environment.get("CI_PROJECT_PATH"):
        return _gitlab(environment, now)
    return None


def _checkout(folder: str) -> Path | None:
    path = Path(folder) if folder else None
    return path if path and (path / ".git").exists() else None


# --- GitHub -----------------------------------------------------------------------------------------------


def _github(environment: Mapping[str, str], now: Callable[[], datetime]) -> Job:
    repository, run = environment["GITHUB_REPOSITORY"], environment.get("GITHUB_RUN_ID", "")
    login, file = environment.get("GITHUB_ACTOR", ""), environment.get("GITHUB_EVENT_PATH", "")
    payload = _file(file, "GITHUB_EVENT_PATH") if file else {}
    temporary = environment.get("RUNNER_TEMP") or "/tmp"  # noqa: S108 - GitHub always sets the variable
    return Job(
        platform="github",
        repository=repository,
        api_url=environment.get("GITHUB_API_URL") or "https://api.github.com",
        happening=Happening(environment.get("GITHUB_EVENT_NAME", ""), payload, now()),
        actor=Account(login, environment.get("GITHUB_ACTOR_ID", ""), login.endswith("[bot]"))
        if login
        else None,
        default_branch=_default_branch(payload),
        url=_page(environment, repository, run) if run else "",
        run=run,
        pipeline=run,
        checkout=_checkout(environment.get("GITHUB_WORKSPACE", "")),
        scratch=Path(temporary) / f"ci-agent-{run or 'local'}",
        minutes=DEFAULT_MINUTES,
        definition=_definition(environment, repository),
        runner=environment.get("RUNNER_NAME", ""),
        sha=environment.get("GITHUB_SHA", ""),
    )


def _definition(environment: Mapping[str, str], repository: str) -> Definition | None:
    """Where the workflow stands: `owner/name/.github/workflows/file.yml@refs/heads/main`. None for one of another
    repository, which the token need not see."""
    found = _WORKFLOW.fullmatch(environment.get("GITHUB_WORKFLOW_REF", ""))
    sha, job = environment.get("GITHUB_WORKFLOW_SHA", ""), environment.get("GITHUB_JOB", "")
    if not found or found[1].casefold() != repository.casefold() or not _COMMIT.fullmatch(sha) or not job:
        return None
    return Definition(found[2], sha, job, longer=environment.get("RUNNER_ENVIRONMENT") == "self-hosted")


_WORKFLOW = re.compile(r"([^/@]+/[^/@]+)/(\.github/workflows/[^/@]+)@.+")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def _page(environment: Mapping[str, str], repository: str, run: str) -> str:
    server = environment.get("GITHUB_SERVER_URL") or "https://github.com"
    attempt = environment.get("GITHUB_RUN_ATTEMPT") or "1"
    again = f"/attempts/{attempt}" if attempt != "1" else ""
    return f"{server}/{repository}/actions/runs/{run}{again}"


def _default_branch(payload: Mapping[str, Any]) -> str:
    repository = payload.get("repository")
    found = repository.get("default_branch") if isinstance(repository, dict) else None
    return found if isinstance(found, str) else ""


# --- GitLab -----------------------------------------------------------------------------------------------


def _gitlab(environment: Mapping[str, str], now: Callable[[], datetime]) -> Job:
    login, job = environment.get("GITLAB_USER_LOGIN", ""), environment.get("CI_JOB_ID", "")
    return Job(
        platform="gitlab",
        repository=environment["CI_PROJECT_PATH"],
        api_url=environment["CI_SERVER_URL"],
        happening=Happening(
            environment.get("CI_PIPELINE_SOURCE", ""),
            _gitlab_payload(environment),
            _moment(environment.get("CI_PIPELINE_CREATED_AT", "")) or now(),
        ),
        actor=Account(login, environment.get("GITLAB_USER_ID", ""), is_bot_name(login)) if login else None,
        default_branch=environment.get("CI_DEFAULT_BRANCH", ""),
        url=environment.get("CI_JOB_URL", ""),
        run=job,
        pipeline=environment.get("CI_PIPELINE_ID") or job,
        checkout=_checkout(environment.get("CI_PROJECT_DIR", "")),
        scratch=_gitlab_scratch(environment, job),
        minutes=_allowed(environment),
        began=_moment(environment.get("CI_JOB_STARTED_AT", "")),
        sha=environment.get("CI_COMMIT_SHA", ""),
    )


def _allowed(environment: Mapping[str, str]) -> float | None:
    """How many minutes the job's commands may take, counted from the job's begin.

    The runner's time-out of the script counts from the script's own begin, which is later: nobody says how much.
    Without one, newer runners keep the time of `after_script` free at the end (gitlab-runner, merge request 4491).
    """
    given = environment.get("CI_JOB_TIMEOUT", "").strip()
    script = _minutes(environment.get("RUNNER_SCRIPT_TIMEOUT", ""))
    known = [] if script is None else [script]
    if given.isdecimal() and len(given) <= _DIGITS:
        after = _minutes(environment.get("RUNNER_AFTER_SCRIPT_TIMEOUT", ""))
        kept = _AFTER_SCRIPT if after is None else after
        known.append(int(given) / 60 - (kept if script is None else 0.0))
    return min(known, default=None)


def _minutes(text: str) -> float | None:
    """A time-out of the runner's: `65m`, `1h 5m`, `90s`; None: there is none that we understand."""
    found = _TIMEOUT.fullmatch(text.replace(" ", ""))
    if not found or not any(found.groups()):
        return None
    hours, minutes, seconds = (int(number or 0) for number in found.groups())
    return hours * 60 + minutes + seconds / 60


_AFTER_SCRIPT = 5.0  # minutes, the default of RUNNER_AFTER_SCRIPT_TIMEOUT ("Configuring runners")
_DIGITS = 8  # of a number of seconds or minutes; more is no time that a job may take
_TIMEOUT = re.compile(
    rf"(?:(\d{{1,{_DIGITS}}})h)?(?:(\d{{1,{_DIGITS}}})m)?(?:(\d{{1,{_DIGITS}}})s)?", re.ASCII
)


def _gitlab_scratch(environment: Mapping[str, str], job: str) -> Path:
    """Beside the checkout, where `after_script` finds it again, and later jobs on the same runner do not trip
    over it: jobs of one runner share `/tmp` but not this."""
    project = environment.get("CI_PROJECT_DIR", "")
    parent = Path(f"{project}.tmp") if project else Path("/tmp")  # noqa: S108 - GitLab sets the folder
    return parent / f"ci-agent-{job or 'local'}"


def _gitlab_payload(environment: Mapping[str, str]) -> dict[str, Any]:
    """The webhook's payload, in a pipeline that a webhook may have started, and beside it what people, a routing job
    and GitLab itself say in other variables: `inputs`, `travelled` and `here`."""
    hooked = environment.get("CI_PIPELINE_SOURCE") == "trigger"
    return (_sent(environment.get("TRIGGER_PAYLOAD", "")) if hooked else {}) | {
        "inputs": {
            "issue": environment.get("CI_AGENT_ISSUE", ""),
            "intent": environment.get("CI_AGENT_INTENT", ""),
        },
        "travelled": environment.get("CI_AGENT_TRIGGER", ""),
        "here": environment["CI_PROJECT_PATH"],
    }


def _sent(given: str) -> dict[str, Any]:
    """GitLab hands the payload on as a file whose path is in the variable; other tools put it there itself."""
    name = "TRIGGER_PAYLOAD"
    if given.lstrip()[:1] in ("{", "[", '"'):
        return _decoded(given.encode("utf-8", "surrogateescape"), name)
    return _file(given.strip(), name) if given.strip() else {}


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


# --- the event --------------------------------------------------------------------------------------------

# What people can do instead, by the variable.
_ELSE = {
    "GITHUB_EVENT_PATH": "run the workflow again",
    "TRIGGER_PAYLOAD": "a pipeline started by hand with the variable CI_AGENT_ISSUE does without it",
}


def _file(path: str, name: str) -> dict[str, Any]:
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST_PAYLOAD + 1)
    except (OSError, ValueError) as error:  # ValueError: a path that can't be one
        why = getattr(error, "strerror", None) or "that is no path"
        raise _unreadable(name, f"can't be read from {path[:_SHOWN]!r}: {why}") from error
    if len(data) > LARGEST_PAYLOAD:
        raise _unreadable(name, f"is larger than {LARGEST_PAYLOAD:,} bytes")
    return _decoded(data, name)


def _decoded(data: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _unreadable(name, "is no text in UTF-8") from error
    except (ValueError, RecursionError) as error:
        old = " (older versions of GitLab fill in variables where the payload holds a `$`)"
        raise _unreadable(name, f"is no JSON{old if name == 'TRIGGER_PAYLOAD' else ''}") from error
    if not isinstance(found, dict):
        raise _unreadable(name, "is no JSON object")
    return found


def _unreadable(name: str, why: str) -> UsageError:
    return UsageError(f"the event in {name} {why}; {_ELSE[name]}")
