"""Running git, so that nothing a stranger wrote decides what git does.

The one place that starts git. Hooks, file-system monitors, external diffs, the system's and the user's
configuration are off; errors become `GitError` with git's own words.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from ci_agent.config import NOT_INHERITED
from ci_agent.config.variables import OF_THE_JOB
from ci_agent.errors import GitError

OLDEST: Final = (
    2,
    32,
)  # older ones do not know GIT_CONFIG_GLOBAL ("git, Environment variables"), by which we keep apart

# What any configuration file could say otherwise. Command line settings outweigh all files.
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.autocrlf=false",
    "core.safecrlf=false",
    "core.quotePath=false",
    "commit.gpgSign=false",
    "diff.external=",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.ext.allow=never",
    "protocol.file.allow=always",  # our own repositories talk to each other by path
    "submodule.recurse=false",
    "advice.detachedHead=false",
)

_INHERITED = ("PATH", "TMPDIR", "LANG", "SYSTEMROOT")
_NOT_FOR_USERS = {
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CEILING_DIRECTORIES"),
    *("GIT_CONFIG", "GIT_CONFIG_PARAMETERS"),  # the settings of a git that we run under
    *NOT_INHERITED,
    *OF_THE_JOB,
}
_TRACES = ("GIT_TRACE", "GIT_CURL_VERBOSE")
_TO_FINISH = 3.0  # seconds for git to end what it does when we are interrupted, before it is killed


def git(
    *words: str | Path,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout: float = 600,
    as_user: bool = False,
    into: BinaryIO | None = None,
) -> bytes:
    """Run `git WORDS` and give what it printed, unless that went `into` a file.

    `environment` is added to the built one. `as_user` is for what concerns the person's own things: their
    repository's ownership, their credentials and proxies; then the user's and the system's configuration count,
    with the settings above still on top. Raises `GitError` when git says no, is missing, or takes longer
    than `timeout` seconds.
    """
    settings = [part for setting in _SETTINGS for part in ("-c", setting)]
    command = ["git", *settings, *(str(word) for word in words)]
    if directory is not None and not directory.is_dir():
        raise GitError(f"the folder {directory} is gone")
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=(_users_environment() if as_user else _environment()) | dict(environment or {}),
            stdin=subprocess.PIPE,
            stdout=into or subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A signal to our process group is for us: git has to finish what saves the work.
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise GitError(
            "git is not installed, or not on PATH; ci-agent needs git {}.{} or newer".format(*OLDEST)
        ) from error
    with process:
        try:
            output, said = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise GitError(f"git {_verb(words)} did not end within {timeout:.0f} s") from error
        except BaseException:
            _finish(process)
            raise
    if process.returncode != 0:
        text_of_it = said.decode("utf-8", "replace").strip()
        raise GitError(f"git {_verb(words)} failed: {text_of_it or f'exit code {process.returncode}'}")
    return output or b""


def _finish(process: subprocess.Popen[bytes]) -> None:
    """Let git end by itself: killed in the middle it would leave its lock files in the way of the next call."""
    try:
        process.communicate(timeout=_TO_FINISH)
    except subprocess.TimeoutExpired:
        process.kill()


def _verb(words: Sequence[str | Path]) -> str:
    rest = [str(word) for word in words]
    while rest and rest[0].startswith("-"):
        rest = rest[2:]  # `--git-dir`, `--work-tree` or `-C` with their folder
    return rest[0] if rest else ""


def text(output: bytes) -> str:
    """Git's output as text. File names that are not UTF-8 stay reversible (`os.fsencode`)."""
    return os.fsdecode(output).rstrip("\n")


def _environment() -> dict[str, str]:
    return (
        _ALWAYS
        | _inherited(_INHERITED)
        | {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
        }
    )


def _users_environment() -> dict[str, str]:
    """The person's own, for credential helpers and the like, less what leads git to another repository, as a
    hook or a job may have set it, the keys of models and platforms, and traces, which tell what is secret."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _NOT_FOR_USERS and not name.startswith(_TRACES)
    }
    return _certificates(kept) | kept | _ALWAYS


def _certificates(environment: Mapping[str, str]) -> dict[str, str]:
    """The certificates that Python's clients trust here (`REQUESTS_CA_BUNDLE`, a file or a folder), in git's words."""
    bundle = environment.get("REQUESTS_CA_BUNDLE", "")
    if not bundle:
        return {}
    return {"GIT_SSL_CAPATH" if Path(bundle).is_dir() else "GIT_SSL_CAINFO": bundle}


def _inherited(names: Sequence[str]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}


_ALWAYS = {
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C.UTF-8",
}
