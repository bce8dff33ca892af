"""Lines that match, found by ripgrep where it is, else by git grep.

Both run in the sandbox, since the workspace's `.git` may say what commands wrote into it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_agent.sandbox import Command, Completed
from ci_agent.tools.outputs import fresh
from ci_agent.tools.text import clean
from ci_agent.tools.tool import ToolError, World

_SECONDS = 60
_BYTES = 20_000_000  # of matches that are looked at
_NO_MATCH, _FATAL, _NOT_FOUND = 1, 128, 127  # exit codes: of both, of git, of the sandbox
_MATCH = re.compile(
    r"(.+?):(\d{1,9}):(\d{1,9}):(.*)"
)  # path, line, column in bytes, text, as both print them


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for: in the file `name`, or in files like `glob`; "" for all."""

    pattern: str
    name: str = ""
    glob: str = ""
    literal: bool = False  # no expression, only text


@dataclass(frozen=True, slots=True)
class Match:
    """A line that matches, from 1, and the offset in its text at which the match begins."""

    path: str
    number: int
    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """Matches by path and line, each line once. Not `all`: there were more than we look at."""

    matches: list[Match]
    all: bool


class NoExpressionError(Exception):
    """The pattern is no regular expression; what is said against it."""


def search(wanted: Wanted, folder: Path, world: World) -> Found:
    """The matching lines below `folder`. Raises `NoExpressionError`, and `ToolError` when nothing here can search.

    Programs that walk the folder leave out what an ignore rule matches, a file that git tracks too. Those come
    from a second search, of what git tracks, which is no fault where there is no git.
    """
    walked = _by_first_able(_walking(wanted), folder, world)
    if walked is None:
        raise ToolError("There is neither ripgrep nor git here. Use bash with grep -rnE.")
    try:
        tracked = _by_first_able(_tracked(wanted), folder, world)
    except (ToolError, NoExpressionError):  # git's expressions are not quite ripgrep's
        tracked = None
    if tracked is None:
        return walked
    by_place = {(match.path, match.number): match for match in [*tracked.matches, *walked.matches]}
    return Found([by_place[place] for place in sorted(by_place)], all=walked.all and tracked.all)


def _by_first_able(programs: Iterable[Sequence[str]], folder: Path, world: World) -> Found | None:
    """What the first program finds that is able to search here. Raises `ToolError` with its words when it fails,
    and `NoExpressionError`."""
    for words in programs:
        completed, text = _ran(words, folder, world)
        if completed.exit_code == _NOT_FOUND or (
            completed.exit_code not in {0, _NO_MATCH} and any(reason in text for reason in _UNABLE)
        ):
            continue
        matches = [_match(found) for line in text.split("\n") if (found := _MATCH.fullmatch(line))]
        if matches or completed.exit_code == _NO_MATCH:
            return Found(matches, all=completed.exit_code is not None)
        if completed.timed_out:
            raise ToolError(
                f"The search took longer than {completed.seconds:.0f} s. Narrow `path` or `glob`."
            )
        if fault := _FAULT.search(text):
            raise NoExpressionError(clean((fault[1] or fault[2])[:200]))
        raise ToolError(f"The search failed:\n{clean(text[:1000])}")
    return None


# What ripgrep and git say against an expression.
_FAULT = re.compile(
    r"regex parse error:(?:\n.*)*?\nerror: (.+)|fatal: (?:command line|-e option), '.*': (.+)"
)


def _match(found: re.Match[str]) -> Match:
    path, number, column, text = found.groups()
    before = text.encode()[: max(0, int(column) - 1)].decode(errors="replace")
    return Match(path.removeprefix("./"), int(number), min(len(before), len(text)), text)


def _ran(words: Sequence[str], folder: Path, world: World) -> tuple[Completed, str]:
    with fresh(world.outputs) as output:
        try:
            completed = world.sandbox.run(
                Command(
                    words=words,
                    cwd=folder,
                    timeout=min(_SECONDS, world.remaining()),
                    output=output.path,
                    environment={"LC_ALL": "C.UTF-8"},  # messages in English
                    output_limit=_BYTES,
                )
            )
        finally:
            output.remove()
        return completed, re.sub("\r\n?", "\n", output.file.read().decode(errors="replace"))


# What they say when this way of calling them is not possible here, and the next may be.
_UNABLE = (
    "fatal: not a git repository",
    "fatal: cannot use Perl-compatible regexes",
    "look-around, including look-ahead and look-behind, is not supported",
    "backreferences are not supported",
)


def _walking(wanted: Wanted) -> Iterator[Sequence[str]]:
    """The command lines that search the files of the folder, best first."""
    ripgrep = ["rg", "--no-config", "--no-messages", "--hidden", "--glob=!.git", "--sort=path"]
    shape = ["--line-number", "--column", "--no-heading", "--with-filename", "--color=never"]
    globs = [f"--glob={wanted.glob}"] if wanted.glob and not wanted.name else []
    literal = ["--fixed-strings"] if wanted.literal else []
    yield [*ripgrep, *shape, *globs, *literal, f"--regexp={wanted.pattern}", "--", wanted.name or "."]
    for dialect in _dialects(wanted):
        for where in (["--untracked"], ["--no-index", "--exclude-standard"]):
            yield _git_grep(dialect, where, wanted)


def _tracked(wanted: Wanted) -> Iterator[Sequence[str]]:
    """The command lines that search the files git tracks, best first."""
    return (_git_grep(dialect, [], wanted) for dialect in _dialects(wanted))


def _dialects(wanted: Wanted) -> Sequence[str]:
    return ("-F",) if wanted.literal else ("-P", "-E")


def _git_grep(dialect: str, where: Sequence[str], wanted: Wanted) -> Sequence[str]:
    git = ["git", "-c", "core.quotePath=false", "grep", "-nI", "--column", "--no-color", dialect, *where]
    return [*git, "-e", wanted.pattern, "--", *_pathspecs(wanted.name, wanted.glob)]


def _pathspecs(name: str, glob: str) -> list[str]:
    """The file `name`, or files like `glob` as ripgrep reads it: without a slash, at any depth; after a `!`, all
    others."""
    if name:
        return [f":(literal){name}"]
    if not glob:
        return ["."]
    if glob.startswith("!"):
        return [".", *(spec.replace(":(glob)", ":(exclude,glob)", 1) for spec in _pathspecs("", glob[1:]))]
    alternatives = re.fullmatch(r"([^{}]*)\{([^{}]*)\}([^{}]*)", glob)
    if not alternatives:
        return [f":(glob){glob.lstrip('/') if '/' in glob else f'**/{glob}'}"]
    before, choices, after = alternatives.groups()
    return [spec for choice in choices.split(",") for spec in _pathspecs("", before + choice + after)]
