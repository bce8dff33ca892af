"""What a conversation holds: which result belongs to which call, what was edited, what was read. Pure reading.

The calls are a model's: arguments may be no JSON, and hold anything.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ci_agent.models import Message

EDITS = frozenset(
    {"write_file", "edit_file", "apply_patch", "str_replace_editor", "str_replace", "create_file"}
)
PATHS = ("path", "file_path", "file", "filename")
_IN_PATCH = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$|^\*\*\* Move to: (.+)$", re.MULTILINE)
_IN_PART = re.compile(r"^\[.*lines [\d,]+ to [\d,]+ of [\d,]+", re.MULTILINE)  # the note of read_file


@dataclass(frozen=True, slots=True)
class Result:
    """A tool's answer with the call it answers. `at` and `asked_at` are the places of both messages."""

    at: int
    asked_at: int
    message: Message
    name: str  # of the tool
    arguments: dict[str, Any]  # empty where they can't be read

    @property
    def text(self) -> str:
        content = self.message.get("content")
        return content if isinstance(content, str) else ""

    @property
    def path(self) -> str:
        """The file the call is about; empty for none."""
        return _path(self.arguments)


def results(messages: Sequence[Message]) -> list[Result]:
    """All results, in their order."""
    asked: dict[str, tuple[int, str, dict[str, Any]]] = {}
    found = []
    for at, message in enumerate(messages):
        for call in message.get("tool_calls") or ():
            function = call["function"]
            asked[call["id"]] = (at, function["name"], read_arguments(function["arguments"]))
        if message["role"] == "tool" and message["tool_call_id"] in asked:
            asked_at, name, arguments = asked[message["tool_call_id"]]
            found.append(Result(at, asked_at, message, name, arguments))
    return found


def edited_files(messages: Sequence[Message]) -> set[str]:
    """The files that calls were made to change, whether that went well or not."""
    edited = set()
    for result in results(messages):
        if result.name in EDITS:
            texts = [value for value in result.arguments.values() if isinstance(value, str)]
            patched = [path for text in texts for names in _IN_PATCH.findall(text) for path in names]
            edited |= {posixpath.normpath(path.strip()) for path in patched if path} | {result.path}
    return edited - {""}


def latest_reads(answered: Iterable[Result], files: set[str]) -> set[int]:
    """The places of the latest read of each of the files: of the whole of it if there is one, else of a part."""
    whole: dict[str, int] = {}
    part: dict[str, int] = {}
    for result in answered:
        if result.name == "read_file" and result.path in files:
            (part if _IN_PART.search(result.text) else whole)[result.path] = result.at
    return set((part | whole).values())


def read_arguments(text: Any) -> dict[str, Any]:
    """The arguments of a call, as far as they are a JSON object; else none."""
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def path_of(arguments: Any) -> str:
    """The file that a call with these arguments, as text, is about; empty for none."""
    return _path(read_arguments(arguments))


def _path(arguments: dict[str, Any]) -> str:
    path = next((arguments[name] for name in PATHS if isinstance(arguments.get(name), str)), "")
    return posixpath.normpath(path) if path else ""
