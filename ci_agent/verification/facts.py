"""What the model reads about the tests: plain text, made of what the harness measured. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ci_agent.journal.events import (
    Case,
    Change,
    ChecksCompared,
    Finding,
    Moment,
    Result,
    TestsCompared,
    TestsRan,
)
from ci_agent.verification.compare import compare
from ci_agent.verification.excerpt import excerpt
from ci_agent.verification.text import by_exit_code, counted, plain, short, whole

LONGEST = 6_000  # characters
SHOWN = 5  # cases told with their details
ALIKE = 2  # of these, of one test with many parameters
DETAIL_LINES = 30
FEW = 2  # failing cases on the base that are told with their details
BASE_LINES = 15  # lines for the failing cases on the base
BASE_ROOM = 3_000  # characters of these lines
NAMES_ROOM = 400  # characters of the names in one of them
LISTS_ROOM = 1_500  # characters of all lists of names
LIST_ROOM = 700  # characters of one of them
LONGEST_NAME = 200
LONGEST_REASON = 700
LONGEST_COMMAND = 500
LONGEST_HEADLINE = 150
NAMED = 3  # cases that the verdict names
FINDINGS = 20  # of a check
CHECK_ROOM = 1_500  # characters for one check
MOST_CHECKS = 2  # that are told at once


def facts(
    comparison: TestsCompared,
    after: TestsRan,
    checks: ChecksCompared | None = None,
    reasons: Sequence[str] = (),
) -> str:
    """What is wrong after a hand-in: the reasons of the verdict (without them, that of the comparison), newly broken
    cases with details, what failed anyway, and what the checks have to say that is new."""
    labels = {change.id: _on_base(change) for change in comparison.newly_broken}
    labels |= {change.id: "passes on the base, and alone" for change in comparison.order_dependent}
    cases = [(case, labels[case.id]) for case in after.cases if case.id in labels and after.by_case]
    told = _telling(cases)
    told_ids = {case.id for case, _ in told}
    failing = comparison.still_failing
    unfinished = "" if after.problem in comparison.reason else _unfinished(after)
    reason = short(plain(" ".join(reasons)) or comparison.reason, LONGEST_REASON)
    missing = {change for change in comparison.lost if not change.behind}
    restore = _RESTORE if missing and not after.problem else ""
    return _joined(
        [reason, f"{_command(after)}{_counts(after)}", unfinished, restore, *_worse(checks)],
        told,
        {
            _NEW: [case.id for case, _ in cases if case.id not in told_ids],
            _OLD: [change.id for change in failing if change.before],
            _UNKNOWN: [change.id for change in failing if not change.before],
            "Skipped now, but not on the base": [change.id for change in comparison.newly_skipped],
            _TOGETHER: [change.id for change in comparison.order_dependent],
            _FLAKY: [change.id for change in comparison.flaky],
            "There on the base, and gone now": [
                change.id for change in comparison.removed if change in missing
            ],
        },
        _output(after),
    )


def ran_facts(ran: TestsRan, before: TestsRan | None, unused_selector: str = "") -> str:
    """What a run showed, measured against the one on the base.

    `ran` is the run on the base itself: one line for each failing case, details only of very few. Any other
    run: a verdict first, then the failing cases with details; those that fail on the base as well are only
    named, unless a narrowed command chose them. Without `before` there were no tests on the base.
    `unused_selector` is what the model asked for and the command could not be narrowed to.
    """
    run = f"{_command(ran)}{_counts(ran)}"
    if ran.moment is Moment.BEFORE:
        bad = [case for case in ran.cases if case.result.bad and ran.by_case]
        few = [(case, "") for case in bad if len(bad) <= FEW]
        head = [run, _unfinished(ran), "" if few else _base_lines(bad)]
        return _joined(head, few, {}, _output(ran))
    failing = _failing(ran, before)
    chosen = failing.old if before and ran.command != before.command else []
    told = _telling([*failing.new, *failing.unknown, *chosen]) if ran.by_case else []
    shown = {case.id for case, _ in told}

    def others(cases: Sequence[Labelled]) -> list[str]:
        return [case.id for case, _ in cases if case.id not in shown and ran.by_case]

    unused = (
        f"The selector {short(plain(unused_selector), LONGEST_NAME)!r} had no effect: all tests were run."
    )
    return _joined(
        [_verdict(ran, before, failing), run, unused if unused_selector.strip() else ""],
        told,
        {_NEW: others(failing.new), _UNKNOWN: others(failing.unknown), _OLD: others(failing.old)},
        _output(ran),
    )


_RESTORE = (
    "Restore the tests that do not run any more, so that they run and pass. Where the issue itself asks for their "
    "removal, say so in your summary and submit again; a person will decide."
)
_TOGETHER = (
    "Failing since your change when all tests run, but not alone: something is left behind by a test before them, "
    "or by the change"
)
_FLAKY = "Failing at one time and passing at another"
_NEW = "Failing as well, but not on the base"
_ADDED = "not there on the base"
_UNKNOWN = "Failing, not known on the base"
_OLD = "Failing on the base as well"

Labelled = tuple[Case, str]  # a failing case, and what is known of it on the base


def _worse(checks: ChecksCompared | None) -> list[str]:
    """The checks that the change makes worse, with what is new."""
    told = []
    for check in checks.checks if checks else ():
        if not check.worse:
            continue
        new = [
            f"- {short(plain(_at(finding) + finding.message), LONGEST_HEADLINE * 2)}"
            for finding in check.new[:FINDINGS]
        ]
        more = [f"- and {len(check.new) - FINDINGS:,} more"] if len(check.new) > FINDINGS else []
        head = f"{_command_line(check.command)}{short(plain(check.said), LONGEST_REASON)}"
        told.append(short("\n".join([head, *new, *more]), CHECK_ROOM))
    return told[:MOST_CHECKS]


def _at(finding: Finding) -> str:
    return f"{finding.path}:{finding.line}: " if finding.line else f"{finding.path}: " if finding.path else ""


# --- the run and its verdict ------------------------------------------------------------------------------


def _command(ran: TestsRan) -> str:
    return _command_line(ran.command) if ran.command else ""


def _command_line(command: str) -> str:
    return f"$ {short(plain(command), LONGEST_COMMAND)}\n"


def _counts(ran: TestsRan) -> str:
    if not ran.command:
        return "There is no command that runs tests in this repository."
    ended = "was stopped" if ran.exit_code is None else f"ended with exit code {ran.exit_code}"
    if ran.by_case:
        counts = Counter(case.result for case in ran.cases)
        told = ", ".join(f"{counts[result]:,} {result}" for result in Result if counts[result])
        what = f"{counted(len(ran.cases), 'test')}: {told}" if ran.cases else "no test was run"
        return f"It {ended} after {ran.seconds:.1f} s; {what}."
    return f"It {ended} after {ran.seconds:.1f} s. There are no results by test case."


def _unfinished(ran: TestsRan) -> str:
    return f"This is no complete result: {short(ran.problem, LONGEST_REASON)}." if ran.problem else ""


def _output(ran: TestsRan) -> str:
    """The end of the output, where no case tells more than it does."""
    if ran.by_case or not ran.command or (ran.exit_code == 0 and not ran.problem):
        return ""
    return ran.tail


def _verdict(ran: TestsRan, before: TestsRan | None, failing: _Failing) -> str:
    """E.g. `No test newly broken; 1 fixed; 7 fail on the base as well.`"""
    if not ran.command:
        return ""
    unfinished = [_unfinished(ran)] if ran.problem else []
    if unfinished and before and before.problem:
        unfinished += ["The run on the base did not reach its end either."]
    if unfinished and not ran.by_case:
        return " ".join(unfinished)
    return " ".join([*unfinished, _differences(ran, failing) if ran.cases else "No test was run."])


def _differences(ran: TestsRan, failing: _Failing) -> str:
    noun = "test" if ran.by_case else "command"
    new, unknown, old = failing.new, failing.unknown, failing.old
    broken = [case.id for case, label in new if label != _ADDED]
    added = [case.id for case, label in new if label == _ADDED]
    parts = (
        [] if added or unknown else [f"No {noun} {'of those selected ' if failing.some else ''}newly broken"]
    )
    if broken:
        parts = [f"{counted(len(broken), noun)} newly broken: {_few(broken)}"]
    if added:
        parts += [f"{counted(len(added), f'new {noun}')} failing: {_few(added)}"]
    if failing.fixed:
        parts += [f"{failing.fixed:,} fixed"]
    if unknown:
        parts += [f"{counted(len(unknown), noun)} failing, {unknown[0][1]}"]
    if old:
        parts += [f"{_fail(len(old))} on the base as well"]
    if failing.lost:
        parts += [f"{counted(len(failing.lost), noun)} of the base not run now: {_few(failing.lost)}"]
    return "; ".join(parts) + "."


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(short(name, LONGEST_NAME) for name in names[:NAMED]) + more


def _fail(number: int) -> str:
    return f"{number:,} fails" if number == 1 else f"{number:,} fail"


# --- what is known on the base ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Failing:
    """The failing cases of a run by what the base says of them, and what else differs from it."""

    new: list[Labelled] = field(default_factory=list)
    unknown: list[Labelled] = field(default_factory=list)
    old: list[Labelled] = field(default_factory=list)
    fixed: int = 0  # how many failed there and pass now
    lost: Sequence[str] = ()  # what ran there and does not run now, where the command is the same
    some: bool = False  # not all tests were run


def _failing(ran: TestsRan, before: TestsRan | None) -> _Failing:
    """As `compare` sorts them, so that this says the same as the verdict after a hand-in will."""
    compared = compare(before, ran, 1)
    changes = {change.id: change for change in (*compared.newly_broken, *compared.still_failing)}
    whole_run = before is not None and ran.command == before.command and not ran.problem
    gone = [change.id for change in compared.lost] if whole_run else []
    some = before is not None and ran.command != before.command
    found = _Failing(fixed=len(compared.fixed), lost=gone, some=some)
    for case in ran.cases:
        if not case.result.bad:
            continue
        change = changes.get(case.id)
        if why := _not_known(case, change, ran, before):
            found.unknown.append((case, f"not known on the base: {why}"))
        elif change:
            was_bad = change.before is not None and change.before.bad
            (found.old if was_bad else found.new).append((case, _on_base(change)))
    return found


def _not_known(case: Case, change: Change | None, ran: TestsRan, before: TestsRan | None) -> str:
    """Why the run on the base says nothing of this case, "" where it does."""
    of_command = case.id in (whole(ran.command), by_exit_code(ran.command))
    if before and before.command != ran.command and of_command:
        return "this command was not run there"
    if change is None:
        return "the results there are of another kind"
    if before and before.problem and change.before is None:
        return "the run there did not reach its end"
    return ""


def _on_base(change: Change) -> str:
    if change.before is None:
        return _ADDED
    if change.before.bad:
        return "fails on the base as well"
    return "passes on the base" if change.before is Result.PASSED else "skipped on the base"


# --- cases and lists --------------------------------------------------------------------------------------


def _joined(head: Sequence[str], told: Sequence[Labelled], lists: dict[str, list[str]], output: str) -> str:
    """Head, cases with their details, the end of the output, lists: the middle gets the room that is left."""
    full = {title: names for title, names in lists.items() if names}
    each_list = min(LIST_ROOM, LISTS_ROOM // max(1, len(full)))
    listed = [_list(title, names, each_list) for title, names in full.items()]
    room = LONGEST - sum(len(part) + 2 for part in (*head, *listed))
    each = room // max(1, len(told) + bool(output)) - 2
    middle = [_case(case, label, each) for case, label in told]
    if output:
        title = "The end of its output:\n"
        middle += [title + excerpt(output, each - len(title), DETAIL_LINES)]
    return "\n\n".join(filter(None, [*head, *middle, *listed]))


def _telling(cases: Sequence[Labelled]) -> list[Labelled]:
    """Those to tell with details, at most `SHOWN`: of a test that fails in the same way for many parameters, two."""
    told: list[Labelled] = []
    alike: Counter[tuple[str, str]] = Counter()
    for case, label in cases:
        way = (case.id.partition("[")[0], _headline(case).partition(" ")[0])
        alike[way] += 1
        if alike[way] <= ALIKE and len(told) < SHOWN:
            told.append((case, label))
    return told


def _case(case: Case, label: str, room: int) -> str:
    about = f" ({label})" if label else ""
    head = f"{case.result.upper()} {short(case.id, LONGEST_NAME)}{about}"
    first = case.message.partition("\n")[0].removesuffix("…").strip()
    message = "" if first and first in case.details else case.message
    message = short(message, max(0, room - len(head) - 1))
    details = excerpt(case.details, room - len(head) - len(message) - 2, DETAIL_LINES)
    return "\n".join(filter(None, [head, message, details]))


def _list(title: str, names: Sequence[str], room: int) -> str:
    shown: list[str] = []
    for name in names:
        line = f"- {short(name, LONGEST_NAME)}"
        room -= len(line) + 1
        if room < 0 and shown:
            break
        shown.append(line)
    more = [f"- and {len(names) - len(shown):,} more"] if len(names) > len(shown) else []
    return "\n".join([f"{title} ({len(names):,}):", *shown, *more])


def _base_lines(bad: Sequence[Case]) -> str:
    """One line for each failing case, or for all that fail with the same words."""
    if not bad:
        return ""
    groups: dict[str, list[str]] = {}
    for case in bad:
        groups.setdefault(_headline(case), []).append(short(case.id, LONGEST_NAME))
    lines: list[str] = []
    told, room = 0, BASE_ROOM
    for headline, names in groups.items():
        line = f"- {names[0]}: {headline}"
        if len(names) > 1:
            line = f"- {len(names):,} \N{MULTIPLICATION SIGN} `{headline}`: {_enumerated(names)}"
        room -= len(line) + 1
        if room < 0 or len(lines) == BASE_LINES:
            break
        lines.append(line)
        told += len(names)
    more = [f"- and {len(bad) - told:,} more"] if len(bad) > told else []
    return "\n".join(["Failing on the base, before any work:", *lines, *more])


def _enumerated(names: Sequence[str]) -> str:
    shown, room = [names[0]], NAMES_ROOM - len(names[0])
    for name in names[1:]:
        room -= len(name) + 2
        if room < 0:
            break
        shown.append(name)
    more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return ", ".join(shown) + more


def _headline(case: Case) -> str:
    """The first line of the message, or what the case came to where there is none."""
    return short(case.message.strip().partition("\n")[0] or str(case.result), LONGEST_HEADLINE)
