"""What models give to a shell, in the shapes they know from elsewhere, as the text of one script."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

_SHELLS = frozenset({"bash", "sh", "zsh"})
_FLAGS = frozenset({"-c", "-lc", "-cl"})
_WRAPPED = re.compile(r"""\s*(?:/usr)?(?:/bin/)?(?:ba|z)?sh\s+-l?c\s+(?:'([^']*)'|"([^"\\$`!]*)")\s*""")


def script(command: Any) -> Any:
    """The script of a command that is a list of words or is wrapped in a call of a shell; anything else as it is.

    A wrapped one is freed from it because a login shell would look for programs in other places.
    """
    if isinstance(command, list) and command and all(isinstance(word, str) for word in command):
        return _joined(command)
    if isinstance(command, str) and (wrapped := _WRAPPED.fullmatch(command)):
        return wrapped[1] if wrapped[1] is not None else wrapped[2]
    return command


def _joined(words: Sequence[str]) -> str:
    if len(words) == 3 and words[0].rpartition("/")[2] in _SHELLS and words[1] in _FLAGS:  # noqa: PLR2004 - such as bash -lc …
        return words[2]
    return words[0] if len(words) == 1 else shlex.join(words)


# The document ends at its mark, or where the script does if the mark was forgotten.
_HERE = re.compile(
    r"\s*(?:cd\s+(?P<folder>'[^']*'|\"[^\"]*\"|[^\s;&|]+)[^\S\n]*(?:&&|;|\n)\s*)?"
    r"apply_?patch\s*<<-?\s*(?P<quote>['\"]?)(?P<mark>\w+)(?P=quote)[^\S\n]*\n"
)
_ARGUMENT = re.compile(r"\s*apply_?patch\s+(?=['\"])", re.DOTALL)


def patch_in(text: str) -> tuple[str, str] | None:
    """The patch that a script does nothing but apply, by the name models know for that, and the folder it changes
    to before."""
    if here := _HERE.match(text):
        lines = text[here.end() :].rstrip().split("\n")
        if lines[-1].strip() == here["mark"]:
            lines.pop()
        if here["mark"] not in map(str.strip, lines):
            return "\n".join(lines).rstrip("\n") + "\n", (here["folder"] or "").strip("'\"")
    argument = _ARGUMENT.match(text)
    if argument:
        try:
            words = shlex.split(text)
        except ValueError:
            return None
        if len(words) == 2:  # noqa: PLR2004 - the program and its argument
            return words[1], ""
    return None


def patches(text: str) -> bool:
    """Whether a script applies a patch by that name among other things."""
    return re.search(r"(?:^|[;&|({]\s*)apply_?patch\s*(?:<<|['\"])", text, re.MULTILINE) is not None
