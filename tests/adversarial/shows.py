"""The table of attacks in docs/security.md: `python -m tests.adversarial.shows` runs them all and writes what came of them.

Needs root, as the profiles do; `make test-tools` has to have run before. The results are kept in `results.json`.
"""

from __future__ import annotations

import ctypes
import json
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.adversarial.cases import CASES, Case
from tests.support.profiles import TRAITS, Profile

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
RESULTS = Path(__file__).with_name("results.json")
HEADING = "## Forty attacks\n"
_LANDLOCK = 444  # landlock_create_ruleset, on all architectures

Results = dict[str, dict[str, bool]]  # by case and profile: whether it held


class Recorder:
    """Takes down what the tests say of each case. A case holds where all tests of it say so."""

    def __init__(self) -> None:
        self.seen: Results = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if (
            report.when != "call" or type(report) is not pytest.TestReport
        ):  # parts of a test have reports of their own
            return
        told: list[Any] = [value for name, value in report.user_properties if name == "canary"]
        for case, profile, held in told:
            of_case = self.seen.setdefault(str(case), {})
            of_case[profile] = held and of_case.get(profile, True)


def recorded() -> tuple[str, Results]:
    """On what they ran, and what came of them."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found["machine"], found["held"]


def section(machine: str, results: Results) -> str:
    """The section of the page, without its heading."""
    titles = " | ".join(TRAITS[profile].title for profile in Profile)
    head = [f"|  | attack | must hold | {titles} |", "|--:|---|---|" + ":-:|" * len(Profile)]
    rows = [_row(number, case, results.get(str(number), {})) for number, case in CASES.items()]
    return "\n".join(("", _INTRODUCTION.format(machine=machine), *head, *rows, ""))


def _row(number: int, case: Case, held: Mapping[str, bool]) -> str:
    marks = {None: "-", True: "holds", False: "**open**"}
    cells = (marks[held.get(profile)] for profile in Profile)
    remark = f" ({case.remark})" if case.remark else ""
    return f"| {number} | {case.attack}{remark} | {case.holds} | {' | '.join(cells)} |"


def page_with(page: str, text: str) -> str:
    """The page with this section in the place of the one it has; before the last one where it has none."""
    if HEADING not in page:
        before, heading, behind = page.rpartition("\n## ")
        return f"{before}\n{HEADING}{text}{heading}{behind}"
    before, _, rest = page.partition(HEADING)
    _, heading, behind = rest.partition("\n## ")
    return f"{before}{HEADING}{text}{heading}{behind}"


_INTRODUCTION = """\
A scripted model acts them out through its tools, in whole jobs, in places that are imitated as the kernel sees them:
capabilities, Docker's seccomp filter, users, processes, sudo. Images, cgroups and devices are not. Each attack is also
made on an agent that protects nothing, or with the one setting or right that lets it through, and has to succeed there;
so a mistyped attack can't hold. Run on {machine}. A dash: not there, or not imitated.

`make test-tools && .venv/bin/python -m tests.adversarial.shows`, as root, makes the table anew from what it sees.
"""


def _machine() -> str:
    version = ".".join(platform.release().split(".")[:2])
    abi = ctypes.CDLL(None).syscall(_LANDLOCK, None, ctypes.c_size_t(0), 1)
    return f"Linux {version} on {platform.machine()}, Landlock ABI {abi}"


def main() -> int:
    """Run everything, write the results and the section. The exit code is that of the tests."""
    recorder = Recorder()
    here = Path(__file__).parent
    words = [str(here), f"--ignore={here / 'test_page.py'}", "-q", "--tb=short", *sys.argv[1:]]
    ended = pytest.main(words, plugins=[recorder])
    found = {
        "machine": _machine(),
        "held": dict(sorted(recorder.seen.items(), key=lambda item: int(item[0]))),
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page_with(page, section(*recorded())), encoding="utf-8")
    return ended


if __name__ == "__main__":
    sys.exit(main())
