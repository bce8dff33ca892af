"""All figures of benchmarks/README.md in one command: `make bench`, or `python benchmarks/run.py [--quick]`.

Prints the table, keeps the numbers in .cache/bench/results.json, and exits with 1 when a goal is missed.
What each figure means is said in the README.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import confinement
import contest
import evidence
import jobs
import resuming
import start_up
from agents import ci_agent, mini_swe_agent
from contest import Contest
from figures import Figure, table
from installed import fresh, installed

_CACHE = Path(__file__).resolve().parent.parent / ".cache/bench"
_OUR_VENV, _MINI_VENV = _CACHE / "ci-agent", _CACHE / "mini"
_COMPACT_AT = 16_000  # tokens: 50 steps come to twice as much


@dataclass(frozen=True, slots=True)
class Runs:
    """How often things are measured."""

    start_ups: int
    jobs: int  # CI jobs that work
    sessions: contest.Runs
    commands: int  # in either sandbox
    suite: float  # seconds that the tests of the suite take which is verified


_THOROUGH = Runs(
    start_ups=25, jobs=7, sessions=contest.Runs(ours=6, theirs=3, shorter=5), commands=200, suite=60
)
_QUICK = Runs(start_ups=5, jobs=3, sessions=contest.Runs(ours=2, theirs=1, shorter=2), commands=50, suite=10)
_SUITE = 2_000  # test cases
_COMPARED = 50_000


def main() -> int:
    """Measure everything and show it. The exit code."""
    parser = argparse.ArgumentParser(description="Measure ci-agent beside mini-swe-agent.")
    parser.add_argument("--quick", action="store_true", help="fewer runs, for a look; noisier")
    parser.add_argument(
        "--only-sessions", action="store_true", help="nothing but what concerns the two agents"
    )
    parser.add_argument(
        "--compact-at",
        metavar="TOKENS",
        type=int,
        default=_COMPACT_AT,
        help="of the context, for the sessions with compaction; 0: leave them out",
    )
    parser.add_argument("--only-confinement", action="store_true", help="nothing but what confinement costs")
    parser.add_argument("--only-resuming", action="store_true", help="nothing but what going on costs")
    options = parser.parse_args()
    runs = _QUICK if options.quick else _THOROUGH
    if options.only_confinement:
        return _only(_confinement(runs))
    if options.only_resuming:
        return _only(_resuming(runs))
    _say("installing")
    theirs = mini_swe_agent(_MINI_VENV)
    command = fresh(_OUR_VENV)
    compacting = ci_agent(command, options.compact_at) if options.compact_at else None
    agents = Contest(
        ci_agent(command),
        compacting,
        theirs,
        runs.sessions,
        command.parent / "python",
        _MINI_VENV / "bin/python",
        _say,
    )
    figures = (
        []
        if options.only_sessions
        else [
            *_start_ups(command, runs),
            *_confinement(runs),
            *_jobs(runs),
            *_resuming(runs),
            *_evidence(runs),
        ]
    )
    figures += [*agents.figures(), *_installations()]
    imports = sorted({name for flag in ("--version", "--help") for name in start_up.imported(command, flag)})
    heavy = [name for name in imports if name != "click"]
    machine = _machine()
    print(table(figures))
    print("\nImported by `ci-agent --version` and `ci-agent --help` beyond the standard library:")
    print(f"{', '.join(imports) or 'nothing'} (goal: click alone; reached: {'no' if heavy else 'yes'})\n")
    print("\n".join(f"- {name}: {value}" for name, value in machine.items()))
    if not options.only_sessions:
        _keep({"machine": machine, "imports": imports, "figures": [dataclasses.asdict(f) for f in figures]})
    missed = [figure.name for figure in figures if figure.missed]
    missed += ["`--version` and `--help` import nothing but click"] if heavy else []
    for name in missed:
        print(f"MISSED: {name}", file=sys.stderr)
    return 1 if missed else 0


def _only(figures: Sequence[Figure]) -> int:
    print(table(figures))
    return 1 if any(figure.missed for figure in figures) else 0


def _confinement(runs: Runs) -> list[Figure]:
    _say("confinement")
    found = confinement.costs(runs.commands)
    confined, plain = found.confined * 1e3, found.plain * 1e3
    return [
        Figure("one command, confined", "ms", confined, plain, "not confined", goal=plain + 5),
        Figure(f"self-test (level `{found.level}`)", "ms", found.self_test * 1e3, 300, "the limit", goal=300),
    ]


def _start_ups(command: Path, runs: Runs) -> list[Figure]:
    _say("start-up")
    nothing, version, help_ = "python -c pass", "ci-agent --version", "ci-agent --help"
    seconds = start_up.medians(
        {
            nothing: (sys.executable, "-c", "pass"),
            version: (str(command), "--version"),
            help_: (str(command), "--help"),
        },
        runs.start_ups,
    )
    floor = seconds[nothing]
    return [
        Figure(f"`{version}`", "s", seconds[version], floor, f"`{nothing}`", goal=0.15),
        Figure(f"`{help_}`", "s", seconds[help_], floor, f"`{nothing}`", goal=0.25),
    ]


def _jobs(runs: Runs) -> list[Figure]:
    figures = []
    for kind, name in (("github", "GitHub"), ("gitlab", "GitLab")):
        _say(f"jobs on {name}")
        library, them = jobs.libraries(kind, runs.start_ups), f"`python -c 'import {kind}'`"
        sign, comment = jobs.acknowledged(kind, runs.jobs)
        ignored = jobs.ignored(kind, runs.start_ups)
        figures += [
            Figure(f"{name}: a job that is not for us", "s", ignored, library, them, goal=0.3),
            Figure(f"{name}: start to 👀 on the comment", "s", sign, library, them, goal=1),
            Figure(f"{name}: start to our own comment", "s", comment, library, them, goal=2),
        ]
    return figures


def _resuming(runs: Runs) -> list[Figure]:
    figures = []
    for kind, name in (("github", "GitHub"), ("gitlab", "GitLab")):
        _say(f"going on after an answer on {name}")
        found = resuming.costs(kind, runs.jobs)
        first, plain = "the session's first job", "without the question"
        figures += [
            Figure(
                f"{name}: answer to the model's next request",
                "s",
                found.seconds,
                found.from_the_start,
                first,
                goal=3,
            ),
            Figure(
                f"{name}: characters read in 20 steps, with a question",
                "",
                found.characters,
                found.undisturbed,
                plain,
                goal=found.undisturbed * 1.02,
            ),
        ]
    return figures


def _evidence(runs: Runs) -> list[Figure]:
    _say(f"verifying a suite of {_SUITE:,} cases, {runs.suite:.0f} s")
    suite = evidence.overhead(_SUITE, runs.suite)
    _say(f"comparing {_COMPARED:,} cases")
    compared = evidence.comparison(_COMPARED)
    read, limit = "reading the two reports", 300.0
    return [
        Figure(
            f"`ci-agent verify`, {_SUITE:,} cases",
            "s",
            suite.verify,
            suite.plain,
            "two runs",
            goal=suite.goal,
        ),
        Figure(f"comparing {_COMPARED:,} cases", "s", compared.comparing, compared.reading, read, goal=1),
        Figure(
            "peak memory of reading and comparing them",
            "MB",
            compared.peak_memory / 1e6,
            limit,
            "the limit",
            limit,
        ),
    ]


def _installations() -> list[Figure]:
    ours, theirs = installed(_OUR_VENV, "ci-agent"), installed(_MINI_VENV, "mini-swe-agent")
    name, mini = "installed into an empty environment", "mini-swe-agent"
    return [
        Figure(name, "MB", ours.size / 1e6, theirs.size / 1e6, mini, goal=90),
        Figure(f"{name}, distributions", "", ours.distributions, theirs.distributions, mini, goal=45),
    ]


# --- showing -----------------------------------------------------------------------------------------------


def _machine() -> dict[str, str]:
    """What the figures depend on."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": str(len(os.sched_getaffinity(0))),
        "processor": model,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "peer": ", ".join(_versions(_MINI_VENV, ("mini-swe-agent", "litellm", "openai"))),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:  # not Linux
        return []


def _versions(venv: Path, packages: Sequence[str]) -> list[str]:
    script = "import sys; from importlib.metadata import version\nfor name in sys.argv[1:]: print(name, version(name))"
    words = [str(venv / "bin/python"), "-c", script, *packages]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout.splitlines()


def _keep(results: dict[str, object]) -> None:
    (_CACHE / "results.json").write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")


def _say(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
