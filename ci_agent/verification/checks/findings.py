"""What a check found, out of what it printed: lines of most compilers and linters, SARIF, checkstyle. It starts
nothing; of the checkout it looks at which files there are.

Lines, tried with gcc 12, rustc 1.95, javac 17, go vet 1.26, ruff 0.17 (full and concise) and mypy 2.4; not tried
with, but made for, tsc, MSBuild, eslint (unix and stylish), flake8, pylint and shellcheck (gcc):

    path:line[:column]: [error|warning:] message [rule]      path(line,column): error TS1: message
    error[E1]: message                                       path
      --> path:line:column                                     line:column  error  message  rule

A check prints what strangers wrote, so all of it is bounded, and a line that looks like a finding is one.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path

from ci_agent.journal.events import Finding
from ci_agent.verification.checks.documents import checkstyle, sarif
from ci_agent.verification.opening import regular
from ci_agent.verification.text import plain, relative_to, short

MOST_READ = 20_000_000  # bytes of an output
MOST_LINES = 500_000  # of an output that is no document
MOST_FINDINGS = 10_000  # of one check
LONGEST_LINE = 1_000  # characters of a line that are looked at
LONGEST_MESSAGE = 300
LONGEST_RULE = 100
LONGEST_PATH = 400

Said = tuple[str, int, str, str]  # path, line, message, rule, as they are printed


def findings(
    output: str | Path, root: Path, hide: Callable[[str], str] = str
) -> tuple[tuple[Finding, ...], str]:
    """The findings in what a check printed (a text, or the log that holds it), in its order, the same place and
    message once. Paths are relative to `root`, the checkout; findings in files outside of it are left out.
    Notes and hints that go with a finding are none. At most `MOST_FINDINGS`. `hide` takes secrets out of what was
    printed, before anything is cut.

    With it why they are not all, as a clause: there is more of them, or of the output, than is read. Empty when
    they are."""
    try:
        text, more = _read(output)
    except OSError:
        return (), "its output was deleted or replaced while it ran"
    cut = f"it printed more than {MOST_READ // 1_000_000} MB" if more else ""
    text = relative_to(root)(hide(text))
    place = _places(root)
    found: dict[Finding, None] = {}
    document = sarif(text) or checkstyle(text)
    if not (document or cut) and _has_more_lines(text):
        cut = f"it printed more than {MOST_LINES:,} lines"
    for path, line, message, rule in document or _lines(text, place):
        here = place(path)
        if not here:
            continue
        told = short(" ".join(plain(message).split()), LONGEST_MESSAGE)
        finding = Finding(here, line, told, short(plain(rule), LONGEST_RULE))
        if len(found) == MOST_FINDINGS and finding not in found:
            return tuple(found), f"it has more than {MOST_FINDINGS:,} findings"
        found[finding] = None
    return tuple(found), cut


def _read(output: str | Path) -> tuple[str, bool]:
    """What is looked at, and whether there is more."""
    if isinstance(output, str):
        return output[:MOST_READ], len(output) > MOST_READ
    with regular(output) as file:
        read = file.read(MOST_READ + 1)
    return read[:MOST_READ].decode("utf-8", "replace"), len(read) > MOST_READ


def _has_more_lines(text: str) -> bool:
    return next(islice(io.StringIO(text), MOST_LINES, None), None) is not None


_LIKE_A_FILE = re.compile(r"(?!/|\.\./)[\w.@+/-]{1,300}\.[A-Za-z]\w{0,9}")


def _places(root: Path) -> Callable[[str], str]:
    """What makes a path out of what is printed for one, nothing where it is none in the checkout.

    A check may work in a folder below and name paths from there: what looks like a file's name is taken as it is.
    """

    shown = relative_to(root)

    @cache
    def place(said: str) -> str:
        path = shown(said.strip().removeprefix("file://"))
        while path.startswith("./"):
            path = path[2:]
        if not path or len(path) > LONGEST_PATH or path.startswith("/") or ".." in path.split("/"):
            return ""
        try:
            there = (root / path).is_file()
        except (OSError, ValueError):  # a name that no file can have
            return ""
        return plain(path) if there or _LIKE_A_FILE.fullmatch(path) else ""

    return place


# --- lines ------------------------------------------------------------------------------------------------

_COLONS = re.compile(r"([^:\s][^:]{0,400}):(\d{1,7})(?::(\d{1,7}))?(?::| -) {1,4}(\S.*)")
_BRACKETS = re.compile(r"([^:()\s][^:()]{0,400})\((\d{1,7})(?:,\d{1,7}){0,3}\) ?: (\S.*)")
_ARROW = re.compile(r" {0,12}--> ([^:]{1,400}):(\d{1,7}):\d{1,7}$")
_IN_FILE = re.compile(r" {1,12}(\d{1,7}):\d{1,7} {1,8}(?:error|warning|✖|⚠) {1,8}(\S.*)")
_GUTTER = re.compile(r"\s|\d+ *\||=|$")
_NOTE = re.compile(r"(?:note|help|hint|info)\b", re.IGNORECASE)


def _lines(text: str, place: Callable[[str], str]) -> Iterator[Said]:
    header = ""  # the last line that an arrow below it may belong to
    file = ""  # the last line that was a file's name alone
    for whole in islice(io.StringIO(text), MOST_LINES):
        line = plain(whole[:LONGEST_LINE]).rstrip()
        if arrow := _ARROW.match(line):
            if header:
                yield arrow[1], int(arrow[2]), *_parts(header)
            header = ""
        elif file and (inner := _IN_FILE.match(line)):
            message, gap, rule = inner[2].rpartition("  ")
            yield file, int(inner[1]), (message or rule).strip(), rule if gap else ""
        elif match := _COLONS.match(line.removeprefix("vet: ")):
            yield from _one(match[1], match[2], match[4])
        elif match := _BRACKETS.match(line):
            yield from _one(match[1], match[2], match[3])
        elif not _GUTTER.match(line):
            header = "" if _NOTE.match(line) else line
            file = line if len(line) < LONGEST_PATH and place(line) else ""


def _one(path: str, line: str, rest: str) -> Iterator[Said]:
    message, rule = _parts(rest)
    if not _NOTE.match(rest) or _SHELLCHECK.fullmatch(rule):
        yield path, int(line), message, rule


_SEVERITY = re.compile(
    r"(?:fatal error|error|warning|note|info)(?: ?\[([\w:.-]{1,60})\])?(?: ([A-Z]{1,8}\d{1,6}))?: ?",
    re.IGNORECASE,
)
_CODE = re.compile(r"([A-Z]{1,10}\d{1,6}):? (?:\[\*\] )?")
_BEHIND = re.compile(r"(.*\S) {1,4}[\[(]([\w.,/@=+-]{2,80})[\])]")
_SHELLCHECK = re.compile(r"SC\d{3,5}")  # it calls findings of its lesser levels notes


def _parts(said: str) -> tuple[str, str]:
    """A message without the words for its weight, and the rule that is named before or behind it."""
    rule = ""
    if match := _SEVERITY.match(said):
        rule, said = match[1] or match[2] or "", said[match.end() :]
    if match := _CODE.match(said):
        rule, said = rule or match[1], said[match.end() :]
    if match := _BEHIND.fullmatch(said):
        rule, said = rule or match[2], match[1]
    return said, rule
