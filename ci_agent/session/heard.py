"""What people said, as people see it: the rest is noted in the journal and does not reach the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256

from ci_agent.agent import Quote, meanwhile
from ci_agent.agent.hidden import Seen, as_seen, plainly_as_seen
from ci_agent.journal.events import Hidden, HiddenLeftOut, InputTaken
from ci_agent.session.parts import Parts
from ci_agent.task import Task


def task_as_seen(task: Task) -> tuple[Task, list[HiddenLeftOut]]:
    """The task in the words that people see, and what was left out of them."""
    title, text, hint = plainly_as_seen(task.title), as_seen(task.text), as_seen(task.hint)
    seen = replace(
        task,
        title=" ".join(title.text.split("\n")),
        text=text.text,
        hint=hint.text,
        asked=as_seen(task.asked).text,
    )
    return seen, [*left_out("the issue", title, text), *left_out("what was asked for beside it", hint)]


def digest(task: Task) -> str:
    """Of what the issue says, to see whether it was edited: SHA-256, in hexadecimal digits."""
    return sha256(f"{task.title}\n\n{task.text}".encode("utf-8", "surrogatepass")).hexdigest()


def heard(parts: Parts) -> str:
    """What the model is told of what people said since it was asked last; empty: nothing."""
    said: list[Quote] = []
    for one in parts.hears.take() if parts.hears else ():
        seen = as_seen(one.text)
        for fact in left_out(f"what {one.by} said meanwhile", seen):
            parts.journal.append(fact)
        parts.journal.append(InputTaken(one.id, one.by, seen.text.strip()))
        if seen.text.strip():
            said.append(Quote(one.by, seen.text))
    return meanwhile.told(said) if said else ""


def left_out(place: str, *texts: Seen) -> list[HiddenLeftOut]:
    """What was left out of the texts of one place, added up; nothing where there was nothing."""
    added = _added(hidden for text in texts for hidden in text.hidden)
    return [HiddenLeftOut(place, added)] if added else []


def _added(hidden: Iterable[Hidden]) -> tuple[Hidden, ...]:
    passages: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    for one in hidden:
        passages[one.kind] += one.passages
        characters[one.kind] += one.characters
    return tuple(Hidden(kind, number, characters[kind]) for kind, number in passages.items())
