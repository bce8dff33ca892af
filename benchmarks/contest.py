"""Sessions of ci-agent and of mini-swe-agent, in turn, and the figures that come of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import prompts
import sessions
from agents import Agent
from figures import Figure
from sessions import Session

_STEPS = 200
_FEWER = 50
_FLOOD = 100_000_000  # bytes
_EARLY = slice(5, 15)  # steps 6 to 15, around step 10
_LATE = slice(190, 200)  # steps 191 to 200
_LAST_FIFTH = slice(160, 200)
_ALL = slice(None)
_UNCOMPACTED, _COMPACTED = 0.75, 0.5  # of the other one's tokens


@dataclass(frozen=True, slots=True)
class Runs:
    """How many sessions: of 200 steps of either agent, and of the shorter ones of both."""

    ours: int
    theirs: int
    shorter: int


@dataclass(frozen=True, slots=True)
class Measured:
    """The sessions of one agent, and the seconds its commands take alone."""

    sessions: Sequence[Session]
    control: float

    def harness(self, steps: slice) -> float:
        """Milliseconds of harness time per step: the median step less the median command."""
        seconds = median(step for session in self.sessions for step in session.steps[steps])
        return (seconds - self.control) * 1e3

    @property
    def first_request(self) -> float:
        return median(session.first_request for session in self.sessions)

    @property
    def peak_memory(self) -> float:
        """MB, the most of all sessions."""
        return max(session.peak_memory for session in self.sessions) / 1e6

    @property
    def requests(self) -> Sequence[bytes]:
        """Of one session: all are the same."""
        return self.sessions[-1].requests


@dataclass(frozen=True, slots=True)
class Contest:
    """`compacting` is our agent with a context that is shortened early; None: that is not measured. `python` is the
    one that our agent runs with, `counter` one that counts tokens; `say` is told what is going on."""

    ours: Agent
    compacting: Agent | None
    theirs: Agent
    runs: Runs
    python: Path
    counter: Path
    say: Callable[[str], None]

    def figures(self) -> list[Figure]:
        """Run everything; this takes minutes."""
        for agent in (self.ours, self.theirs):
            self.say(f"{agent.name}: warming up")
            sessions.run(agent, sessions.listing(3))
        return [*self._long(), *self._shorter(), *self._flooded()]

    def _long(self) -> list[Figure]:
        us, them = self._take_turns(_STEPS, (self.runs.ours, self.runs.theirs))
        early, name = us.harness(_EARLY), self.theirs.name
        return [
            Figure("harness time per step, steps 6 to 15", "ms", early, them.harness(_EARLY), name, goal=5),
            Figure(
                "harness time per step, steps 191 to 200",
                "ms",
                us.harness(_LATE),
                them.harness(_LATE),
                name,
                goal=2 * early,
            ),
            Figure(
                f"harness time per step, last fifth of {_STEPS}",
                "ms",
                us.harness(_LAST_FIFTH),
                them.harness(_LAST_FIFTH),
                name,
                goal=8,
            ),
            Figure(f"peak memory, {_STEPS} steps", "MB", us.peak_memory, them.peak_memory, name, goal=120),
            Figure("one command alone (subtracted above)", "ms", us.control * 1e3, them.control * 1e3, name),
        ]

    def _shorter(self) -> list[Figure]:
        us, them = self._take_turns(_FEWER, (self.runs.shorter, self.runs.shorter))
        name = self.theirs.name
        alone = median(sessions.client_alone(self.python) for _ in range(self.runs.shorter))
        first = "start of the process to first request"
        harness = us.harness(_ALL), them.harness(_ALL)
        return [
            Figure(first, "s", us.first_request, them.first_request, name, goal=0.45),
            Figure(f"{first}, once more", "s", us.first_request, alone, "the package `openai` alone"),
            Figure(f"harness time per step, {_FEWER} steps", "ms", *harness, name, goal=5),
            Figure(f"peak memory, {_FEWER} steps", "MB", us.peak_memory, them.peak_memory, name, goal=80),
            *self._prompts(us, them),
        ]

    def _prompts(self, us: Measured, them: Measured) -> list[Figure]:
        theirs, name = prompts.tokens(them.requests, self.counter), self.theirs.name
        same = prompts.prefix(them.requests)
        measured = [("", us.requests, _UNCOMPACTED)]
        if self.compacting is not None:
            self.say("ci-agent, compacting")
            requests = sessions.run(self.compacting, sessions.listing(_FEWER), keep=True).requests
            measured.append((", with compaction", requests, _COMPACTED))
        figures = []
        for how, requests, share in measured:
            ours = prompts.tokens(requests, self.counter)
            prefix = prompts.prefix(requests)
            times = f" ({prefix.compactions} compactions)" if how else ""
            kept = f"prefix the same as before{how}"
            figures += [
                Figure(
                    f"prompt tokens, {_FEWER} steps{how}{times}", "", ours, theirs, name, goal=share * theirs
                ),
                Figure(f"{kept}, least", "%", prefix.least, same.least, name, goal=99, more=True),
                Figure(f"{kept}, median", "%", prefix.median, same.median, name, goal=99, more=True),
            ]
        return figures

    def _flooded(self) -> list[Figure]:
        us, them = (self._flood(agent) for agent in (self.ours, self.theirs))
        name = "peak memory, a command that prints 100 MB"
        return [Figure(name, "MB", us, them, self.theirs.name, goal=100)]

    def _flood(self, agent: Agent) -> float:
        """MB, the most of all sessions."""
        self.say(f"{agent.name}: a command that prints 100 MB")
        runs = (sessions.run(agent, sessions.flood(_FLOOD)) for _ in range(self.runs.shorter))
        return max(session.peak_memory for session in runs) / 1e6

    def _take_turns(self, steps: int, runs: Sequence[int]) -> list[Measured]:
        """So many sessions of each agent, in turn, each between two measurements of its commands alone."""
        agents = (self.ours, self.theirs)
        commands = sessions.listing(steps)
        sample = commands[_EARLY] + commands[-10:-1]  # the last one does more
        done: list[list[Session]] = [[] for _ in agents]
        alone: list[list[float]] = [[] for _ in agents]
        for turn in range(max(runs)):
            for place, (agent, wanted) in enumerate(zip(agents, runs, strict=True)):
                if turn < wanted:
                    self.say(f"{agent.name}: {steps} steps, {turn + 1} of {wanted}")
                    alone[place] += sessions.controls(agent, sample)
                    done[place].append(
                        sessions.run(agent, commands, keep=steps == _FEWER and turn == wanted - 1)
                    )
                    alone[place] += sessions.controls(agent, sample)
        return [Measured(ran, median(seconds)) for ran, seconds in zip(done, alone, strict=True)]
