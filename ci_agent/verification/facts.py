"""What the model reads about the tests: plain text, made of what the harness measured. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ci_agent.journal.events import Case, Change, Moment, Result, TestsCompared, TestsRan
from ci_agent.verification.text import counted, cut, plain, short, whole

LONGEST = 6_000  # characters
SHOWN = 5  # cases told with their details
DETAIL_LINES = 30
LEAST_ROOM = 300  # characters of a case with its details
LIST_ROOM = 700  # characters of a list of names
LONGEST_NAME = 200


def facts(comparison: TestsCompared, after: TestsRan) -> str:
    """What is wrong after a hand-in: verdict, newly broken cases with details, and what failed anyway."""
    broken = {change.id: change for change in comparison.newly_broken}
    cases = [case for case in after.cases if case.id in broken and after.by_case]
    failing = comparison.still_failing
    return _joined(
        [comparison.reason, f"{_command(after)}{_counts(after)}", _ending(after)],
        [(case, _was(broken[case.id])) for case in cases[:SHOWN]],
        [
            _list("Newly broken as well", [case.id for case in cases[SHOWN:]]),
            _list("Failing before the change as well", [change.id for change in failing if change.before]),
            _list(
                "Failing, not known before the change", [change.id for change in failing if not change.before]
            ),
            _list("Skipped now, but not before", [change.id for change in comparison.newly_skipped]),
            _list("There before the change, and gone now", [change.id for change in comparison.removed]),
        ],
    )


def ran_facts(ran: TestsRan, before: TestsRan | None, unused_selector: str = "") -> str:
    """What a run showed; each failing case is labelled with its result on the base, unless `ran` is that run.

    `unused_selector` is what the model asked for and the command could not be narrowed to.
    """
    bad = [case for case in ran.cases if case.result.bad] if ran.by_case else []
    base = _Base(before, itself=ran.moment is Moment.BEFORE)
    unused = f"The selector {short(plain(unused_selector), LONGEST_NAME)!r} had no effect: this command takes none."
    return _joined(
        [
            f"{_command(ran)}{_counts(ran)}",
            unused if unused_selector.strip() else "",
            _ending(ran, _said("On the base: {}", base.label(whole(ran.command)))),
        ],
        [(case, base.label(case.id)) for case in bad[:SHOWN]],
        [_list("Failing as well", [case.id + _said(": {}", base.label(case.id)) for case in bad[SHOWN:]])],
    )


def _joined(head: list[str], told: Sequence[tuple[Case, str]], lists: list[str]) -> str:
    """Head, cases with their labels and details, lists: the details get the room that the others leave."""
    room = LONGEST - sum(len(part) + 2 for part in (*head, *lists))
    each = max(LEAST_ROOM, room // max(1, len(told)) - 2)
    parts = [*head, *(cut(_case(case, label), each) for case, label in told), *lists]
    return cut("\n\n".join(filter(None, parts)), LONGEST)


def _command(ran: TestsRan) -> str:
    return f"$ {short(plain(ran.command), 500)}\n" if ran.command else ""


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


def _ending(ran: TestsRan, on_base: str = "") -> str:
    """Why the run is no complete result, and its last lines where no case tells more than they do."""
    said = f"This is no complete result: {ran.problem}." if ran.problem else ""
    if ran.by_case or not ran.command or (ran.exit_code == 0 and not ran.problem):
        return said
    return "\n".join(filter(None, [said, on_base, "The end of its output:", _lines(ran.tail)]))


def _case(case: Case, label: str) -> str:
    head = f"{case.result.upper()} {short(case.id, LONGEST_NAME)}" + _said(" ({})", label)
    message = "" if case.message and case.message in case.details else case.message
    return "\n".join(filter(None, [head, message, _lines(case.details)]))


def _said(form: str, label: str) -> str:
    return form.format(label) if label else ""


def _was(change: Change) -> str:
    return "not there before" if change.before is None else f"{change.before} before"


class _Base:
    """The run on the base, asked case by case. `itself`: there is nothing to compare with, labels are empty."""

    def __init__(self, run: TestsRan | None, *, itself: bool) -> None:
        self._run = run
        self._itself = itself
        told = run is not None and (run.by_case or not run.problem)
        self._results = {case.id: case.result for case in run.cases} if run and told else {}

    def label(self, name: str) -> str:
        if self._itself:
            return ""
        if self._run is None:
            return "not known on the base: no tests were run there"
        result = self._results.get(name)
        if result is None and self._run.problem:
            return "not known on the base: the run there did not reach its end"
        if result is None:
            return "not on the base"
        if result.bad:
            return "fails on the base as well"
        return "passes on the base" if result is Result.PASSED else "skipped on the base"


def _lines(text: str) -> str:
    """At most `DETAIL_LINES` lines: a few of the head, more of the tail, where the reason mostly is."""
    lines = text.splitlines()
    if len(lines) <= DETAIL_LINES:
        return text
    head = DETAIL_LINES // 3
    tail = DETAIL_LINES - head - 1
    return "\n".join([*lines[:head], f"… {len(lines) - head - tail} lines left out …", *lines[-tail:]])


def _list(title: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    shown, room = [], LIST_ROOM
    for name in names:
        shown.append(f"- {short(name, LONGEST_NAME)}")
        room -= len(shown[-1]) + 1
        if room < 0:
            break
    more = [f"- and {len(names) - len(shown):,} more"] if len(names) > len(shown) else []
    return "\n".join([f"{title} ({len(names):,}):", *shown, *more])
