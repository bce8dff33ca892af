"""How commands of pytest and unittest are narrowed: pure functions of text, see `runner.Narrow`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from ci_agent.verification.ecosystems.words import appended, last_call


def by_paths(command: str, words: Sequence[str]) -> str:
    """Files and test cases are the same to pytest: `file::Class::name`. Of cases `#2` of a name, all are run."""
    names = [re.sub(r"#\d+'*$", "", f"./{word}" if word.startswith("-") else word) for word in words]
    return selected(command, list(dict.fromkeys(names)))


_WORD = re.compile(r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"])+")
# Options of pytest and of its usual plugins whose value is the next word, as `pytest --help` has them, and long ones that
# have none; of other long ones it is not known, so that the word behind them is no path for sure.
_WITH_VALUE = {"-k", "-m", "-p", "-c", "-o", "-n", "-W", "-r"}
_WITHOUT = re.compile(
    r"--(verbose|quiet|exitfirst|strict-markers|strict-config|no-header|no-summary|no-cov|last-failed|lf|failed-first|ff|"
    r"new-first|nf|stepwise|sw|doctest-modules|disable-warnings|showlocals|pdb|setup-show|runslow|\S+=\S*)"
)


def selected(command: str, words: Sequence[str]) -> str:
    """`command` with `words` after it: in place of the paths it names, where one of the words lies in one of these, or
    all of them would be run besides."""
    before, last = last_call(command)
    parts = _WORD.findall(last)
    begin = next((at for at, part in enumerate(parts) if re.search(r"(?:^|/)pytest$", part)), len(parts))
    paths = {at for at in range(begin + 1, len(parts)) if _is_path(parts[at], parts[at - 1])}
    wanted = [word.partition("::")[0] for word in words if not word.startswith("-")]
    if "$" in last or not any(_lies_in(word, parts[at]) for word in wanted for at in paths):
        return appended(command, words)
    kept = " ".join(part for at, part in enumerate(parts) if at not in paths)
    blank = last[: len(last) - len(last.lstrip())]
    return appended(f"{before}{blank}{kept}", words)


def _is_path(word: str, previous: str) -> bool:
    if word.startswith("-") or previous in _WITH_VALUE:
        return False
    return not previous.startswith("--") or _WITHOUT.fullmatch(previous) is not None


def _lies_in(path: str, folder: str) -> bool:
    one, other = (
        part.strip("'\"").removeprefix("./").partition("::")[0].rstrip("/") for part in (path, folder)
    )
    return other in ("", ".", one) or one.startswith(f"{other}/")


def by_pattern(command: str, words: Sequence[str]) -> str:
    """`python -m unittest discover -k`, which compares with `module.Class.test`, part of it is enough."""
    if words[0].startswith("-"):
        return appended(command, words)
    names = [re.sub(r"^.*/|\.py(?=::|$)", "", word).replace("::", ".") for word in words]
    return _patterns(command, names)


def _patterns(command: str, patterns: Sequence[str]) -> str:
    return appended(command, [part for pattern in patterns for part in ("-k", pattern)])


def unittest_cases(command: str, ids: Sequence[str]) -> str:
    """With a star in it, `-k` takes a pattern for the whole name."""
    names = [re.sub(r"#\d+'*$", "", name).replace("::", ".") for name in ids]
    return _patterns(command, [f"*{name}" for name in names])


def unittest_files(command: str, paths: Sequence[str]) -> str:
    modules = [PurePosixPath(path).stem for path in paths]
    return _patterns(command, [pattern for name in modules for pattern in (f"{name}.*", f"*.{name}.*")])
