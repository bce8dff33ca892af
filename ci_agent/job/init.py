"""`ci-agent init`: puts what a job needs into the repository, and sets up the platform for a person who may.

A file that is there is never changed; how it differs from what would be written is printed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import unified_diff
from pathlib import Path

from ci_agent.ci import Job
from ci_agent.config import Config
from ci_agent.errors import AuthenticationError, CiAgentError, UsageError
from ci_agent.job.doctor import labels_of, open_place
from ci_agent.job.forges import open_administration
from ci_agent.job.kit import GITHUB_COPY, GITLAB_COPY, KITS, NO_COMMIT, Kit, left_in
from ci_agent.job.place import top_of
from ci_agent.platforms import Label
from ci_agent.platforms.administration import Administration

_COPY = re.compile(r"(?P<name>[\w.-]+(?:/[\w.-]+)+)@(?P<version>[\w.][\w./-]*)", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}")
_NOBODYS = ("your-org", "your-group", "OWNER")  # as the documentation has them
_NO_VERSIONS = ("COMMIT", "TAG", NO_COMMIT)
_SERVER = "https://gitlab.example.org"  # as the example has it
_SHOWN = 30  # lines of a comparison

Say = Callable[[str], None]


def initialise(
    environment: Mapping[str, str],
    folder: Path,
    say: Say,
    *,
    platform: str | None,
    repository: str | None,
    action: str | None,
    apply: bool,
) -> int:
    """Do it for the checkout that `folder` is in, and say each thing that was done or is left; the exit code: 1 where
    something could not be done. `action` is the place of ci-agent's own copy, `NAME@VERSION`.

    Raises `UsageError` where the repository is not known, and `AuthenticationError` where settings are to be
    changed without a token. Nothing was written then.
    """
    top = top_of(folder)
    job, settings = open_place(environment, top, platform, repository)
    kit = KITS[job.platform]
    administration = _administration(job, settings)
    if apply and administration is None:
        raise AuthenticationError(f"--apply changes settings and needs {kit.variable}: {kit.strong}")
    content = _content(kit, job, action, say)
    _write(top / kit.file, content, kit, say)
    failed = _set_up(administration, kit, labels_of(settings), say, apply=apply)
    say(f"· to give the jobs their keys: {kit.secrets}")
    say("Then `ci-agent doctor` looks whether everything is there.")
    return int(failed)


def example(name: str) -> str:
    """An example of docs/examples. In an installed package they lie beside this module."""
    for folder in (Path(__file__).parent / "examples", Path(__file__).parents[2] / "docs" / "examples"):
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    raise CiAgentError(f"the example {name} is missing from this installation; install ci-agent again")


# --- the platform -----------------------------------------------------------------------------------------


def _administration(job: Job, settings: Config) -> Administration | None:
    """The settings of the repository; None without a token."""
    try:
        return open_administration(job, settings)
    except AuthenticationError:
        return None


def _set_up(
    administration: Administration | None, kit: Kit, labels: Sequence[Label], say: Say, *, apply: bool
) -> bool:
    """Do what is missing, or say where a person does it; whether something could not be done."""
    by_hand = kit.by_hand(labels)
    failed = False
    if administration is None:
        say(f"There is no token in {kit.variable} to look with, so this is all that has to be there:")
    else:
        try:
            steps = administration.steps(labels)
        except CiAgentError as error:
            say(f"✗ what is set already could not be looked at: {error}")
            failed = True
        else:
            if apply:
                done = [_done(step.what, step.do, step.by_hand, say) for step in steps]
                return not all(done)
            by_hand = [(step.what, step.by_hand) for step in steps]
    for what, where in by_hand:
        say(f"· to {what}: {where}")
    if by_hand and not failed:
        say(f"With --apply, and in {kit.variable} {kit.strong}, this is done for you.")
    return failed


def _done(what: str, do: Callable[[], str], by_hand: str, say: Say) -> bool:
    try:
        say(f"✓ {what}: {do()}")
    except CiAgentError as error:
        say(f"✗ {what}: {error} By hand: {by_hand}")
        return False
    return True


# --- the file ---------------------------------------------------------------------------------------------


def _content(kit: Kit, job: Job, action: str | None, say: Say) -> str:
    """The example, with what is known put in."""
    content = example(kit.example).replace(_SERVER, job.api_url)
    if action is None:
        return content
    name, version = _checked(action, job.platform)
    if job.platform == "github":
        if not _COMMIT.fullmatch(version):
            say(
                f"· {version} can be moved to other code later, a commit can't; `git ls-remote` of {name} shows which "
                "commit it is now"
            )
        return content.replace(f"{GITHUB_COPY}@{NO_COMMIT}", action)
    content = content.replace("ref: v1", f"ref: {version}")
    return content.replace(f"{GITLAB_COPY}@v1", action).replace(GITLAB_COPY, name)


def _checked(action: str, platform: str) -> tuple[str, str]:
    """Name and version of ci-agent's own copy. Raises `UsageError` for what can't be one."""
    parts = _COPY.fullmatch(action)
    if parts is None:
        raise UsageError(
            f"--action wants OWNER/NAME@COMMIT, not {action!r}; `git rev-parse HEAD` in your copy shows the commit"
        )
    name, version = parts["name"], parts["version"]
    if name.split("/")[0] in _NOBODYS or version in _NO_VERSIONS:
        raise UsageError(
            f"--action {action} is as the documentation has it; put the owner and name of your copy of ci-agent there, "
            "and the commit that `git rev-parse HEAD` shows in it"
        )
    if platform == "github" and _SHORT_COMMIT.fullmatch(version):
        raise UsageError(f"GitHub knows no shortened commits: give all 40 digits of {version}")
    return name, version


def _write(path: Path, content: str, kit: Kit, say: Say) -> None:
    try:
        if path.exists():
            _compare(path, path.read_text(encoding="utf-8", errors="replace"), content, say)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} can't be read or written: {error.strerror}") from error
    left = left_in(content)
    if left:
        say(
            f"✓ wrote {path}. Before you commit it to the default branch, put the place and {kit.version} of your copy "
            f"of ci-agent where it says {left}"
        )
    else:
        say(f"✓ wrote {path}; commit it to the default branch")


def _compare(path: Path, there: str, content: str, say: Say) -> None:
    """Say how the file that is there differs from what would be written."""
    if there.split() == content.split():
        left = left_in(there)
        say(
            f"✓ {path} is there already"
            + (f"; your own is still to be put where it says {left}" if left else "")
        )
        return
    kept = f"· {path} is there already and stays as it is."
    if "ci-agent" not in there:
        lines = [line for line in content.splitlines() if not line.lstrip().startswith("#")]
        say("\n".join([f"{kept} What belongs into it:", "", *lines, ""]))
        return
    both = list(unified_diff(there.splitlines(), content.splitlines(), lineterm="", n=0))[2:]
    more = [f"and {len(both) - _SHOWN} lines more"] if len(both) > _SHOWN else []
    how = "Take over what you want; or move yours away, and `ci-agent init` writes the new one."
    say(
        "\n".join(
            [f"{kept} It (-) differs from what is written today (+):", "", *both[:_SHOWN], *more, "", how]
        )
    )
