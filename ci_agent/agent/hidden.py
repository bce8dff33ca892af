"""What a person does not see who reads a text of a platform as it is rendered, taken out of it. Pure.

Whoever lets the work begin has read the issue on its page. What does not show there has nobody approved: comments,
attributes, the words in place of an image, definitions that nothing refers to, what a style hides, characters
without a shape. So the model is not told it either. What is only folded stays, and so does all that stands in code,
as far as it is seen there. In doubt a passage counts as hidden: people are told of it, and its author can write it
plainly.

Blocks are found by a parser of CommonMark, because what is code and what is HTML can't be told line by line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from ci_agent.agent.markup import TITLE, TITLED, Reader, label
from ci_agent.journal.events import Hidden
from ci_agent.unseen import LINE_ENDS, seen, unseen

if TYPE_CHECKING:
    from markdown_it.token import Token

_DEFINITION, _CELL = "unused definition", "excess table cell"
_INFO = "code block note"
_MARKUP = re.compile(r"[<\[&`~|]")  # what holds none of these hides nothing
_NEWLINE = re.compile("\r\n?")
_FOOTNOTE = re.compile(r"\[(\^[^\]\s]+)\]:")
_CODE = re.compile(r"(`+)[^`]+\1")
_BRACKETS = re.compile(r"\[([^\[\]]+)\]")
_FENCE = re.compile(r"(.*?(?:`{3,}|~{3,}) *(?:[\w+#.-]{1,20}(?=\s|$))?)(.*)")
_BAR = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Seen:
    """A text as people see it, and what is not in it any more."""

    text: str
    hidden: tuple[Hidden, ...] = ()


class _Kind(Enum):
    CODE = auto()
    TEXT = auto()
    ROW = auto()  # of a table
    HTML = auto()
    USED = auto()  # a definition of what a link refers to
    UNUSED = auto()


@dataclass(frozen=True, slots=True)
class _Block:
    kind: _Kind
    first: int  # line
    end: int  # the line behind it
    columns: int = 0  # of the table
    content: str = ""  # its lines without the marks of the quotes and lists that they stand in


def plainly_as_seen(text: str) -> Seen:
    """A text without markup, such as a title, as people see it: without characters that have no shape."""
    text = LINE_ENDS.sub("\n", text)
    counted = unseen(text)
    return Seen(seen(text), tuple(Hidden(kind, number, number) for kind, number in counted.items()))


def as_seen(markdown: str) -> Seen:
    """A text in Markdown as people see it rendered."""
    if not _MARKUP.search(markdown):
        return plainly_as_seen(markdown)
    markdown = _NEWLINE.sub("\n", markdown)
    lines = markdown.split("\n")
    defined: dict[str, Any] = {}
    blocks = list(_blocks(markdown, len(lines), defined))
    reader = Reader(label(name) for name in defined.get("references", ()))
    shown = [text for block in blocks if (text := _shown(block, lines, reader)) is not None]
    plain = plainly_as_seen("\n".join(shown))  # last: a character without a shape keeps `<!` and `--` apart
    return Seen(plain.text, (*reader.told(), *plain.hidden))


def _shown(block: _Block, lines: Sequence[str], reader: Reader) -> str | None:
    """The lines of a block as they are seen; None: none of them."""
    text = "\n".join(lines[block.first : block.end])
    if block.content and block.end - block.first > 1:  # or `>` would be read as the end of a tag
        before, first, _ = lines[block.first].partition(block.content.partition("\n")[0])
        text = (before if first else "") + block.content.removesuffix("\n")
    match block.kind:
        case _Kind.CODE:
            return reader.code(_without_info(text, reader))
        case _Kind.TEXT:
            return reader.text(text)
        case _Kind.ROW:
            return reader.text(_row(text, block.columns, reader), table=True)
        case _Kind.HTML:
            return reader.html(text)
        case _Kind.USED:
            title = TITLED.search(text.partition("]:")[2])
            if title:
                reader.note(TITLE, len(title[0].strip()))
            return reader.code(text[: -len(title[0])] if title else text)
        case _Kind.UNUSED:
            reader.note(_DEFINITION, len(text))
            return None


def _without_info(text: str, reader: Reader) -> str:
    """A block of code; of what stands behind its first mark only the language, all that people see the effect of."""
    head, newline, rest = text.partition("\n")
    fence = _FENCE.fullmatch(head)
    if fence and fence[2].strip():
        reader.note(_INFO, len(fence[2].strip()))
        head = fence[1]
    return f"{head}{newline}{rest}"


def _row(text: str, columns: int, reader: Reader) -> str:
    bars = [bar.start() for bar in _BAR.finditer(text)]
    if not (bars and columns):
        return text
    behind = columns if text[: bars[0]].strip() == "" else columns - 1  # the bar that ends the last column
    if len(bars) <= behind or not text[bars[behind] + 1 :].strip():
        return text
    reader.note(_CELL, len(text) - bars[behind] - 1)
    return text[: bars[behind] + 1]


# --- blocks -----------------------------------------------------------------------------------------------


def _blocks(markdown: str, lines: int, defined: dict[str, Any]) -> Iterator[_Block]:
    """All lines of a document in blocks, and in `defined` the definitions of links. What the parser says nothing of
    counts as HTML: it is nested too deeply."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    tokens = parser.parse(markdown, defined)
    definitions = [*defined.get("references", {}).items()]
    definitions += [(one["label"], one) for one in defined.get("duplicate_refs", [])]
    notes = [
        note[1] for token in tokens if token.type == "inline" and (note := _FOOTNOTE.match(token.content))
    ]
    used = _used(token.content for token in tokens if token.type == "inline")
    used.subtract(Counter(label(name) for name in notes))
    referred = [
        _Block(_Kind.USED if used[label(name)] > 0 else _Kind.UNUSED, *definition["map"])
        for name, definition in definitions
    ]
    at = 0
    for block in sorted([*_leaves(tokens, used), *referred], key=lambda block: block.first):
        if block.first < at:  # another cell of the row
            continue
        if block.first > at:
            yield _Block(_Kind.HTML, at, block.first)
        yield block
        at = block.end
    if at < lines:
        yield _Block(_Kind.HTML, at, lines)


def _leaves(tokens: Sequence[Token], used: Mapping[str, int]) -> Iterator[_Block]:
    columns, row = 0, False
    for token in tokens:
        if token.type == "table_open":
            columns = 0
        elif token.type == "th_close":
            columns += 1
        row = token.type in ("th_open", "td_open") or (row and token.type == "inline")
        if token.map is None:
            continue
        first, end = token.map
        if token.type in ("fence", "code_block"):
            yield _Block(_Kind.CODE, first, end)
        elif token.type == "html_block":
            yield _Block(_Kind.HTML, first, end, content=token.content)
        elif token.type == "inline" and row:
            yield _Block(_Kind.ROW, first, end, columns)  # 0 in the row that says how many there are
        elif token.type == "inline":
            note = _FOOTNOTE.match(token.content)
            unused = note is not None and used[label(note[1])] <= 0
            kind = _Kind.UNUSED if unused else _Kind.TEXT
            yield _Block(kind, first, end, content=token.content)


def _used(texts: Iterable[str]) -> Counter[str]:
    """How often each label stands in brackets, outside of code."""
    said = (_CODE.sub("", text) for text in texts)
    return Counter(label(match[1]) for text in said for match in _BRACKETS.finditer(text))
