"""Which Python a project uses, and what that Python lacks for its tests. It asks by names and installs nothing.

What set-up installs goes into an environment of the checkout's own (`.venv`), never into another.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ci_agent.verification.project import Project

Probe = tuple[str, Sequence[int]]
_OWN = ".venv/bin/python"
_TEST_GROUPS = ("test", "tests", "testing", "dev")
_REQUIREMENTS = r"(?![^/]*doc)[^/]*requirements[^/]*\.txt|requirements/(tests?|testing|dev)\.txt"
_MOST_NAMES = 300
# A requirement's name, https://packaging.python.org/en/latest/specifications/dependency-specifiers/.
_NAME = re.compile(r"\s*([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:$|[<>=!~@\[(#])")
# Names which its Python has no metadata of. The current folder is left out: it is the project's.
_MISSING = """import sys
sys.path[:] = [path for path in sys.path if path]
import importlib.metadata as metadata
for name in sys.argv[1:]:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        print("missing", name)
print("asked")
"""


def interpreter(project: Project, question: str, answers: Sequence[int]) -> tuple[str, int | None]:
    """How the project's Python is called, and its answer (exit code) to `question`, None where it gives none.

    `.venv/bin/python` where there is one; `uv run python` or `poetry run python` where a lock file is theirs and
    they are on PATH, which are not asked, because they would install first; else `python`, else `python3`.
    """
    own = (project.root / _OWN).exists()
    if not own:
        for tool in ("uv", "poetry"):
            if f"{tool}.lock" in project.files and project.on_path(tool):
                return f"{tool} run python", None
    for name in [_OWN] if own else ["python", "python3"]:
        code = project.ask([name, "-c", question])
        if code in answers:
            return name, code
    return "python", None


def prepares(runner: str, question: str, answers: Sequence[int]) -> Callable[[Project], tuple[str, str]]:
    """The `setup` of an entry: a function that gives the command which installs what is missing, and why.

    `runner`: the package that runs the tests; empty where that is Python itself.
    """

    def setup(project: Project) -> tuple[str, str]:
        python = interpreter(project, question, answers)[0]
        tool, _, through = python.partition(" run ")
        if through:
            return _LOCKED[tool], f"{tool}.lock says what is installed"
        missing = _missing(project, python, runner)
        if not missing:
            return "", ""
        for lock, command in _LOCKED.items():
            if f"{lock}.lock" in project.files and project.on_path(lock):
                return command, f"{_told(missing)}; {lock}.lock says what is installed"
        words = _pip(project, runner)
        make = "" if python == _OWN else f"{python} -m venv .venv && "
        return f"{make}{_OWN} -m pip install -q {shlex.join(words)}", _told(missing)

    return setup


_LOCKED = {"uv": "uv sync", "poetry": "POETRY_VIRTUALENVS_IN_PROJECT=true poetry install"}


def _told(missing: Sequence[str]) -> str:
    more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""  # noqa: PLR2004 - three are enough to read
    return f"its Python does not have {', '.join(missing[:3])}{more}"


def _missing(project: Project, python: str, runner: str) -> list[str]:
    """Names of packages which the manifests ask for and this Python lacks. Those with a condition, and what
    files of requirements take from elsewhere (`-r`, addresses), are not looked at.
    """
    metadata = _table(project, "project")
    own = metadata.get("name")
    named = [name for line in _requirements(project) if (name := _name(line)) and _same(name) != _same(own)]
    name = own if isinstance(own, str) and _NAME.fullmatch(own) else ""
    itself: list[str] = []
    if _needs_installing(project):
        if python == _OWN:
            named += [name] if name else []
        else:  # what another Python has of it is not what is checked out here
            itself = [f"{name or 'the project'} from this checkout"]
    names = list(dict.fromkeys([*([runner] if runner else []), *named]))[:_MOST_NAMES]
    code, said = project.answer([python, "-c", _MISSING, *names]) if names else (0, "asked")
    if code != 0 or "asked" not in said:
        return [*itself, *names]
    lines = said.splitlines()
    return [*itself, *(line.removeprefix("missing ") for line in lines if line.startswith("missing "))]


def _needs_installing(project: Project) -> bool:
    """Whether its code can only be imported once it is installed: it lies in `src`, and pytest is not told so."""
    if not _can_be_installed(project) or not project.first(r"src/.*\.py", ""):
        return False
    return not project.first(r"(pyproject|pytest)\.toml|pytest\.ini|setup\.cfg|tox\.ini", _PATH)


_PATH = r"^[ \t]*pythonpath[ \t]*=.*\bsrc\b"


def _can_be_installed(project: Project) -> bool:
    return "setup.py" in project.files or bool(_table(project, "project") or _table(project, "build-system"))


def _name(line: str) -> str:
    found = None if ";" in line else _NAME.match(line)
    return found[1] if found else ""


def _same(name: object) -> str:
    return re.sub(r"[-_.]+", "-", str(name)).lower()


def _requirements(project: Project) -> Iterator[str]:
    metadata = _table(project, "project")
    yield from _texts(metadata.get("dependencies"))
    yield from _texts(_extras(project).get(_extra(project)))
    yield from _group(project)
    for path in project.matching(_REQUIREMENTS):
        yield from project.text(path).splitlines()


def _pip(project: Project, runner: str) -> list[str]:
    """What `pip install` gets."""
    words: list[str] = []
    if _can_be_installed(project):
        extra = _extra(project)
        words += ["-e", f".[{extra}]" if extra else "."]
    for path in project.matching(_REQUIREMENTS):
        words += ["-r", path]
    words += [line for line in _group(project) if _NAME.match(line)]
    if runner and runner not in map(_same, map(_name, _requirements(project))):
        words.append(runner)
    return words


def _extra(project: Project) -> str:
    extras = _extras(project)
    return next((name for name in _TEST_GROUPS if name in extras), "")


def _extras(project: Project) -> dict[str, Any]:
    extras = _table(project, "project").get("optional-dependencies")
    return extras if isinstance(extras, dict) else {}


def _group(project: Project) -> list[str]:
    """The first dependency group for tests, https://peps.python.org/pep-0735/, with the groups in it."""
    groups = _table(project, "dependency-groups")
    to_read = [next((name for name in _TEST_GROUPS if name in groups), "")]
    found: list[str] = []
    seen = set(to_read)
    for name in to_read:  # grows as groups include others
        entries = groups.get(name)
        found += _texts(entries)
        for entry in entries if isinstance(entries, list) else ():
            other = entry.get("include-group") if isinstance(entry, dict) else None
            if isinstance(other, str) and other not in seen:
                seen.add(other)
                to_read.append(other)
    return found


def _table(project: Project, name: str) -> dict[str, Any]:
    found = project.toml("pyproject.toml").get(name) if "pyproject.toml" in project.files else None
    return found if isinstance(found, dict) else {}


def _texts(value: object) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []
