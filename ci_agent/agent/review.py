"""A look at the finished work with fresh eyes: one request to a model that knows nothing of how it came about.

It sees what a reviewer would see, the issue, the change and what the tests said, and names at most three defects.
Its word is no verdict: what it names goes back to the agent, once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ci_agent.framing import framed
from ci_agent.models import Message, Model, Reply
from ci_agent.task import Task

_MOST = 3  # defects
_DIFF_CHARACTERS = 60_000
_TEXT_CHARACTERS = 20_000
_DEFECT_CHARACTERS = 600
_DEFECT = re.compile(r"[\W\d_]*DEFECT\W*?[:-][\s*]*(.+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Review:
    """What came of it. `understood`: the answer was in the form that was asked for."""

    defects: tuple[str, ...]
    understood: bool
    reply: Reply


def review(model: Model, task: Task, diff: str, tests: str, deadline: float) -> Review:
    """Ask `model` for defects of the change `diff`. `tests` is what the harness measured, in words; `deadline` is on
    the clock of `time.monotonic`. Raises `ModelError`."""
    system = (Path(__file__).parent / "prompts" / "review.md").read_text(encoding="utf-8")
    hint, question = task.hint.strip(), task.asked.strip()
    asked = [
        task.text.strip(),
        f"Asked before the work:\n{question}" if question else "",
        f"{'The answer' if question else 'Asked for in addition'}:\n{hint}" if hint else "",
    ]
    said = _cut("\n\n".join(part for part in asked if part), _TEXT_CHARACTERS)
    messages: list[Message] = [
        {"role": "system", "content": system.strip()},
        {
            "role": "user",
            "content": f"# The issue: {task.title}\n\n{framed('issue', said)}\n\n"
            f"# What the harness measured\n\n{framed('results', tests)}\n\n"
            f"# The change\n\n{framed('diff', _cut(diff, _DIFF_CHARACTERS))}",
        },
    ]
    reply = model.reply(messages, [], deadline)
    defects = tuple(_defects(reply.text))
    none = not defects and re.match(r"\W*(OK|NO DEFECTS?)\b", reply.text, re.IGNORECASE)
    return Review(defects, bool(defects or none), reply)


def _defects(text: str) -> list[str]:
    """The defects an answer names in its first 20,000 characters, each with the lines that follow it."""
    found: list[str] = []
    for line in text[:_TEXT_CHARACTERS].splitlines():
        if match := _DEFECT.match(line):
            found.append(match[1].strip())
        elif found and line.strip():
            found[-1] += f" {line.strip()}"
    return [defect[:_DEFECT_CHARACTERS] for defect in found[:_MOST]]


def _cut(text: str, length: int) -> str:
    return (
        text if len(text) <= length else f"{text[:length]}\n[… {len(text) - length:,} characters left out …]"
    )
