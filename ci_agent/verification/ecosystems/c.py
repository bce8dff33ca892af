"""C and C++: CTest and Meson, built in a folder of their own. (`make check` is in `make.py`.)

Entries of data and the pure functions in them; nothing is run here. Sources: `ctest --help` (`--output-junit`
is there from CMake 3.21), https://mesonbuild.com/Unit-tests.html. Neither has a seed. Coverage needs a build of
another kind, so there is none.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from ci_agent.verification.ecosystems.words import any_of, appended, call, into
from ci_agent.verification.project import Project
from ci_agent.verification.runner import Report, Runner

_TESTS = r"(.*/)?(unit_?)?tests?/.*|(.*/)?(test_[^/]+|[^/]+_(test|unittest))\.(c|cc|cpp|cxx)"
_BUILD = "build"  # as people call it, and as most .gitignore files know it
_MESON_BUILD = "builddir"


def _free(project: Project, folder: str, made: str) -> str:
    """A folder of that name is taken unless a build made it."""
    ours = project.has(f"{folder}/{made}") or not (project.root / folder).exists()
    return folder if ours else f"{folder}-tests"


def _part(manifest: str) -> Callable[[Project, str], bool]:
    """A folder whose own file does not begin a project is a part of the one above."""
    return lambda project, folder: not _begins(project, f"{folder}/{manifest}")


def _begins(project: Project, manifest: str) -> bool:
    return bool(re.search(r"^[ \t]*(?i:project)\s*\(", project.text(manifest), re.MULTILINE))


# --- CTest --------------------------------------------------------------------------------------------------


def _ctest_sign(project: Project) -> str:
    if "CMakeLists.txt" not in project.files:
        return ""
    return project.first(
        r"(.*/)?CMakeLists\.txt", r"^[ \t]*(?i:enable_testing\s*\(|include\s*\(\s*CTest\s*\))"
    )


def _ctest(project: Project) -> str:
    """As many compilers as processors: without a number there would be no limit."""
    folder = _free(project, _BUILD, "CMakeCache.txt")
    build = f'cmake --build {folder} --parallel "$(getconf _NPROCESSORS_ONLN)"'
    return f"cmake -S . -B {folder} && {build} && cd {folder} && ctest --output-on-failure"


def _by_name(command: str, names: Sequence[str]) -> str:
    return appended(command, ["-R", any_of(names)])


def _ctest_cases(command: str, ids: Sequence[str]) -> str:
    """CTest writes a test's name as its class, too: `name::name`."""
    return _by_name(command, [_once(case) for case in ids])


def _once(case: str) -> str:
    half = (len(case) - 2) // 2
    return case[:half] if case == f"{case[:half]}::{case[:half]}" else case


def _ctest_select(command: str, words: Sequence[str]) -> str:
    return appended(command, words if words[0].startswith("-") else ["-R", "|".join(words)])


def _ctest_report(command: str, folder: Path) -> str:
    return into(command, "ctest", f"--output-junit {shlex.quote(str(folder / 'ctest.xml'))}")


# --- Meson --------------------------------------------------------------------------------------------------


def _meson_sign(project: Project) -> str:
    if not _begins(project, "meson.build"):
        return ""
    return project.first(r"(.*/)?meson\.build", r"^[ \t]*test\s*\(")


def _meson(project: Project) -> str:
    folder = _free(project, _MESON_BUILD, "build.ninja")
    return f"meson setup {folder} && meson test -C {folder} --print-errorlogs"


def _meson_cases(command: str, ids: Sequence[str]) -> str:
    """Ids are `project:suite::project:suite / test`; tests are asked for by the last part."""
    return appended(command, list(dict.fromkeys(case.partition(" / ")[2] or case for case in ids)))


RUNNERS = (
    Runner(
        name="ctest",
        manifest=r"CMakeLists\.txt",
        language="C/C++",
        why="CMake knows tests",
        sign=_ctest_sign,
        command=_ctest,
        called=call("ctest"),
        tests=_TESTS,
        reports=(Report(format="junit", command=_ctest_report),),
        select=_ctest_select,
        cases=_ctest_cases,
        covers=_part("CMakeLists.txt"),
    ),
    Runner(
        name="meson test",
        manifest=r"meson\.build",
        language="C/C++",
        why="Meson knows tests",
        sign=_meson_sign,
        command=_meson,
        called=call("meson test"),
        tests=_TESTS,
        reports=(Report(format="junit", files="builddir*/meson-logs/testlog*.junit.xml"),),
        select=appended,
        cases=_meson_cases,
        covers=_part("meson.build"),
    ),
)
