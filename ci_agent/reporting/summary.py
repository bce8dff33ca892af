"""What is known of a session at one moment: a fold over its events.

Every report starts here. `apply` takes one event in constant time, so that live views can follow along.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from ci_agent.guard.guard import JOURNAL
from ci_agent.journal import Event, Fact
from ci_agent.journal.events import (
    AgentStopped,
    CasesRetried,
    ChangeProposed,
    CheckRan,
    ChecksCompared,
    CommandStarted,
    Committed,
    Compacted,
    ConnectionsRefused,
    CoverageMeasured,
    HandedOver,
    HandInRestored,
    HiddenLeftOut,
    InputTaken,
    IssueRead,
    Judged,
    MergeRequestWritten,
    ModelChosen,
    ModelReplied,
    ModelRetried,
    Moment,
    PlaceRefused,
    PlanCompared,
    PlanItem,
    PlanProposed,
    PlanUpdated,
    PolicyAction,
    PolicyJudged,
    ProofRan,
    ProposalDecided,
    Pushed,
    QuestionAsked,
    Reviewed,
    SandboxProved,
    SecretsSuspected,
    SessionEnded,
    SessionResumed,
    SessionStarted,
    SetupChosen,
    SetupRan,
    StatusChanged,
    Submitted,
    TakenOver,
    TestsChosen,
    TestsCompared,
    TestsRan,
    ToolAnswered,
    ToolCalled,
    Verdict,
    Warned,
    Withheld,
    WorkspaceReady,
)
from ci_agent.task import Ending, Status, Usage

LOCAL = "local"  # the platform whose branches are in a repository on this machine
RESULT = "result"  # the place of a set-up in the checkout that is verified
CHECKOUT_KEPT = "The checkout with the work so far is kept in "  # and its path: how a warning says it


@dataclass(slots=True)
class SetUp:
    """A command that prepared a checkout, as often as it did so."""

    chosen: SetupChosen | None  # why it was this one; None: nothing says so
    runs: list[SetupRan]  # at least one, all of the same command and place


@dataclass(slots=True)
class Round:
    """One verification of the work, as far as it has come. `None` means: that has not happened."""

    handed_in: bool  # False: the end came first, and this is what was there
    set_ups: list[SetUp] = field(default_factory=list)  # of the result
    after: TestsRan | None = None
    again: list[TestsRan] = field(default_factory=list)  # of cases, once more, on either side
    retried: CasesRetried | None = None
    compared: TestsCompared | None = None
    proof: ProofRan | None = None
    proof_runs: list[TestsRan] = field(default_factory=list)
    coverage: CoverageMeasured | None = None
    checks_ran: list[CheckRan] = field(default_factory=list)  # on the result
    checks: ChecksCompared | None = None
    judged: Judged | None = None

    @property
    def number(self) -> int:
        """The how-manieth it is of its job, from 1; 0 where nothing says so yet."""
        fact = self.judged or self.compared
        return fact.round if fact else 0


@dataclass(slots=True)
class Summary:
    """The facts so far. `None` means: that has not happened."""

    status: Status = Status.PENDING
    started: SessionStarted | None = None
    issue: IssueRead | None = None
    workspace: WorkspaceReady | None = None
    setups_chosen: list[SetupChosen] = field(default_factory=list)  # the last one for each command
    set_ups: list[SetUp] = field(default_factory=list)  # of all checkouts but those of the result
    chosen: list[TestsChosen] = field(default_factory=list)  # one for each project of the repository
    before: TestsRan | None = None
    checks_before: list[CheckRan] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    verifying: bool = False  # the last round goes on
    running: CommandStarted | None = None  # the harness's own command that runs now
    plan: tuple[PlanItem, ...] = ()
    usage: Usage = field(default_factory=Usage)
    cost: float = 0.0  # US dollars, of the replies whose price is known
    replies: int = 0
    unpriced: int = 0  # replies whose price is not known
    step: int = 0
    tool: ToolCalled | None = None  # the call that runs now
    choices: list[ModelChosen] = field(default_factory=list)  # who was at work, in order
    models: list[str] = field(default_factory=list)  # that answered, in the order of their first answer
    reviewed: Reviewed | None = None
    reviewed_tree: str = ""  # what was reviewed
    retries: int = 0
    waiting: ModelRetried | None = None  # the last retry, until the model answers
    commands: list[str] = field(default_factory=list)  # what the agent ran with `bash`, in order
    files_read: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    sandbox: SandboxProved | None = None
    suspected: SecretsSuspected | None = None
    refused: tuple[PlaceRefused, ...] = ()
    resumed: SessionResumed | None = None  # by the job that works now
    hidden: list[HiddenLeftOut] = field(default_factory=list)  # of what people said, before the model saw it
    inputs: list[InputTaken] = field(default_factory=list)  # what people said while it worked
    submitted: Submitted | None = None
    unchecked: bool = False  # handed in, and neither checked nor sent back yet
    question: QuestionAsked | None = None
    proposal: PlanProposed | ChangeProposed | None = (
        None  # the last one; of a change, that of the last hand-in
    )
    decision: ProposalDecided | None = None  # on it; None: there was none yet
    agreed: PlanProposed | None = None  # the plan in force: approved, and no other one was proposed since
    agreed_by: str = ""
    approved_change: str = ""  # the digest of the change that a person approved; empty: none
    approved_by: str = ""
    beside: PlanCompared | None = None  # what was committed last, beside that plan
    words: str = ""  # the model's, where its last reply called no tool
    stopped: AgentStopped | None = None
    policy: PolicyJudged | None = None  # on what was committed last
    committed: Committed | None = None
    handed_over: HandedOver | None = None  # of what was committed last; without it there may be no branch
    pushed: Pushed | None = None  # what was committed last
    merge_request: MergeRequestWritten | None = None
    taken_over: TakenOver | None = None  # the work of another job
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
        # Nobody worked between a job that was lost and the one that goes on.
        if self.last_at is not None and self.ended is None and not isinstance(event.fact, SessionStarted):
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
    def asked(self) -> QuestionAsked | None:
        """The question that the session waits for an answer to; None: it waits for none."""
        return self.question if self.ending is Ending.NEEDS_INPUT else None

    @property
    def waits(self) -> PlanProposed | ChangeProposed | None:
        """The proposal that the session waits for a person's word on; None: it waits for none."""
        return self.proposal if self.ending is Ending.NEEDS_APPROVAL and self.decision is None else None

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
    def last(self) -> Round:
        """The last verification; one of nothing where there was none."""
        return self.rounds[-1] if self.rounds else Round(False)

    @property
    def mended(self) -> bool:
        """Something else was handed in after the review, and that is what counts."""
        return self.after is not None and self.after.tree != self.reviewed_tree

    @property
    def after(self) -> TestsRan | None:
        """The tests on the result, of the last verification."""
        return self.last.after

    @property
    def compared(self) -> TestsCompared | None:
        """What the comparison of the last verification says by itself."""
        return self.last.compared

    @property
    def judged(self) -> Judged | None:
        """The verdict of the last verification; None while it goes on."""
        return self.last.judged

    @property
    def alone(self) -> bool:
        """A verification that belongs to no session: there is no issue, no model and nothing to deliver."""
        return self.started is None and self.workspace is not None

    @property
    def prepared(self) -> list[SetUp]:
        """What prepared the last checkout of the result, in order; where there is none yet, any other."""
        result = next((each.set_ups for each in reversed(self.rounds) if each.set_ups), [])
        place = self.set_ups[0].runs[0].place if self.set_ups else ""
        return result or [each for each in self.set_ups if each.runs[0].place == place]

    @property
    def nothing_to_set_up(self) -> SetupChosen | None:
        """The choice that no command is needed to prepare a checkout, where none ever was."""
        chosen = self.setups_chosen
        return chosen[-1] if chosen and not any(each.command for each in chosen) else None

    @property
    def commands_of_tests(self) -> list[TestsChosen]:
        """How the tests are run, for each project that has any."""
        return [chosen for chosen in self.chosen if chosen.command]

    @property
    def no_tests(self) -> bool:
        """There is nothing to run, or what there is contains no test."""
        if self.compared:
            return self.compared.verdict is Verdict.NO_TESTS
        return bool(self.chosen) and not self.commands_of_tests

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
    def together(self) -> bool:
        """What was tested is what is on the branch now."""
        return self.pushed is None or self.pushed.tested

    @property
    def _held(self) -> bool:
        """Nothing that was measured speaks against what is on the branch now, nor does the policy."""
        allowed = self.policy is None or self.policy.action is PolicyAction.ALLOW
        allowed = allowed and self.suspected is None
        return self.together and allowed and self.judged is not None and self.judged.ready

    def _take(self, fact: Fact) -> None:  # noqa: C901, PLR0912, PLR0915 - one line per kind of event, no decisions
        match fact:
            case SessionStarted():
                self.started, self.ended, self.stopped, self.question = fact, None, None, None
                self.chosen, self.checks_before, self.verifying = [], [], False
                self.setups_chosen, self.set_ups = [], []
                self.tool, self.waiting, self.running = None, None, None  # the job before may have been lost
            case StatusChanged():
                self.status = fact.status
            case IssueRead():
                self.issue = fact
            case WorkspaceReady():
                self.workspace = fact
            case CommandStarted():
                self.running = fact
            case SetupChosen() | SetupRan():
                self._take_set_up(fact)
            case TestsChosen():
                self.chosen = [each for each in self.chosen if each.folder != fact.folder] + [fact]
            case TestsRan() | CheckRan():
                self._take_run(fact)
            case (
                TestsCompared()
                | CasesRetried()
                | ProofRan()
                | CoverageMeasured()
                | ChecksCompared()
                | Judged()
            ):
                self._take_evidence(fact)
            case ModelChosen() | ModelReplied() | ModelRetried() | Reviewed() | Compacted():
                self._take_model(fact)
            case ToolCalled():
                self._take_call(fact)
            case ToolAnswered():
                self.tool = None
            case PlanUpdated():
                self.plan = fact.items
            case QuestionAsked():
                self.question, self.tool = fact, None
            case PlanProposed() | ChangeProposed() | ProposalDecided():
                self._take_proposal(fact)
            case PlanCompared():
                self.beside = fact
            case Submitted() | HandInRestored():
                self._take_hand_in(fact)
            case AgentStopped():
                self.stopped, self.tool, self.waiting, self.running = fact, None, None, None
            case HiddenLeftOut() if fact not in self.hidden:  # each job reads the issue
                self.hidden.append(fact)
            case InputTaken():
                self.inputs.append(fact)
            case SessionResumed():
                self.resumed = fact
            case Warned() if fact.text not in self.warnings:  # who takes the work over may warn of the same
                self.warnings.append(fact.text)
            case SecretsSuspected():
                self.suspected = fact
            case SandboxProved():
                self.sandbox = fact
            case ConnectionsRefused():
                self.refused = fact.places
            case Withheld():
                self.warnings.append(withheld(fact))
            case Committed():
                self.committed, self.handed_over, self.pushed = fact, None, None
                self.policy = self.beside = None
                self.suspected = (
                    None  # an earlier job of the session may have seen one, and this one took it out
                )
            case PolicyJudged():
                self.policy = fact
            case HandedOver():
                self.handed_over = fact
            case Pushed():
                self.pushed = fact
            case MergeRequestWritten():
                self.merge_request = fact
            case TakenOver():
                self.taken_over = fact
            case SessionEnded():
                self.ended, self.status, self.tool, self.waiting = fact, fact.status, None, None

    def _take_set_up(self, ran: SetupChosen | SetupRan) -> None:
        if isinstance(ran, SetupChosen):
            self.setups_chosen = [each for each in self.setups_chosen if each.command != ran.command] + [ran]
            return
        self.running = None
        known = self._round().set_ups if ran.place == RESULT else self.set_ups
        for each in known:
            if (each.runs[0].command, each.runs[0].place) == (ran.command, ran.place):
                each.runs.append(ran)
                return
        chosen = next((each for each in self.setups_chosen if each.command == ran.command), None)
        known.append(SetUp(chosen, [ran]))

    def _take_run(self, run: TestsRan | CheckRan) -> None:
        self.running = None
        match run:
            case TestsRan(moment=Moment.BEFORE):
                self.before = run
            case TestsRan(moment=Moment.AFTER):
                self._round().after = run
            case TestsRan(moment=Moment.AGAIN):
                self._round().again.append(run)
            case TestsRan(moment=Moment.PROOF | Moment.REVERSE):
                self._round().proof_runs.append(run)
            case CheckRan(moment=Moment.BEFORE):
                self.checks_before = [each for each in self.checks_before if each.command != run.command]
                self.checks_before.append(run)
            case CheckRan():
                self._round().checks_ran.append(run)

    def _take_evidence(
        self, fact: TestsCompared | CasesRetried | ProofRan | CoverageMeasured | ChecksCompared | Judged
    ) -> None:
        self.running = None
        current = self._round()
        match fact:
            case TestsCompared():
                current.compared = fact
            case CasesRetried():
                current.retried = fact
            case ProofRan():
                current.proof = fact
            case CoverageMeasured():
                current.coverage = fact
            case ChecksCompared():
                current.checks = fact
            case Judged():
                current.judged, self.verifying = fact, False

    def _round(self) -> Round:
        """The verification that goes on; what is measured first begins it."""
        if not self.verifying:
            self.rounds.append(Round(self.unchecked))
            self.verifying, self.unchecked = True, False
        return self.rounds[-1]

    def _take_proposal(self, fact: PlanProposed | ChangeProposed | ProposalDecided) -> None:
        if isinstance(fact, ProposalDecided):
            self.decision = fact
            if isinstance(self.proposal, PlanProposed) and fact.approved:
                self.agreed, self.agreed_by = self.proposal, fact.by
            elif isinstance(self.proposal, ChangeProposed) and fact.approved:
                self.approved_change, self.approved_by = self.proposal.change, fact.by
                self.unchecked = True  # it is checked once more
            return
        self.proposal, self.decision, self.tool, self.approved_change = fact, None, None, ""
        if isinstance(fact, PlanProposed):
            self.agreed, self.agreed_by = None, ""

    def _take_hand_in(self, fact: Submitted | HandInRestored) -> None:
        self.tool = None
        if isinstance(fact, Submitted):
            self.submitted, self.unchecked = fact, True
            if isinstance(self.proposal, ChangeProposed):
                self.proposal = self.decision = None  # of an earlier hand-in
        else:
            self.submitted, self.unchecked, self.verifying = fact.submitted, False, False
            self.rounds.sort(key=lambda one: one.number == fact.round)  # it is the last word again

    def _take_model(self, fact: ModelChosen | ModelReplied | ModelRetried | Reviewed | Compacted) -> None:
        match fact:
            case ModelChosen():
                self.choices.append(fact)
            case ModelReplied():
                self._take_reply(fact)
            case ModelRetried():
                self.retries, self.waiting = self.retries + 1, fact
            case Reviewed():
                self.reviewed = fact
                self.reviewed_tree = self.after.tree if self.after else ""
                self._pay(fact.usage, fact.cost)
            case Compacted():
                if fact.usage != Usage():
                    self._pay(fact.usage, fact.cost)

    def _take_reply(self, reply: ModelReplied) -> None:
        self.step, self.waiting = reply.step, None
        self.unchecked = self.verifying = False
        said = reply.message.get("content")
        if reply.message.get("tool_calls"):
            self.words = ""
        elif isinstance(said, str) and said.strip():
            self.words = said
        if reply.model not in self.models:
            self.models.append(reply.model)
        self._pay(reply.usage, reply.cost)

    def _pay(self, usage: Usage, cost: float | None) -> None:
        self.replies += 1
        self.usage += usage
        if cost is None:
            self.unpriced += 1
        else:
            self.cost += cost

    def _take_call(self, call: ToolCalled) -> None:
        self.tool = call
        tool = call.tool or call.name
        if tool == "bash":
            self.commands.append(call.about or argument(call, "command"))
        elif tool == "read_file":
            self.files_read.add(call.about or argument(call, "path"))


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


def withheld(fact: Withheld) -> str:
    """What was kept in, as a sentence."""
    values = " and ".join(fact.found)
    if fact.channel == JOURNAL:
        return f"The value of {values} came up in the work; `***` stands in its place wherever it would be shown."
    return f"A {fact.channel} was withheld: it held the value of {values}."
