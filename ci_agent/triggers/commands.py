"""The commands people write in comments: `/agent retry HINT` at the start of a line.

Pure text in, a `Command` out. What stands in code, in a quote or in an HTML comment is no command, because
people write about commands there; below a command all of it belongs to the hint, but for what nobody can see.
Where blocks begin and end follows CommonMark 0.31, 4.4 to 4.6, with two differences: a line with four blanks
before it is code even within a paragraph, and a line behind a quote is the writer's own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from ci_agent.config import checks
from ci_agent.config.settings import Source
from ci_agent.triggers import Command, Kind, Verb
from ci_agent.triggers.payload import shown

WORD: Final = "/agent"
LONGEST: Final = 100_000  # characters of a comment that are looked at; GitHub takes 65,536
HINT: Final = 20_000  # characters of a hint that are kept


@dataclass(frozen=True, slots=True)
class Entry:
    """A command or an option, for people."""

    usage: str
    does: str  # a sentence or two


LIST: Final = (
    Entry("/agent run [HINT]", "Work on the issue. The hint says what the issue leaves open."),
    Entry(
        "/agent retry [HINT]",
        "Go on where the work on the issue ended, with the same branch and merge request. The hint says what to do "
        "differently. Where a job is at work, the hint is told to it.",
    ),
    Entry(
        "/agent stop",
        "Stop the work on the issue. What there is of it is kept, and `/agent retry` goes on from there.",
    ),
    Entry("/agent status", "Say how far it is, and where the work lies."),
    Entry("/agent answer TEXT", "Answer the question with which the work on the issue ended, and go on."),
    Entry("/agent approve", "Accept the plan, or the finished change, that waits for your word, and go on."),
    Entry("/agent reject [WHY]", "Decline it, and go on with your reason: another plan, or another change."),
    Entry("/agent help", "Show this list."),
)
OPTIONS: Final = (
    Entry("--model NAME", "Use this model, for this run."),
    Entry("--budget USD", "Spend at most so much on this run."),
    Entry("--base BRANCH", "Start from this branch, and go back to it."),
    Entry("--fresh", "Forget how far the work was: begin anew, on the branch as it is."),
)

_VERBS = tuple(str(verb) for verb in Verb if verb is not Verb.UNKNOWN)
_WITH_TEXT = (Verb.RUN, Verb.RETRY, Verb.ANSWER, Verb.APPROVE, Verb.REJECT)
_WITH_OPTIONS = (Verb.RUN, Verb.RETRY)
_WITHOUT_OPTIONS = (Verb.STOP, Verb.STATUS, Verb.APPROVE, Verb.HELP)  # in the others it would be text
_MOST_DOLLARS = 10_000  # as `limits.max_cost`
_LONGEST_BRANCH = 250  # characters; a file system that keeps it as a file takes 255

_INDENT = 3  # blanks; more of them make code

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_BEHIND_NAME = re.compile(r"[.,:;!?]*(?:\s+|$)|[,:]")  # `/agent.md` and `/agent/x` are no commands
_FENCE = re.compile(r" {0,3}(?:(`{3,})[^`]*|(~{3,}).*)")
_QUOTES = "\u201c\u201d\u2018\u2019"  # a phone makes these of plain ones, and one dash of two
_STRAY = ".,:;!?*_\"'`()[]<>" + _QUOTES
_OPTION = re.compile(
    r"\s*(?:--|[\u2013\u2014])(?:(model|budget|base)(?:\s*=\s*|\s+)(\S+)|(fresh)(?!\S))", re.IGNORECASE
)
_ANY_OPTION = re.compile(r"\s*(?:--([a-z][\w-]*)|[\u2013\u2014](model|budget|base|fresh)\b)", re.IGNORECASE)
_AROUND_VALUE = "\"'`,;" + _QUOTES
_MODEL = re.compile(r"[A-Za-z0-9][\w./:@-]{0,99}", re.ASCII)
_DOLLARS = re.compile(r"\$?([0-9]{0,5}(?:\.[0-9]{1,4})?)\$?")


def asked(text: str, account: str | None = None, *, waiting: bool = False) -> tuple[Kind, Command] | None:
    """What a comment asks for: a command, or what is said to our account; None: nothing.

    Where the issue is `waiting` for an answer, what is said to our account is one, and so is any other comment.
    """
    command = parse(text, account)
    if command is not None:
        return Kind.COMMAND, command
    words = mentioned(text, account)
    if words is not None:
        return Kind.MENTION, Command(Verb.ANSWER if waiting and words else Verb.RUN, words)
    reply = replied(text) if waiting else ""
    return (Kind.REPLY, Command(Verb.ANSWER, reply)) if reply else None


def parse(text: str, account: str | None = None) -> Command | None:
    """The first command in a comment; None: there is none.

    `account` is our own name on the platform: `@account retry …` is a command as well. Text goes on to the end
    of the comment, or to the next command, which does not count. What can't be understood is a command with the
    verb `UNKNOWN`.
    """
    names = _names(account)
    lines = list(_lines(text[:LONGEST]))
    for number, line in enumerate(lines):
        said = _addressed(line, names)
        if said is not None:
            more = takewhile(lambda below: _addressed(below, names) is None, lines[number + 1 :])
            return _command(said, "\n".join(below.text for below in more))
    return None


def mentioned(text: str, account: str | None) -> str | None:
    """The words of a comment that mentions our account outside of code and quotes; None: it does not."""
    if not account:
        return None
    lines = list(_lines(text[:LONGEST]))
    names = "|".join(re.escape(name) for name in _names(account)[1:])
    mention = re.compile(rf"(?<![\w@/.-])(?:{names})(?![\w/-]|\.\w)", re.IGNORECASE)
    spoken = "\n".join(line.text for line in lines if line.spoken)
    if not mention.search(re.sub(r"`[^`\n]*`", "", spoken)):
        return None
    return kept("\n".join(mention.sub("", line.text) if line.spoken else line.text for line in lines))


def replied(text: str) -> str:
    """The words of a comment that is a plain reply, quotes included; empty: it has no words of its own."""
    lines = list(_lines(text[:LONGEST]))
    if all(line.quoted or not _INVISIBLE.sub("", line.text).strip() for line in lines):
        return ""
    return kept("\n".join(line.text for line in lines))


def kept(text: str) -> str:
    """A hint without empty lines around it, and no longer than a hint may be; the cut is marked."""
    if not text.strip():
        return ""
    whole = re.sub(r"\A(?:[^\S\n]*\n)+", "", text).rstrip()
    if not whole.startswith(("    ", "\t")):  # not code
        whole = whole.lstrip()
    return whole if len(whole) <= HINT else f"{whole[:HINT]}\n[cut here, after {HINT:,} characters]"


def wrong(command: Command) -> str:
    """What is wrong with the values of the options; empty: nothing."""
    model, budget, base = command.model, command.budget, command.base
    if model is not None and (not _MODEL.fullmatch(model) or model.casefold().startswith("replay:")):
        return f"`--model {shown(model)}` names no model"
    if budget is not None and not 0 < budget <= _MOST_DOLLARS:
        return f"`--budget {budget:g}` is not between 0 and {_MOST_DOLLARS:,} dollars"
    if base is not None and not _is_branch(base):
        return f"`--base {shown(base)}` is no name of a branch"
    return ""


def _is_branch(name: str) -> bool:
    return name.isprintable() and len(name) <= _LONGEST_BRANCH and not checks.branch_name(name, Source.FLAG)


# --- what people say --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    text: str  # as people see it, without HTML comments
    spoken: bool  # neither code nor a quote
    quoted: bool = False


def _lines(text: str) -> Iterator[_Line]:
    rows = re.split(r"\r\n?|\n", text)
    below = _ends_below(rows)
    fence, hidden = "", False
    for row, ends_below in zip(rows, below, strict=True):
        if fence:
            mark = row.strip()
            if mark.startswith(fence) and not mark.strip(fence[0]) and not row.startswith("    "):
                fence = ""
            yield _Line(row, spoken=False)
            continue
        line, hidden = _visible(row, hidden, ends_below)
        opening = _FENCE.fullmatch(line)
        if opening:
            fence = opening[1] or opening[2]
        code = bool(opening) or line.startswith(("    ", "\t"))
        quoted = not code and line.lstrip().startswith(">")
        yield _Line(line, spoken=not code and not quoted, quoted=quoted)


def _ends_below(rows: Sequence[str]) -> list[bool]:
    """For each row, whether an HTML comment that is open at its end is closed in the same paragraph."""
    ends = [False] * len(rows)
    for number in range(len(rows) - 2, -1, -1):
        following = rows[number + 1]
        ends[number] = bool(following.strip()) and ("-->" in following or ends[number + 1])
    return ends


def _visible(row: str, hidden: bool, ends_below: bool) -> tuple[str, bool]:
    """The row without what stands in HTML comments, and whether one is open at its end. One that begins a row
    goes on to the end of the text, if it must; elsewhere `<!--` without an end, or in backticks, is text."""
    seen: list[str] = []
    at, ticks, last = 0, 0, row.rfind("-->")
    while True:
        if hidden:
            end = row.find("-->", at)
            if end < 0:
                return "".join(seen), True
            at, hidden = end + len("-->"), False
        start = row.find("<!--", at)
        piece = row[at:] if start < 0 else row[at:start]
        seen.append(piece)
        if start < 0:
            return "".join(seen), False
        ticks += piece.count("`")
        at = start + len("<!--")
        begins = len(seen) == 1 and start <= _INDENT and not row[:start].strip()
        if ticks % 2 == 0 and (begins or ends_below or last >= at):
            hidden = True
        else:
            seen.append("<!--")


# --- what they ask for ------------------------------------------------------------------------------------


def _names(account: str | None) -> list[str]:
    """What a command can begin with. People leave out the `[bot]` behind the name of a GitHub App."""
    full = [f"@{account}"] if account else []
    return [WORD, *full, *(name.removesuffix("[bot]") for name in full if name.endswith("[bot]"))]


def _addressed(line: _Line, names: Sequence[str]) -> str | None:
    """What a line says behind our word or name, where it begins with it."""
    if not line.spoken:
        return None
    said = _INVISIBLE.sub("", line.text).strip()
    for name in names:
        behind = _BEHIND_NAME.match(said, len(name))
        if behind and said[: len(name)].casefold() == name.casefold():
            rest = said[behind.end() :].strip()
            if name == WORD or _verb_of(rest) in _VERBS:
                return rest
    return None


def _verb_of(said: str) -> str:
    return said.split(maxsplit=1)[0].strip(_STRAY).casefold() if said else ""


def _command(said: str, more: str) -> Command:
    """The command of a line and the text below it."""
    if not said:
        return _unknown(f"`{WORD}` alone says nothing")
    first, *others = said.split(maxsplit=1)
    word, rest = _verb_of(said), others[0] if others else ""
    if word not in _VERBS:
        near = difflib.get_close_matches(word, _VERBS, n=1)
        wanted = f"; did you mean `{WORD} {near[0]}`?" if near else ""
        return _unknown(f"there is no command `{shown(first) or '?'}`{wanted}")
    verb = Verb(word)
    if verb in _WITH_OPTIONS:
        return _with_options(verb, rest, more)
    text = kept(f"{rest}\n{more}") if verb in _WITH_TEXT else ""
    if verb is Verb.ANSWER and not text:
        return _unknown(f"`{WORD} answer` wants the answer behind it")
    if verb in _WITHOUT_OPTIONS and _ANY_OPTION.match(rest):
        return _unknown(f"`{WORD} {verb}` takes no options")
    return Command(verb, text)


def _with_options(verb: Verb, rest: str, more: str) -> Command:
    given: dict[str, str] = {}
    while match := _OPTION.match(rest):
        given[(match[1] or match[3]).casefold()] = (match[2] or "").strip(_AROUND_VALUE)
        rest = rest[match.end() :]
    left = _ANY_OPTION.match(rest)
    if left:
        name = (left[1] or left[2]).casefold()
        known = [entry.usage for entry in OPTIONS if entry.usage.split()[0] == f"--{name}"]
        wrong_so = "is no option" if not known else "wants a value" if " " in known[0] else "takes no value"
        return _unknown(f"`--{shown(name)}` {wrong_so}")
    dollars = _DOLLARS.fullmatch(given.get("budget", ""))
    if "budget" in given and not (dollars and dollars[1]):
        return _unknown(f"`--budget {shown(given['budget'])}` is no amount in dollars, such as `1.50`")
    budget = float(dollars[1]) if dollars and dollars[1] else None
    command = Command(
        verb, kept(f"{rest}\n{more}"), given.get("model"), budget, given.get("base"), fresh="fresh" in given
    )
    problem = wrong(command)
    return _unknown(problem) if problem else command


def _unknown(problem: str) -> Command:
    return Command(Verb.UNKNOWN, problem=problem)
