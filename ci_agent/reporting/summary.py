"""What is known of a session at one moment: a fold over its events.

Every report starts here. `apply` takes one event in constant time, so that live views can follow along.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from ci_agent.journal import Event, Fact
from ci_agent.journal.events import (
    AgentStopped,
    CommandStarted,
    Committed,
    HandedOver,
    IssueRead,
    MergeRequestWritten,
    ModelReplied,
    ModelRetried,
    Moment,
    PlanItem,
    PlanUpdated,
    Pushed,
    QuestionAsked,
    SessionEnded,
    SessionStarted,
    SetupRan,
    StatusChanged,
    Submitted,
    TestsChosen,
    TestsCompared,
    TestsRan,
    ToolAnswered,
    ToolCalled,
    Verdict,
    Warned,
    WorkspaceReady,
)
from ci_agent.task import Ending, Status, Usage

LOCAL = "local"  # the platform whose branches are in a repository on this machine
CHECKOUT_KEPT = "The checkout with the work so far is kept in "  # and its path: how a warning says it


@dataclass(frozen=True, slots=True)
class Round:
    """One verification of the work, in the order they were."""

    compared: TestsCompared
    after: TestsRan | None  # the run that was compared
    handed_in: bool  # False: the end came first, and this is what was there


@dataclass(slots=True)
class Summary:
    """The facts so far. `None` means: that has not happened."""

    status: Status = Status.PENDING
    started: SessionStarted | None = None
    issue: IssueRead | None = None
    workspace: WorkspaceReady | None = None
    setup: SetupRan | None = None
    chosen: TestsChosen | None = None
    before: TestsRan | None = None
    after: TestsRan | None = None  # the last one
    compared: TestsCompared | None = None  # the last one
    rounds: list[Round] = field(default_factory=list)
    running: CommandStarted | None = None  # the harness's own command that runs now
    plan: tuple[PlanItem, ...] = ()
    usage: Usage = field(default_factory=Usage)
    cost: float = 0.0  # US dollars, of the replies whose price is known
    replies: int = 0
    unpriced: int = 0  # replies whose price is not known
    step: int = 0
    tool: ToolCalled | None = None  # the call that runs now
    retries: int = 0
    waiting: ModelRetried | None = None  # the last retry, until the model answers
    commands: list[str] = field(default_factory=list)  # what the agent ran with `bash`, in order
    files_read: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    submitted: Submitted | None = None
    unchecked: bool = False  # handed in, and neither checked nor sent back yet
    question: QuestionAsked | None = None
    words: str = ""  # the model's, where its last reply called no tool
    stopped: AgentStopped | None = None
    committed: Committed | None = None
    handed_over: HandedOver | None = None  # of what was committed last; without it there may be no branch
    pushed: Pushed | None = None  # what was committed last
    merge_request: MergeRequestWritten | None = None
    ended: SessionEnded | None = None
    seconds: float = 0.0  # worked so far; the time between two jobs of a session does not count
    last_at: datetime | None = None

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """What `events` add up to."""
        summary = cls()
        for event in events:
            summary.apply(event)
        return summary

    def apply(self, event: Event) -> None:
        """Take in the next event."""
        if self.last_at is not None and self.ended is None:
            self.seconds += max(0.0, (event.at - self.last_at).total_seconds())
        self.last_at = event.at
        self._take(event.fact)

    @property
    def ending(self) -> Ending | None:
        """Why the work stopped, or None while it goes on."""
        if self.ended:
            return self.ended.ending
        return self.stopped.ending if self.stopped else None

    @property
    def platform(self) -> str:
        """The name of the platform; empty before the session began."""
        return self.started.platform if self.started else ""

    @property
    def branch(self) -> str:
        """The branch with the work, where people can get at it; empty where there is none. A branch that was
        handed over in a job of a platform is on the runner alone, until it is pushed."""
        if self.handed_over and self.platform in {"", LOCAL}:
            return self.handed_over.branch
        return self.pushed.branch if self.pushed else ""

    @property
    def unchanged(self) -> bool:
        """This run left the branch as an earlier one had left it."""
        return self.committed is not None and not self.committed.made

    @property
    def checkout(self) -> str:
        """Where the checkout with the work is, if it was kept: its path; empty where nothing says so."""
        said = [text for text in self.warnings if text.startswith(CHECKOUT_KEPT)]
        return said[-1].removeprefix(CHECKOUT_KEPT).removesuffix(".") if said else ""

    @property
    def no_tests(self) -> bool:
        """There is nothing to run, or what there is contains no test."""
        if self.compared:
            return self.compared.verdict is Verdict.NO_TESTS
        return self.chosen is not None and not self.chosen.command

    @property
    def solved(self) -> bool:
        """Handed in, and what the harness could check holds. Everything else needs a person."""
        return self.ending is Ending.SUBMITTED and self._held

    @property
    def undelivered(self) -> bool:
        """Handed in, and it holds, but then something failed on the way to people."""
        handed_in = self.stopped is not None and self.stopped.ending is Ending.SUBMITTED
        return handed_in and self._held and self.ending in {Ending.ENVIRONMENT, Ending.INTERNAL}

    @property
    def _held(self) -> bool:
        """The tests have nothing against what is on the branch now."""
        together = self.pushed is None or self.pushed.tested
        verified = self.compared is not None and self.compared.verdict is Verdict.VERIFIED
        return together and (self.no_tests or verified)

    def _take(self, fact: Fact) -> None:  # noqa: C901, PLR0912 - one line per kind of event, no decisions
        match fact:
            case SessionStarted():
                self.started, self.ended, self.stopped, self.question = fact, None, None, None
            case StatusChanged():
                self.status = fact.status
            case IssueRead():
                self.issue = fact
            case WorkspaceReady():
                self.workspace = fact
            case CommandStarted():
                self.running = fact
            case SetupRan():
                self.setup, self.running = self.setup or fact, None  # later ones repeat it
            case TestsChosen():
                self.chosen = fact
            case TestsRan():
                self._take_run(fact)
            case TestsCompared():
                self.rounds.append(Round(fact, self.after, self.unchecked))
                self.compared, self.unchecked = fact, False
            case ModelReplied():
                self._take_reply(fact)
            case ModelRetried():
                self.retries, self.waiting = self.retries + 1, fact
            case ToolCalled():
                self._take_call(fact)
            case ToolAnswered():
                self.tool = None
            case PlanUpdated():
                self.plan = fact.items
            case QuestionAsked():
                self.question, self.tool = fact, None
            case Submitted():
                self.submitted, self.tool, self.unchecked = fact, None, True
            case AgentStopped():
                self.stopped, self.tool, self.waiting, self.running = fact, None, None, None
            case Warned():
                self.warnings.append(fact.text)
            case Committed():
                self.committed, self.handed_over, self.pushed = fact, None, None
            case HandedOver():
                self.handed_over = fact
            case Pushed():
                self.pushed = fact
            case MergeRequestWritten():
                self.merge_request = fact
            case SessionEnded():
                self.ended, self.status, self.tool, self.waiting = fact, fact.status, None, None

    def _take_run(self, run: TestsRan) -> None:
        self.running = None
        if run.moment is Moment.BEFORE:
            self.before = run
        elif run.moment is Moment.AFTER:
            self.after = run

    def _take_reply(self, reply: ModelReplied) -> None:
        self.step, self.waiting, self.unchecked = reply.step, None, False
        said = reply.message.get("content")
        if reply.message.get("tool_calls"):
            self.words = ""
        elif isinstance(said, str) and said.strip():
            self.words = said
        self.replies += 1
        self.usage += reply.usage
        if reply.cost is None:
            self.unpriced += 1
        else:
            self.cost += reply.cost

    def _take_call(self, call: ToolCalled) -> None:
        self.tool = call
        if call.name == "bash":
            self.commands.append(argument(call, "command"))
        elif call.name == "read_file":
            self.files_read.add(argument(call, "path"))


def arguments(call: ToolCalled) -> dict[str, Any]:
    """The arguments of a call by name; none, where the model wrote no JSON object."""
    try:
        given = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


def argument(call: ToolCalled, name: str) -> str:
    """The text argument `name` of a call; the arguments as the model wrote them, where there is none."""
    value = arguments(call).get(name)
    return value if isinstance(value, str) else call.arguments
