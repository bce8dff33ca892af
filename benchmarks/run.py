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
from statistics import median

import evidence
import jobs
import sessions
import start_up
from agents import Agent, ci_agent, mini_swe_agent
from sessions import Session

_CACHE = Path(__file__).resolve().parent.parent / ".cache/bench"
_CI_AGENT = Path(sys.executable).parent / "ci-agent"
_MINI_VENV = _CACHE / "mini"

_EARLY = slice(5, 15)  # steps 6 to 15, around step 10
_LATE = slice(190, 200)  # steps 191 to 200
_STEPS = 200
_FEWER_STEPS = 50
_FLOOD = 100_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Runs:
    """How often things are measured."""

    start_ups: int
    jobs: int  # CI jobs that work
    ours: int  # sessions of 200 steps
    theirs: int
    suite: float  # seconds that the tests of the suite take which is verified


_THOROUGH = Runs(start_ups=25, jobs=7, ours=6, theirs=3, suite=60)
_QUICK = Runs(start_ups=5, jobs=3, ours=2, theirs=1, suite=10)
_SUITE = 2_000  # test cases
_COMPARED = 50_000


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. Without a `goal` it is for information; else `ours` may be as much as that."""

    name: str
    unit: str
    ours: float
    theirs: float
    them: str
    goal: float | None = None

    @property
    def missed(self) -> bool:
        return self.goal is not None and self.ours > self.goal


@dataclass(frozen=True, slots=True)
class Measured:
    """The sessions of one agent, and the seconds its commands take alone."""

    sessions: Sequence[Session]
    control: float

    def harness(self, steps: slice) -> float:
        """Milliseconds of harness time per step: the median step less the median command."""
        seconds = median(step for session in self.sessions for step in session.steps[steps])
        return (seconds - self.control) * 1e3


def main() -> int:
    """Measure everything and show it. The exit code."""
    parser = argparse.ArgumentParser(description="Measure ci-agent beside mini-swe-agent.")
    parser.add_argument("--quick", action="store_true", help="fewer runs, for a look; noisier")
    runs = _QUICK if parser.parse_args().quick else _THOROUGH
    ours, theirs = ci_agent(_CI_AGENT), mini_swe_agent(_MINI_VENV)
    figures = [*_start_ups(runs), *_jobs(runs), *_evidence(runs), *_sessions(ours, theirs, runs)]
    imports = sorted(
        {name for flag in ("--version", "--help") for name in start_up.imported(_CI_AGENT, flag)}
    )
    heavy = [name for name in imports if name != "click"]
    machine = _machine()
    print(_table(figures))
    print("\nImported by `ci-agent --version` and `ci-agent --help` beyond the standard library:")
    print(f"{', '.join(imports) or 'nothing'} (goal: click alone; reached: {'no' if heavy else 'yes'})\n")
    print("\n".join(f"- {name}: {value}" for name, value in machine.items()))
    _keep({"machine": machine, "imports": imports, "figures": [dataclasses.asdict(f) for f in figures]})
    missed = [figure.name for figure in figures if figure.missed]
    missed += ["`--version` and `--help` import nothing but click"] if heavy else []
    for name in missed:
        print(f"MISSED: {name}", file=sys.stderr)
    return 1 if missed else 0


def _start_ups(runs: Runs) -> list[Figure]:
    _say("start-up")
    nothing, version, help_ = "python -c pass", "ci-agent --version", "ci-agent --help"
    seconds = start_up.medians(
        {
            nothing: (sys.executable, "-c", "pass"),
            version: (str(_CI_AGENT), "--version"),
            help_: (str(_CI_AGENT), "--help"),
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


def _sessions(ours: Agent, theirs: Agent, runs: Runs) -> list[Figure]:
    for agent in (ours, theirs):
        _say(f"{agent.name}: warming up")
        sessions.run(agent, sessions.listing(3))
    us, them = _take_turns(((ours, runs.ours), (theirs, runs.theirs)))
    fewer, their_fewer = (_peak(agent, sessions.listing(_FEWER_STEPS)) for agent in (ours, theirs))
    flood, their_flood = (_peak(agent, sessions.flood(_FLOOD)) for agent in (ours, theirs))
    early, their_early = us.harness(_EARLY), them.harness(_EARLY)
    late, their_late = us.harness(_LATE), them.harness(_LATE)
    first, their_first = (median(s.first_request for s in measured.sessions) for measured in (us, them))
    peak, their_peak = (max(s.peak_memory for s in measured.sessions) / 1e6 for measured in (us, them))
    name = theirs.name
    return [
        Figure("harness time per step, steps 6 to 15", "ms", early, their_early, name, goal=5),
        Figure("harness time per step, steps 191 to 200", "ms", late, their_late, name, goal=2 * early),
        Figure(f"peak memory, {_STEPS} steps", "MB", peak, their_peak, name, goal=120),
        Figure(f"peak memory, {_FEWER_STEPS} steps", "MB", fewer, their_fewer, name),
        Figure("peak memory, a command that prints 100 MB", "MB", flood, their_flood, name),
        Figure("start of the process to first request", "s", first, their_first, name),
        Figure("one command alone (subtracted above)", "ms", us.control * 1e3, them.control * 1e3, name),
    ]


def _take_turns(agents: Sequence[tuple[Agent, int]]) -> list[Measured]:
    """So many sessions of each agent, in turn, each between two measurements of its commands alone."""
    commands = sessions.listing(_STEPS)
    sample = commands[_EARLY] + commands[_LATE][:-1]  # the last one does more
    done: list[list[Session]] = [[] for _ in agents]
    alone: list[list[float]] = [[] for _ in agents]
    for turn in range(max(wanted for _, wanted in agents)):
        for place, (agent, wanted) in enumerate(agents):
            if turn < wanted:
                _say(f"{agent.name}: {_STEPS} steps, {turn + 1} of {wanted}")
                alone[place] += sessions.controls(agent, sample)
                done[place].append(sessions.run(agent, commands))
                alone[place] += sessions.controls(agent, sample)
    return [Measured(ran, median(seconds)) for ran, seconds in zip(done, alone, strict=True)]


def _peak(agent: Agent, commands: Sequence[str]) -> float:
    _say(f"{agent.name}: peak memory")
    return sessions.run(agent, commands).peak_memory / 1e6


# --- showing -----------------------------------------------------------------------------------------------


def _table(figures: Sequence[Figure]) -> str:
    """The figures as a table in Markdown."""
    rows = ["| figure | ci-agent | beside it | ratio | goal | reached |", "|-|-:|-:|-:|-:|-|"]
    for figure in figures:
        goal = "" if figure.goal is None else f"≤ {_number(figure.goal, figure.unit)}"
        reached = "" if figure.goal is None else "**no**" if figure.missed else "yes"
        ours, theirs = _number(figure.ours, figure.unit), _number(figure.theirs, figure.unit)
        ratio = f"{figure.ours / figure.theirs:.2f}"
        rows.append(f"| {figure.name} | {ours} | {theirs} ({figure.them}) | {ratio} | {goal} | {reached} |")
    return "\n".join(rows)


def _number(value: float, unit: str) -> str:
    digits = {"s": 3, "ms": 1, "MB": 0}[unit]
    return f"{value:.{digits}f} {unit}"


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
