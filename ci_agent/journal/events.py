"""Everything that can happen in a session. Pure data: one frozen class per kind of event.

An event's *kind* is its class name. Texts from commands and models are cut before they get here; nothing
here is a secret. Paths called `log` or `output` are relative to the session's `logs/` folder.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from ci_agent.task import Ending, Limits, Status, Usage

# --- the session ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionStarted:
    session: str
    version: str  # of ci-agent
    platform: str
    repository: str
    issue: str
    reference: str  # how a commit names the issue: `#12`, or words no platform takes for one of its numbers
    title: str
    requester: str
    base: str
    branch: str
    model: str
    sandbox: str  # the level of confinement
    limits: Limits
    mention: str = ""  # the requester's name on the platform, without `@`; empty: there is nobody to tell
    mention_id: str = ""  # of the same account, which keeps it when it gets another name
    request: str = ""  # the trigger in words: `label ai-task added by dana`
    hint: str = ""  # what was asked for beside the issue
    granted: bool = False  # its limit of money is what a person said, in this job or before
    job_url: str = ""  # of the CI job's own log
    asked_at: datetime | None = (
        None  # by the platform's clock: what was said later than that the job does not know
    )


@dataclass(frozen=True, slots=True)
class SessionResumed:
    """A later job goes on with the session, from its checkpoint."""

    job: int  # the how-manieth it is, from 2
    why: str  # a clause for people: `dana answered`
    restored: bool  # the model goes on in its conversation; False: it begins anew, on the work so far
    moved: str = ""  # what became of the branches meanwhile, in sentences; empty: nothing
    answer: str = (
        ""  # to the question that it waited with: a person's words, or the choice that their number means
    )


@dataclass(frozen=True, slots=True)
class SandboxProved:
    """How strongly commands are confined here, as the self-test found it inside of the sandbox."""

    level: str  # `none`, `secrets`, `secrets+files`, `full`
    network: str  # where commands may connect to, as `sandbox.network` has it
    open: tuple[str, ...]  # what commands can reach all the same, in words
    lacking: tuple[str, ...]  # means of confinement that this machine does not have, and why
    seconds: float  # that it took


@dataclass(frozen=True, slots=True)
class PlaceRefused:
    place: str  # a host, an address or a path
    count: int  # how often commands tried to connect
    why: str  # a clause: it …


@dataclass(frozen=True, slots=True)
class ConnectionsRefused:
    """Where commands tried to connect to and were not let."""

    places: tuple[PlaceRefused, ...]


@dataclass(frozen=True, slots=True)
class StatusChanged:
    status: Status


@dataclass(frozen=True, slots=True)
class IssueRead:
    issue: str
    title: str
    author: str
    url: str  # or a path, on the local platform
    comments: int
    digest: str = ""  # of title and text as people see them: `session.heard.digest`


@dataclass(frozen=True, slots=True)
class Hidden:
    """What nobody sees who reads a text where it stands, of one kind."""

    kind: str  # in singular, e.g. `HTML comment`
    passages: int
    characters: int


@dataclass(frozen=True, slots=True)
class HiddenLeftOut:
    """Something was taken out of a text before the model saw it, because people don't see it either."""

    place: str  # `the issue`, `a comment by dana`, `AGENTS.md`
    hidden: tuple[Hidden, ...]


@dataclass(frozen=True, slots=True)
class WorkspaceReady:
    base: str
    base_sha: str
    branch: str
    head_sha: str  # where the work goes on from: the base, or the end of an earlier run's branch
    earlier: tuple[str, ...]  # titles of the commits of earlier runs, oldest first
    continued: bool  # the branch was there already
    path: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something people should know that did not stop the work."""

    text: str


@dataclass(frozen=True, slots=True)
class SecretsSuspected:
    """The change adds what looks like secrets, though this job knows them not."""

    places: tuple[str, ...]  # each with what it looks like


@dataclass(frozen=True, slots=True)
class Withheld:
    """Something held secret values and was not published as it was."""

    channel: (
        str  # `comment`, `commit`, …; `journal`: the values were masked, in it and in all that is made of it
    )
    found: tuple[str, ...]  # names of the secrets with their form: `LLM_API_KEY (base64)`; never a value


@dataclass(frozen=True, slots=True)
class ObserverFailed:
    observer: str
    error: str


@dataclass(frozen=True, slots=True)
class SessionEnded:
    status: Status
    ending: Ending
    sentence: str
    exit_code: int
    seconds: float


# --- tests ------------------------------------------------------------------------------------------------


class Result(StrEnum):
    """How one test case ended, in JUnit's four words."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"  # it could not run to its end: an import error, a failing fixture, a time-out
    SKIPPED = "skipped"

    @property
    def bad(self) -> bool:
        return self in (Result.FAILED, Result.ERROR)


class Moment(StrEnum):
    """Which run of the tests this is."""

    BEFORE = "before"  # on the base commit
    AFTER = "after"  # on the result
    ASKED = "asked"  # while the agent works, at its request
    AGAIN = "again"  # cases that broke, once more, by themselves
    PROOF = "proof"  # the tests of the result, against the source of the base
    REVERSE = "reverse"  # the tests of the base, against the source of the result
    COVERAGE = "coverage"  # on the result, to see which lines the tests run


class Verdict(StrEnum):
    """What the comparison before/after says."""

    VERIFIED = "verified"  # tests ran to their end and nothing is newly broken
    BROKEN = "broken"  # something is newly broken
    WEAKENED = "weakened"  # tests that ran before do not run now
    INCOMPLETE = "incomplete"  # the run after did not reach its end, so it proves nothing
    NO_TESTS = "no_tests"  # there is nothing to run, or what there is contains no test


class Stability(StrEnum):
    """What running a case again said of it, which failed on the result and not on the base."""

    BROKEN = "newly broken"  # it fails each time on the result, and not on the base
    FLAKY = "flaky"  # it passes one time and fails another on the same source
    ORDER = "order-dependent"  # it fails together with the others and passes alone, or the other way round


class Without(StrEnum):
    """What a test that the change adds or edits does without the change: against the source of the base."""

    FAILS = "fails"  # while it ran: it shows what the change does
    MISSING = "missing"  # it could not be loaded or needs what only the change brings: it shows less
    PASSES = "passes"  # it shows nothing of the change
    UNSTEADY = "unsteady"  # it passes one time and fails another, without the change or with it
    UNKNOWN = "unknown"  # it was not run to its end


class Grade(StrEnum):
    """The verdict on a change, from everything that was measured."""

    VERIFIED = "verified"  # nothing broke, and tests show that the change does something
    REMARKS = "verified with remarks"  # nothing broke, but there is something to know
    NOT_VERIFIED = "not verified"  # what was measured proves nothing, or proof went missing
    BROKEN = "broken"  # something that worked does not work any more


@dataclass(frozen=True, slots=True)
class Case:
    """One test case of one run."""

    id: str  # stable over runs, e.g. `tests/test_core.py::TestRuns::test_tabs`
    result: Result
    seconds: float = 0.0
    message: str = ""  # why it is not `passed`: first line(s), at most a few
    details: str = ""  # traceback and output, cut


@dataclass(frozen=True, slots=True)
class CommandStarted:
    """The harness runs a command that may take long."""

    purpose: str  # e.g. `set-up`, `tests before`
    command: str


@dataclass(frozen=True, slots=True)
class SetupRan:
    command: str
    exit_code: int | None  # None: ended by us
    seconds: float
    timed_out: bool
    log: str
    tail: str  # the last lines of the output
    environment: str = ""  # the virtual environment in the checkout afterwards, which is used from then on
    place: str = "work"  # the checkout it prepared: `work`, where the agent works, `base` or `result`


@dataclass(frozen=True, slots=True)
class SetupChosen:
    """Which command prepares a checkout, and why. An empty command: nothing has to be prepared."""

    command: str
    why: str
    configured: bool = False  # a person asked for it, so that its failure ends the work


@dataclass(frozen=True, slots=True)
class TestsChosen:
    """Which command runs the tests, and why this one. An empty command: there is none."""

    command: str
    runner: str  # e.g. `pytest`; empty when unknown
    why: str
    folder: str = ""  # of the project, relative to the root of the repository; empty: the root itself
    configured: bool = False  # the configuration says so


@dataclass(frozen=True, slots=True)
class TestsRan:
    moment: Moment
    command: str
    tree: str  # the git tree that was tested
    exit_code: int | None  # None: ended by us
    seconds: float
    timed_out: bool
    problem: str  # why this run is no complete result ("" when it is), e.g. "the command does not exist"
    by_case: bool  # results of single test cases; False: one case stands for the whole command
    cases: tuple[Case, ...]
    log: str
    tail: str
    some: str = ""  # why not all tests were run ("" when all were), as a clause
    reused: bool = False  # taken over from an earlier session on the same commit in the same environment


@dataclass(frozen=True, slots=True)
class Change:
    """One test case whose story differs before and after. None: it was not there."""

    id: str
    before: Result | None
    after: Result | None
    message: str = ""  # of the side that is bad: after, else before
    behind: str = ""  # the case whose error keeps this one from being run, e.g. of the file that it is in


@dataclass(frozen=True, slots=True)
class TestsCompared:
    round: int  # the how-manieth verification, from 1
    verdict: Verdict
    reason: str  # the verdict in a sentence
    fixed: tuple[Change, ...] = ()  # bad → passed
    newly_broken: tuple[Change, ...] = ()  # passed, skipped or not there → bad
    still_failing: tuple[Change, ...] = ()  # bad → bad
    newly_skipped: tuple[Change, ...] = ()  # passed or bad → skipped
    added: tuple[Change, ...] = ()  # not there → passed or skipped
    removed: tuple[Change, ...] = ()  # there → not there
    lost: tuple[
        Change, ...
    ] = ()  # of the newly skipped and the removed: what ran before and has no successor
    still_passing: int = 0
    still_skipped: int = 0
    flaky: tuple[
        Change, ...
    ] = ()  # bad after, but not each time (see `CasesRetried`); or before, and not each time
    order_dependent: tuple[Change, ...] = ()  # bad after, and alone not as together with the others


@dataclass(frozen=True, slots=True)
class Retried:
    """A case that was bad on the result and not on the base, and what it came to when it was run again."""

    id: str
    result_alone: tuple[Result, ...]  # each run of this case alone, on the result
    base_alone: tuple[Result, ...]  # the same on the base
    together: Result | None  # on the result once more, with all the others; None: that was not done
    stability: Stability

    @property
    def failures(self) -> tuple[int, int]:
        """How often it failed on the result, of how many runs: the first one with all the others included."""
        runs = [Result.FAILED, *self.result_alone, *([self.together] if self.together else [])]
        return sum(result.bad for result in runs), len(runs)


@dataclass(frozen=True, slots=True)
class CasesRetried:
    round: int
    cases: tuple[Retried, ...]
    left: int = 0  # cases that broke as well and were not run again: no time left, or no way to
    together: int = (
        0  # cases that broke as well and failed once more, run all together: too many to run alone
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """What a test that the change adds or edits shows of it."""

    id: str
    added: bool  # False: it was there before, and the change edits its file
    without: Without
    message: str = ""  # how it fails without the change


@dataclass(frozen=True, slots=True)
class Outdated:
    """A test that passes on the base and, as it is there, does not against the source of the result."""

    id: str
    gone: bool  # the change removes it; else it was changed, so that it passes
    message: str = ""  # how it fails as it was
    lacks: bool = False  # it can't run as it was, because the change takes away what it needs; else it fails


@dataclass(frozen=True, slots=True)
class ProofRan:
    """The tests that the change adds or edits, run against the source of the base, and the other way round."""

    round: int
    files: tuple[str, ...]  # test files of the change; none: it touches no test
    cases: tuple[Shown, ...]
    problem: str = ""  # why nothing can be said, as a clause
    outdated: tuple[Outdated, ...] = ()
    unneeded: tuple[
        str, ...
    ] = ()  # ids that seem fixed, but pass on the base's source with the change's test files
    unfinished: str = ""  # which of these runs did not reach its end, and why, as a clause


@dataclass(frozen=True, slots=True)
class FileCoverage:
    path: str
    executable: tuple[int, ...]  # changed lines that can be run, by number in the result
    missed: tuple[int, ...]  # those that no test ran


@dataclass(frozen=True, slots=True)
class CoverageMeasured:
    """Which of the changed lines the tests run."""

    round: int
    tool: str  # e.g. `coverage.py 7.6`; empty: not measured
    files: tuple[FileCoverage, ...]
    problem: str = ""  # why it was not measured, or not in each of the projects, as a clause
    command: str = ""  # of the run with which it was measured; empty: nothing was run for it
    log: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has to say of one place. `line` is 0 where it names none."""

    path: str
    line: int
    message: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class CheckRan:
    """One of the configured `checks` on one side of the change."""

    moment: Moment  # before or after
    command: str
    exit_code: int | None  # None: ended by us
    seconds: float
    problem: str  # why this is no result, as a clause
    findings: tuple[Finding, ...]
    log: str
    tail: str
    cut: str = ""  # why not all of its findings are known, as a clause; empty when they are


@dataclass(frozen=True, slots=True)
class CheckCompared:
    """A check before and after. Only what is new counts against the change."""

    command: str
    before: int | None  # exit codes
    after: int | None
    new: tuple[Finding, ...]
    gone: int
    worse: bool  # it passed before and fails now, has new findings, or has no whole result any more
    said: str  # what it came to, in a sentence
    unknown: bool = False  # it had no result before the change, so that nothing can be compared


@dataclass(frozen=True, slots=True)
class ChecksCompared:
    round: int
    checks: tuple[CheckCompared, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on the change, from everything that was measured in this round."""

    round: int
    grade: Grade
    ready: bool  # fit to be reviewed as it is; False: a person has to decide
    reasons: tuple[str, ...]  # sentences, the weightiest first
    remarks: tuple[str, ...] = ()  # what to know beside


# --- the agent --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelChosen:
    """From here on this model does the work."""

    role: str  # `default`, `strong`, `cheap`, or `fallback`, which goes on with the conversation of the other
    model: str
    reason: str  # a clause for people; empty: there was nothing to choose
    instead_of: str = ""  # the model that could not do it


@dataclass(frozen=True, slots=True)
class ModelReplied:
    step: int  # from 1
    model: str
    message: dict[str, Any]  # the assistant message as it goes on in the context
    finish_reason: str
    usage: Usage
    cost: float | None  # US dollars; None: the price is not known
    seconds: float


@dataclass(frozen=True, slots=True)
class ModelRetried:
    attempt: int  # the try that failed, from 1
    reason: str
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class Compacted:
    """The conversation had grown too long; what was old in it was left out."""

    step: int
    before: int  # tokens, estimated
    after: int
    left_out: int  # results of calls, and what older calls wrote
    summary: str = ""  # the model's, where leaving out was not enough; empty as well where it said nothing
    usage: Usage = field(default_factory=Usage)  # of the summary
    cost: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a model with fresh eyes says of a hand-in that holds. No defects: it found none."""

    model: str
    defects: tuple[str, ...]
    text: str  # its answer, cut
    understood: bool  # the answer was in the form that was asked for
    usage: Usage
    cost: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class ToolCalled:
    step: int
    call: str
    name: str
    arguments: str  # as the model wrote them
    tool: str = ""  # of ours that was meant; models call them by other names as well
    about: str = ""  # its command, pattern or file


@dataclass(frozen=True, slots=True)
class ToolAnswered:
    step: int
    call: str
    name: str
    ok: bool
    text: str  # exactly what the model reads
    seconds: float
    output: str = ""  # the file with the full output, where the text was cut
    added: str = (
        ""  # the end of `text` that the harness put behind what the tool said; all of it: nothing was run
    )


@dataclass(frozen=True, slots=True)
class HarnessSaid:
    """A message of the harness to the model that answers no tool call."""

    text: str


@dataclass(frozen=True, slots=True)
class InputTaken:
    """What somebody said while the session works, and the model is told now."""

    id: str  # the marker of the answer to it
    by: str
    text: str  # as people see it


@dataclass(frozen=True, slots=True)
class PlanItem:
    text: str
    done: bool


@dataclass(frozen=True, slots=True)
class PlanUpdated:
    items: tuple[PlanItem, ...]


@dataclass(frozen=True, slots=True)
class QuestionAsked:
    question: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanProposed:
    """What the model means to do, for a person to approve before it changes anything. The words are the model's."""

    plan: str
    files: tuple[str, ...]  # that it means to touch, from the top of the repository; a folder ends with `/`
    new: tuple[str, ...] = ()  # those of them that were not there


@dataclass(frozen=True, slots=True)
class ProposalDecided:
    """A person's word on what was proposed last: a plan, or a change."""

    approved: bool
    by: str
    why: str = ""  # what they said with it


@dataclass(frozen=True, slots=True)
class Submitted:
    """The model handed in. Title and summary are its words, shown as such."""

    title: str
    summary: str
    no_test: str = ""  # why it adds no test, where it says so


TurnEnd = Submitted | QuestionAsked | PlanProposed  # what hands the turn back, called by the model


@dataclass(frozen=True, slots=True)
class HandInRestored:
    """What was handed in last came to no good end: the hand-in of this round, which held, is what counts."""

    round: int
    submitted: Submitted
    why: str  # how the last one ended, in a sentence


@dataclass(frozen=True, slots=True)
class AgentStopped:
    ending: Ending
    detail: str


# --- delivery ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileChanged:
    path: str
    added: int | None  # lines; None: binary
    removed: int | None
    previous: str = ""  # the path before a rename


class PolicyAction(StrEnum):
    """What a rule of the policy does to a change that breaks it."""

    REFUSE = "refuse"  # nothing is pushed
    DRAFT = "draft"  # pushed, but as a draft
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class PolicyFinding:
    """What a change holds that one rule of the policy is about."""

    rule: str  # the setting's key: `policy.ci`
    action: PolicyAction
    what: str  # a noun phrase for people: `files that say what the CI runs`
    files: tuple[str, ...]  # each with what is to be known of it; the first ones of many
    more: int = 0  # files that are not named


@dataclass(frozen=True, slots=True)
class PolicyJudged:
    """The policy on a tree that is about to leave. No findings: it may."""

    tree: str
    findings: tuple[PolicyFinding, ...]

    @property
    def action(self) -> PolicyAction:
        """What follows from all findings together."""
        actions = {finding.action for finding in self.findings}
        return next((each for each in PolicyAction if each in actions), PolicyAction.ALLOW)


@dataclass(frozen=True, slots=True)
class PlanCompared:
    """The change beside the plan that was approved."""

    by: str  # who approved the plan
    outside: tuple[str, ...]  # files of the change that are not in it
    untouched: tuple[str, ...] = ()  # its files that the change leaves as they are


@dataclass(frozen=True, slots=True)
class ChangeProposed:
    """A change that is done, for a person to approve before anything of it is pushed."""

    change: str  # its digest: that of the same change on a base that moved elsewhere is the same
    files: tuple[FileChanged, ...]  # that the push would change
    why: str  # a person is asked, in a sentence


@dataclass(frozen=True, slots=True)
class Committed:
    sha: str
    tree: str
    title: str
    files: tuple[FileChanged, ...]  # of the whole branch against the base
    made: bool = True  # False: this run changed nothing, the commit is where an earlier one left the branch


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The work branch is in a repository on this machine: the person's own, or our clone of a URL."""

    place: str
    branch: str
    sha: str


@dataclass(frozen=True, slots=True)
class Pushed:
    remote: str  # without credentials
    branch: str
    sha: str
    tested: bool = True  # False: the work was put on top of what somebody had pushed meanwhile


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Another job did the work, tests included, and left it in a signed bundle; from here on this one publishes it."""

    worked: str  # the page of the job that worked; empty: not known
    publishes: str  # the page of this one


@dataclass(frozen=True, slots=True)
class CommentWritten:
    url: str
    purpose: str  # e.g. `progress`
    created: bool  # False: found and brought up to date


@dataclass(frozen=True, slots=True)
class MergeRequestWritten:
    number: str
    url: str
    title: str
    draft: bool
    created: bool
    reference: str = ""  # how the platform's comments name it, `#34` or `!34`; empty: not at all


@dataclass(frozen=True, slots=True)
class LabelsChanged:
    added: tuple[str, ...] = field(default=())
    removed: tuple[str, ...] = field(default=())


Fact = (
    SessionStarted
    | SessionResumed
    | SandboxProved
    | ConnectionsRefused
    | StatusChanged
    | IssueRead
    | HiddenLeftOut
    | WorkspaceReady
    | Warned
    | SecretsSuspected
    | Withheld
    | ObserverFailed
    | SessionEnded
    | CommandStarted
    | SetupChosen
    | SetupRan
    | TestsChosen
    | TestsRan
    | TestsCompared
    | CasesRetried
    | ProofRan
    | CoverageMeasured
    | CheckRan
    | ChecksCompared
    | Judged
    | ModelChosen
    | ModelReplied
    | ModelRetried
    | Compacted
    | Reviewed
    | ToolCalled
    | ToolAnswered
    | HarnessSaid
    | InputTaken
    | PlanUpdated
    | QuestionAsked
    | PlanProposed
    | ProposalDecided
    | Submitted
    | HandInRestored
    | AgentStopped
    | PolicyJudged
    | PlanCompared
    | ChangeProposed
    | Committed
    | HandedOver
    | Pushed
    | TakenOver
    | CommentWritten
    | MergeRequestWritten
    | LabelsChanged
)
