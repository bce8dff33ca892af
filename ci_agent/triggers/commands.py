"""The commands people write in comments: `/agent retry HINT` at the start of a line.

Pure text in, a `Command` out. What stands in code, in a quote or in an HTML comment is no command, because
people write about commands there.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci_agent.config import checks
from ci_agent.config.settings import Source
from ci_agent.triggers import Command, Kind, Verb

WORD: Final = "/agent"
LONGEST: Final = 100_000  # characters of a comment that are looked at
HINT: Final = 20_000  # characters of a hint that are kept
_MOST_DOLLARS = 10_000  # as `limits.max_cost`


@dataclass(frozen=True, slots=True)
class Entry:
    """A command, for people."""

    usage: str
    does: str  # a sentence


LIST: Final = (
    Entry("/agent run [HINT]", "Work on the issue. The hint says what the issue leaves open."),
    Entry(
        "/agent retry [HINT]",
        "Go on with the same branch and merge request; the hint says what to do differently.",
    ),
    Entry("/agent stop", "Cancel the job that works on the issue; what there is of the work is kept."),
    Entry("/agent status", "Say how far it is, and where the work lies."),
    Entry("/agent answer TEXT", "Answer the question it has asked, and let it go on."),
    Entry("/agent approve", "Accept a plan that waits for it."),
    Entry("/agent reject [WHY]", "Decline a plan that waits; the reason says what to change."),
    Entry("/agent help", "Show this list."),
)
OPTIONS: Final = (
    Entry("--model NAME", "Use this model, for this run."),
    Entry("--budget USD", "Spend at most so much on this run."),
    Entry("--base BRANCH", "Start from this branch, and go back to it."),
)

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_OPTION = re.compile(r"\s*--(model|budget|base)(?:\s*=\s*|[ \t]+)(\S+)")
_ANY_OPTION = re.compile(r"\s*(--[a-z][\w-]*)")
_MODEL = re.compile(r"[A-Za-z0-9][\w./:@-]{0,99}")


def asked(text: str, account: str | None = None) -> tuple[Kind, Command] | None:
    """What a comment asks for: a command, or what is said to our account; None: nothing."""
    command = parse(text, account)
    if command is not None:
        return Kind.COMMAND, command
    words = mentioned(text, account)
    return None if words is None else (Kind.MENTION, Command(Verb.RUN, words))


def parse(text: str, account: str | None = None) -> Command | None:
    """The first command in a comment; None: there is none.

    `account` is our own name on the platform: `@account retry …` is a command as well. Text goes on to the end
    of the comment. What can't be understood is a command with the verb `UNKNOWN`.
    """
    lines = list(_spoken(text[:LONGEST]))
    for number, line in enumerate(lines):
        rest = _addressed(line, account)
        if rest is not None:
            return _command("\n".join([rest, *lines[number + 1 :]]))
    return None


def mentioned(text: str, account: str | None) -> str | None:
    """The words of a comment that mentions our account outside of code and quotes; None: it does not."""
    if not account:
        return None
    spoken = "\n".join(_spoken(text[:LONGEST]))
    mention = re.compile(rf"(?<![\w@/.-])@{re.escape(account)}(?![\w-])", re.IGNORECASE)
    if not mention.search(re.sub(r"`[^`\n]*`", "", spoken)):
        return None
    return mention.sub("", spoken).strip()[:HINT]


def _spoken(text: str) -> Iterator[str]:
    """The lines that people say: without code blocks, quotes and HTML comments."""
    fence, hidden = "", False
    for raw in _INVISIBLE.sub("", text).splitlines():
        line, hidden = _without_comment(raw, hidden)
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif mark:
            fence = mark[1]
        elif not line.startswith(("    ", "\t")) and not line.lstrip().startswith(">"):
            yield line


def _without_comment(line: str, hidden: bool) -> tuple[str, bool]:
    """The line without what stands in HTML comments, and whether one is open at its end."""
    kept = []
    while line:
        before, mark, line = line.partition("-->" if hidden else "<!--")
        if not hidden:
            kept.append(before)
        if not mark:
            break
        hidden = not hidden
    return "".join(kept), hidden


def _addressed(line: str, account: str | None) -> str | None:
    """What a line says behind our word or name, where it begins with it."""
    line = line.strip()
    names = [WORD, f"@{account}"] if account else [WORD]
    for name in names:
        if line[: len(name)].casefold() != name.casefold():
            continue
        rest = line[len(name) :]
        if not rest or rest[0] in " \t,:":
            rest = rest.lstrip(" \t,:")
            first = rest.split(maxsplit=1)[0].casefold().strip(".,:;!") if rest else ""
            if name == WORD or first in _VERBS:
                return rest
    return None


_VERBS = {str(verb) for verb in Verb if verb is not Verb.UNKNOWN}
_WITH_TEXT = {Verb.RUN, Verb.RETRY, Verb.ANSWER, Verb.REJECT}


def _command(said: str) -> Command:
    first, _, rest = said.partition("\n")
    words = first.split(maxsplit=1)
    if not words:
        return Command(Verb.UNKNOWN, problem=f"`{WORD}` alone says nothing")
    word = words[0].casefold().strip(".,:;!")
    if word not in _VERBS:
        near = difflib.get_close_matches(word, _VERBS, n=1)
        wanted = f"; did you mean `{WORD} {near[0]}`?" if near else ""
        return Command(Verb.UNKNOWN, problem=f"there is no command `{_shown(words[0])}`{wanted}")
    after = f"{words[1] if len(words) > 1 else ''}\n{rest}"
    return _with_options(Verb(word), after)


def _with_options(verb: Verb, rest: str) -> Command:
    given: dict[str, str] = {}
    while match := _OPTION.match(rest):
        given[match[1]] = match[2]
        rest = rest[match.end() :]
    unknown = _ANY_OPTION.match(rest)
    problem = _wrong(given)
    if unknown and not problem:
        known = unknown[1].removeprefix("--") in ("model", "budget", "base")
        problem = f"`{_shown(unknown[1])}` {'wants a value' if known else 'is no option'}"
    if verb is Verb.ANSWER and not rest.strip() and not problem:
        problem = "`/agent answer` wants the answer behind it"
    if problem:
        return Command(Verb.UNKNOWN, problem=problem)
    return Command(
        verb,
        rest.strip()[:HINT] if verb in _WITH_TEXT else "",
        model=given.get("model"),
        budget=_dollars(given["budget"]) if "budget" in given else None,
        base=given.get("base"),
    )


def _wrong(given: dict[str, str]) -> str:
    """What is wrong with the options; empty: nothing."""
    model = given.get("model")
    if model is not None and (not _MODEL.fullmatch(model) or model.casefold().startswith("replay:")):
        return f"`--model {_shown(model)}` names no model"
    if "budget" in given and _dollars(given["budget"]) is None:
        return f"`--budget {_shown(given['budget'])}` is no amount in dollars, such as `1.50`"
    base = given.get("base")
    if base is not None and checks.branch_name(base, Source.FLAG):
        return f"`--base {_shown(base)}` is no name of a branch"
    return ""


def _dollars(text: str) -> float | None:
    match = re.fullmatch(r"\$?(\d{1,5}(?:\.\d{1,4})?)\$?", text, re.ASCII)
    amount = float(match[1]) if match else 0.0
    return amount if 0 < amount <= _MOST_DOLLARS else None


def _shown(text: str) -> str:
    """A stranger's word, short and in plain letters."""
    kept = "".join(c for c in text if unicodedata.category(c)[0] in "LNPS" and c != "`")
    return kept if len(kept) <= 40 else kept[:39] + "…"  # noqa: PLR2004 - a word, not a paragraph
