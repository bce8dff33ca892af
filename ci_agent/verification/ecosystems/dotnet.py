""".NET: C#, F# and Visual Basic, tested by `dotnet test`.

Entries of data and the pure functions in them; nothing is run here. From the documentation of `dotnet test`
(https://learn.microsoft.com/dotnet/core/tools/dotnet-test, …/core/testing/selective-unit-tests) and of coverlet
(https://github.com/coverlet-coverage/coverlet); not tried with the real tool. There is no variable for a seed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ci_agent.verification.ecosystems.words import appended, call, fixed, into
from ci_agent.verification.project import Project
from ci_agent.verification.runner import Report, Runner

_PROJECT = r"(.*/)?[^/]+\.(cs|fs|vb)proj"
_TEST_SDK = r"Microsoft\.NET\.Test\.Sdk|MSTest\.Sdk"


def _sign(project: Project) -> str:
    """A project of tests, where `dotnet test` without a path finds it: a solution, or the project in the root."""
    tests = project.first(_PROJECT, _TEST_SDK)
    return tests if tests and ("/" not in tests or any(project.matching(r"[^/]+\.slnx?"))) else ""


def _setup(_project: Project) -> tuple[str, str]:
    return "dotnet restore", "the packages of the projects have to be there"


def _covers(project: Project, folder: str) -> bool:
    """A solution names its projects by path, with backslashes."""
    solutions = "".join(project.text(path).replace("\\", "/") for path in project.matching(r"[^/]+\.slnx?"))
    return f'"{folder}/' in solutions


# --- narrowing ----------------------------------------------------------------------------------------------


def _value(text: str) -> str:
    r"""`\`, `(`, `)`, `&`, `|`, `=`, `!`, `~` have a meaning in filters, and a comma has to be given as `%2C`."""
    return re.sub(r"[\\()&|=!~]", r"\\\g<0>", text).replace(",", "%2C")


def _cases(command: str, ids: Sequence[str]) -> str:
    """Ids are `Namespace.Class::Method(x: 1)`; parameters are no part of the name."""
    names = dict.fromkeys(re.sub(r"\(.*", "", case, flags=re.DOTALL).replace("::", ".") for case in ids)
    return _filtered(command, [f"FullyQualifiedName={_value(name)}" for name in names])


def _files(command: str, paths: Sequence[str]) -> str:
    """A class is called as its file is."""
    names = dict.fromkeys(PurePosixPath(path).stem for path in paths)
    return _filtered(command, [f"FullyQualifiedName~.{_value(name)}." for name in names])


def _select(command: str, words: Sequence[str]) -> str:
    if words[0].startswith("-"):
        return appended(command, words)
    return _filtered(command, [f"FullyQualifiedName~{_value(word)}" for word in words])


def _filtered(command: str, terms: Sequence[str]) -> str:
    return appended(command, ["--filter", "|".join(terms)])


# --- what it leaves -----------------------------------------------------------------------------------------


def _with_trx(command: str, folder: Path) -> str:
    """Each project of a solution writes a file of its own name."""
    return into(command, "dotnet test", f"--logger trx --results-directory {shlex.quote(str(folder))}")


def _with_lcov(command: str, folder: Path) -> str:
    collector = shlex.quote("XPlat Code Coverage;Format=lcov")
    return into(
        command, "dotnet test", f"--collect {collector} --results-directory {shlex.quote(str(folder))}"
    )


def _has_coverlet(project: Project, _command: str) -> bool:
    return bool(project.first(_PROJECT, r"coverlet\.collector"))


RUNNERS = (
    Runner(
        name="dotnet test",
        manifest=r".*\.(slnx?|(cs|fs|vb)proj)",
        language=".NET",
        why="there is a project of tests",
        sign=_sign,
        command=fixed("dotnet test"),
        called=call("dotnet test"),
        setup=_setup,
        tests=r"(.*/)?([^/]*[.]?Tests?/.*|[^/]+Tests?\.(cs|fs|vb))",
        reports=(Report(format="trx", command=_with_trx),),
        coverage=(("coverlet", Report(format="lcov", command=_with_lcov, here=_has_coverlet)),),
        select=_select,
        files=_files,
        cases=_cases,
        covers=_covers,
    ),
)
