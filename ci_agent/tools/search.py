"""`search`: lines that match a regular expression, by ripgrep where it is, else by git grep.

Both run in the sandbox, since the workspace's `.git` may say what commands wrote into it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_agent.sandbox import Command, Completed
from ci_agent.tools import places
from ci_agent.tools.outputs import fresh
from ci_agent.tools.text import clean
from ci_agent.tools.tool import Answer, Parameter, ToolError, World

_LINE = 200  # characters of a line that are shown
_CHARACTERS = 16_000  # of an answer
_SECONDS = 60
_BYTES = 20_000_000  # of matches that are looked at
_NO_MATCH, _FATAL, _NOT_FOUND = 1, 128, 127  # exit codes: of both, of git, of the sandbox
_MATCH = re.compile(r"(.+?):(\d{1,9}):")  # path and line of a match, as all print them


class Search:
    name = "search"
    description = "Find lines by regular expression, files that git ignores left out. Prefer it to grep."
    parameters: tuple[Parameter, ...] = (
        Parameter("pattern", "string", r"e.g. def slug\(", example=r"def slug\("),
        Parameter("path", "string", "folder or file", required=False, default="."),
        Parameter("glob", "string", "e.g. *.py", required=False, default=""),
        Parameter("max_results", "integer", "", required=False, default=50, minimum=1, maximum=200),
    )

    def run(self, arguments: Mapping[str, Any], world: World) -> Answer:
        pattern = arguments["pattern"]
        if not pattern or "\0" in pattern or "\n" in pattern:
            raise ToolError("`pattern` must be one line of text, and not empty.")
        place = places.locate(arguments["path"], world)
        target = place.root.joinpath(*place.parts)
        folder, name = (target, "") if target.is_dir() else (target.parent, target.name)
        if not target.exists():
            raise ToolError(places.missing(place))
        found = _searched(pattern, folder, name, arguments["glob"], world)
        prefix = "" if folder == place.root else f"{folder.relative_to(place.root)}/"
        return Answer(_said(found, prefix, arguments["max_results"]))


@dataclass(frozen=True, slots=True)
class _Found:
    lines: list[str]
    all: bool  # False: there were more than we look at


def _searched(pattern: str, folder: Path, name: str, glob: str, world: World) -> _Found:
    """The matching lines by path and number, each once. Raises `ToolError` when nothing here can search.

    Programs that walk the folder leave out what an ignore rule matches, a file that git tracks too. Those come
    from a second search, of what git tracks, which is no fault where there is no git.
    """
    walked = _by_first_able(_walking(pattern, name, glob), folder, world)
    if walked is None:
        raise ToolError("There is neither ripgrep nor git here. Use bash with grep -rnE.")
    try:
        tracked = _by_first_able(_tracked(pattern, name, glob), folder, world)
    except ToolError:  # git's expressions are not quite ripgrep's
        tracked = None
    if tracked is None:
        return walked
    return _Found(sorted({*walked.lines, *tracked.lines}, key=_place), all=walked.all and tracked.all)


def _place(line: str) -> tuple[str, int]:
    match = _MATCH.match(line)
    return (match[1], int(match[2])) if match else (line, 0)


def _by_first_able(programs: Iterable[Sequence[str]], folder: Path, world: World) -> _Found | None:
    """What the first program finds that is able to search here. Raises `ToolError` with its words when it fails."""
    for words in programs:
        completed, text = _ran(words, folder, world)
        if completed.exit_code == _NOT_FOUND or (
            completed.exit_code == _FATAL and any(reason in text for reason in _UNABLE)
        ):
            continue
        lines = [line.removeprefix("./") for line in text.split("\n") if _MATCH.match(line)]
        if lines or completed.exit_code == _NO_MATCH:
            return _Found(lines, all=completed.exit_code is not None)
        if completed.timed_out:
            raise ToolError(
                f"The search took longer than {completed.seconds:.0f} s. Narrow `path` or `glob`."
            )
        raise ToolError(
            f"The search failed, perhaps `pattern` is no regular expression:\n{clean(text[:1000])}"
        )
    return None


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


# What git says when this way of calling it is not possible here, and the next may be.
_UNABLE = ("fatal: not a git repository", "fatal: cannot use Perl-compatible regexes")


def _walking(pattern: str, name: str, glob: str) -> Iterator[Sequence[str]]:
    """The command lines that search the files of the folder, best first."""
    ripgrep = ["rg", "--no-config", "--no-messages", "--hidden", "--glob=!.git", "--sort=path"]
    shape = ["--line-number", "--no-heading", "--with-filename", "--color=never"]
    globs = [f"--glob={glob}"] if glob and not name else []
    yield [*ripgrep, *shape, *globs, f"--regexp={pattern}", "--", name or "."]
    for dialect in _DIALECTS:
        for where in (["--untracked"], ["--no-index", "--exclude-standard"]):
            yield _git_grep(dialect, where, pattern, name, glob)


def _tracked(pattern: str, name: str, glob: str) -> Iterator[Sequence[str]]:
    """The command lines that search the files git tracks, best first."""
    return (_git_grep(dialect, [], pattern, name, glob) for dialect in _DIALECTS)


_DIALECTS = ("-P", "-E")


def _git_grep(dialect: str, where: Sequence[str], pattern: str, name: str, glob: str) -> Sequence[str]:
    git = ["git", "-c", "core.quotePath=false", "grep", "-nI", "--no-color", dialect, *where]
    return [*git, "-e", pattern, "--", *_pathspecs(name, glob)]


def _pathspecs(name: str, glob: str) -> list[str]:
    """The file `name`, or files like `glob` as ripgrep reads it: without a slash, at any depth."""
    if name:
        return [f":(literal){name}"]
    if not glob:
        return ["."]
    alternatives = re.fullmatch(r"([^{}]*)\{([^{}]*)\}([^{}]*)", glob)
    if not alternatives:
        return [f":(glob){glob.lstrip('/') if '/' in glob else f'**/{glob}'}"]
    before, choices, after = alternatives.groups()
    return [spec for choice in choices.split(",") for spec in _pathspecs("", before + choice + after)]


def _said(found: _Found, prefix: str, limit: int) -> str:
    if not found.lines:
        return "[no matches]"
    shown, room = [], _CHARACTERS
    for line in found.lines[:limit]:
        text = _short(prefix + clean(line))
        room -= len(text) + 1
        if room < 0:
            break
        shown.append(text)
    left = len(found.lines) - len(shown)
    if left or not found.all:
        more = "" if found.all else "more than "
        shown.append(f"[{more}{left:,} matches left out; narrow pattern, path or glob, or raise max_results]")
    return "\n".join(shown)


def _short(line: str) -> str:
    """`path:12:text` with its text cut."""
    path, number, text = (*line.split(":", 2), "", "")[:3]
    return line if len(text) <= _LINE else f"{path}:{number}:{text[:_LINE]}…"
