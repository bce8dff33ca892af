"""Which command runs a project's tests. It looks at names and beginnings of files; of the project's code it
runs nothing. The only thing it starts is `python`, to ask whether pytest is there.

To add a runner, add an entry to `RUNNERS`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from ci_agent.journal.events import TestsChosen
from ci_agent.sandbox import Command, Sandbox
from ci_agent.verification.text import one_line

MOST_FILES = 20_000  # looked at, the nearest to the root first
MOST_READ = 400  # test files opened
LONGEST_READ = 200_000  # bytes of one file
PROBE_SECONDS = 30.0
LEFT_OUT = frozenset(
    {"node_modules", "vendor", "venv", "env", "site-packages", "third_party", "target", "build", "dist"}
)  # and every folder whose name begins with a dot


def choose(root: Path, configured: str, sandbox: Sandbox) -> TestsChosen:
    """The command that runs the tests of the project in `root`, and why this one.

    `configured` wins; `none` and `off` mean no tests. Else the first of `RUNNERS` with a sign of itself:
    pytest, then unittest, because they tell results by test case; then the ones that a manifest in the root
    stands for, npm, Go, Cargo; `make` last, because it usually wraps one of the others. A root that is only
    another language's (`package.json` with a test script, `go.mod`, `Cargo.toml`, and nothing of Python
    beside it) is not taken for a Python project because of a `test_*.py` somewhere below.

    The Python is the project's `.venv/bin/python` where there is one, else `python`, else `python3`. pytest
    is chosen on its sign even where it is missing: the run says so, and what to do.
    """
    wanted = configured.strip()
    if wanted.lower() in ("none", "off"):
        return TestsChosen("", "", f"the configuration says `{wanted}`")
    if wanted:
        return TestsChosen(wanted, _runner_called(wanted), "the configuration says so")
    project = Project(root, sandbox)
    for runner in RUNNERS:
        sign = runner.sign(project)
        if sign:
            return TestsChosen(runner.command(project), runner.name, f"{runner.why}: {one_line(sign)}")
    return TestsChosen(
        "", "", "nothing in the repository says how its tests are run; name a command in `verification.test`"
    )


def select(chosen: TestsChosen, selector: str) -> str:
    """The command that runs only what `selector` names, in the runner's own words (`tests/test_a.py -k tabs`).

    Each word is quoted. Where the command's runner can't be narrowed, it is the whole command, unchanged.
    """
    words, narrowed = _words(selector), _selection(chosen)
    return narrowed(chosen.command, words) if words and narrowed else chosen.command


def takes_selector(chosen: TestsChosen) -> bool:
    """Whether `select` can narrow this command."""
    return _selection(chosen) is not None


def _selection(chosen: TestsChosen) -> Selection | None:
    return next((runner.select for runner in RUNNERS if runner.name == chosen.runner), None)


def _words(selector: str) -> list[str]:
    try:
        return shlex.split(selector)
    except ValueError:  # a quote that is not closed
        return selector.split()


def _runner_called(command: str) -> str:
    return next((runner.name for runner in RUNNERS if runner.called.search(command)), "")


@dataclass(frozen=True)
class Project:
    """What there is to see of a project, looked up when asked for and then remembered."""

    root: Path
    sandbox: Sandbox
    _texts: dict[str, str] = field(default_factory=dict)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Paths relative to the root, the nearest first."""
        return tuple(path for path, _ in zip(_walk(self.root), range(MOST_FILES), strict=False))

    def matching(self, pattern: str) -> Iterator[str]:
        return (path for path in self.files if re.fullmatch(pattern, path))

    def text(self, path: str) -> str:
        """The beginning of a file; nothing where it can't be read."""
        if path not in self._texts:
            try:
                with (self.root / path).open("rb") as file:
                    self._texts[path] = file.read(LONGEST_READ).decode("utf-8", "replace")
            except OSError:
                self._texts[path] = ""
        return self._texts[path]

    def first(self, pattern: str, holds: str) -> str:
        """The first file of a name like `pattern` with a line like `holds`, or nothing."""
        candidates = (path for path, _ in zip(self.matching(pattern), range(MOST_READ), strict=False))
        return next((path for path in candidates if re.search(holds, self.text(path), re.MULTILINE)), "")

    @cached_property
    def speaks_python(self) -> bool:
        """Whether `test_*.py` somewhere below the root are the project's tests."""
        python = r"pyproject\.toml|setup\.cfg|tox\.ini|requirements[^/]*\.txt|[^/]+\.py"
        other = _npm_sign(self) or "go.mod" in self.files or "Cargo.toml" in self.files
        return not other or any(self.matching(python))

    @cached_property
    def python(self) -> tuple[str, bool]:
        """The project's Python, and whether it finds pytest."""
        own = ".venv/bin/python"
        for name in [own] if (self.root / own).exists() else ["python", "python3"]:
            code = _probe(name, self.root, self.sandbox)
            if code in (_FOUND, _NOT_FOUND):
                return name, code == _FOUND
        return "python", False


_FOUND, _NOT_FOUND = 10, 11  # exit codes that no failing Python gives by itself
# Asks for the module without running it: a `pytest.py` of the project stays unread.
_QUESTION = f"import importlib.util as u, sys; sys.exit({_FOUND} if u.find_spec('pytest') else {_NOT_FOUND})"


def _probe(python: str, root: Path, sandbox: Sandbox) -> int | None:
    with tempfile.TemporaryDirectory(prefix="ci-agent-") as folder:
        words = [python, "-c", _QUESTION]
        return sandbox.run(Command(words, root, PROBE_SECONDS, Path(folder, "output"), {}, 100_000)).exit_code


def _walk(root: Path) -> Iterator[str]:
    folders = [""]
    while folders:
        below: list[str] = []
        for folder in folders:
            try:
                with os.scandir(root / folder) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except OSError:  # closed to us, or gone meanwhile
                continue
            for entry in entries:
                path = f"{folder}{entry.name}"
                if entry.is_file(follow_symlinks=False):
                    yield path
                elif entry.is_dir(follow_symlinks=False) and not _left_out(entry.name):
                    below.append(f"{path}/")
        folders = below


def _left_out(name: str) -> bool:
    return name in LEFT_OUT or name.startswith(".")


# --- signs: the file that shows it, or nothing ------------------------------------------------------------

_TEST_FILES = r"(.*/)?(test_[^/]*|[^/]*_test)\.py"  # pytest's `python_files`


def _pytest_sign(project: Project) -> str:
    own = project.matching(r"\.?pytest\.(ini|toml)")
    configured = (
        next(own, "")
        or project.first(r"pyproject\.toml", r"^\s*\[tool\.pytest\b")
        or project.first(r"tox\.ini", r"^\[pytest\]")
        or project.first(r"setup\.cfg", r"^\[tool:pytest\]")
    )
    if configured:
        return configured
    if not project.speaks_python:
        return ""
    conftest = next(project.matching(r"(.*/)?conftest\.py"), "")
    imports = conftest or project.first(_TEST_FILES, r"^\s*(import|from) +pytest\b")
    if imports:
        return imports
    named = next(project.matching(_TEST_FILES), "")
    return named if named and project.python[1] else ""


def _unittest_sign(project: Project) -> str:
    if not project.speaks_python:
        return ""
    return project.first(r"(.*/)?test[^/]*\.py", r"^\s*(import|from) +unittest\b|\bTestCase\b")


def _npm_sign(project: Project) -> str:
    if "package.json" not in project.files:
        return ""
    try:
        manifest = json.loads(project.text("package.json"))
    except (ValueError, RecursionError):
        return ""
    scripts = manifest.get("scripts") if isinstance(manifest, dict) else None
    script = scripts.get("test") if isinstance(scripts, dict) else None
    # What `npm init` writes where there are no tests: echo "Error: no test specified" && exit 1
    real = isinstance(script, str) and script.strip() and "no test specified" not in script
    return "package.json" if real else ""


def _has(name: str) -> Callable[[Project], str]:
    return lambda project: name if name in project.files else ""


def _make_sign(target: str) -> Callable[[Project], str]:
    rule = rf"^([^\s#:=]+ +)*{target}( +[^\s#:=]+)* *::?(?!=)"
    return lambda project: project.first(r"GNUmakefile|makefile|Makefile", rule)


# --- commands ---------------------------------------------------------------------------------------------


def _fixed(command: str) -> Callable[[Project], str]:
    return lambda _project: command


def _pytest_command(project: Project) -> str:
    return f"{project.python[0]} -m pytest"


def _unittest_command(project: Project) -> str:
    """unittest looks below its start folder into packages only, so it starts above the outermost package."""
    start = PurePosixPath(_unittest_sign(project)).parent
    while str(start) != "." and f"{start}/__init__.py" in project.files:
        start = start.parent
    where = "" if str(start) == "." else f" -s {shlex.quote(str(start))}"
    return f"{project.python[0]} -m unittest discover{where}"


# --- selections -------------------------------------------------------------------------------------------

Selection = Callable[[str, Sequence[str]], str]


def _appended(command: str, words: Sequence[str]) -> str:
    return f"{command} {shlex.join(words)}"


def _after_dashes(command: str, words: Sequence[str]) -> str:
    return _appended(command if re.search(r" -- ", f"{command} ") else f"{command} --", words)


def _by_pattern(command: str, words: Sequence[str]) -> str:
    """`python -m unittest discover -k`, which compares with `module.Class.test`, part of it is enough."""
    if words[0].startswith("-"):
        return _appended(command, words)
    names = [re.sub(r"^.*/|\.py(?=::|$)", "", word).replace("::", ".") for word in words]
    return _appended(command, [part for name in names for part in ("-k", name)])


def _go_run(command: str, words: Sequence[str]) -> str:
    return _appended(command, words if words[0].startswith("-") else ["-run", "|".join(words)])


def _cargo_filter(command: str, words: Sequence[str]) -> str:
    return _appended(command, words) if words[0].startswith("-") else _after_dashes(command, words)


# --- the runners ------------------------------------------------------------------------------------------


_MODULE = r"(?:\S*python[\d.]*|(?:\S*python[\d.]* -m )?coverage run(?: -\S+)*) -m "


def _call(words: str) -> re.Pattern[str]:
    """Commands that end in a plain call of `words`, so that more words can be put after it."""
    return re.compile(rf"(?:^|&&|;|\n)\s*(?:\w+=\S* +)*{words}(?: [^;&|<>()`\n]*)?$")


@dataclass(frozen=True, slots=True)
class Runner:
    """One way to run tests: how to tell that a project uses it, and how it is called."""

    name: str
    why: str  # goes on with the file that `sign` gives
    sign: Callable[[Project], str]
    command: Callable[[Project], str]
    called: re.Pattern[str]  # commands of a person that run it
    select: Selection | None  # None: it takes no selection


RUNNERS = (
    Runner(
        "pytest",
        "the project uses pytest",
        _pytest_sign,
        _pytest_command,
        _call(rf"(?:\S+ run )?(?:{_MODULE}|\S*/)?pytest"),
        _appended,
    ),
    Runner(
        "unittest",
        "the tests are written for unittest",
        _unittest_sign,
        _unittest_command,
        _call(rf"(?:\S+ run )?{_MODULE}unittest"),
        _by_pattern,
    ),
    Runner("npm test", "there is a test script", _npm_sign, _fixed("npm test"), _call(r"npm (?:run )?test"), _after_dashes),
    Runner("go test", "it is a Go module", _has("go.mod"), _fixed("go test ./..."), _call("go test"), _go_run),
    Runner("cargo test", "it is a Cargo package", _has("Cargo.toml"), _fixed("cargo test"), _call("cargo test"), _cargo_filter),
    Runner("make test", "there is a target `test`", _make_sign("test"), _fixed("make test"), _call("make test"), None),
    Runner("make check", "there is a target `check`", _make_sign("check"), _fixed("make check"), _call("make check"), None),
)  # fmt: skip
