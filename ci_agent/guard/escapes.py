"""What a text means that is escaped: percent, backslash (JSON, shells, programming languages), HTML, terminals.

It never gets longer by that, so there is nothing to blow up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ROUNDS: Final = 3  # JSON in JSON in a URL
LONGEST: Final = 16  # bytes of an escape

_BASES = (
    0,
    16,
    16,
    16,
    16,
    16,
    8,
    10,
    16,
)  # of the groups below, after `_BEGUN`; the last one is a character
# All of it begins with a set of bytes: so the regular expression runs over other text as fast as it can.
_FIRST = rb"[%\\&\x1b]"
_REST = (
    rb"(?<=%)([0-9A-Fa-f]{2})"
    rb"|(?<=\\)x([0-9A-Fa-f]{2})"
    rb"|(?<=\\)u00([0-9A-Fa-f]{2})"
    rb"|(?<=\\)u\{0{0,6}([0-9A-Fa-f]{2})\}"
    rb"|(?<=\\)U000000([0-9A-Fa-f]{2})"
    rb"|(?<=\\)([0-3][0-7]{2})"
    rb"|(?<=&)#0{0,4}([0-9]{2,3});?"
    rb"|(?<=&)#[xX]0{0,4}([0-9A-Fa-f]{2});?"
    rb"|(?<=\\)([\s\S])"
    rb"|(?<=&)[A-Za-z]{2,8};"  # none of them is a letter or digit
    rb"|(?<=\x1b)\[[0-9;?]{0,12}[A-Za-z]"
)
_BEGUN = (
    rb"((?:(?<=%)[0-9A-Fa-f]?"
    rb"|(?<=\\)(?:x[0-9A-Fa-f]?|u(?:0{0,2}|00[0-9A-Fa-f]|\{[0-9A-Fa-f]{0,8})|U0{0,6}[0-9A-Fa-f]?|[0-3][0-7]?)?"
    rb"|(?<=&)(?:#[xX]?[0-9A-Fa-f]{0,7}|[A-Za-z]{0,8})"
    rb"|(?<=\x1b)(?:\[[0-9;?]{0,12})?)\Z)"
)
_NEVER = rb"((?!))"
_ESCAPE = re.compile(rb"%s(?:%s|%s)" % (_FIRST, _NEVER, _REST))
_OR_BEGUN = re.compile(rb"%s(?:%s|%s)" % (_FIRST, _BEGUN, _REST))
_BLANKS = frozenset(b"abfnrtv0")  # `\n` and the like


def unescaped(content: bytes) -> bytes:
    """One level of escapes less."""
    return b"\\".join(_ESCAPE.sub(_meant, part) for part in _parts(content))


def partly_unescaped(content: bytes) -> tuple[bytes, bytes]:
    """The same for what goes on later; and of the end what may be the beginning of an escape, not looked at yet."""
    begun = [b""]

    def meant(match: re.Match[bytes]) -> bytes:
        if match.lastindex != 1:
            return _meant(match)
        begun[0] = match[0]
        return b""

    *whole, end = _parts(content)
    return b"\\".join([*(_ESCAPE.sub(_meant, part) for part in whole), _OR_BEGUN.sub(meant, end)]), begun[0]


def _parts(content: bytes) -> list[bytes]:
    """`content` without the escapes that JSON is full of, which a regular expression would take one by one; split
    where there is an escaped backslash."""
    parts = content.split(b"\\\\") if b"\\" in content else [content]
    return [part.replace(b"\\n", b"\n").replace(b'\\"', b'"') if b"\\" in part else part for part in parts]


@dataclass(frozen=True, slots=True)
class Traced:
    """A text, and for each of its bytes where it begins and ends in the text that it was made from."""

    content: bytes
    begins: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def of(cls, content: bytes) -> Traced:
        return cls(content, range(len(content)), range(1, len(content) + 1))

    def unescaped(self) -> Traced:
        """One level of escapes less."""
        content, begins, ends, done = bytearray(), list[int](), list[int](), 0
        for match in _ESCAPE.finditer(self.content):
            start, end = match.span()
            meant = _meant(match)
            content += self.content[done:start] + meant
            begins += [*self.begins[done:start], *(self.begins[start] for _ in meant)]
            ends += [*self.ends[done:start], *(self.ends[end - 1] for _ in meant)]
            done = end
        content += self.content[done:]
        return Traced(bytes(content), [*begins, *self.begins[done:]], [*ends, *self.ends[done:]])


def _meant(match: re.Match[bytes]) -> bytes:
    index = match.lastindex
    if index is None:
        return b""
    if index > len(_BASES):
        return b"\n" if match[index][0] in _BLANKS else match[index]
    value = int(match[index], _BASES[index - 1])
    return bytes([value]) if value < 256 else b""  # noqa: PLR2004 - a byte
