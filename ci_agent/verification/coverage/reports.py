"""Coverage reports as files of the repository with their lines. It reads files of the checkout and the
reports, and never a path that leads out of the checkout.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from ci_agent.verification.coverage.formats import READERS, CoverageError
from ci_agent.verification.opening import regular

MOST_BYTES = 50_000_000  # of all reports of a run
MOST_LINES = 2_000_000  # of all reports of a run; each takes about 100 bytes of memory
MOST_FILES = 50_000  # names in all reports of a run
LONGEST_SOURCE = 2_000_000  # bytes of a source file that are looked at
MOST_FOLDERS = 2_000  # looked at for source roots


def read(
    format: str,  # noqa: A002 - the word of `Report.format`
    paths: Iterable[Path],
    root: Path,
    folder: str = "",
    only: Container[str] | None = None,
) -> Mapping[str, Mapping[int, int]]:
    """How often each line that can be run did run: file, by its path in the repository, to line number to
    count (0: never).

    `format` is one of `FORMATS`, `paths` are the reports, `root` the checkout that was measured and `folder`
    the project's place in it: names in reports are relative to that or, where there is no such file, to the
    root. Files that are not in the checkout are left out, and with `only` all others too. Of a line that is
    told more than once, the largest count holds, and none is below 0. lcov made by V8 or LLVM and Go tell ranges, so that blank
    lines, lines with nothing but a `//` comment and those with nothing but closing brackets are taken out.
    Raises `CoverageError` where a report can't be read.
    """
    found: dict[str, dict[int, int]] = {}
    room, left = MOST_BYTES, MOST_LINES
    for path in paths:
        known: dict[str, str] = {}
        candidates = _candidates(format, path, root, folder)
        with _open(path, room) as file:
            for name, line, count in READERS[format](file):
                if name not in known:
                    if len(known) >= MOST_FILES:
                        raise CoverageError(f"the coverage report names more than {MOST_FILES:,} files")
                    known[name] = _inside(root, candidates(name))
                place = known[name]
                if not place or line < 1 or (only is not None and place not in only):
                    continue
                lines = found.setdefault(place, {})
                left -= line not in lines
                lines[line] = max(count, lines.get(line, 0))
                if left < 0:
                    raise CoverageError(f"the coverage report names more than {MOST_LINES:,} lines")
            room -= file.tell()
    if format in ("lcov", "go"):
        return {name: _without_bare(root / name, lines) for name, lines in found.items()}
    return found


def _open(path: Path, room: int) -> BinaryIO:
    try:
        file = regular(path)
    except OSError as error:
        raise CoverageError(f"the coverage report {path.name} can't be read: {error.strerror}") from error
    if os.fstat(file.fileno()).st_size <= room:
        return file
    file.close()
    raise CoverageError(f"the coverage report {path.name} is larger than {MOST_BYTES / 1e6:,.0f} MB")


# --- what a name means ------------------------------------------------------------------------------------

Candidates = Callable[[str], Iterable[str]]


def _candidates(format: str, report: Path, root: Path, folder: str) -> Candidates:  # noqa: A002 - as above
    if format == "go":
        modules = dict(_modules(root, folder))
        return lambda name: _of_module(modules, name)
    if format == "jacoco":
        sources = tuple(_source_roots(report, root, folder))
        return lambda name: (f"{source}/{name}" for source in sources)
    return lambda name: (name,) if name.startswith("/") else (f"{folder}/{name}".lstrip("/"), name)


def _inside(root: Path, candidates: Iterable[str]) -> str:
    """The first that is a file in the checkout, links followed, as its path there; nothing where none is."""
    for candidate in candidates:
        try:
            path = Path(os.path.normpath(root.absolute() / candidate))
            if path.is_file() and path.resolve().is_relative_to(root.resolve()):
                base = root.absolute() if path.is_relative_to(root.absolute()) else root.resolve()
                return path.relative_to(base).as_posix()
        except (OSError, ValueError):  # too long, a NUL, or by a link that leads in from outside
            continue
    return ""


_MODULE = re.compile(r'^module\s+"?([^\s"]{1,500})', re.MULTILINE)
_USE = re.compile(r'^[ \t]*(?:use\s+)?"?(\.[^\s"()]{0,300})"?[ \t]*(?://.*)?$', re.MULTILINE)


def _modules(root: Path, folder: str) -> Iterator[tuple[str, str]]:
    """The paths of the Go modules here, and their folders: of `go.mod`, or of each that `go.work` uses."""
    used = [os.path.normpath(f"{folder}/{place}") for place in _USE.findall(_text(root / folder / "go.work"))]
    for place in (folder, *used[:MOST_FOLDERS]):
        inside = place.strip("/").removeprefix("./")
        if not inside.startswith("..") and (match := _MODULE.search(_text(root / inside / "go.mod"))):
            yield match[1], "" if inside == "." else inside


def _of_module(modules: Mapping[str, str], name: str) -> Iterator[str]:
    """Of the longest module path first: modules may lie in each other."""
    for module in sorted(modules, key=len, reverse=True):
        if name.startswith(f"{module}/"):
            yield f"{modules[module]}/{name[len(module) + 1 :]}".lstrip("/")
    if name.startswith("/"):
        yield name


_SOURCES = ("java", "kotlin", "scala", "groovy")


def _source_roots(report: Path, root: Path, folder: str) -> Iterator[str]:
    """Where Maven and Gradle keep sources: of the folders above the report first, as it names no module, then
    of all folders down to the third level. (Kotlin's files may leave out the packages that all have in
    common; those are not found.)"""
    above = [place for place in report.absolute().parents if place.is_relative_to(root.absolute())]
    below = (Path(place) for place, _ in zip(_folders(root / folder, 3), range(MOST_FOLDERS), strict=False))
    seen = set()
    for place in (*above, root / folder, *below):
        for kind in ("main", "test"):
            for source in (place / "src" / kind / language for language in _SOURCES):
                if source not in seen and source.is_dir():
                    seen.add(source)
                    yield str(source)


def _folders(top: Path, depth: int) -> Iterator[Path]:
    level = [top]
    for _ in range(depth):
        below: list[Path] = []
        for folder in level:
            try:
                with os.scandir(folder) as entries:
                    names = sorted(
                        e.name for e in entries if e.is_dir(follow_symlinks=False) and e.name[0] != "."
                    )
            except OSError:  # closed to us
                continue
            below += [folder / name for name in names if name != "node_modules"]
            yield from (folder / name for name in names if name != "node_modules")
        level = below


# --- lines that hold no code ------------------------------------------------------------------------------

_BARE = re.compile(r"[\s\])};,]*(?://.*)?")


def _without_bare(path: Path, lines: Mapping[int, int]) -> dict[int, int]:
    source = _text(path).split("\n")
    return {
        line: count
        for line, count in lines.items()
        if line > len(source) or not _BARE.fullmatch(source[line - 1])
    }


def _text(path: Path) -> str:
    try:
        with regular(path) as file:
            return file.read(LONGEST_SOURCE).decode("utf-8", "replace")
    except OSError:
        return ""
