"""Text on its way to a platform: our hidden marker, and the cut to what the platform takes. Pure functions."""

from __future__ import annotations

import re
from typing import Final

_BEFORE: Final = "<!-- ci-agent: "
_AFTER: Final = " -->"
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_CUT = "\n\n*Cut here: the rest is too long for this place.*"
_ROOM = 200  # characters kept free for closing what is open


def marked(marker: str, text: str) -> str:
    """`text` with our hidden `marker` as its first line."""
    return f"{_BEFORE}{marker}{_AFTER}\n{text}"


def marker_in(text: str) -> str:
    """The marker that `text` begins with; empty where there is none. Web pages write lines with CR LF."""
    line = text.partition("\n")[0].rstrip("\r")
    if line.startswith(_BEFORE) and line.endswith(_AFTER):
        return line[len(_BEFORE) : -len(_AFTER)]
    return ""


def without_marker(text: str) -> str:
    """The text behind our marker."""
    return text.partition("\n")[2]


def one_line(text: str, limit: int) -> str:
    """`text` as a title: one line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def fitted(text: str, limit: int) -> str:
    """`text` in at most `limit` characters. Cut at the end of a line, with code blocks and folded parts closed
    that are open there, and the cut marked."""
    if len(text) <= limit:
        return text
    kept = text[: limit - len(_CUT) - _ROOM]
    kept = kept[: kept.rfind("\n")] if "\n" in kept[-2_000:] else kept
    fence = _open_fence(kept)
    folds = max(kept.count("<details") - kept.count("</details>"), 0)
    closing = (f"\n{fence}" if fence else "") + "\n</details>" * min(folds, 5)
    return kept + closing + _CUT


def _open_fence(text: str) -> str:
    """The mark that would close the code block in which `text` ends; empty outside of one."""
    fence = ""
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
    return fence[: _ROOM // 2]
