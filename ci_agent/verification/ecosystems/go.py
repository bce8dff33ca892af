"""Go: modules and workspaces, tested by `go test`.

Entries of data and the pure functions in them; nothing is run here. Flags: `go help test`, `go help testflag`.
`go test` fixes the order of tests by itself; it has no variable for a seed (`-shuffle` is an option, and off).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ci_agent.verification.ecosystems.words import appended, call, escaped, into, last_call, named
from ci_agent.verification.project import Project
from ci_agent.verification.runner import Report, Runner

_ALL = "./..."
_LONGEST = 4_096  # characters of a folder; no path of Linux is longer
_PATTERN = re.compile(r"(?<=\s)(?:\.\.?(?:/\S*)?|\S*\.\.\.)(?=\s|$)")  # what `go test` is given as packages


def _used(project: Project) -> list[str]:
    """The folders that a workspace uses, https://go.dev/ref/mod#go-work-file-use; without one, the root."""
    if "go.work" not in project.files:
        return ["."]
    text = re.sub(r"//.*", "", project.text("go.work"))
    blocks = re.findall(r"^[ \t]*use[ \t]*\(([^()]*)\)", text, re.MULTILINE)
    single = re.findall(r"^[ \t]*use[ \t]+([^\s(]+)[ \t]*$", text, re.MULTILINE)
    words = [word.strip('"`') for part in [*blocks, *single] for word in part.split()]
    return [str(PurePosixPath(word)) for word in words if len(word) <= _LONGEST] or ["."]


def _command(project: Project) -> str:
    patterns = [_ALL if folder == "." else f"./{folder}/..." for folder in _used(project)]
    return appended("go test", patterns)


def _setup(project: Project) -> tuple[str, str]:
    sums = next((name for name in ("go.work.sum", "go.sum") if name in project.files), "")
    if not sums or project.has("vendor/modules.txt"):
        return "", ""
    return "go mod download", f"{sums} names modules that have to be fetched"


def _covers(project: Project, folder: str) -> bool:
    """A module below the root is run only where the workspace uses it."""
    return "go.work" in project.files and str(PurePosixPath(folder)) in _used(project)


# --- narrowing ----------------------------------------------------------------------------------------------


def _on(command: str, packages: Sequence[str], flags: Sequence[str] = ()) -> str:
    """The command on these packages only. A pattern that stands for packages is taken out of its last call."""
    before, go_test = last_call(command)
    return appended(before + _PATTERN.sub("", go_test).rstrip(), [*flags, *packages])


def _select(command: str, words: Sequence[str]) -> str:
    return appended(command, words if words[0].startswith("-") else ["-run", "|".join(words)])


def _files(command: str, paths: Sequence[str]) -> str:
    """`go test` takes packages: those of the files."""
    return _on(
        command, [_package(path) for path in dict.fromkeys(str(PurePosixPath(p).parent) for p in paths)]
    )


def _package(folder: str) -> str:
    return "." if folder == "." else f"./{folder}"


def _cases(command: str, ids: Sequence[str]) -> str:
    """Ids are `package::Test/subtest`. Several packages share one expression, so that a test of the same name
    in another of them runs too; an id that is only a package runs all of it."""
    parts = [case.partition("::") for case in ids]
    packages = list(dict.fromkeys(package for package, _, _ in parts))
    if not all(test for _, _, test in parts):
        return _on(command, packages)
    # `|` parts whole expressions and `/` the levels of each: https://pkg.go.dev/testing#hdr-Subtests_and_Sub_benchmarks
    levels = ("/".join(f"^{escaped(level)}$" for level in test.split("/")) for _, _, test in parts)
    return _on(command, packages, ["-run", "|".join(dict.fromkeys(levels))])


def _related(command: str, paths: Sequence[str]) -> str:
    """The packages of the changed files, and those that import them, however far away, in their tests too.

    `go list` finds them without building anything. A file that is not Go's may be embedded by, or be test
    data of, a package in any folder above it. A change to the modules themselves means everything.
    """
    if any(PurePosixPath(path).name in ("go.mod", "go.sum", "go.work", "go.work.sum") for path in paths):
        return command
    folders: dict[str, None] = {}
    for path in map(PurePosixPath, paths):
        above = path.parents if path.suffix != ".go" or "testdata" in path.parts else [path.parent]
        folders |= dict.fromkeys(map(str, above))
    before, go_test = last_call(command)
    everything = " ".join(_PATTERN.findall(go_test)) or "."
    changed = shlex.join(map(_package, folders))
    return (
        f"{before} packages=$({{ go list -e -f {shlex.quote(_CHANGED)} {changed}; "
        f"go list -e -test -f {shlex.quote(_DEPENDENCIES)} {everything}; }} | awk {shlex.quote(_REACHED)}); "
        f"{_PATTERN.sub('', go_test).strip()} ${{packages:-{everything}}}"
    ).strip()


_CHANGED = "{{if not .Error}}changed {{.ImportPath}}{{end}}"
# With `-test`, `x.test` is the program that runs the tests of x, and its dependencies are those of the tests.
_DEPENDENCIES = '{{.ImportPath}} {{join .Deps " "}}'
_REACHED = (
    '$1 == "changed" { changed[$2]; next } sub(/\\.test$/, "", $1) '
    "{ for (i = 1; i <= NF; i++) if ($i in changed) { print $1; next } }"
)

# --- what it leaves -----------------------------------------------------------------------------------------


def _with_json(command: str, folder: Path) -> str:
    """`-json` in place of the words for people; those are taken out of it again, for the log.

    The exit code is that of the command, not of what reads its output: a plain sh has no `pipefail`. Results
    that Go remembers of an earlier run are no run: `-count=1`, where the command has no count of its own.
    """
    report = shlex.quote(str(folder / "go-test.json"))
    flags = "-json" if "-count" in command else "-json -count=1"
    run = f"{{ {into(command, 'go test', flags)}\n}} 3>&- 4>&-"
    shown = f"tee {report} 3>&- 4>&- | sed -nE {shlex.quote(_FOR_PEOPLE)} >&4 3>&-"
    return f"exec 4>&1; code=$({{ {{ {run}; echo $? >&3; }} | {shown}; }} 3>&1); exit $code"


# Takes the text out of each line of JSON and lets every other line pass. A backslash is put aside until the end.
_FOR_PEOPLE = r"""
/^\{"/!{
p
d
}
s/^.*"Output":"(([^"\\]|\\.)*)".*$/\1/
t text
d
:text
/^=== /d
s/\\\\/\\u005c/g
s/\\n$//
s/\\t/	/g
s/\\"/"/g
s/\\u003c/</g
s/\\u003e/>/g
s/\\u0026/\&/g
s/\\u005c/\\/g
p"""


def _with_profile(command: str, folder: Path) -> str:
    """Lines count as run whichever package's tests run them."""
    patterns = ",".join(_PATTERN.findall(last_call(command)[1])) or "."
    profile = shlex.quote(f"-coverprofile={folder / 'go.cover'}")
    return into(command, "go test", f"{profile} {shlex.quote(f'-coverpkg={patterns}')}")


RUNNERS = (
    Runner(
        name="go test",
        language="Go",
        why="it is a Go module",
        sign=named("go.work", "go.mod"),
        command=_command,
        called=call("go test"),
        setup=_setup,
        tests=r"(.*/)?([^/]*_test\.go|testdata/.*)",
        reports=(Report(format="go", command=_with_json),),
        coverage=(("go cover", Report(format="go", command=_with_profile)),),
        select=_select,
        files=_files,
        cases=_cases,
        related=_related,
        covers=_covers,
    ),
)
