"""A text file that is changed: its line ends and encoding stay as they are."""

from __future__ import annotations

from dataclasses import dataclass

from ci_agent.tools import places
from ci_agent.tools.text import numbered
from ci_agent.tools.tool import ToolError

_LARGEST = 20_000_000  # bytes of a file that is changed
_AROUND = 2  # lines shown before and after a change
_CHANGED = 12  # lines of the change itself that are all shown
_ENDS = 3  # of a longer one, lines shown of its beginning and of its end


@dataclass(frozen=True, slots=True)
class TextFile:
    """`text` as it is searched: where all lines end with CR LF, with LF only."""

    shown: str  # its path, for answers
    text: str
    encoding: str = "utf-8"
    windows: bool = False

    def plain(self, text: str) -> str:
        """A text that is to be found or put here, with the line ends of `self.text`."""
        return text.replace("\r\n", "\n") if self.windows else text

    def data(self, text: str) -> bytes:
        """The bytes of this file with `text` instead. Raises `ToolError` for characters it can't hold."""
        try:
            return (text.replace("\n", "\r\n") if self.windows else text).encode(self.encoding)
        except UnicodeEncodeError:
            raise ToolError(
                f"{self.shown} is not UTF-8 and can't hold all characters of the new text. Nothing was changed. "
                "Use bash to convert it."
            ) from None


def load(place: places.Place) -> TextFile:
    """The file at `place`. Raises `ToolError` where there is none that is text."""
    return decoded(place.shown, places.read(place, _LARGEST))


def decoded(shown: str, data: bytes) -> TextFile:
    """These bytes as text: as Latin-1, which keeps every byte, where they are not UTF-8. Raises `ToolError` for
    what is no text."""
    if b"\0" in data:
        raise ToolError(f"{shown} is a binary file of {len(data):,} bytes. Use bash for it.")
    try:
        text, encoding = data.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = data.decode("latin-1"), "latin-1"
    windows = "\r\n" in text and text.count("\r\n") == text.count("\n")
    return TextFile(shown, text.replace("\r\n", "\n") if windows else text, encoding, windows)


def around(text: str, first: int, last: int) -> str:
    """The lines from `first` to `last` of a changed text and some around, numbered; of many, both ends."""
    lines = text.removesuffix("\n").split("\n")
    start, end = max(0, first - 1 - _AROUND), min(len(lines), last + _AROUND)
    if last - first < _CHANGED:
        return numbered(lines[start:end], start + 1)
    tail = last - _ENDS
    return "\n".join(
        [numbered(lines[start : first - 1 + _ENDS], start + 1), "…", numbered(lines[tail:end], tail + 1)]
    )
