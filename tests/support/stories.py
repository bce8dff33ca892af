"""Sample sessions as lists of events: what reports are made from. Pure data, no clock, no disk.

`story` numbers and dates any facts; the named stories tell a session from start to end on one small example,
a function that makes slugs. Each takes the facts of the one before it and goes on differently.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ci_agent.journal import Event, Fact
from ci_agent.journal.events import (
    AgentStopped,
    Case,
    CasesRetried,
    Change,
    ChangeProposed,
    CheckCompared,
    CheckRan,
    ChecksCompared,
    CommandStarted,
    CommentWritten,
    Committed,
    CoverageMeasured,
    FileChanged,
    FileCoverage,
    Finding,
    Grade,
    HandedOver,
    IssueRead,
    Judged,
    MergeRequestWritten,
    ModelReplied,
    Moment,
    PlanCompared,
    PlanItem,
    PlanProposed,
    PlanUpdated,
    ProofRan,
    ProposalDecided,
    Pushed,
    QuestionAsked,
    Result,
    Retried,
    SessionEnded,
    SessionStarted,
    SetupChosen,
    SetupRan,
    Shown,
    Stability,
    StatusChanged,
    Submitted,
    TestsChosen,
    TestsCompared,
    TestsRan,
    ToolAnswered,
    ToolCalled,
    Verdict,
    Warned,
    Without,
    WorkspaceReady,
)
from ci_agent.task import Ending, Limits, Status, Usage

BASE = "3f2c1aa9d0e5b7c84f6a1b2c3d4e5f60718293a4"
HEAD = "9b8e7d6c5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c"
TREE = "77de68daecd823babbb58edb1c8e14d7106e83bb"
BRANCH = "feat/ai-task-12"
REQUESTER = "Dana Novak <dana@example.org>"
LIMITS = Limits(
    iterations=50, minutes=60, cost=3.0, input_tokens=4_000_000, output_tokens=200_000, verifications=3
)
SUMMARY = (
    "`slug()` split at single blanks, so two blanks made an empty word and with it a double dash.\n\n"
    "- words are now split at any run of white space\n"
    "- a test covers tabs and trailing blanks"
)


def story(
    *facts: Fact, start: datetime = datetime(2025, 11, 3, 12, 0, tzinfo=UTC), seconds: float = 9
) -> list[Event]:
    """The facts as events, `seconds` apart."""
    return [
        Event(number, start + (number - 1) * timedelta(seconds=seconds), fact)
        for number, fact in enumerate(facts, start=1)
    ]


def facts(events: list[Event]) -> list[Fact]:
    """The facts of a story, to tell it on."""
    return [event.fact for event in events]


def started(**changes: object) -> SessionStarted:
    values: dict[str, object] = {
        "session": "12-a1b2c3",
        "version": "0.1.0",
        "platform": "local",
        "repository": "/home/dana/slugs",
        "issue": "12",
        "reference": "#12",
        "title": "slug() makes double dashes",
        "requester": REQUESTER,
        "base": "main",
        "branch": BRANCH,
        "model": "gpt-5-mini",
        "sandbox": "none",
        "limits": LIMITS,
    }
    return SessionStarted(**(values | changes))  # type: ignore[arg-type]


def ran(
    moment: Moment,
    bad: dict[str, str] | None = None,
    *,
    passed: int = 211,
    skipped: int = 3,
    problem: str = "",
    extra: tuple[Case, ...] = (),
) -> TestsRan:
    """A run of pytest with `passed` and `skipped` cases and the bad ones with their messages."""
    bad = bad or {}
    cases = [Case(f"tests/test_core.py::test_{n}", Result.PASSED, 0.01) for n in range(passed - len(extra))]
    cases += [
        Case(f"tests/test_old.py::test_{n}", Result.SKIPPED, message="needs Windows") for n in range(skipped)
    ]
    cases += [
        Case(name, Result.FAILED, 0.02, message, f"def test():\n>   {message}\nE   AssertionError")
        for name, message in bad.items()
    ]
    return TestsRan(
        moment=moment,
        command="python -m pytest",
        tree=TREE,
        exit_code=None if problem else int(bool(bad)),
        seconds=6.4,
        timed_out=bool(problem),
        problem=problem,
        by_case=True,
        cases=(*cases, *extra),
        log=f"tests-{moment}.log",
        tail=f"{passed} passed",
    )


def measured(
    moment: Moment, bad: dict[str, str] | None = None, *, passed: int = 211, extra: tuple[Case, ...] = ()
) -> list[Fact]:
    """The tests as the harness runs them: said first, then done."""
    after = ran(moment, bad, passed=passed, extra=extra)
    return [CommandStarted(f"tests {moment}", after.command), after]


def replied(step: int, cost: float | None = 0.01, words: str = "") -> ModelReplied:
    usage = Usage(prompt=5_000, cached=4_300 if step > 1 else 0, completion=150, reasoning=60)
    message = {"role": "assistant", "content": words}
    return ModelReplied(step, "gpt-5-mini", message, "tool_calls", usage, cost, 2.5)


def called(step: int, tool: str, **arguments: object) -> ToolCalled:
    return ToolCalled(step, f"call_{step}_{tool}", tool, json.dumps(arguments))


def answered(step: int, tool: str, text: str = "", *, ok: bool = True) -> ToolAnswered:
    return ToolAnswered(step, f"call_{step}_{tool}", tool, ok, text, 0.2)


def plan(done: int) -> PlanUpdated:
    items = (
        "Reproduce: `slug('A  b')` gives `a--b`",
        "Split at runs of white space in `slugs/core.py`",
        "Add tests for tabs and trailing blanks",
    )
    return PlanUpdated(tuple(PlanItem(text, number < done) for number, text in enumerate(items)))


OLD_FAILURE = {"tests/test_core.py::test_runs": "assert 'a--b' == 'a-b'"}
ADDED = (
    Case("tests/test_core.py::test_tabs", Result.PASSED, 0.01),
    Case("tests/test_core.py::test_trailing", Result.PASSED, 0.01),
)
FIXED = Change("tests/test_core.py::test_runs", Result.FAILED, Result.PASSED, "assert 'a--b' == 'a-b'")
FILES = (FileChanged("slugs/core.py", 1, 1), FileChanged("tests/test_core.py", 9, 0))


def working() -> list[Event]:
    """In the middle: tests before are known, the model edits."""
    return story(
        started(),
        StatusChanged(Status.CLONING),
        IssueRead("12", "slug() makes double dashes", "dana", "/home/dana/.state/issues/12.md", 2),
        WorkspaceReady("main", BASE, BRANCH, BASE, (), False, "/tmp/work/12"),
        StatusChanged(Status.ANALYZING),
        SetupChosen("pip install -e .", "it is set in .ci-agent.yml", configured=True),
        CommandStarted("set-up (work)", "pip install -e ."),
        SetupRan("pip install -e .", 0, 8.2, False, "setup.log", "Successfully installed slugs"),
        TestsChosen("python -m pytest", "pytest", "pyproject.toml has [tool.pytest.ini_options]"),
        *measured(Moment.BEFORE, OLD_FAILURE),
        StatusChanged(Status.CODING),
        replied(1, words="Let me see.\nI'll read `slug` and its tests first."),
        called(1, "read_file", path="slugs/core.py"),
        answered(1, "read_file", "def slug(text): ..."),
        replied(2),
        called(2, "read_file", path="tests/test_core.py"),
        answered(2, "read_file", "def test_runs(): ..."),
        replied(3),
        called(3, "bash", command="python -c \"from slugs import slug; print(slug('A  b'))\""),
        answered(3, "bash", "a--b\n[exit 0, 0.1s]"),
        replied(4),
        called(4, "update_plan", items=["…"]),
        plan(1),
        answered(4, "update_plan"),
        replied(5),
        called(5, "edit_file", path="slugs/core.py", old="text.split(' ')", new="text.split()"),
    )


def hand_in(step: int) -> list[Fact]:
    """The model hands in; the call is answered only when the work is sent back."""
    title = "Split slugs at runs of white space"
    return [
        replied(step),
        called(step, "submit", title=title, summary=SUMMARY),
        Submitted(title, SUMMARY),
        StatusChanged(Status.TESTING),
    ]


def handed_in() -> list[Fact]:
    return [*facts(working()), answered(5, "edit_file"), plan(3), *hand_in(6)]


def sent_back(step: int) -> list[Fact]:
    """What follows on a round that was not accepted and was not the last."""
    return [StatusChanged(Status.CODING), answered(step, "submit", "Not accepted.", ok=False)]


def delivered(*, draft: bool, title: str = "Split slugs at runs of white space") -> list[Fact]:
    return [
        StatusChanged(Status.COMMITTING),
        Committed(HEAD, TREE, title, FILES),
        HandedOver("/home/dana/slugs", BRANCH, HEAD),
        MergeRequestWritten("1", "/home/dana/.state/merge-requests/1.md", title, draft, True),
    ]


def ended(status: Status, ending: Ending, sentence: str, exit_code: int) -> list[Fact]:
    return [StatusChanged(status), SessionEnded(status, ending, sentence, exit_code, 252.0)]


def verified(round: int = 1) -> TestsCompared:  # noqa: A002 - the event's own word
    return TestsCompared(
        round=round,
        verdict=Verdict.VERIFIED,
        reason="1 test fixed, none newly broken, 2 added.",
        fixed=(FIXED,),
        added=tuple(Change(case.id, None, case.result) for case in ADDED),
        still_passing=211,
        still_skipped=3,
    )


def judged(
    grade: Grade,
    *reasons: str,
    round: int = 1,  # noqa: A002 - the event's own word
    ready: bool | None = None,
    remarks: tuple[str, ...] = (),
) -> Judged:
    """The verdict; unless it is said, good ones are ready and the others are not."""
    fit = grade in {Grade.VERIFIED, Grade.REMARKS} if ready is None else ready
    return Judged(round, grade, fit, reasons, remarks)


PROVEN = "The 2 tests added here fail without this change and pass with it."


def proof(round: int = 1) -> list[Fact]:  # noqa: A002 - the event's own word
    """The two added tests against the source of the base, and the lines they run."""
    how = {"test_tabs": "assert 'a-\\tb' == 'a-b'", "test_trailing": "assert 'a-' == 'a'"}
    bad = {f"tests/test_core.py::{name}": message for name, message in how.items()}
    shown = tuple(Shown(name, True, Without.FAILS, message) for name, message in bad.items())
    return [
        *measured(Moment.PROOF, bad, passed=1),
        ProofRan(round, ("tests/test_core.py",), shown),
        CoverageMeasured(round, "coverage.py 7.6", (FileCoverage("slugs/core.py", (4,), ()),)),
    ]


def verified_round(round: int = 1) -> list[Fact]:  # noqa: A002 - the event's own word
    """One test fixed, two added that fail without the change."""
    return [
        *measured(Moment.AFTER, passed=214, extra=ADDED),
        verified(round),
        *proof(round),
        judged(Grade.VERIFIED, "1 test fixed, none newly broken.", PROVEN, round=round),
    ]


def broken(round: int) -> TestsCompared:  # noqa: A002 - the event's own word
    old, new = "assert 'a--b' == 'a-b'", "assert 'a-?' == 'a-é'"
    return TestsCompared(
        round=round,
        verdict=Verdict.BROKEN,
        reason="1 test newly broken, 1 failing as before.",
        newly_broken=(Change("tests/test_core.py::test_unicode", Result.PASSED, Result.FAILED, new),),
        still_failing=(Change("tests/test_core.py::test_runs", Result.FAILED, Result.FAILED, old),),
        still_passing=210,
        still_skipped=3,
    )


def broken_round(round: int) -> list[Fact]:  # noqa: A002 - the event's own word
    bad = OLD_FAILURE | {"tests/test_core.py::test_unicode": "assert 'a-?' == 'a-é'"}
    said = "1 test newly broken by this change."
    return [
        *measured(Moment.AFTER, bad, passed=210),
        broken(round),
        judged(Grade.BROKEN, said, round=round),
    ]


def success() -> list[Event]:
    """One test fixed, two added, none broken."""
    return story(
        *handed_in(),
        *verified_round(),
        AgentStopped(Ending.SUBMITTED, verified().reason),
        *delivered(draft=False),
        CommentWritten("/home/dana/.state/issues/12.md#1", "progress", False),
        *ended(Status.COMPLETED, Ending.SUBMITTED, verified().reason, 0),
    )


def second_try() -> list[Event]:
    """The first hand-in broke a test, the second holds."""
    return story(
        *handed_in(),
        *broken_round(1),
        *sent_back(6),
        *hand_in(7),
        *verified_round(2),
        AgentStopped(Ending.SUBMITTED, verified().reason),
        *delivered(draft=False),
        *ended(Status.COMPLETED, Ending.SUBMITTED, verified().reason, 0),
    )


def added_only() -> list[Event]:
    """What failed before still fails, and two tests of the model's own pass."""
    reason = "No test newly broken, 2 added, 1 failing as before."
    return story(
        *handed_in(),
        *measured(Moment.AFTER, OLD_FAILURE, passed=213, extra=ADDED),
        TestsCompared(
            round=1,
            verdict=Verdict.VERIFIED,
            reason=reason,
            still_failing=(replace(FIXED, after=Result.FAILED),),
            added=tuple(Change(case.id, None, case.result) for case in ADDED),
            still_passing=211,
            still_skipped=3,
        ),
        judged(
            Grade.REMARKS,
            "Nothing newly broken.",
            remarks=("No test that failed before passes now.", "1 test still fails."),
        ),
        AgentStopped(Ending.SUBMITTED, reason),
        *delivered(draft=False),
        *ended(Status.COMPLETED, Ending.SUBMITTED, reason, 0),
    )


FLAKY = "tests/test_cache.py::test_expiry"
BY_CHANCE = "tests/test_cache.py::test_size"
ORDERED = "tests/test_cache.py::test_clear"
LINT = "ruff check ."
UNUSED = Finding("slugs/core.py", 14, "`re` imported but unused", "F401")


def remarks() -> list[Event]:
    """Handed in with much to know: a flaky test, a new one that shows nothing, lines that are not run."""
    ok, bad = Result.PASSED, Result.FAILED
    passing = Shown("tests/test_core.py::test_trailing", True, Without.PASSES)
    missing = Shown("tests/test_core.py::test_tabs", True, Without.MISSING, "cannot import name 'words'")
    edited = Shown("tests/test_core.py::test_1", False, Without.FAILS, "assert 1 == 2")
    told = [
        replace(fact, no_test="The *names* of files can't be tested.")
        if isinstance(fact, Submitted)
        else fact
        for fact in handed_in()
    ]
    after = ran(Moment.AFTER, {FLAKY: "assert 3 == 4"}, passed=214, extra=ADDED)
    lines = FileCoverage("slugs/core.py", (4, 10, 12, 14, 16, 20), (10, 14, 16))
    said = "1 test fixed, none newly broken."
    return story(
        *told,
        CheckRan(Moment.BEFORE, LINT, 0, 0.2, "", (), "check-before.log", "All checks passed!"),
        SetupRan("pip install -e .", 0, 6.1, False, "setup-result.log", "", place="result"),
        CommandStarted("tests after", after.command),
        replace(after, some="those of the changed files, because there is little time left"),
        CasesRetried(1, (Retried(FLAKY, (ok, bad, ok), (ok, ok, bad), None, Stability.FLAKY),)),
        replace(verified(), flaky=(Change(FLAKY, ok, bad, "assert 3 == 4"),)),
        ran(Moment.PROOF, {missing.id: missing.message}, passed=1),
        ProofRan(1, ("tests/test_core.py",), (missing, passing, edited)),
        CoverageMeasured(1, "coverage.py 7.6", (lines, FileCoverage("b.py", (1,), ()))),
        CheckRan(Moment.AFTER, LINT, 0, 0.2, "", (), "check-after.log", "All checks passed!"),
        ChecksCompared(
            1, (CheckCompared(LINT, 0, 0, (), 0, False, f"`{LINT}` passes before and after the change."),)
        ),
        judged(Grade.REMARKS, said, remarks=("1 test is flaky.", "1 of 2 new tests shows nothing.")),
        AgentStopped(Ending.SUBMITTED, said),
        *delivered(draft=False),
        *ended(Status.COMPLETED, Ending.SUBMITTED, said, 0),
    )


def worse() -> list[Event]:
    """The same with a test that depends on the order, and a check that finds something new."""
    ok, bad = Result.PASSED, Result.FAILED
    retried = Retried(ORDERED, (ok, ok, ok), (ok, ok, ok), bad, Stability.ORDER)
    reasons = ("1 test fails together with the others since this change.", "1 check got worse.")
    told: list[Fact] = []
    for fact in facts(remarks())[:-6]:
        if isinstance(fact, CasesRetried):
            told.append(replace(fact, cases=(*fact.cases, retried)))
        elif isinstance(fact, TestsCompared):
            told.append(replace(fact, order_dependent=(Change(ORDERED, ok, bad, "KeyError: 'a'"),)))
        elif isinstance(fact, CheckRan) and fact.moment is Moment.AFTER:
            told.append(replace(fact, exit_code=1, findings=(UNUSED,), tail="Found 1 error."))
        elif isinstance(fact, ChecksCompared):
            check = CheckCompared(
                LINT, 0, 1, (UNUSED,), 0, True, f"`{LINT}` fails before and after the change: 1 new finding."
            )
            told.append(replace(fact, checks=(check,)))
        elif isinstance(fact, Judged):
            told.append(judged(Grade.NOT_VERIFIED, *reasons))
        elif isinstance(fact, TestsRan) and fact.moment is Moment.AFTER:
            case = Case(
                ORDERED, Result.FAILED, message="KeyError: 'a'", details="tests/test_cache.py:7: in f"
            )
            told.append(replace(fact, cases=(*fact.cases, case)))
        elif not isinstance(fact, AgentStopped):
            told.append(fact)
    return story(
        *told,
        AgentStopped(Ending.UNVERIFIED, reasons[0]),
        *delivered(draft=True),
        *ended(Status.FAILED, Ending.UNVERIFIED, reasons[0], 1),
    )


WEB = TestsChosen("npm test", "jest", "web/package.json has a script `test`", "web")
NEEDED = SetupChosen("cd web && npm ci", "web/node_modules is missing")


def several() -> list[Event]:
    """Two projects, of which the second has a set-up of its own; a test that failed on the base by chance; much was
    run again, and the coverage has a log."""
    told: list[Fact] = []
    for fact in facts(remarks()):
        if isinstance(fact, TestsChosen):
            told += [fact, WEB]
        elif isinstance(fact, TestsRan) and fact.moment in {Moment.BEFORE, Moment.AFTER}:
            told.append(replace(fact, command="python -m pytest\nnpm test", some=""))
        elif isinstance(fact, SetupRan) and fact.place == "result":
            more = replace(fact, command=NEEDED.command, log="setup-result-2.log")
            told += [replace(fact, environment=".venv"), NEEDED, more]
        elif isinstance(fact, CasesRetried):
            again = ran(Moment.AGAIN, {FLAKY: "assert 3 == 4"}, passed=0, skipped=0)
            single = [replace(again, command=f"python -m pytest t.py::test_{n}") for n in range(12)]
            whole = replace(again, command="python -m pytest\nnpm test", log="tests-again-2.log")
            told += [
                *single,
                single[0],
                SetupRan("pip install -e .", 0, 4.9, False, "", "", ".venv", "result"),
            ]
            told += [whole, fact]
        elif isinstance(fact, TestsCompared):
            chance = Change(BY_CHANCE, Result.FAILED, Result.PASSED, "assert 5 == 6")
            told.append(replace(fact, flaky=(*fact.flaky, chance)))
        elif isinstance(fact, ProofRan):
            told += [ran(Moment.PROOF, {"t::old": "x"}, passed=2), fact]
        elif isinstance(fact, CoverageMeasured):
            told.append(replace(fact, command="python -m pytest --cov", log="tests-coverage.log"))
        else:
            told.append(fact)
    return story(*told)


def set_up_fails() -> list[Event]:
    """A verification without a session whose set-up fails on the base."""
    command = "npm ci\nnpm run build"
    tail = "compiling\nerror: no such file `a.ts`\n\n"
    return story(
        WorkspaceReady("main", BASE, "", HEAD, (), False, "/tmp/verify"),
        SetupChosen(command, "it is given with --setup", configured=True),
        CommandStarted("set-up (base)", command),
        SetupRan(command, 2, 3.0, False, "setup.log", tail, place="base"),
        TestsChosen("npm test", "jest", "package.json has a script `test`"),
    )


def alone(events: list[Event]) -> list[Event]:
    """What `ci-agent verify` would have written of a story: the same, without anything of a session."""
    kept = (
        WorkspaceReady
        | SetupChosen
        | SetupRan
        | CommandStarted
        | TestsChosen
        | TestsRan
        | CasesRetried
        | TestsCompared
        | ProofRan
        | CoverageMeasured
        | CheckRan
        | ChecksCompared
        | Judged
    )
    told = [fact for fact in facts(events) if isinstance(fact, kept)]
    return story(
        *(replace(fact, head_sha=HEAD) if isinstance(fact, WorkspaceReady) else fact for fact in told)
    )


def unchanged() -> list[Event]:
    """Goes on with an earlier run's branch and hands it in as it is."""
    told = facts(success())
    warned = Warned("Nothing was changed in this run; the branch is as an earlier one left it.")
    at = next(number for number, fact in enumerate(told) if isinstance(fact, Committed))
    return story(
        *told[:at],
        warned,
        Committed(HEAD, TREE, "Make slugs of any white space", FILES, made=False),
        *told[at + 1 :],
    )


def needs_human() -> list[Event]:
    """Handed in three times, and a test that passed before still fails."""
    return story(
        *handed_in(),
        *broken_round(1),
        *sent_back(6),
        *hand_in(7),
        *broken_round(2),
        *sent_back(7),
        *hand_in(8),
        *broken_round(3),
        AgentStopped(Ending.UNVERIFIED, broken(3).reason),
        *delivered(draft=True),
        *ended(Status.FAILED, Ending.UNVERIFIED, "After 3 rounds 1 test is newly broken.", 1),
    )


def no_tests() -> list[Event]:
    """A repository without any test."""
    told = [
        TestsChosen("", "", "no test command is set and none was recognised")
        if isinstance(fact, TestsChosen)
        else fact
        for fact in handed_in()
        if not isinstance(fact, TestsRan) and fact != CommandStarted("tests before", "python -m pytest")
    ]
    return story(
        *told,
        judged(Grade.NOT_VERIFIED, "There are no tests to run.", ready=True),
        AgentStopped(Ending.SUBMITTED, ""),
        *delivered(draft=False),
        *ended(Status.COMPLETED, Ending.SUBMITTED, "Handed in; there were no tests to check it with.", 0),
    )


def question() -> list[Event]:
    """The model asks and the session waits."""
    return story(
        *facts(working())[:-1],
        called(5, "ask_user", question="Should tabs count as white space?"),
        QuestionAsked("Should tabs count as white space?", ("Yes, any white space", "No, blanks only")),
        AgentStopped(Ending.NEEDS_INPUT, ""),
        *ended(Status.SUSPENDED, Ending.NEEDS_INPUT, "Waiting for an answer.", 5),
    )


PLAN = PlanProposed(
    "`slug()` splits at each blank. Split at runs of white space, and add tests:\n- tabs\n- blanks at the end",
    ("slugs/core.py", "tests/test_core.py", "docs/"),
    ("docs/",),
)


def plan_waits() -> list[Event]:
    """The model proposed a plan, and a person has to approve it."""
    sentence = "The model proposed a plan that a person has to approve."
    return story(
        *facts(working())[:-1],
        called(5, "propose_plan", plan=PLAN.plan, files=list(PLAN.files)),
        PLAN,
        AgentStopped(Ending.NEEDS_APPROVAL, sentence),
        *ended(Status.SUSPENDED, Ending.NEEDS_APPROVAL, sentence, 5),
    )


def change_waits() -> list[Event]:
    """The change holds, and a person has to approve it before it is pushed."""
    told = [f for f in facts(success()) if not isinstance(f, Pushed | MergeRequestWritten | SessionEnded)]
    why = "A person has to approve the change first (`approval.needed: push`)."
    files = (FileChanged("slugs/core.py", 1, 1), FileChanged("tests/test_core.py", 9, 0))
    return story(
        *told,
        ChangeProposed("0" * 64, files, why),
        *ended(Status.SUSPENDED, Ending.NEEDS_APPROVAL, why, 5),
    )


def planned() -> list[Event]:
    """Solved by a plan that was approved, and with a file that is not in it."""
    *told, last = facts(success())
    return story(
        PLAN, ProposalDecided(True, "dana", "Mind the tabs."), *told, PlanCompared("dana", ("NEWS.md",)), last
    )


def cancelled() -> list[Event]:
    """Interrupted by a signal while the model worked."""
    return story(
        *facts(working()),
        AgentStopped(Ending.CANCELLED, ""),
        *ended(Status.CANCELLED, Ending.CANCELLED, "Interrupted by a signal (SIGINT).", 130),
    )


def not_handed_over() -> list[Event]:
    """Solved and committed, but the branch could not be brought to the person's repository."""
    told = [fact for fact in facts(success())[:-3] if not isinstance(fact, HandedOver | MergeRequestWritten)]
    sentence = "The work could not be handed over as asked: no space left on the device"
    return story(
        *told,
        Warned("The checkout with the work so far is kept in /tmp/work/12/repo."),
        *ended(Status.FAILED, Ending.ENVIRONMENT, sentence, 1),
    )


def limit() -> list[Event]:
    """Out of steps with changes made; the tests of what is there pass."""
    return story(
        *facts(working()),
        answered(5, "edit_file"),
        StatusChanged(Status.TESTING),
        *measured(Moment.AFTER, passed=212),
        replace(verified(), added=(), reason="1 test fixed, none newly broken."),
        judged(Grade.VERIFIED, "1 test fixed, none newly broken."),
        AgentStopped(Ending.LIMIT_STEPS, ""),
        *delivered(draft=True, title="Address issue 12: slug() makes double dashes"),
        *ended(Status.FAILED, Ending.LIMIT_STEPS, "The limit of 50 model replies was reached.", 4),
    )


def on_platform(events: list[Event], reference: str = "#34", **started: object) -> list[Event]:
    """The story as it goes in a job of GitHub (`#34`) or GitLab (`!34`): what is handed over is pushed as well."""
    platform = "gitlab" if reference.startswith("!") else "github"
    given = {
        "platform": platform,
        "mention": "dana",
        "request": "label by dana",
        "job_url": "https://ci.example/7",
    } | started
    told: list[Fact] = []
    for fact in facts(events):
        if isinstance(fact, SessionStarted):
            told.append(replace(fact, **given))  # type: ignore[arg-type]
        elif isinstance(fact, HandedOver):
            told += [fact, Pushed("https://x.example/slugs.git", fact.branch, fact.sha)]
        elif isinstance(fact, MergeRequestWritten):
            told.append(replace(fact, number="34", reference=reference, url="https://x.example/34"))
        else:
            told.append(fact)
    return story(*told)


def undelivered(*, pushed: bool, sentence: str) -> list[Event]:
    """Solved and committed in a job of GitHub; then the push was refused, or the merge request."""
    lost = (MergeRequestWritten,) if pushed else (MergeRequestWritten, Pushed)
    told = [fact for fact in facts(on_platform(success()))[:-3] if not isinstance(fact, lost)]
    return story(*told, *ended(Status.FAILED, Ending.ENVIRONMENT, sentence, 3))


def only_words() -> list[Event]:
    """The model asked in plain words and never called a tool again."""
    return story(
        *facts(working())[:-2],
        ModelReplied(
            6,
            "gpt-5-mini",
            {"role": "assistant", "content": "Should tabs count, @all?\n\n/close"},
            "stop",
            Usage(),
            0.01,
            2,
        ),
        ModelReplied(7, "gpt-5-mini", {"role": "assistant", "content": ""}, "stop", Usage(), 0.01, 2),
        AgentStopped(Ending.FORMAT, "The model answered 2 times in a row without calling a tool."),
        *ended(
            Status.FAILED, Ending.FORMAT, "The model answered 2 times in a row without calling a tool.", 1
        ),
    )


def no_change() -> list[Event]:
    """The model handed in and had changed nothing."""
    return story(
        *facts(working()),
        answered(5, "edit_file", ok=False, text="no match"),
        Submitted("Nothing to change", "`slug()` does what the documentation says: see `docs/slugs.md`."),
        AgentStopped(Ending.NO_CHANGE, ""),
        *ended(Status.FAILED, Ending.NO_CHANGE, "The model handed in without changing anything.", 1),
    )


ALL = {
    "working": working,
    "success": success,
    "second_try": second_try,
    "added_only": added_only,
    "remarks": remarks,
    "worse": worse,
    "several": several,
    "unchanged": unchanged,
    "needs_human": needs_human,
    "no_tests": no_tests,
    "question": question,
    "plan_waits": plan_waits,
    "change_waits": change_waits,
    "planned": planned,
    "cancelled": cancelled,
    "not_handed_over": not_handed_over,
    "limit": limit,
    "no_change": no_change,
    "only_words": only_words,
}
