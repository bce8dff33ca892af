"""Which model does the work: at the beginning, and when another one could not do it. Pure.

Public data on routing (500 tasks of SWE-bench Verified) say that guessing how hard an issue is gains little, and
that verification tells best when a better model is worth its price. So the guess made here only finds what is
surely small; everything else begins with the default model, and proof decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from ci_agent.models import Model
from ci_agent.task import Ending, Task


class Role(StrEnum):
    """What a model is there for."""

    CHEAP = "cheap"
    DEFAULT = "default"
    STRONG = "strong"


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a session. `use` is the role a person or the configuration asks for; None: nobody does."""

    default: Model
    strong: Model | None = None
    cheap: Model | None = None
    use: Role | None = None

    def of(self, role: Role) -> Model | None:
        """The model with this role; None: there is none."""
        return {Role.DEFAULT: self.default, Role.STRONG: self.strong, Role.CHEAP: self.cheap}[role]

    def above(self, role: Role) -> Role | None:
        """The better one that takes over from the model with this role; None: there is none."""
        present = self.of(role)
        better = {Role.CHEAP: [Role.DEFAULT, Role.STRONG], Role.DEFAULT: [Role.STRONG], Role.STRONG: []}[role]
        others = ((other, self.of(other)) for other in better)
        return next(
            (other for other, model in others if model and present and model.name != present.name), None
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """Who begins. `reason` is a clause for people; empty: there was nothing to choose."""

    role: Role
    reason: str


LABELS = {"ai-strong": Role.STRONG, "ai-cheap": Role.CHEAP}  # of issues; the first one that fits counts

# After these endings a better model may do better; the others have reasons that it would share.
ESCALATED = frozenset({Ending.UNVERIFIED, Ending.STUCK, Ending.FORMAT, Ending.CONTEXT})
_SMALL_TEXT = 600  # characters of title and text
_SMALL_WORK = re.compile(
    r"\b(typos?|spelling|misspell\w*|wording|rephrase|readme|docs?|documentation|docstrings?|changelog|comments?|"
    r"bump|version|log(ging)? message|error message|link)\b",
    re.IGNORECASE,
)
_LARGE_WORK = re.compile(
    r"\b(refactor\w*|migrat\w*|redesign\w*|rewrite|architecture|concurren\w*|deadlock|race|security|performance|"
    r"slow|memory|leak|crash\w*|traceback|segfault|regression|parser?|async\w*|thread\w*)\b",
    re.IGNORECASE,
)
_FILE = re.compile(r"[\w/.-]*\w\.(?:[a-z]{1,4})\b")


def choose(task: Task, models: Models) -> Choice:
    """Who begins with `task`."""
    if models.use is not None:
        return Choice(models.use, "it was asked for" if models.strong or models.cheap else "")
    for label, role in LABELS.items():
        if label in task.labels:
            if models.of(role):
                return Choice(role, f"the label {label} asks for it")
            return Choice(Role.DEFAULT, f"the label {label} asks for a {role} model, and none is configured")
    if models.cheap and _is_small(task):
        return Choice(Role.CHEAP, "the issue looks small")
    return Choice(Role.DEFAULT, "")


def _is_small(task: Task) -> bool:
    text = f"{task.title}\n{task.text}\n{task.hint}"
    if len(text) > _SMALL_TEXT or "```" in text or len(set(_FILE.findall(text))) > 1:
        return False
    return bool(_SMALL_WORK.search(text)) and not _LARGE_WORK.search(text)
