"""How the entries of this folder take a command apart and put words into it.

Pure functions of text. Every word that is put in comes from strangers and is quoted here; nothing is run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence

from ci_agent.verification.project import Project


def call(words: str) -> re.Pattern[str]:
    """Commands that end in a plain call of `words` (a pattern), so that more words can be put after it."""
    return re.compile(rf"(?:^|&&|;|\n)\s*(?:\w+=\S* +)*{words}(?: [^;&|<>()`\n]*)?$")


def named(*names: str) -> Callable[[Project], str]:
    """A sign: the first of the files in the root of the project."""
    return lambda project: next((name for name in names if name in project.files), "")


def fixed(command: str) -> Callable[[Project], str]:
    """The same command for every project."""
    return lambda _project: command


def appended(command: str, words: Sequence[str]) -> str:
    """`command` with `words` after it."""
    return f"{command} {shlex.join(words)}" if words else command


def last_call(command: str) -> tuple[str, str]:
    """A command that `call` knows, parted before its last call; the parts are the whole."""
    start = max((match.end() for match in re.finditer(r"&&|;|\n", command)), default=0)
    return command[:start], command[start:]


def into(command: str, program: str, words: str) -> str:
    """`command` with `words`, which are quoted already, right after each call of `program` (a pattern).

    What strangers put into the command is quoted and so never at the place of a call, or it has no effect
    but that its own text is another.
    """
    calls = re.compile(rf"((?:^|&&|;|\n)\s*(?:\w+=\S* +)*{program})(?=\s|$)")
    return calls.sub(lambda match: f"{match[1]} {words}", command)


def escaped(text: str) -> str:
    """`text` as an expression that matches it, in what RE2, PCRE, Ruby, CMake and POSIX have in common."""
    return re.sub(r"[\\.^$*+?()\[\]{}|]", r"\\\g<0>", text)


def any_of(texts: Sequence[str]) -> str:
    """An expression of the same kind that matches each of `texts`, whole."""
    return f"^({'|'.join(map(escaped, dict.fromkeys(texts)))})$"
