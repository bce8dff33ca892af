"""The commit's message: an imperative title, what and why, the measured tests, and trailers.

The model's words may fill the title and the body and nothing else: no line of theirs can become a trailer,
close an issue, mention a person, switch the CI off or end the message early.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from ci_agent.journal import Event
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.text import cut, one_line, plain
from ci_agent.reporting.wording import comparison, counts

TITLE = 72  # characters; what `git log --oneline` and the platforms show without cutting
WIDTH = 72
SUMMARY = 3000  # characters of the model's summary; a commit message is no place for more

# Names that git, GitHub, GitLab or Gerrit act on wherever such a line stands.
_TRAILER = re.compile(
    r"^(\s*(?:[a-z]+-)+[a-z]+|\s*(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?|refs?|cc|link|changelog|bug))\s*:",
    re.IGNORECASE,
)
# Where git reads the end of the message, or a comment; and GitLab a quick action (`/tag v1`).
_SPECIAL_STARTS = ("---", "diff -", "Index: ", "#", "/")
# What GitLab and `git rebase --autosquash` take as an order.
_ORDER = re.compile(
    r"^(?:[\[(](?:draft|wip)[\])]:?\s*|(?:draft|wip)\s*:\s*|wip\s+|(?:fixup|squash|amend)!\s*)+",
    re.IGNORECASE,
)
_MARK = re.compile(r"^(?:[#>*/-]+\s+|---+)+")  # of Markdown, and what starts a patch
_PERSON = re.compile(r"[^<>@\s][^<>@]* <[^<>@\s]+@[^<>@\s]+>")


def commit_message(events: Sequence[Event]) -> str:
    """The whole message, ending in a newline."""
    summary = Summary.of(events)
    body = "\n".join(_body(summary)).strip("\n")
    parts = [change_title(summary), body, _measured(summary), _trailers(summary)]
    return "\n\n".join(part for part in parts if part) + "\n"


def change_title(summary: Summary) -> str:
    """What the change does, on one line of at most `TITLE` characters: from the model's title, else the issue's."""
    said = tidied(summary.submitted.title) if summary.submitted else ""
    if said:
        return said
    return plain_title(summary)


def plain_title(summary: Summary) -> str:
    """The same without any words of the model: from the issue's title."""
    if summary.started is None:
        return "Change what was asked for"
    number = one_line(summary.started.issue, 20)
    return tidied(f"Address issue {number}: {summary.started.title}") or f"Address issue {number}"


def tidied(text: str) -> str:
    """`text` as a title: one line, without marks and orders to platforms. Empty where nothing readable is left."""
    line = _ORDER.sub("", _MARK.sub("", one_line(text, 500)))
    # Git drops a line with the one when it is edited, GitLab does what a line with the other says.
    line = re.sub(r"^[#/]\S+", r'"\g<0>"', line)
    line = cut(plain(line).rstrip(" .…"), TITLE)
    if not any(letter.isalnum() for letter in line):
        return ""
    # `slug() …` and `fix: …` are no words to write with a capital.
    return line[:1].upper() + line[1:] if re.match(r"[a-z]+(?: |$)", line) else line


def _body(summary: Summary) -> Iterator[str]:
    text = summary.submitted.summary if summary.submitted else ""
    if not text.strip() and summary.started:
        text = f"Asked for in issue {summary.started.issue}: {summary.started.title}"
    for line in plain(cut(text, SUMMARY)).split("\n"):
        yield from map(_harmless, _wrapped(line.strip()))


def _wrapped(line: str) -> list[str]:
    bullet = re.match(r"[-*] |\d{1,3}[.)] ", line)
    wrapper = textwrap.TextWrapper(
        WIDTH - 1,  # `_harmless` may lengthen a line by one
        subsequent_indent=" " * len(bullet[0]) if bullet else "",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapper.wrap(line) or [""]


def _harmless(line: str) -> str:
    line = _TRAILER.sub(r"\1 -", line)
    return f" {line}" if line.startswith(_SPECIAL_STARTS) else line


def _measured(summary: Summary) -> str:
    if summary.no_tests:
        return "Tests: there are none to run, so this change is not verified."
    if summary.after is None:
        return "Tests: not run on this change."
    line = "; ".join(filter(None, [comparison(summary), counts(summary.after)]))
    return "\n".join(map(_harmless, _wrapped(f"Tests, run by ci-agent: {one_line(plain(line), 400)}.")))


def _trailers(summary: Summary) -> str:
    """In the form `Word: value`, so that git itself knows them as trailers; the platforms read that form too."""
    if summary.started is None:
        return ""
    word = "Closes" if summary.solved else "Refs"
    lines = [f"{word}: {one_line(summary.started.reference, 80)}"]
    requester = one_line(summary.started.requester, 200)
    if requester == plain(summary.started.requester) and _PERSON.fullmatch(requester):
        lines.append(f"Co-authored-by: {requester}")
    return "\n".join(lines)
