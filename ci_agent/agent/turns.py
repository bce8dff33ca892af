"""What a conversation holds: which result belongs to which call, what was edited, what was read. Pure reading.

The calls are a model's: arguments may be no JSON, and hold anything.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ci_agent.models import Message
from ci_agent.tools import EDITS, Meaning, all_tools, meaning

OF_PEOPLE: Final = frozenset({"ask_user", "propose_plan"})  # tools whose answers are a person's

_TOOLS = all_tools(planning=True)
_IN_PART = re.compile(r"^\[.*lines [\d,]+ to [\d,]+ of [\d,]+", re.MULTILINE)  # the note of read_file


@dataclass(frozen=True, slots=True)
class Result:
    """A tool's answer with the call it answers. `at` and `asked_at` are the places of both messages."""

    at: int
    asked_at: int
    message: Message
    meant: Meaning

    @property
    def text(self) -> str:
        content = self.message.get("content")
        return content if isinstance(content, str) else ""

    @property
    def paths(self) -> tuple[str, ...]:
        """The files the call is about, without `./` and the like."""
        return tuple(posixpath.normpath(path) for path in self.meant.files)


def results(messages: Sequence[Message]) -> list[Result]:
    """All results, in their order."""
    asked: dict[str, tuple[int, Meaning]] = {}
    found = []
    for at, message in enumerate(messages):
        for call in message.get("tool_calls") or ():
            function = call["function"]
            asked[call["id"]] = (at, meaning(function["name"], function["arguments"], _TOOLS))
        if message["role"] == "tool" and message["tool_call_id"] in asked:
            asked_at, meant = asked[message["tool_call_id"]]
            found.append(Result(at, asked_at, message, meant))
    return found


def edited_files(messages: Sequence[Message]) -> set[str]:
    """The files that calls were made to change, whether that went well or not."""
    return {path for result in results(messages) if result.meant.tool in EDITS for path in result.paths}


def latest_reads(answered: Iterable[Result], files: set[str]) -> set[int]:
    """The places of the latest read of each of the files: of the whole of it if there is one, else of a part."""
    whole: dict[str, int] = {}
    part: dict[str, int] = {}
    for result in answered:
        if result.meant.tool == "read_file" and files.intersection(result.paths):
            (part if _IN_PART.search(result.text) else whole)[result.paths[0]] = result.at
    return set((part | whole).values())
