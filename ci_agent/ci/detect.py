"""Finding out which CI we run in, and reading what it says about the job: its variables and its event file.

Sources: GitHub's "Variables" (default environment variables), GitLab's "Predefined CI/CD variables reference" and
"Use a webhook to trigger pipelines".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ci_agent.ci import Happening, Job
from ci_agent.errors import UsageError
from ci_agent.task import Account

LARGEST_PAYLOAD = 26_214_400  # bytes; GitHub sends no webhook above 25 MB, GitLab's limits are lower


def _now() -> datetime:
    return datetime.now(UTC)


def here(environment: Mapping[str, str], now: Callable[[], datetime] = _now) -> Job | None:
    """The job we are; None: this is no CI we know. Raises `UsageError` for an event that can't be read."""
    if environment.get("GITHUB_ACTIONS") == "true" and environment.get("GITHUB_REPOSITORY"):
        return _github(environment, now)
    # Not GITLAB_CI alone: it says no more than these two, and runners outside of GitLab leave it out.
    if environment.get("CI_SERVER_URL") and environment.get("CI_PROJECT_PATH"):
        return _gitlab(environment, now)
    return None


def _github(environment: Mapping[str, str], now: Callable[[], datetime]) -> Job:
    repository, run = environment["GITHUB_REPOSITORY"], environment.get("GITHUB_RUN_ID", "")
    file = environment.get("GITHUB_EVENT_PATH", "")
    payload = _payload(Path(file), "GITHUB_EVENT_PATH") if file else {}
    default = payload.get("repository")
    server = environment.get("GITHUB_SERVER_URL", "https://github.com")
    login = environment.get("GITHUB_ACTOR", "")
    actor = Account(login, environment.get("GITHUB_ACTOR_ID", ""), login.endswith("[bot]")) if login else None
    return Job(
        platform="github",
        repository=repository,
        api_url=environment.get("GITHUB_API_URL", "https://api.github.com"),
        happening=Happening(environment.get("GITHUB_EVENT_NAME", ""), payload, now()),
        actor=actor,
        default_branch=str(default.get("default_branch", "")) if isinstance(default, dict) else "",
        url=f"{server}/{repository}/actions/runs/{run}" if run else "",
        run=run,
        checkout=_checkout(environment.get("GITHUB_WORKSPACE", "")),
        scratch=Path(environment.get("RUNNER_TEMP") or "/tmp") / f"ci-agent-{run or 'local'}",  # noqa: S108 - GitHub sets it
    )


def _gitlab(environment: Mapping[str, str], now: Callable[[], datetime]) -> Job:
    login, job = environment.get("GITLAB_USER_LOGIN", ""), environment.get("CI_JOB_ID", "")
    return Job(
        platform="gitlab",
        repository=environment["CI_PROJECT_PATH"],
        api_url=environment["CI_SERVER_URL"],
        happening=Happening(
            environment.get("CI_PIPELINE_SOURCE", ""),
            _gitlab_payload(environment),
            _created(environment.get("CI_PIPELINE_CREATED_AT", "")) or now(),
        ),
        actor=Account(login, environment.get("GITLAB_USER_ID", "")) if login else None,
        default_branch=environment.get("CI_DEFAULT_BRANCH", ""),
        url=environment.get("CI_JOB_URL", ""),
        run=job,
        checkout=_checkout(environment.get("CI_PROJECT_DIR", "")),
        scratch=_gitlab_scratch(environment, job),
    )


def _gitlab_scratch(environment: Mapping[str, str], job: str) -> Path:
    """Beside the checkout, where `after_script` finds it again, and later jobs on the same runner do not trip
    over it: jobs of one runner share `/tmp` but not this."""
    project = environment.get("CI_PROJECT_DIR", "")
    parent = Path(f"{project}.tmp") if project else Path("/tmp")  # noqa: S108 - GitLab sets the folder
    return parent / f"ci-agent-{job or 'local'}"


def _gitlab_payload(environment: Mapping[str, str]) -> dict[str, Any]:
    """The webhook's payload, which GitLab hands on as a file whose path is in the variable; started by API it may
    stand there itself. Beside it what people or a routing job gave in other variables."""
    given = environment.get("TRIGGER_PAYLOAD", "").strip()
    payload: dict[str, Any] = {}
    if given.startswith("{"):
        payload = _decoded(given.encode("utf-8", "replace"), "TRIGGER_PAYLOAD")
    elif given:
        payload = _payload(Path(given), "TRIGGER_PAYLOAD")
    inputs = {
        "issue": environment.get("CI_AGENT_ISSUE", ""),
        "intent": environment.get("CI_AGENT_INTENT", ""),
    }
    return payload | {"inputs": inputs, "travelled": environment.get("CI_AGENT_TRIGGER", "")}


def _payload(path: Path, name: str) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_PAYLOAD + 1)
    except OSError as error:
        raise UsageError(f"the event in {name} can't be read: {error.strerror} ({path})") from error
    if len(data) > LARGEST_PAYLOAD:
        raise UsageError(
            f"the event in {name} is larger than {LARGEST_PAYLOAD:,} bytes; nothing is done with it"
        )
    return _decoded(data, name)


def _decoded(data: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        hint = (
            "; older versions of GitLab break payloads with a `$` in them; use `ci-agent job --issue N` there"
            if name == "TRIGGER_PAYLOAD"
            else ""
        )
        raise UsageError(f"the event in {name} is no JSON{hint}") from error
    if not isinstance(found, dict):
        raise UsageError(f"the event in {name} is no JSON object")
    return found


def _created(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _checkout(folder: str) -> Path | None:
    path = Path(folder) if folder else None
    return path if path and (path / ".git").exists() else None
