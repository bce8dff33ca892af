"""Patches as text, read into what they change. Two formats: the one of OpenAI's `apply_patch` (described in
`codex-rs/apply-patch/apply_patch_tool_instructions.md` of github.com/openai/codex), and unified diffs.

Pure: no file is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from ci_agent.tools.text import cut
from ci_agent.tools.tool import ToolError

_QUOTED = 120  # characters of a line in an answer


class Action(Enum):
    """What happens to a file."""

    ADD = auto()
    UPDATE = auto()
    DELETE = auto()


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that stand together, and what comes instead. `anchors` are lines somewhere before them, outermost
    first. `line` is where they stand after all hunks before it were applied, from 1; 0: not said."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    anchors: tuple[str, ...] = ()
    line: int = 0
    at_end: bool = False  # of the file


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a patch does to one file."""

    action: Action
    path: str
    content: str = ""  # of an added file
    hunks: tuple[Hunk, ...] = ()
    moved_to: str = ""


def parse(text: str) -> list[FileChange]:
    """The changes of a patch, in its order. Raises `ToolError` where it can't be read."""
    indent = re.search(r"^([ \t]+)\*\*\* Begin Patch", text, re.MULTILINE)
    lines = [line.removesuffix("\r").removeprefix(indent[1] if indent else "") for line in text.split("\n")]
    headers = [
        (number, header) for number, line in enumerate(lines) if (header := _HEADER.fullmatch(line.rstrip()))
    ]
    changes = list(_enveloped(lines, headers) if headers else _unified(lines))
    if not changes:
        raise ToolError(f"There is no file section in the patch. It must look like this:\n{EXAMPLE}")
    return changes


EXAMPLE = """\
*** Begin Patch
*** Update File: src/app.py
@@ def add(a, b):
-    return a
+    return a + b
*** End Patch
"""

# --- OpenAI's format ---------------------------------------------------------------------------------------

_HEADER = re.compile(r"\*\*\* (Add|Update|Delete) File:\s*(\S.*)")
_END = re.compile(r"\*\*\* End Patch\s*")
_MOVE = re.compile(r"\*\*\* Move to:\s*(\S.*)")
_END_OF_FILE = "*** End of File"


def _enveloped(lines: Sequence[str], headers: Sequence[tuple[int, re.Match[str]]]) -> Iterator[FileChange]:
    """What stands before the first header is no part of the patch: its beginning, a line of a shell, a fence."""
    starts = [number for number, _ in headers]
    for (_, header), (start, following) in zip(headers, pairwise([*starts, len(lines)]), strict=True):
        body = lines[start + 1 : following]
        end = next((number for number, line in enumerate(body) if _END.fullmatch(line)), len(body))
        yield _section(header[1], header[2], _without_blank_end(list(body[:end])))


def _section(action: str, path: str, body: list[str]) -> FileChange:
    if action == "Delete":
        return FileChange(Action.DELETE, path)
    if action == "Add":
        return FileChange(Action.ADD, path, content=_added(path, body))
    moved = _MOVE.fullmatch(body[0].rstrip()) if body else None
    hunks = tuple(_hunks(path, body[1:] if moved else body))
    return _update(path, hunks, moved[1] if moved else "")


def _update(path: str, hunks: tuple[Hunk, ...], moved_to: str) -> FileChange:
    if not moved_to and not any(hunk.old != hunk.new for hunk in hunks):
        raise ToolError(f"The section of {path} changes no line: it needs lines that begin with - or +.")
    return FileChange(Action.UPDATE, path, hunks=hunks, moved_to=moved_to)


def _added(path: str, body: Sequence[str]) -> str:
    for line in body:
        if line and not line.startswith("+"):
            raise ToolError(
                f"In the new file {path} each line must begin with +, this one does not: {cut(line, _QUOTED)}"
            )
    return "".join(f"{line[1:]}\n" for line in body)


def _without_blank_end(lines: list[str]) -> list[str]:
    """An empty line in a patch stands for an empty line of the file, but not the ones that end a section."""
    while lines and not lines[-1]:
        lines.pop()
    return lines


# --- hunks, of both formats --------------------------------------------------------------------------------

_NUMBERS = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@.*")


def _hunks(path: str, lines: Sequence[str]) -> Iterator[Hunk]:
    anchors: list[str] = []
    body: list[str] = []
    line_number, at_end = 0, False

    def done() -> Iterator[Hunk]:
        if body:
            yield _hunk(path, body, tuple(anchors), line_number, at_end=at_end)

    for line in lines:
        if line.startswith("@@"):
            yield from done()
            if body:
                anchors, body, line_number, at_end = [], [], 0, False
            numbers = _NUMBERS.fullmatch(line)
            if numbers:
                # Where a hunk leaves no lines, the number is of the line before it.
                line_number = int(numbers[1][:9]) + (numbers[2] == "0")
            elif anchor := line.strip("@").strip():
                anchors.append(anchor)
        elif line.rstrip() == _END_OF_FILE:
            at_end = True
        elif not line.startswith("\\"):  # "\ No newline at end of file"
            body.append(line)
    yield from done()


def _hunk(path: str, body: Sequence[str], anchors: tuple[str, ...], line: int, *, at_end: bool) -> Hunk:
    """A line that begins with none of the three signs is taken as context whose blank was forgotten."""
    old, new = [], []
    for text in _without_blank_end(list(body)):
        sign, rest = (text[:1], text[1:]) if text[:1] in "+- " else (" ", text)
        if sign in "- ":
            old.append(rest)
        if sign in "+ ":
            new.append(rest)
    if not old and not new:
        raise ToolError(f"A hunk of {path} has no lines.")
    return Hunk(tuple(old), tuple(new), anchors, line, at_end)


# --- unified diffs -----------------------------------------------------------------------------------------

_NOTHING = "/dev/null"


def _unified(lines: Sequence[str]) -> Iterator[FileChange]:
    starts = [number for number in range(len(lines)) if _begins_file(lines, number)]
    for start, following in pairwise([*starts, len(lines)]):
        body = lines[start:following]
        end = next((number for number, line in enumerate(body) if line.startswith("diff --git ")), len(body))
        if body[0].startswith("--- "):
            yield _diff(body[:end])
        elif end < len(body) or following == len(lines):  # else it comes again, with lines
            yield _update(_renamed(body[0]), (), _renamed(body[1]))


def _renamed(line: str) -> str:
    return line.split(" ", 2)[2].strip()


def _begins_file(lines: Sequence[str], number: int) -> bool:
    following = lines[number + 1] if number + 1 < len(lines) else ""
    return (lines[number].startswith("--- ") and following.startswith("+++ ")) or (
        lines[number].startswith("rename from ") and following.startswith("rename to ")
    )


def _diff(body: Sequence[str]) -> FileChange:
    before, after = (_named(line[4:]) for line in body[:2])
    if before.startswith("a/") and after.startswith("b/"):
        before, after = before[2:], after[2:]
    elif before == _NOTHING:
        after = after.removeprefix("b/")
    elif after == _NOTHING:
        before = before.removeprefix("a/")
    if after == _NOTHING:
        return FileChange(Action.DELETE, before)
    hunks = tuple(_hunks(after, _without_blank_end(list(body[2:]))))
    if before == _NOTHING:
        lines = [line for hunk in hunks for line in hunk.new]
        return FileChange(Action.ADD, after, content="".join(f"{line}\n" for line in lines))
    return _update(before, hunks, after if after != before else "")


def _named(text: str) -> str:
    """The path of a `---` or `+++` line: a time may follow after a tab."""
    return text.partition("\t")[0].strip()
