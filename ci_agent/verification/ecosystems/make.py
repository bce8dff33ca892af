"""Targets of a Makefile. They come last, because they usually wrap one of the other runners."""

from __future__ import annotations

import re
from collections.abc import Callable

from ci_agent.verification.ecosystems.words import call, fixed
from ci_agent.verification.project import Project
from ci_agent.verification.runner import Runner

_MAKEFILES = r"GNUmakefile|makefile|Makefile"


def _target(name: str) -> Callable[[Project], str]:
    # The first target of the name decides: trying each of many would take the square of their number.
    rule = rf"^(?>(?:[^\s#:=]+ +)*?{name}(?=[ :]))(?: +[^\s#:=]+)* *::?(?!=)"
    return lambda project: project.first(_MAKEFILES, rule)


def _covers(project: Project, folder: str) -> bool:
    """A makefile that names a folder is taken to run its tests too."""
    return bool(project.first(_MAKEFILES, rf"^\t.*(?<![\w/-]){re.escape(folder)}(?![\w-])"))


def _runner(target: str) -> Runner:
    return Runner(
        name=f"make {target}",
        language="",  # whatever the makefile calls
        why=f"there is a target `{target}`",
        sign=_target(target),
        command=fixed(f"make {target}"),
        called=call(f"make {target}"),
        tests=r"(.*/)?(tests?|spec)/.*",
        wraps=True,
        seeds=("PYTHONHASHSEED", "CI_AGENT_SEED"),  # it often wraps Python's runners
        covers=_covers,
    )


RUNNERS = (_runner("test"), _runner("check"))
