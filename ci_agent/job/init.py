"""`ci-agent init`: puts what a job needs into the repository, and sets up the platform for a person who may.

A file that is there is never changed; what would go into it is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ci_agent.errors import CiAgentError, UsageError
from ci_agent.job.doctor import labels_of, open_place
from ci_agent.job.forges import open_administration

_PLACES = {
    "github": (".github/workflows/ci-agent.yml", "github-issues.yml"),
    "gitlab": (".gitlab-ci.yml", "gitlab.yml"),
}
_ACTION = "your-org/ci-agent@0000000000000000000000000000000000000000"  # as the example has it


def initialise(
    environment: Mapping[str, str],
    folder: Path,
    say: Callable[[str], None],
    *,
    platform: str | None,
    repository: str | None,
    action: str | None,
    apply: bool,
) -> int:
    """Do it, and say each thing that was done or is left; the exit code: 1 where something could not be done.

    Raises `UsageError` where the repository is not known.
    """
    job, settings = open_place(environment, folder, platform, repository)
    name, source = _PLACES[job.platform]
    _write(folder / name, example(source), say, action if job.platform == "github" else None)
    try:
        steps = open_administration(job, settings).steps(labels_of(settings))
    except CiAgentError as error:
        say(f"✗ the settings of {job.repository} could not be looked at: {error}")
        return 1
    failed = 0
    for step in steps:
        if not apply:
            say(f"· to {step.what}: {step.by_hand}")
            continue
        try:
            say(f"✓ {step.what}: {step.do()}")
        except CiAgentError as error:
            failed = 1
            say(f"✗ {step.what}: {error} By hand: {step.by_hand}")
    if steps and not apply:
        say("With --apply and the token of somebody who may, this is done for you.")
    say("Then `ci-agent doctor` looks whether everything is there.")
    return failed


def example(name: str) -> str:
    """An example of docs/examples. In an installed package they lie beside this module."""
    for folder in (Path(__file__).parent / "examples", Path(__file__).parents[2] / "docs" / "examples"):
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    raise CiAgentError(f"the example {name} is missing from this installation; install ci-agent again")


def _write(path: Path, content: str, say: Callable[[str], None], action: str | None) -> None:
    if action:
        if "@" not in action or "/" not in action:
            raise UsageError(f"--action wants OWNER/NAME@COMMIT, not {action!r}")
        content = content.replace(_ACTION, action)
    if path.exists():
        say(f"· {path} is there already and stays as it is. What belongs into it:\n\n{content}")
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}") from error
    left = (
        ""
        if action or _ACTION not in content
        else "; put your copy of the action where it says your-org/ci-agent"
    )
    say(f"✓ wrote {path}; commit it to the default branch{left}")
