"""A conversation that goes on in another job: made whole where it broke off, and what the model is told of the break. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from ci_agent.agent.context import Quote
from ci_agent.agent.turns import OF_PEOPLE
from ci_agent.framing import framed
from ci_agent.journal.events import ProposalDecided
from ci_agent.models import Message, ToolCall
from ci_agent.tools import all_tools, meaning

SUBMIT: Final = "submit"
ENDS_TURN: Final = (SUBMIT, *sorted(OF_PEOPLE))  # calls that hand the turn back: no tool answers them

_TOOLS = all_tools(planning=True)
_BROKEN_OFF = "Not known: the job ended while this ran. Look at what it did before you call it again."
BREAK: Final = "[The work goes on in another job, on a new machine."  # what the note of a break has
_LOST = "What git ignores was not kept, and the set-up has run again. Files with the whole output of earlier calls are gone."
_NOBODY_ANSWERED = (
    "Nobody answered, and you are asked to go on. Take the likeliest meaning and state it in the summary."
)
_UNDECIDED = "Nobody approved or rejected it, and you are asked to go on."
_ANEW: Final = {
    "plan": "Files still stay as they are. With that in mind propose the plan again, changed or not.",
    "change": "Nothing was pushed. With that in mind call `submit` again, with the change as it is or another one; then it is "
    "asked about again.",
}
_DECIDED: Final = {  # what follows from a person's word
    (
        "plan",
        True,
    ): "Files may be changed now. Keep to the plan and its files; where it turns out that others are needed, "
    "propose another plan with all of them first.",
    ("plan", False): "Files still stay as they are. Propose another plan, with all files that it touches.",
    (
        "change",
        True,
    ): "What was approved is the change as you handed it in; anything else has to be approved anew.",
    ("change", False): "Nothing was pushed. Change what is wrong, and call `submit` again.",
}
_NOT_ANSWERED = (
    "You are asked to go on, without an answer to your question. What people said since follows; where that does not "
    "answer it, take the likeliest meaning and state it in the summary."
)
_FIRST = re.compile(r"\s*#?([1-9]\d?)[,.:;)](?=\s)")  # a number that an answer begins with
_FILES = 30  # that are named


@dataclass(frozen=True, slots=True)
class Break:
    """What happened between two jobs of a session."""

    ended: str = ""  # how the job before ended, in a sentence; empty: it was lost, or asked something
    asked: str = ""  # the question that it ended with
    choices: tuple[str, ...] = ()
    said: str = ""  # what the person said who has it go on
    by: str = ""
    issue: str = ""  # what it says now; empty: the same as before
    proposed: Literal["", "plan", "change"] = ""  # what waits for a person's word, or was given it
    decision: ProposalDecided | None = None  # that word; None: nobody decided
    planned: Sequence[str] = ()  # files of the plan
    comments: Sequence[Quote] = ()  # of people who may write, since
    base: str = ""  # what became of the branch that it started from, or of the work branch; sentences
    files: Sequence[str] = field(default=())  # that changed there
    changed: Sequence[str] = ()  # files, by the work so far
    since: str = ""  # the commit that it is on top of, where it is committed


def mended(messages: Sequence[Message]) -> tuple[list[Message], ToolCall | None]:
    """The conversation with an answer to each call that has none, but for one that handed the turn back; this one.

    Endpoints refuse a history in which a call has no answer.
    """
    whole = list(messages)
    last = next((at for at in reversed(range(len(whole))) if whole[at]["role"] == "assistant"), None)
    if last is None:
        return whole, None
    answered = {message.get("tool_call_id") for message in whole[last + 1 :]}
    open_calls = [_call(one) for one in whole[last].get("tool_calls") or () if one["id"] not in answered]
    if len(open_calls) == 1 and tool_of(open_calls[0]) in ENDS_TURN:
        return whole, open_calls[0]
    behind = last + 1 + sum(message["role"] == "tool" for message in whole[last + 1 :])
    whole[behind:behind] = [
        {"role": "tool", "tool_call_id": call.id, "content": _BROKEN_OFF} for call in open_calls
    ]
    return whole, None


def tool_of(call: ToolCall) -> str:
    """The tool of ours that is meant; models call them by other names as well."""
    return meaning(call.name, call.arguments, _TOOLS).tool


def told(broke: Break) -> str:
    """What the model is told when it goes on."""
    said = _decision(broke) if broke.proposed else _answer(broke) if broke.asked else _words(broke)
    edited = f"The issue was edited since you read it. It says now:\n\n{broke.issue}" if broke.issue else ""
    parts = [broke.ended, said, edited, _comments(broke.comments), _on_a_new_machine(broke)]
    if broke.base:
        files = ["These files are not as they were:", *_listed(broke.files)] if broke.files else []
        parts.append("\n".join([broke.base, *files]))
    return "\n\n".join(part for part in parts if part)


def _on_a_new_machine(broke: Break) -> str:
    if not broke.changed:
        files = "No file is changed so far."
    else:
        named = ", ".join(broke.changed[:_FILES])
        more = f" and {len(broke.changed) - _FILES:,} more" if len(broke.changed) > _FILES else ""
        committed = (
            f", committed on top of {broke.since} (`git diff {broke.since}` shows them)"
            if broke.since
            else ""
        )
        files = f"Your changes so far are in the files{committed}: {named}{more}."
    moved = "" if broke.base else " The branches are as they were."
    return f"{BREAK} {files}{moved} {_LOST}]"


def chosen(words: str, choices: Sequence[str]) -> str:
    """The choice that a person means by its number alone; empty: none."""
    number = words.strip().strip(".)#*`").strip()
    if not (number.isascii() and number.isdecimal() and len(number) <= 2):  # noqa: PLR2004 - nobody offers a hundred
        return ""
    return choices[int(number) - 1] if 1 <= int(number) <= len(choices) else ""


def answer_in_full(words: str, choices: Sequence[str]) -> str:
    """An answer as it is understood beside its question alone, without the choices."""
    number, choice = _named_first(words, choices)
    return chosen(words, choices) or (f"{words.strip()} ({number}: {choice})" if choice else words)


def _named_first(words: str, choices: Sequence[str]) -> tuple[str, str]:
    """The number that an answer begins with, and its choice; both empty: it begins with none."""
    first = _FIRST.match(words)
    choice = chosen(first[1], choices) if first else ""
    return (first[1], choice) if first and choice else ("", "")


def _answer(broke: Break) -> str:
    if not broke.said.strip():
        return _NOT_ANSWERED if broke.comments else _NOBODY_ANSWERED
    if choice := chosen(broke.said, broke.choices):
        means = f"\n\nThat is the choice: {choice}"
    else:
        number, choice = _named_first(broke.said, broke.choices)
        means = f"\n\nThe choice {number} was: {choice}" if choice else ""
    return f"{broke.by or 'Somebody who may write here'} answers:\n\n{framed('answer', broke.said.strip(), by=broke.by)}{means}"


def _decision(broke: Break) -> str:
    if broke.decision is None:
        if not broke.said.strip():
            return f"{_UNDECIDED}\n\n{_ANEW[broke.proposed]}"
        said = framed("comment", broke.said.strip(), by=broke.by)
        return f"Neither approved nor rejected: {_who(broke.by)} says\n\n{said}\n\n{_ANEW[broke.proposed]}"
    approved, by, why = broke.decision.approved, broke.decision.by, broke.decision.why.strip()
    said = f"{'Approved' if approved else 'Rejected'} by {_who(by)}{':' if why else '.'}"
    files = f" Its files: {', '.join(broke.planned)}" if approved and broke.planned else ""
    parts = [said, framed("decision", why, by=by) if why else "", _DECIDED[broke.proposed, approved] + files]
    return "\n\n".join(filter(None, [*parts, _words(broke)]))


def _who(by: str) -> str:
    return by or "somebody who may decide here"


def _words(broke: Break) -> str:
    if not broke.said.strip():
        return ""
    return f"Asked for now, in addition:\n\n{framed('request', broke.said.strip(), by=broke.by)}"


def _comments(comments: Sequence[Quote]) -> str:
    if not comments:
        return ""
    listed = "\n\n".join(framed("comment", quote.text.strip(), by=quote.author) for quote in comments)
    return f"Comments of people who may write here, since you began:\n\n{listed}"


def _listed(files: Sequence[str]) -> Iterable[str]:
    yield from (f"- {name}" for name in files[:_FILES])
    if len(files) > _FILES:
        yield f"- and {len(files) - _FILES:,} more"


def _call(raw: Message) -> ToolCall:
    function = raw["function"]
    return ToolCall(raw["id"], function["name"], function["arguments"])
