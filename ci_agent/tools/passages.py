"""Finding a passage in a text: exactly, then as a model may have meant it, else what comes nearest."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ci_agent.tools.text import numbered

_SHOWN = 20  # lines shown as the nearest
_AROUND = 2  # of them before and after
_COMPARED = 5_000  # lines of a text that are compared one by one
_WORK = 500_000  # lines of all places together that are looked at, pairs of lines that are tried


@dataclass(frozen=True, slots=True)
class Found:
    """What stands where in a text and what comes instead. `how` says what was overlooked to find it."""

    old: str
    new: str
    at: int  # offset of the first occurrence
    count: int = 1
    how: str = ""

    def applied(self, text: str) -> str:
        """`text` after the replacement."""
        before, rest = text[: self.at], text[self.at :]
        return before + rest.replace(self.old, self.new, self.count)


def line_of(text: str, offset: int) -> int:
    """The number of the line that holds the character at `offset`, from 1."""
    return text.count("\n", 0, offset) + 1


def lines_of(text: str, passage: str) -> Iterator[int]:
    """The line numbers at which `passage` begins."""
    line, counted = 1, 0
    at = text.find(passage)
    while at >= 0:
        line += text.count("\n", counted, at)
        counted = at
        yield line
        at = text.find(passage, at + len(passage))


def find_loosely(text: str, old: str, new: str) -> Iterator[Found]:
    """Where `old` may have been meant, in order: as whole lines, else such but for white space at their ends,
    else but for one indentation shift of them all, which `new` then gets too, else but for typographic quotes,
    dashes and spaces. The first of these searches that finds something gives all it finds."""
    for search in (_whole_lines, _typographic):
        found = search(text, old, new)
        first = next(found, None)
        if first is not None:
            yield first
            yield from found
            return


def _whole_lines(text: str, old: str, new: str) -> Iterator[Found]:
    wanted, instead = _as_lines(old, new)
    core = max((line.strip() for line in wanted), key=len)
    if not core or core not in text:  # the second saves all the rest
        return
    for search in (_exactly, _trailing, _shifted):
        found = search(text, wanted, instead)
        first = next(found, None)
        if first is not None:
            yield first
            yield from found
            return


def _typographic(text: str, old: str, new: str) -> Iterator[Found]:
    """What `old` and `new` share keeps the characters of the text."""
    there, wanted, instead = text.translate(_PLAIN), old.translate(_PLAIN), new.translate(_PLAIN)
    if not wanted.strip() or (there == text and wanted == old):
        return
    most = min(len(wanted), len(instead))
    start = next((at for at in range(most) if wanted[at] != instead[at]), most)
    most -= start
    end = next((at for at in range(most) if wanted[-1 - at] != instead[-1 - at]), most)
    at = there.find(wanted)
    while at >= 0:
        found = text[at : at + len(old)]
        kept = found[:start] + new[start : len(new) - end] + found[len(found) - end :]
        yield Found(found, kept, at, how="typographic characters were taken for plain ones")
        at = there.find(wanted, at + len(wanted))


# Characters that look like one of ASCII and that editors, web pages and models put in its place.
_PLAIN = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | dict.fromkeys("\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " ")
)


def unnumbered(old: str, new: str) -> tuple[str, str] | None:
    """Both without the line numbers that answers about edits show before each line. None: not every line of `old` has one."""
    if not _all_numbered(old):
        return None
    return _NUMBER.sub("", old), _NUMBER.sub("", new) if _all_numbered(new) else new


_NUMBER = re.compile(r"^ *\d+\t", re.MULTILINE)


def _all_numbered(text: str) -> bool:
    return all(_NUMBER.match(line) for line in text.removesuffix("\n").split("\n"))


def _as_lines(old: str, new: str) -> tuple[list[str], list[str]]:
    """Both as lines. Where `old` ends with a line end, so does `new`, or it is nothing at all."""
    if not old.endswith("\n"):
        return old.split("\n"), new.split("\n")
    return old[:-1].split("\n"), new.removesuffix("\n").split("\n") if new else []


def _replacing(text: str, matched: Sequence[str], at: int, instead: list[str], how: str) -> Found:
    if all(line.endswith("\r") for line in matched):
        instead = [line.removesuffix("\r") + "\r" for line in instead]
    old = "\n".join(matched)
    if not instead and at + len(old) < len(text):
        old += "\n"
    return Found(old, "\n".join(instead), at, how=how)


def _exactly(text: str, wanted: Sequence[str], instead: list[str]) -> Iterator[Found]:
    """Most passages are found so, without taking the text apart."""
    passage = "\n".join(wanted)
    at = text.find(passage)
    while at >= 0:
        end = at + len(passage)
        if text[max(0, at - 1) : at] in {"", "\n"} and text[end : end + 1] in {"", "\n"}:
            yield _replacing(text, wanted, at, instead, "")
        at = text.find(passage, at + 1)


def _trailing(text: str, wanted: Sequence[str], instead: list[str]) -> Iterator[Found]:
    how = "white space at line ends was overlooked"
    for at, found in _windows(text, wanted, str.rstrip):
        yield _replacing(text, found, at, _kept(found, instead), how)


def _kept(there: Sequence[str], instead: Sequence[str]) -> list[str]:
    """`instead`, but lines that are there already stay as they are, white space at their ends included; of very many
    those that are there once or a few times."""
    old, new = [line.rstrip() for line in there], [line.rstrip() for line in instead]
    kept = list(instead)
    for block in difflib.SequenceMatcher(None, old, new).get_matching_blocks():
        for offset in range(block.size):
            kept[block.b + offset] = there[block.a + offset].removesuffix("\r")
    return kept


def _shifted(text: str, wanted: Sequence[str], instead: list[str]) -> Iterator[Found]:
    given = [line for line in wanted if line.strip()]
    for at, lines in _windows(text, wanted, str.strip):
        found = [line for line in lines if line.strip()]
        deeper = _prefix(given, found)
        if deeper is not None:
            shifted = [deeper + line if line.strip() else line for line in instead]
            yield _replacing(text, lines, at, shifted, f"indented by {len(deeper)} more")
            continue
        flatter = _prefix(found, given)
        if flatter is not None and all(line.startswith(flatter) for line in instead if line.strip()):
            shifted = [line.removeprefix(flatter) for line in instead]
            yield _replacing(text, lines, at, shifted, f"indented by {len(flatter)} less")


def _windows(text: str, wanted: Sequence[str], form: Callable[[str], str]) -> Iterator[tuple[int, list[str]]]:
    """The offsets and lines at which all of `wanted` stands in `text`, both brought into a `form`; of very many the
    first."""
    lines = text.split("\n")
    # As one text each, in which the line ends are counted: to compare lines at each index takes the square of them.
    here, there = ("\n" + "\n".join(map(form, given)) + "\n" for given in (lines, wanted))
    index = offset = counted = 0
    at = here.find(there)
    for _ in range(_WORK // len(wanted) + 1):
        if at < 0:
            return
        passed = here.count("\n", counted, at)
        offset += sum(len(line) + 1 for line in lines[index : index + passed])
        index, counted = index + passed, at
        yield offset, lines[index : index + len(wanted)]
        at = here.find(there, at + 1)


def _prefix(short: Sequence[str], long: Sequence[str]) -> str | None:
    """The white space that every line of `long` has before the one of `short`. None: it is not the same."""
    indents = [(_indent(one), _indent(other)) for one, other in zip(short, long, strict=True)]
    prefix = indents[0][1].removesuffix(indents[0][0])
    return prefix if all(other == prefix + one for one, other in indents) else None


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _core(line: str) -> str:
    """What of a line is compared. Comparing takes the square of the length."""
    return line.strip()[:200]


def _telling(here: Sequence[str], wanted: Sequence[str]) -> set[str]:
    """The lines of `wanted` that tell a place: not the blank ones, nor those that are too often on both sides."""
    there, given = Counter(here), Counter(wanted)
    most = _WORK // len(given)
    return {line for line, count in given.items() if line and count * there[line] <= most}


def closest(text: str, passage: str) -> str:
    """The lines of `text` most like `passage`, numbered; "" if nothing is."""
    lines = text.removesuffix("\n").split("\n")
    here, wanted = [_core(line) for line in lines], [_core(line) for line in passage.strip().split("\n")]
    telling = _telling(here, wanted)
    same = difflib.SequenceMatcher(
        lambda line: line not in telling, here, wanted, autojunk=False
    ).find_longest_match()
    start = same.a - same.b
    if not same.size:
        anchor = max(wanted, key=len)
        near = difflib.get_close_matches(anchor, dict.fromkeys(here[:_COMPARED]), 1, 0.5)
        if not near:
            return ""
        start = here.index(near[0]) - wanted.index(anchor)
    start = max(0, start - _AROUND)
    return numbered(lines[start : start + min(len(wanted) + 2 * _AROUND, _SHOWN)], start + 1)
