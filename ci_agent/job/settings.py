"""From the flags of a command to the effective configuration, and the repository whose file has a say in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click

from ci_agent import config
from ci_agent.config import Config
from ci_agent.errors import UsageError
from ci_agent.workspace import Source, open_source

# Which setting each flag of the command line stands for.
_FLAGS = {
    "base": "git.base",
    "branch": "git.branch",
    "push": "git.push",
    "model": "model.name",
    "max_iterations": "limits.max_iterations",
    "timeout": "limits.timeout",
    "max_cost": "limits.max_cost",
    "setup": "verification.setup",
    "test": "verification.test",
    "policy": "verification.policy",
    "output_dir": "report.output_dir",
    "state_dir": "state_dir",
}


def load_settings(
    repository: str, flags: Mapping[str, object], environment: Mapping[str, str]
) -> tuple[config.Loaded, Source]:
    """The configuration with the origin of each value: environment and flags say where to look, the file of
    the base branch's commit adds the rest."""
    given = {_FLAGS[name]: value for name, value in flags.items()}
    first = config.load(file=None, environment=environment, flags=given).config
    source = open_source(repository, first.git.base, state_folder(first) / "clones")
    content = source.file(config.FILE_NAME)
    file = (config.FILE_NAME, content) if content is not None else None
    loaded = config.load(file=file, environment=environment, flags=given)
    if loaded.config.git.base not in (None, source.base):
        source = open_source(repository, loaded.config.git.base, state_folder(first) / "clones")
    _tell(loaded)
    return loaded, source


def load_for(
    repository: str, flags: Mapping[str, object], environment: Mapping[str, str], head: str
) -> tuple[Config, Source, str]:
    """The configuration for a comparison of `head` with the base, the source at the commit where the two parted,
    and the commit of `head`. The file that counts is that of this commit, never that of the branch."""
    given = {_FLAGS[name]: value for name, value in flags.items() if name != "base"}
    first = config.load(file=None, environment=environment, flags=given).config
    base = flags.get("base") or first.git.base
    clones = state_folder(first) / "clones"
    source, sha = open_source(repository, None, clones).between(str(base) if base else None, head)
    content = source.file(config.FILE_NAME)
    file = (config.FILE_NAME, content) if content is not None else None
    loaded = config.load(file=file, environment=environment, flags=given)
    _tell(loaded)
    return loaded.config, source, sha


def _tell(loaded: config.Loaded) -> None:
    """The repository may be a stranger's: what its file asks for and does not get on this machine."""
    for notice in loaded.notices:
        click.echo(f"ci-agent: {notice}", err=True)


def report_folder(settings: Config) -> Path:
    """Where the report is written, as an absolute path without `..`; links in it are not followed."""
    return Path(os.path.normpath(Path(settings.report.output_dir).expanduser().absolute()))


def state_folder(settings: Config) -> Path:
    """Where issues, clones and sessions are kept."""
    if settings.state_dir:
        return Path(settings.state_dir).expanduser().resolve()
    import platformdirs

    try:
        return Path(platformdirs.user_state_dir("ci-agent"))
    except RuntimeError as error:  # an unknown user without HOME, as containers have them
        raise UsageError(
            "this user has no home folder; say with --state-dir where things are kept"
        ) from error
