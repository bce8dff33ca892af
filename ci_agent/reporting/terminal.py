"""A session on a terminal or in a CI log: plain lines while it runs, and the words it ends with.

No colours and no cursor movement; `live.py` has those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from ci_agent.journal import Event, Fact, encode
from ci_agent.journal.events import (
    AgentStopped,
    CasesRetried,
    ChangeProposed,
    CheckRan,
    Committed,
    Compacted,
    ConnectionsRefused,
    CoverageMeasured,
    Finding,
    HandedOver,
    HandInRestored,
    HiddenLeftOut,
    InputTaken,
    IssueRead,
    Judged,
    MergeRequestWritten,
    ModelChosen,
    ModelRetried,
    ObserverFailed,
    PlanCompared,
    PlanProposed,
    PlanUpdated,
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
    TestsRan,
    ToolAnswered,
    ToolCalled,
    Warned,
    Withheld,
    WorkspaceReady,
)
from ci_agent.reporting import policy
from ci_agent.reporting.calls import call
from ci_agent.reporting.confinement import level, refused
from ci_agent.reporting.summary import Round, Summary, withheld
from ci_agent.reporting.text import one_line
from ci_agent.reporting.wording import (
    FIRST_LINE,
    GIVEN_BACK,
    GRADES,
    REASON,
    commit,
    comparison,
    count,
    counts,
    duration,
    failures,
    flaky,
    headline,
    left_out,
    lines_run,
    partly,
    purpose,
    reasons,
    semicolons,
    sentence,
    short_verdict,
    spent,
    suspicion,
    tokens,
    unjudged,
    unpriced,
)
from ci_agent.task import Status

WIDTH = 200  # characters of a line; longer ones help nobody in a log


class Output(Protocol):
    """Where lines are written: a text stream, or what stands for one."""

    @property
    def encoding(self) -> str: ...
    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...


class PlainLog:
    """Writes one line per noteworthy event to `stream`: the time in UTC and what happened.

    How the agent stopped is only said where the session then ends for another reason; the verdict only where there is
    a session: without one, it is the last word anyway (`concluding`).
    """

    name = "log"

    def __init__(self, stream: Output) -> None:
        self._stream = stream
        self._stopped: AgentStopped | None = None
        self._session = False

    def observe(self, event: Event) -> None:
        fact = event.fact
        self._session = self._session or isinstance(fact, SessionStarted)
        if isinstance(fact, Judged | PolicyJudged) and not self._session:
            return
        if isinstance(fact, AgentStopped):
            self._stopped = fact
            return
        if isinstance(fact, SessionEnded) and self._stopped and self._stopped.ending is not fact.ending:
            self._say(event, line(self._stopped))
        self._say(event, line(fact))

    def _say(self, event: Event, said: str) -> None:
        if said:
            _write(self._stream, f"{event.at:%H:%M:%S} {one_line(said, WIDTH)}")


class JsonLines:
    """Writes the journal's own lines to `stream`."""

    name = "json"

    def __init__(self, stream: Output) -> None:
        self._stream = stream

    def observe(self, event: Event) -> None:
        _write(self._stream, encode(event))


def _write(stream: Output, text: str) -> None:
    encoding = stream.encoding or "utf-8"  # a terminal may not know every character
    stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    stream.flush()


def line(fact: Fact) -> str:  # noqa: C901, PLR0911, PLR0912, PLR0915 - one line per kind of event, no decisions
    """What `fact` says in a log, not yet cleaned. Empty for what a reader of logs can do without."""
    match fact:
        case SessionStarted():
            return f"ci-agent {fact.version}: issue {fact.issue}, {fact.title} ({fact.model}, sandbox: {fact.sandbox})"
        case SandboxProved():
            return level(fact)
        case ConnectionsRefused():
            return refused(fact.places)
        case StatusChanged():
            return f"== {fact.status}"
        case IssueRead():
            return f"issue {fact.issue} by {fact.author}, {count(fact.comments, 'comment')}: {fact.url}"
        case HiddenLeftOut():
            return f"not shown to the model, because nobody sees it: {left_out(fact)}"
        case WorkspaceReady():
            if not fact.branch:
                return f"base {fact.base} at {commit(fact.base_sha)}; result {commit(fact.head_sha)}"
            how = "is there already" if fact.continued else "is new"
            if fact.continued and fact.head_sha != fact.base_sha:
                how = f"goes on from {commit(fact.head_sha)}"
            return f"base {fact.base} at {commit(fact.base_sha)}; branch {fact.branch} {how}"
        case SetupChosen():
            return f"set-up: {semicolons(fact.command) or 'none'} ({fact.why})"
        case SetupRan():
            how = "timed out" if fact.timed_out else f"exit code {fact.exit_code}"
            return f"{purpose(f'set-up ({fact.place})')}: {how} in {duration(fact.seconds)}"
        case TestsChosen():
            folder = f" in {fact.folder}" if fact.folder else ""
            return f"tests{folder}: {semicolons(fact.command) or 'none'} ({fact.why})"
        case TestsRan():
            said = f"{purpose(f'tests {fact.moment}')}: {counts(fact)} in {duration(fact.seconds)}"
            return "; ".join([said, *partly(fact)])
        case CasesRetried():
            return "; ".join(f"{case.id} is {case.stability}, {failures(case)}" for case in fact.cases)
        case ProofRan() | CoverageMeasured():
            return f"{_MEASURED[type(fact)]}: {fact.problem}" if fact.problem else ""
        case CheckRan():
            how = fact.problem or f"exit code {fact.exit_code}"
            return f"check {fact.moment}: {fact.command}: {how} in {duration(fact.seconds)}"
        case Judged():
            return f"round {fact.round}: {' '.join([f'{GRADES[fact.grade]}.', *reasons(fact)])}"
        case ModelChosen(reason=""):
            return ""  # there was nothing to choose
        case ModelChosen():
            instead = f" takes over from {fact.instead_of}" if fact.instead_of else " does the work"
            return f"{fact.model} ({fact.role}){instead}: {fact.reason}"
        case Compacted():
            how = "summed up" if fact.summary else f"{count(fact.left_out, 'old result')} left out"
            return f"step {fact.step}: the conversation had {fact.before:,} tokens, now {fact.after:,}: {how}"
        case Reviewed():
            none = "no defect" if fact.understood else "its answer can't be read, and does not count"
            found = count(len(fact.defects), "defect") if fact.defects else none
            return "; ".join([f"read again by {fact.model}: {found}", *fact.defects])
        case ModelRetried():
            again = f"; next in {duration(fact.wait_seconds)}" if fact.wait_seconds else ""
            return f"model, attempt {fact.attempt}: {fact.reason}{again}"
        case ToolCalled(name="update_plan" | "propose_plan" | "submit" | "ask_user"):
            return ""  # what came of them has a line of its own
        case ToolCalled():
            return f"step {fact.step}: {call(fact, WIDTH)}"
        case ToolAnswered(name="submit", text=text) if text.startswith(GIVEN_BACK):
            return f"given back: {' '.join(text.removeprefix(GIVEN_BACK).split())}"
        case ToolAnswered(name="submit"):
            return ""  # the round's line says why it was sent back
        case ToolAnswered(ok=False):
            named = fact.text.startswith(f"{fact.name} ")
            return f"step {fact.step}: {fact.text if named else f'{fact.name} failed: {fact.text}'}"
        case PlanUpdated():
            return f"the model's plan: {sum(item.done for item in fact.items)} of {len(fact.items)} done"
        case InputTaken():
            return f"{fact.by} says: {fact.text}"
        case SessionResumed():
            return f"job {fact.job} of this session goes on with it: {fact.why}{': ' * bool(fact.answer)}{fact.answer}"
        case QuestionAsked():
            return f"the model asks: {fact.question}"
        case PlanProposed():
            return f"the model proposes a plan for {count(len(fact.files), 'file')}: {fact.plan}"
        case ProposalDecided():
            return (
                f"{'approved' if fact.approved else 'rejected'} by {fact.by}{': ' * bool(fact.why)}{fact.why}"
            )
        case Submitted():
            return f"handed in; the model says: {fact.title}"
        case HandInRestored():
            return f"the hand-in of round {fact.round} counts again; the last one: {fact.why}"
        case AgentStopped():
            return f"the agent stopped: {fact.ending}" + (f", {fact.detail}" if fact.detail else "")
        case Warned():
            return f"warning: {fact.text}"
        case SecretsSuspected():
            return f"warning: {suspicion(fact)}"
        case Withheld():
            return f"warning: {withheld(fact)}"
        case ObserverFailed():
            return f"warning: the {fact.observer} failed and is left out from here on: {fact.error}"
        case PolicyJudged():
            return policy.sentence(fact)
        case PlanCompared():
            lists = {"not in the approved plan": fact.outside, "planned and not touched": fact.untouched}
            return "; ".join(f"{name}: {', '.join(files)}" for name, files in lists.items() if files)
        case ChangeProposed():
            return f"not pushed: {fact.why}"
        case Committed(made=False):
            return f"no new commit: the branch stays at {commit(fact.sha)}"
        case Committed():
            return f"commit {commit(fact.sha)}, {count(len(fact.files), 'file')}: {fact.title}"
        case Pushed():
            return f"pushed {fact.branch} to {fact.remote}"
        case TakenOver():
            return f"publishing what another job did: {fact.worked or 'it has no page'}"
        case HandedOver():
            return f"branch {fact.branch} is in {fact.place}"
        case MergeRequestWritten():
            return f"{'draft ' * fact.draft}merge request {fact.number}: {fact.url}"
        case SessionEnded():
            return f"== {fact.status} after {duration(fact.seconds)}"  # `closing` has the sentence
    return ""


_MEASURED = {ProofRan: "the tests of the change without it", CoverageMeasured: "coverage"}


def closing(events: Sequence[Event], *, places: Mapping[str, str]) -> str:
    """The last words of a run, in plain text: how it ended, the tests, and where everything is.

    `places` names what the caller knows and the journal does not, e.g. `{"report": "ci-agent-report/"}`.
    """
    summary = Summary.of(events)
    rows: dict[str, str] = {}
    if summary.question and summary.status is Status.SUSPENDED:
        rows |= {f"{number}.": choice for number, choice in enumerate(summary.question.choices, 1)}
    if summary.before or summary.after:
        rows["tests"] = f"before: {counts(summary.before)}"
        rows[""] = f"after:  {counts(summary.after)}"
    elif summary.no_tests:
        rows["tests"] = "none"
    if summary.handed_over:
        stays = ", as an earlier run left it" if summary.unchanged else ""
        rows["branch"] = f"{summary.handed_over.branch} ({commit(summary.handed_over.sha)}{stays})"
    elif summary.checkout:
        rows["checkout"] = summary.checkout
    if summary.merge_request:
        draft = " (draft)" if summary.merge_request.draft else ""
        rows["merge request"] = f"{summary.merge_request.number}{draft}  {summary.merge_request.url}"
    rows |= places
    if summary.started:
        price = f"{spent(summary)}: no price known for {summary.started.model}"
        used = [duration(summary.seconds), price if unpriced(summary) else spent(summary), tokens(summary)]
        rows["used"] = ", ".join(part for part in used if part)
    return "\n".join([one_line(_outcome(summary), 1000), *_columns(list(rows.items()))]) + "\n"


def concluding(events: Sequence[Event], *, places: Mapping[str, str]) -> str:
    """The last words of a verification without a session, in plain text: the verdict with its reasons, what there
    is to know beside, and the figures. `places` as for `closing`."""
    summary = Summary.of(events)
    judged, last = summary.judged, summary.last
    if judged is None:
        head = [f"Not finished. {unjudged(summary)}"]
    else:
        told = reasons(judged)
        head = [" ".join([f"{GRADES[judged.grade]}.", *told])]
        if len(head[0]) > FIRST_LINE:
            head = [f"{GRADES[judged.grade]}.", *told]
        head += [f"- {one_line(remark, REASON)}" for remark in judged.remarks[:_REMARKS]]
    said = " ".join(head)
    rows = [
        ("tests", f"before: {_beside(said, summary.before)}"),
        ("", f"after:  {_beside(said, summary.after)}"),
    ]
    rows += _tests_by_name(last)
    if ran := lines_run(last):
        rows.append(("lines", "{:,} of {:,} changed lines run by the tests".format(*ran)))
    rows += (
        [("policy", policy.named(finding)) for finding in summary.policy.findings] if summary.policy else []
    )
    for check in last.checks.checks[:_NAMED] if last.checks else ():
        rows.append(("check", check.said))
        rows += [("", _found(finding)) for finding in check.new[:_FINDINGS]]
    rows += list(places.items())
    return "\n".join([one_line(head[0], 1000), *head[1:], *_columns(rows)]) + "\n"


def _found(finding: Finding) -> str:
    place = f"{finding.path}:{finding.line}" if finding.line else finding.path
    return ": ".join(filter(None, [place, finding.message]))


def _beside(said: str, run: TestsRan | None) -> str:
    """What a run came to, without a reason that was told already."""
    known = run is not None and run.problem and run.problem in said
    told = counts(replace(run, problem="see above") if run and known else run)
    return "; ".join([told, *partly(run)])


def _tests_by_name(verification: Round) -> list[tuple[str, str]]:
    compared, retried = verification.compared, verification.retried
    if compared is None:
        return []
    again = {case.id: case for case in retried.cases} if retried else {}
    named = {
        "newly broken": [
            ": ".join(filter(None, [change.id, one_line(change.message, 160)]))
            for change in compared.newly_broken
        ],
        "no longer run": [change.id for change in compared.lost],
        "order-dependent": [change.id for change in compared.order_dependent],
        "flaky": [
            ": ".join(filter(None, [change.id, flaky(change, again.get(change.id))]))
            for change in compared.flaky
        ],
    }
    rows: list[tuple[str, str]] = []
    for title, lines in named.items():
        more = [f"and {len(lines) - _NAMED:,} more"] if len(lines) > _NAMED else []
        titles = [title] + [""] * _NAMED
        rows += zip(titles, lines[:_NAMED] + more, strict=False)
    return rows


_NAMED = 10  # of a list
_REMARKS = 8
_FINDINGS = 3  # new ones of a check


def _columns(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return [f"  {name:<{width}}  {one_line(value, 500)}" for name, value in rows if value]


def _outcome(summary: Summary) -> str:
    if summary.question and summary.status is Status.SUSPENDED:
        return f"Waiting for an answer. The model asks: {summary.question.question}"
    if summary.status is Status.COMPLETED and summary.unchanged:
        return "Nothing changed in this run."
    if summary.status is Status.COMPLETED and summary.solved:
        return f"Done, {short_verdict(summary)}{': ' + comparison(summary) if comparison(summary) else ''}."
    return f"{headline(summary)} {sentence(summary)}"
