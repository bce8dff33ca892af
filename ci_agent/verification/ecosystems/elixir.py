"""Elixir: ExUnit, by `mix test`.

Entries of data and the pure functions in them; nothing is run here. Flags: `mix help test`. ExUnit takes a seed
as an option only, and gets the same one in every run. `mix test --cover` prints shares and no lines, so there
is no coverage.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ci_agent.verification.ecosystems.words import appended, call, fixed, into, named
from ci_agent.verification.project import Project
from ci_agent.verification.runner import Report, Runner

SEED = "1"


def _setup(project: Project) -> tuple[str, str]:
    """Hex, which `deps.get` asks for, is not part of a bare installation."""
    if "mix.lock" not in project.files:
        return "", ""
    return (
        "mix local.hex --force --if-missing && mix deps.get",
        "mix.lock names packages that have to be fetched",
    )


def _covers(project: Project, folder: str) -> bool:
    """An umbrella runs the tests of its applications, `apps/` by default."""
    return "apps_path" in project.text("mix.exs") and bool(re.fullmatch(r"apps/[^/]+", folder))


_ID = re.compile(r"(?:(?P<file>[^:]+\.exs?)::)?(?:[A-Z][\w.]*::)?(?P<name>.+)", re.DOTALL)


def _cases(command: str, ids: Sequence[str]) -> str:
    """Ids are `file::Module::test name`. The filter is the name, so that a test of that name in another of the
    files runs too."""
    parts = [match for match in map(_ID.fullmatch, ids) if match]
    files = dict.fromkeys(match["file"] for match in parts if match["file"])
    names = dict.fromkeys(match["name"] for match in parts)
    return appended(command, [*files, *(word for name in names for word in ("--only", f"test:{name}"))])


def _with_trace(command: str, _folder: Path) -> str:
    seed = "" if "--seed" in command else f" --seed {SEED}"
    return into(command, "mix test", f"--trace{seed}")


RUNNERS = (
    Runner(
        name="mix test",
        language="Elixir",
        why="it is a project of Mix",
        sign=named("mix.exs"),
        command=fixed("mix test"),
        called=call("mix test"),
        setup=_setup,
        tests=r"(.*/)?test/.*",
        reports=(Report(format="exunit", printed=True, command=_with_trace),),
        select=appended,
        files=appended,
        cases=_cases,
        covers=_covers,
    ),
)
