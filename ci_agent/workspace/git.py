"""Running git, so that nothing a stranger wrote decides what git does.

The one place that starts git on our own repositories. Hooks, file-system monitors, filters, external diffs,
the system's and the user's configuration are off; errors become `GitError` with git's own words.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ci_agent.errors import GitError

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
    "submodule.recurse=false",
    "advice.detachedHead=false",
)

_INHERITED = ("PATH", "TMPDIR", "LANG", "SYSTEMROOT")


def git(
    *words: str | Path,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout: float = 600,
) -> bytes:
    """Run `git WORDS` and give what it printed.

    `environment` is added to the built one. Raises `GitError` when git says no, is missing, or takes longer
    than `timeout` seconds.
    """
    settings = [part for setting in _SETTINGS for part in ("-c", setting)]
    command = ["git", *settings, *(str(word) for word in words)]
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env=_environment() | dict(environment or {}),
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
            # A signal to our process group is for us: git has to finish what saves the work.
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise GitError("git is not installed, or not on PATH; ci-agent needs git 2.30 or newer") from error
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git {_verb(words)} did not end within {timeout:.0f} s") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise GitError(f"git {_verb(words)} failed: {said or f'exit code {done.returncode}'}")
    return done.stdout


def _verb(words: Sequence[str | Path]) -> str:
    rest = [str(word) for word in words]
    while rest and rest[0].startswith("--"):
        rest = rest[2:]  # `--git-dir` and `--work-tree` with their folder
    return rest[0] if rest else ""


def text(output: bytes) -> str:
    """Git's output as text. File names that are not UTF-8 stay reversible (`os.fsencode`)."""
    return os.fsdecode(output).strip()


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | {
        "GIT_CONFIG_GLOBAL": str(_GLOBAL_CONFIG),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
    }


# `safe.directory` counts only in the user's or the system's file: a CI checkout often has another owner.
_GLOBAL_CONFIG = Path(__file__).with_name("gitconfig")
