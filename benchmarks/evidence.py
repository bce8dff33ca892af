"""What verification costs beside the tests themselves: `ci-agent verify` next to two plain runs of a suite, and the
comparison of very many cases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

_PYTHON_FOLDER = Path(sys.executable).parent
_FILES = 20


@dataclass(frozen=True, slots=True)
class Overhead:
    """Seconds."""

    plain: float  # two runs of the suite by pytest itself
    verify: float  # the whole of `ci-agent verify` on a small change

    @property
    def goal(self) -> float:
        """3 % and a second more than the two runs."""
        return self.plain * 1.03 + 1.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Seconds and bytes, for two runs of `cases` test cases."""

    reading: float  # both reports
    comparing: float
    peak_memory: int


def overhead(cases: int, seconds: float) -> Overhead:
    """Measure on a made project of `cases` tests that take `seconds` together."""
    with tempfile.TemporaryDirectory(prefix="ci-agent-bench-") as name:
        folder = Path(name)
        project = folder / "project"
        _make_project(project, cases, seconds / cases)
        # The coverage of a change takes a run of its own, which is no overhead of these two.
        environment = os.environ | {"CI_AGENT_VERIFICATION_COVERAGE": "off"}
        environment["PATH"] = f"{_PYTHON_FOLDER}:{environment['PATH']}"
        started = time.perf_counter()
        for _ in range(2):
            subprocess.run(
                [sys.executable, "-m", "pytest", "-q"],
                cwd=project,
                env=environment,
                check=True,
                capture_output=True,
            )
        plain = time.perf_counter() - started
        words = ["verify", "--repo", str(project), "--base", "main", "--head", "change"]
        places = ["--state-dir", str(folder / "state"), "--output-dir", str(folder / "report")]
        started = time.perf_counter()
        done = subprocess.run(
            [str(_PYTHON_FOLDER / "ci-agent"), *words, *places],
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        verify = time.perf_counter() - started
        if done.returncode != 0 or f"{cases:,} passed" not in done.stdout:
            raise RuntimeError(f"ci-agent verify did not verify: {done.stdout}{done.stderr}")
    return Overhead(plain, verify)


def _make_project(project: Path, cases: int, each: float) -> None:
    (project / "tests").mkdir(parents=True)
    (project / "shop.py").write_text("def price(n):\n    return n\n")
    for number in range(_FILES):
        tests = "".join(
            f"\ndef test_{case}():\n    time.sleep({each:.5f})\n    assert price({case}) == {case}\n"
            for case in range(cases // _FILES)
        )
        (project / "tests" / f"test_{number:02}.py").write_text(
            f"import time\nfrom shop import price\n{tests}"
        )
    (project / "conftest.py").write_text("")
    git = ["git", "-c", "user.name=b", "-c", "user.email=b@localhost", "-C", str(project)]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Base"]):
        subprocess.run([*git, *words], check=True)
    subprocess.run([*git, "switch", "-q", "-c", "change"], check=True)
    (project / "shop.py").write_text("def price(n):\n    return n + 0\n")
    subprocess.run([*git, "commit", "-q", "-a", "-m", "Change"], check=True)


def comparison(cases: int) -> Comparison:
    """Measure in a process of its own, whose memory is that of nothing else."""
    done = subprocess.run([sys.executable, __file__, str(cases)], check=True, capture_output=True, text=True)
    return Comparison(**json.loads(done.stdout))


def _compare(cases: int) -> Comparison:
    import resource
    from functools import partial

    from ci_agent.journal.events import Moment, TestsRan
    from ci_agent.verification import compare, reading

    with tempfile.TemporaryDirectory(prefix="ci-agent-bench-") as name:
        reports = [Path(name, f"{side}.xml") for side in ("before", "after")]
        for number, report in enumerate(reports):
            _write_report(report, cases, failing=50 - 40 * number)
        started = time.perf_counter()
        runs = [
            partial(
                TestsRan, exit_code=1, seconds=1.0, timed_out=False, problem="", by_case=True, log="", tail=""
            )(moment=moment, command="pytest", tree="t", cases=reading.read("junit", [report]))
            for moment, report in zip((Moment.BEFORE, Moment.AFTER), reports, strict=True)
        ]
        read = time.perf_counter() - started
    started = time.perf_counter()
    compared = compare(runs[0], runs[1], 1)
    took = time.perf_counter() - started
    assert len(compared.fixed) == 40, len(compared.fixed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Comparison(read, took, peak)


def _write_report(path: Path, cases: int, failing: int) -> None:
    with path.open("w") as file:
        file.write("<testsuites><testsuite name='pytest'>\n")
        for number in range(cases):
            place = f"file='tests/test_{number % 500}.py' classname='tests.test_{number % 500}.TestPrice'"
            inside = "<failure message='assert 1 == 2'>E assert 1 == 2</failure>" if number < failing else ""
            file.write(f"<testcase {place} name='test_price[{number}]' time='0.01'>{inside}</testcase>\n")
        file.write("</testsuite></testsuites>\n")


if __name__ == "__main__":
    found = _compare(int(sys.argv[1]))
    print(
        json.dumps({"reading": found.reading, "comparing": found.comparing, "peak_memory": found.peak_memory})
    )
