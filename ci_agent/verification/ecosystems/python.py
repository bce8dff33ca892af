"""Python: pytest, unittest, and the tools that call them in environments of their own (tox, nox, hatch).

Data, and functions that look at names and beginnings of files. The only thing they start is a Python, to ask
what it finds. pytest and unittest need no report of an entry: `run` tells both to report, whatever starts them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from ci_agent.verification.ecosystems.javascript import script
from ci_agent.verification.ecosystems.python_narrowing import (
    by_paths,
    by_pattern,
    selected,
    unittest_cases,
    unittest_files,
)
from ci_agent.verification.ecosystems.python_setup import interpreter, prepares
from ci_agent.verification.ecosystems.words import appended, call, fixed
from ci_agent.verification.project import Project
from ci_agent.verification.runner import Report, Runner

_TEST_FILES = r"(.*/)?(test_[^/]*|[^/]*_test)\.py"  # pytest's `python_files`
_TESTS = rf"{_TEST_FILES}|(.*/)?(conftest\.py|tests?/.*)"
_MANIFEST = r"pyproject\.toml|setup\.py|setup\.cfg|requirements\.txt|tox\.ini|pytest\.ini"
_FOUND, _NOT_FOUND = 10, 11  # exit codes that no failing Python gives by itself
# Asks for the module without running it. The current folder is left out: a `pytest.py` there is the project's.
_QUESTION = (
    "import sys; sys.path[:] = [path for path in sys.path if path]; import importlib.util as util; "
    f"sys.exit({_FOUND} if util.find_spec('pytest') else {_NOT_FOUND})"
)


def _own(project: Project) -> Project:
    """Without the Python projects below it, where the root itself is none: they are tested in their folders."""
    manifests = r"pyproject\.toml|setup\.(py|cfg)"
    if any(project.matching(rf"{manifests}|{_MANIFEST}|\.?pytest\.(ini|toml)")):
        return project
    below = project.matching(rf".*/({manifests})")
    return replace(project, without=tuple({f"{path.rpartition('/')[0]}/" for path in below}))


def _speaks_python(project: Project) -> bool:
    """Whether `test_*.py` somewhere below the root are the project's tests."""
    python = r"pyproject\.toml|setup\.cfg|tox\.ini|requirements[^/]*\.txt|[^/]+\.py"
    other = script(project) or "go.mod" in project.files or "Cargo.toml" in project.files
    return not other or any(project.matching(python))


def _python(project: Project) -> str:
    """How the project's Python is called: its own environment's, through uv or poetry, else the one on PATH."""
    return interpreter(project, _QUESTION, (_FOUND, _NOT_FOUND))[0]


def _finds_pytest(project: Project) -> bool:
    python, code = interpreter(project, _QUESTION, (_FOUND, _NOT_FOUND))
    if " run " in python:  # it would install before it answers
        return any(re.search(r'^name = "pytest"$', project.text(lock), re.MULTILINE) for lock in _LOCKS)
    return code == _FOUND


_LOCKS = ("uv.lock", "poetry.lock")


# --- signs ------------------------------------------------------------------------------------------------


def _pytest_sign(project: Project) -> str:
    own = project.matching(r"\.?pytest\.(ini|toml)")
    configured = (
        next(own, "")
        or project.first(r"pyproject\.toml", r"^[ \t]*\[tool\.pytest\b")
        or project.first(r"tox\.ini", r"^\[pytest\]")
        or project.first(r"setup\.cfg", r"^\[tool:pytest\]")
    )
    if configured:
        return configured
    if not _speaks_python(project):
        return ""
    project = _own(project)
    conftest = next(project.matching(r"(.*/)?conftest\.py"), "")
    imports = conftest or project.first(_TEST_FILES, r"^[ \t]*(import|from) +pytest\b")
    if imports:
        return imports
    test = next(project.matching(_TEST_FILES), "")
    return test if test and _finds_pytest(project) else ""


def _unittest_sign(project: Project) -> str:
    if not _speaks_python(project):
        return ""
    return _own(project).first(r"(.*/)?test[^/]*\.py", r"^[ \t]*(import|from) +unittest\b|\bTestCase\b")


def _tox_sign(project: Project) -> str:
    return project.first(r"tox\.ini", r"^\[testenv\b") or project.first(r"pyproject\.toml", r"^\[tool\.tox\b")


_NOX_SESSION = r"^def +(test\w*) *\("


def _nox_sign(project: Project) -> str:
    return project.first(r"noxfile\.py", _NOX_SESSION)


def _nox_command(project: Project) -> str:
    session = re.search(_NOX_SESSION, project.text("noxfile.py"), re.MULTILINE)
    return f"nox -s {session[1]}" if session else "nox"


def _hatch_scripts(project: Project) -> list[str]:
    """Calls of the test scripts of hatch's environments, https://hatch.pypa.io/latest/config/environment/."""
    tool = project.toml("pyproject.toml").get("tool")
    hatch = tool.get("hatch") if isinstance(tool, dict) else None
    environments = hatch.get("envs") if isinstance(hatch, dict) else None
    calls = []
    for name, environment in environments.items() if isinstance(environments, dict) else ():
        scripts = environment.get("scripts") if isinstance(environment, dict) else None
        if isinstance(scripts, dict) and "test" in scripts and re.fullmatch(r"[\w.-]+", name):
            calls.append("hatch run test" if name == "default" else f"hatch run {name}:test")
    return calls


def _hatch_sign(project: Project) -> str:
    return "pyproject.toml" if "pyproject.toml" in project.files and _hatch_scripts(project) else ""


# --- commands ---------------------------------------------------------------------------------------------


def _pytest_command(project: Project) -> str:
    return f"{_python(project)} -m pytest"


def _unittest_command(project: Project) -> str:
    """unittest looks below its start folder into packages only, so it starts above the outermost package."""
    start = PurePosixPath(_unittest_sign(project)).parent
    while str(start) != "." and f"{start}/__init__.py" in project.files:
        start = start.parent
    command = f"{_python(project)} -m unittest discover"
    return command if str(start) == "." else appended(command, ["-s", str(start)])


def reached(project: Project, changed: Sequence[str]) -> Sequence[str]:
    """The test files to run for changed files: those that changed, those named like a changed module
    (`test_core.py` for `core.py`), and those that import one by its name. What they reach through other
    modules is not seen. A changed conftest.py stands for the tests in its folder and below.
    """
    modules = [PurePosixPath(path) for path in changed if path.endswith((".py", ".pyi"))]
    names = {path.parent.name if path.stem == "__init__" else path.stem for path in modules}
    below = tuple(
        "" if str(path.parent) == "." else f"{path.parent}/" for path in modules if path.name == "conftest.py"
    )

    def wanted(path: str) -> bool:
        stem = PurePosixPath(path).stem
        tested = stem.removeprefix("test_").removesuffix("_test")
        if path in changed or tested in names or (below and path.startswith(below)):
            return True
        return not names.isdisjoint(_imported(project.text(path)))

    return [path for path in project.matching(_TEST_FILES) if wanted(path)]


def _imported(text: str) -> Iterator[str]:
    """The words of the import statements. A bracket ends at the next one of any kind, closed or not."""
    for line in re.finditer(r"^[ \t]*(?:from|import)\s[^\n(]*(?:\([^()]*\))?", text, re.MULTILINE):
        yield from re.findall(r"\w+", line[0])


def _covers(project: Project, folder: str) -> bool:
    """pytest looks below its root for tests, unless `testpaths` says where."""
    tool = project.toml("pyproject.toml").get("tool")
    pytest = tool.get("pytest") if isinstance(tool, dict) else None
    options = pytest.get("ini_options", pytest) if isinstance(pytest, dict) else None
    paths = options.get("testpaths") if isinstance(options, dict) else None
    if paths is None:
        ini = "\n".join(map(project.text, ("pytest.ini", "tox.ini", "setup.cfg")))
        found = re.search(r"^testpaths\s*=((?:[^\n]*\n?)(?:[ \t]+[^\n]*\n?)*)", ini, re.MULTILINE)
        paths = found[1] if found else []
    places = paths.split() if isinstance(paths, str) else [str(path) for path in paths]
    inside = [(f"{place.strip('./')}/", f"{folder}/") for place in places]
    return not inside or any(one.startswith(other) or other.startswith(one) for one, other in inside)


# --- the runners ------------------------------------------------------------------------------------------

_MODULE = r"(?:\S*python[\d.]*|(?:\S*python[\d.]* -m )?coverage run(?: -\S+)*) -m "
# Read from the plugin of ours, or the script that runs unittest, which take `CI_AGENT_LINES` from `run`.
_LINES = (("coverage.py", Report(format="coverage.py")),)

RUNNERS = (
    Runner(
        name="pytest",
        language="Python",
        why="pytest runs its tests",
        sign=_pytest_sign,
        command=_pytest_command,
        called=call(rf"(?:\S+ run )?(?:{_MODULE}|\S*/)?pytest"),
        setup=prepares("pytest", _QUESTION, (_FOUND, _NOT_FOUND)),
        tests=_TESTS,
        coverage=_LINES,
        select=selected,
        files=by_paths,
        cases=by_paths,
        related_files=reached,
        seeds=("PYTHONHASHSEED", "CI_AGENT_SEED"),  # the latter goes to pytest-randomly by our plugin
        manifest=_MANIFEST,
        covers=_covers,
    ),
    Runner(
        name="unittest",
        language="Python",
        why="the tests are written for unittest",
        sign=_unittest_sign,
        command=_unittest_command,
        called=call(rf"(?:\S+ run )?{_MODULE}unittest"),
        setup=prepares("", _QUESTION, (_FOUND, _NOT_FOUND)),
        tests=_TESTS,
        coverage=_LINES,
        select=by_pattern,
        files=unittest_files,
        cases=unittest_cases,
        related_files=reached,
        seeds=("PYTHONHASHSEED",),
        manifest=_MANIFEST,
    ),
    Runner(
        name="tox",
        language="Python",
        why="its tests are run by tox",
        sign=_tox_sign,
        command=fixed("tox"),
        called=call(r"(?:\S*python[\d.]* -m |uvx |\S+ run )?tox"),
        tests=_TESTS,
        wraps=True,
        manifest=_MANIFEST,
    ),
    Runner(
        name="nox",
        language="Python",
        why="its tests are run by nox",
        sign=_nox_sign,
        command=_nox_command,
        called=call(r"(?:\S*python[\d.]* -m |uvx |\S+ run )?nox"),
        tests=_TESTS,
        wraps=True,
        manifest=_MANIFEST,
    ),
    Runner(
        name="hatch",
        language="Python",
        why="its tests are run by hatch",
        sign=_hatch_sign,
        command=lambda project: next(iter(_hatch_scripts(project)), "hatch test"),
        called=call(r"hatch (?>run \S*?test\S*|test)"),
        tests=_TESTS,
        wraps=True,
        manifest=_MANIFEST,
    ),
)
