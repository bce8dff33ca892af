"""Documents that people wrote for people, as far as a model needs them: without what is hidden, in part, and short.

Pure text to text. Headings are those of CommonMark: `# …`, and lines underlined with `=` or `-`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_NOTE = 40  # characters of the note without the path

_MARK = re.compile(r"<!--|^ {0,3}(?:`{3,}|~{3,})|`+", re.MULTILINE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*")


def visible(text: str) -> str:
    """`text` without its HTML comments, which nobody sees who reads it rendered. In code they are seen, and stay."""
    kept: list[str] = []
    at = 0
    last_close = text.rfind("-->")
    while mark := _MARK.search(text, at):
        kept.append(text[at : mark.start()])
        at = mark.end()
        if mark[0] != "<!--":
            at = _code_end(text, mark)
            kept.append(text[mark.start() : at])
        elif at <= last_close:
            at = text.index("-->", at) + 3
        elif text[text.rfind("\n", 0, mark.start()) + 1 : mark.start()].strip():
            kept.append(mark[0])  # in the middle of a line, what is never closed is no comment
        else:
            return "".join(kept)
    return "".join(kept) + text[at:]


def _code_end(text: str, mark: re.Match[str]) -> int:
    """Where the code ends that begins at `mark`: backticks, or a fence."""
    ticks = mark[0].strip()
    if len(ticks) >= 3 and text[mark.start() - 1 : mark.start()] in ("", "\n"):  # noqa: PLR2004 - a fence is three
        close = re.compile(rf"^ {{0,3}}{ticks[0]}{{{len(ticks)},}}[ \t]*$", re.MULTILINE).search(
            text, mark.end()
        )
        return close.end() if close else len(text)
    close = re.compile(rf"(?<!`)`{{{len(ticks)}}}(?!`)").search(text, mark.end())
    return close.end() if close else mark.end()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with all up to the next one, whatever its level. Level 0: what stands before the first."""

    level: int
    title: str
    text: str  # the heading's own lines too


def sections(text: str) -> list[Section]:
    """The document in pieces; put together they are the document."""
    starts: list[tuple[int, int, str]] = [(0, 0, "")]  # line, level, title
    lines = text.splitlines(keepends=True)
    fence = ""
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif fence:
            fence = "" if line.strip().startswith(fence) and not line.strip().strip(fence[0]) else fence
        elif heading := _HEADING.fullmatch(line.rstrip("\r\n")):
            starts.append((number, len(heading[1]), _title(heading[2] or "")))
        elif number and (under := _UNDERLINE.fullmatch(line.rstrip("\r\n"))) and _is_text(lines[number - 1]):
            starts.append((number - 1, 1 if under[1][0] == "=" else 2, lines[number - 1].strip()))
    ends = [start for start, _, _ in starts[1:]] + [len(lines)]
    found = [
        Section(level, title, "".join(lines[start:end]))
        for (start, level, title), end in zip(starts, ends, strict=True)
    ]
    return [section for section in found if section.text]


def _title(text: str) -> str:
    """A heading's text without the `#` that may close it, which stand apart from its words."""
    text = text.strip(" \t")
    words = text.rstrip("#")
    return words.rstrip(" \t") if not words or words[-1] in " \t" else text


def _is_text(line: str) -> bool:
    return bool(line.strip()) and not re.match(r"\s*(?:[#>|`~]|[-+*] )", line)


def chosen(text: str, wanted: Callable[[str], bool | None]) -> str:
    """The sections that `wanted` says yes to by their titles, with those below them that it doesn't say no to.

    The first heading counts for nothing: it is the title of the document.
    """
    kept: list[str] = []
    above: list[tuple[int, bool]] = []  # level and answer of the headings that are open
    pieces = [section for section in sections(text) if section.level]
    for number, section in enumerate(pieces):
        above = [(level, answer) for level, answer in above if level < section.level]
        answer = wanted(section.title) if number else None
        if answer is None:
            answer = above[-1][1] if above else False
        above.append((section.level, answer))
        if answer:
            kept.append(section.text.strip())
    return "\n\n".join(kept)


def shortened(text: str, room: int, path: str) -> str:
    """At most `room` characters of the document at `path`: cut before a heading or paragraph, and with a note on how
    much more there is."""
    if len(text) <= room:
        return text
    room = max(0, room - len(path) - _NOTE)
    ends = [text.rfind(mark, room // 2, room) for mark in ("\n#", "\n\n", "\n")]
    end = next((end for end in ends if end > 0), room)
    return f"{text[:end].rstrip()}\n[… {len(text) - end:,} characters more in {path}]"
