"""Reports as files: opened without being led astray, read as lines, as JSON or as XML, in bounded memory."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar
from xml.etree.ElementTree import ParseError  # only the exception; parsing is defusedxml's

from ci_agent.verification.opening import regular
from ci_agent.verification.reading.cases import ReportError

MOST_BYTES = 50_000_000  # of all reports of a run; GitLab refuses single ones over 30 MB
LONGEST_LINE = 65_536  # bytes of a line that are looked at

T = TypeVar("T")


def opened(path: Path, room: int = MOST_BYTES) -> BinaryIO:
    """The file, which has at most `room` bytes and is no link. Raises `ReportError`."""
    try:
        file = regular(path)
    except OSError as error:
        raise ReportError(f"the test report {path.name} can't be read: {error.strerror}") from error
    if os.fstat(file.fileno()).st_size <= room:
        return file
    file.close()
    raise ReportError(
        f"the test reports have more than the {MOST_BYTES / 1e6:,.0f} MB that are read at most; "
        "leave the output of passing tests out of them"
    )


def lines(file: BinaryIO) -> Iterator[str]:
    """The lines without their ends, long ones cut."""
    while piece := file.readline(LONGEST_LINE):
        line = piece
        while piece and not piece.endswith(b"\n"):  # an endless line is passed by piece by piece
            piece = file.readline(LONGEST_LINE)
        yield _TERMINAL.sub("", line.decode("utf-8", "replace")).rstrip("\r\n")


_TERMINAL = re.compile(r"\x1b\[[0-9;]{0,32}[A-Za-z]")  # colours and cursor movements


def json(path: Path, file: BinaryIO, shape: type[T]) -> T:
    """The JSON in a file as the msgspec type `shape`, which is all that is kept of it. Raises `ReportError`.

    Fields with no place in the shape are passed by without being built, so that a few bytes can't become
    many; `json.load` makes a gigabyte of 50 MB of `[[],[],…`.
    """
    from msgspec import DecodeError, ValidationError
    from msgspec.json import Decoder

    decoder = Decoder(shape, strict=False)
    data = file.read(MOST_BYTES)
    try:
        try:
            return decoder.decode(data)
        except (DecodeError, UnicodeDecodeError):
            # Bytes that are no UTF-8, and halves of surrogate pairs as JavaScript's `JSON.stringify` writes them.
            return decoder.decode(_HALVES.sub(_whole, data.decode("utf-8", "replace").encode()))
    except ValidationError as error:
        raise ReportError(f"the test report {path.name} is not of its format: {error}") from error
    except (DecodeError, UnicodeDecodeError) as error:
        raise ReportError(f"the test report {path.name} is cut off or is not JSON: {error}") from error
    except RecursionError as error:
        raise ReportError(f"the test report {path.name} is nested too deeply") from error


_HALVES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)  # fmt: skip


def _whole(match: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if match[1] else match[0]


class Target(Protocol):
    """What a parser of XML tells of the elements it comes by."""

    def start(self, tag: str, attributes: dict[str, str], /) -> Any: ...

    def data(self, text: str, /) -> Any: ...

    def end(self, tag: str, /) -> Any: ...

    def close(self) -> Any: ...


Made = TypeVar("Made", bound=Target)


def xml(path: Path, file: BinaryIO, target: Callable[[], Made]) -> Made:
    """A target that was told all elements of an XML file; entities are refused. Raises `ReportError`.

    No tree is built. The target is made anew where the file has to be read a second time, because it holds
    what XML does not allow.
    """
    try:
        return _parse(path, iter(lambda: file.read(1 << 16), b""), target())
    except ParseError as error:
        if error.code not in _CHARACTER_ERRORS:
            raise ReportError(f"the test report {path.name} is cut off or is not XML: {error}") from error
    file.seek(0)
    text = _legal(file.read(MOST_BYTES).decode("utf-8", "replace"))
    try:
        return _parse(path, [text], target())
    except ParseError as error:
        raise ReportError(f"the test report {path.name} is not valid XML: {error}") from error


# Codes of expat for what runners get wrong that print raw output or names into their XML: invalid token,
# partial character, reference to an invalid character, unknown and incorrect encoding.
_CHARACTER_ERRORS = frozenset({4, 6, 14, 18, 19})
# What XML 1.0 does not allow, as a character and as a reference to one.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,9}));")


def _legal(text: str) -> str:
    def checked(match: re.Match[str]) -> str:
        number = int(match[1], 16) if match[1] else int(match[2])
        return "\ufffd" if number > sys.maxunicode or _ILLEGAL.match(chr(number)) else match[0]

    return _REFERENCE.sub(checked, _ILLEGAL.sub("\ufffd", text))


def _parse(path: Path, pieces: Iterable[bytes | str], target: Made) -> Made:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import XMLParser

    parser = XMLParser(target=target)
    try:
        for piece in pieces:
            parser.feed(piece)
        parser.close()
    except DefusedXmlException as error:
        raise ReportError(f"the test report {path.name} defines XML entities, which is refused") from error
    except (ValueError, LookupError) as error:  # an encoding that is no encoding of text, e.g. `hex`
        raise ReportError(f"the test report {path.name} can't be decoded: {error}") from error
    return target


def local(tag: str) -> str:
    """The name of an element without its namespace."""
    return tag.rpartition("}")[2]
