"""What `ci-agent replay` says: where it begins, and what came of it. The recorded words are a stranger's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path

from ci_agent.journal.comparable import lines
from ci_agent.journal.events import ToolCalled
from ci_agent.reporting.calls import call
from ci_agent.reporting.text import clean, cut, one_line
from ci_agent.reporting.wording import commit, count

# Calls of which nothing can be compared. The last two are not run either.
HAND_IN, QUESTION, PLAN = "hand-in", "question", "proposed plan"
INTERRUPTED, CUT_OFF = "interrupted call", "cut-off call"

_AROUND = 3  # lines that are the same, around those that differ
_SHOWN = 60  # lines of a difference
_LOOKED_AT = 300  # lines of each answer, from the first that differs: matching more could take for ever
_WIDTH = 200  # characters of a line
_NAMED = 20  # calls or files


@dataclass(frozen=True, slots=True)
class Departure:
    """A call that was answered otherwise than then."""

    called: ToolCalled
    number: int  # of the call in its step, from 1
    then: str
    now: str


@dataclass(slots=True)
class Replayed:
    """What came of a replay."""

    steps: set[int] = field(default_factory=set)
    compared: int = 0  # calls
    left_out: Counter[str] = field(
        default_factory=Counter
    )  # calls that were not run: the tool, or `interrupted`
    departures: list[Departure] = field(default_factory=list)
    stopped: bool = False  # at the first of them
    tree: str = ""  # of the files at the end; empty: not compared
    other_tree: str = ""  # that was committed then, where it is another one
    files: list[str] = field(default_factory=list)  # in which the two differ, as far as that is known

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.departures and not self.other_tree


def beginning(journal: Path, repository: str, base: str, calls: int, level: str) -> str:
    """The first words of a replay. `level` is that of the sandbox."""
    confined = ": they run as you, and nothing is closed to them" if level == "none" else ""
    return (
        f"Replaying {count(calls, 'call')} of {one_line(str(journal))}\n"
        f"  repository  {one_line(repository)}, from {commit(base)}, in a checkout of its own\n"
        f"  sandbox     {level}{confined}\n"
    )


def concluding(found: Replayed) -> str:
    """The last words: what differs first, whole, and the rest by name."""
    return "\n".join([*_first(found), *_others(found), *_tree(found), _figures(found)]) + "\n"


def _figures(found: Replayed) -> str:
    different = len(found.departures)
    if found.stopped:
        before = count(found.compared - 1, "call")
        return f"{before} before it gave the same answers as then. With --all it goes on after a difference."
    of = f"{count(found.compared, 'call')} of {count(len(found.steps), 'step')}"
    said = (
        f"{different:,} of {of} gave another answer than then."
        if different
        else f"{of} gave the same answers as then."
    )
    named = ", ".join(count(number, noun) for noun, number in found.left_out.items())
    return f"{said} Not compared: {named}." if named else said


def _first(found: Replayed) -> Iterator[str]:
    if not found.departures:
        return
    first = found.departures[0]
    yield f"The first difference is in {_where(first)}"
    yield ""
    shown = list(islice(diff(first.then, first.now), _SHOWN + 1))
    yield from shown[:_SHOWN]
    if len(shown) > _SHOWN:
        yield "… and more"
    yield ""


def _others(found: Replayed) -> Iterator[str]:
    others = found.departures[1:]
    if others:
        yield "These differ as well:"
        yield from (f"  {_where(each)}" for each in others[:_NAMED])
        if len(others) > _NAMED:
            yield f"  and {len(others) - _NAMED:,} more"
        yield ""


def _where(departure: Departure) -> str:
    called = departure.called
    return f"step {called.step}, call {departure.number}: {call(called, _WIDTH)}"


def _tree(found: Replayed) -> Iterator[str]:
    if found.other_tree:
        yield f"The files at the end are not those that were committed (tree {commit(found.other_tree)})"
        yield from (f"  {one_line(name)}" for name in found.files[:_NAMED])
        if len(found.files) > _NAMED:
            yield f"  and {len(found.files) - _NAMED:,} more"
    elif found.tree:
        yield f"The files are those that were committed (tree {commit(found.tree)})."


def diff(then: str, now: str) -> Iterator[str]:
    """The lines in which two answers differ, with some around, as they are; what honestly differs counts as the same
    (see `comparable`)."""
    old, new = list(lines(then)), list(lines(now))
    alike = next(
        (i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a[0] != b[0]), min(len(old), len(new))
    )
    start = max(0, alike - _AROUND)
    old, new = old[start : start + _LOOKED_AT], new[start : start + _LOOKED_AT]
    matcher = SequenceMatcher(None, [line[0] for line in old], [line[0] for line in new], autojunk=False)
    yield "--- then"
    yield "+++ now"
    for number, group in enumerate(matcher.get_grouped_opcodes(_AROUND)):
        if number:
            yield "…"
        for tag, first, last, other_first, other_last in group:
            if tag == "equal":
                yield from (f"  {_shown(line)}" for _, line in old[first:last])
            else:
                yield from (f"- {_shown(line)}" for _, line in old[first:last])
                yield from (f"+ {_shown(line)}" for _, line in new[other_first:other_last])


def _shown(line: str) -> str:
    return cut(clean(line).replace("\n", " "), _WIDTH)
