from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from ci_agent.journal.events import TestsChosen
from ci_agent.verification import Lines, choose, choose_setup, is_test_file, run_coverage
from ci_agent.verification.ecosystems.python import RUNNERS, reached
from ci_agent.verification.project import Project
from tests.verification.projects import project, results, run, sandbox

PYTEST = {"test_a.py": "import pytest\ndef test_a(): pass\n"}
UNIT = (
    "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass\n    def test_ab(self): pass\n"
)


def set_up(tmp_path: Path, root: Path) -> tuple[str, str]:
    found = choose_setup(root, "", sandbox(tmp_path), [choose(root, "", sandbox(tmp_path))])
    return found.command, found.why


def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Programs of these names on PATH, which fail if they are started."""
    place = tmp_path / "bin"
    place.mkdir()
    for name in names:
        (place / name).write_text("#!/bin/sh\ntouch started; exit 9\n")
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")


# --- what needs to be installed ---------------------------------------------------------------------------


def test_an_environment_that_has_everything_needs_no_set_up(tmp_path: Path) -> None:
    manifest = '[project]\nname="x"\ndependencies=["click>=1", "no-such ; python_version < \'3\'"]\n'
    root = project(
        tmp_path, {**PYTEST, "pyproject.toml": manifest, "requirements.txt": "# none\n-r x\nPyYAML\n"}
    )
    assert set_up(tmp_path, root) == ("", "nothing that the project's files name is missing")


INSTALL = ".venv/bin/python -m pip install -q"


@pytest.mark.parametrize(
    ("files", "command", "missing"),
    [
        ({"requirements.txt": "no-such-package==1\n"}, f"{INSTALL} -r requirements.txt pytest", "no-such-package"),
        ({"requirements-dev.txt": "pytest\nno_such\n"}, f"{INSTALL} -r requirements-dev.txt", "no_such"),
        (
            {"pyproject.toml": '[project]\nname="x"\n[project.optional-dependencies]\ndev=["no-such"]\ntests=["x[a]", "pytest", "no-such"]\n'},
            f"{INSTALL} -e '.[tests]'", "no-such",
        ),
        (
            {"pyproject.toml": '[dependency-groups]\ndev=[{include-group="dev"}, {include-group="t"}]\nt=["pytest","no-such>1"]\n'},
            f"{INSTALL} pytest 'no-such>1'", "no-such",
        ),
        ({"pyproject.toml": '[project]\nname="no-such-x"\n', "src/x.py": ""}, f"{INSTALL} -e . pytest", "no-such-x"),
    ],
)  # fmt: skip
def test_what_the_manifests_name_and_is_not_there_is_installed_into_the_checkouts_own_environment(
    tmp_path: Path, files: dict[str, str], command: str, missing: str
) -> None:
    found, why = set_up(tmp_path, project(tmp_path, {**PYTEST, **files}))
    assert (found, why) == (command, f"its Python does not have {missing}")


def test_where_the_checkout_has_no_environment_one_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path, PYTEST)
    (root / ".venv").rename(tmp_path / "venv")
    place = tmp_path / "venv" / "bin"
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")
    assert set_up(tmp_path, root)[0] == ""
    wrapper = place / "python"
    wrapper.write_text(wrapper.read_text().replace('"$@"', '-S "$@"'))
    assert set_up(tmp_path, root) == (
        f"python -m venv .venv && {INSTALL} pytest",
        "its Python does not have pytest",
    )


_HERE = {
    "src/pytest/__init__.py": "",
    "pyproject.toml": '[project]\nname = "pytest"\n',
}  # a name that is installed


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (_HERE, "its Python does not have pytest from this checkout"),
        ({"src/x.py": "", "setup.py": ""}, "its Python does not have the project from this checkout"),
        (_HERE | {"pytest.ini": "[pytest]\npythonpath = src\n"}, ""),
        (
            _HERE
            | {
                "pyproject.toml": _HERE["pyproject.toml"]
                + "[tool.pytest.ini_options]\npythonpath = ['src']\n"
            },
            "",
        ),
        ({"src/a.js": "", "pyproject.toml": _HERE["pyproject.toml"]}, ""),
        ({"pytest/__init__.py": "", "pyproject.toml": _HERE["pyproject.toml"]}, ""),
    ],
)
def test_what_another_python_has_of_a_project_in_src_is_not_what_is_checked_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], why: str
) -> None:
    root = project(tmp_path, PYTEST | files)
    (root / ".venv").rename(tmp_path / "venv")
    monkeypatch.setenv("PATH", f"{tmp_path / 'venv' / 'bin'}:/usr/bin:/bin")
    command, said = set_up(tmp_path, root)
    assert said == (why or "nothing that the project's files name is missing")
    assert ("-m venv .venv && .venv/bin/python -m pip install -q -e ." in command) is bool(why)


@pytest.mark.parametrize("tool", ["uv", "poetry"])
def test_a_lock_file_and_its_tool_decide_and_are_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    tools(tmp_path, monkeypatch, tool)
    lock = 'version = 1\n[[package]]\nname = "pytest"\n'
    root = project(tmp_path, {"test_a.py": "def test_a(): pass\n", f"{tool}.lock": lock})
    (root / ".venv").rename(tmp_path / "venv")
    assert choose(root, "", sandbox(tmp_path)).command == f"{tool} run python -m pytest"
    command, why = set_up(tmp_path, root)
    assert command in ("uv sync", "POETRY_VIRTUALENVS_IN_PROJECT=true poetry install")
    assert f"{tool}.lock" in why
    assert not (root / "started").exists()


@pytest.mark.parametrize(
    "text", ["[project]\ndependencies = 3\n", "[[project]]\n", "not toml", "a=" + "[" * 50_000, "[dependency-groups]\ntest='x'\n"]
)  # fmt: skip
def test_a_manifest_that_makes_no_sense_is_no_reason_to_install_anything(tmp_path: Path, text: str) -> None:
    assert set_up(tmp_path, project(tmp_path, {**PYTEST, "pyproject.toml": text}))[0] == ""


def test_asking_what_is_installed_runs_nothing_of_the_project(tmp_path: Path) -> None:
    trap = "open('sprung', 'w')\n"
    files = dict.fromkeys(["email.py", "csv.py", "zipfile.py", "importlib/__init__.py", "setup.py"], trap)
    root = project(tmp_path, {**PYTEST, **files})
    set_up(tmp_path, root)
    assert not (root / "sprung").exists()


# --- tools around pytest ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "command", "runner"),
    [
        ({"tox.ini": "[tox]\nenvlist=a\n[testenv]\ncommands=trial x\n"}, "tox", "tox"),
        ({"noxfile.py": "import nox\n@nox.session\ndef lint(s): ...\n@nox.session\ndef test_all(s): ...\n"}, "nox -s test_all", "nox"),
        ({"pyproject.toml": "[tool.hatch.envs.ci.scripts]\ntest='x'\n"}, "hatch run ci:test", "hatch"),
        ({"pyproject.toml": "[tool.hatch.envs.default.scripts]\ntest='x'\n"}, "hatch run test", "hatch"),
        ({"tox.ini": "[testenv]\ncommands=pytest\n[pytest]\n"}, ".venv/bin/python -m pytest", "pytest"),
    ],
)  # fmt: skip
def test_a_tool_is_called_where_tests_make_sense_only_through_it(
    tmp_path: Path, files: dict[str, str], command: str, runner: str
) -> None:
    found = choose(project(tmp_path, files), "", sandbox(tmp_path))
    assert (found.command, found.runner) == (command, runner)


# --- some of the tests ------------------------------------------------------------------------------------


def test_cases_are_run_by_the_ids_that_results_have(tmp_path: Path) -> None:
    text = "import pytest\n@pytest.mark.parametrize('x', ['a b', \"it's\", ']', 'x#2'])\ndef test_p(x): pass\ndef test_q(): pass\n"
    root = project(tmp_path, {"tests/test_a.py": text})
    wanted = [case for case in results(run(tmp_path, root)) if "test_p" in case]
    assert list(results(run(tmp_path, root, cases=wanted))) == wanted
    assert list(results(run(tmp_path, root, cases=[f"{wanted[0]}#2"]))) == wanted[:1]


def test_cases_and_files_of_unittest_are_run_and_no_others_that_begin_alike(tmp_path: Path) -> None:
    root = project(tmp_path, {"test_a.py": UNIT, "test_b.py": UNIT, "test_ba.py": UNIT}, pytest=False)
    assert list(results(run(tmp_path, root, cases=["test_a.T::test_a"]))) == ["test_a.T::test_a"]
    assert list(results(run(tmp_path, root, files=["test_b.py"]))) == [
        "test_b.T::test_a",
        "test_b.T::test_ab",
    ]


def test_what_is_related_to_a_module_is_named_like_it_or_imports_it(tmp_path: Path) -> None:
    files = {
        "pkg/core.py": "", "pkg/other.py": "", "pkg/__init__.py": "",
        "tests/test_core.py": "", "tests/core_test.py": "",
        "tests/test_by_name.py": "from pkg import (\n    other,\n    core,\n)\n",
        "tests/test_dotted.py": "import pkg.core as c\n",
        "tests/test_none.py": "x = 'core'\nfrom pkg import other\n",
        "tests/deep/conftest.py": "", "tests/deep/test_deep.py": "",
    }  # fmt: skip
    seen = Project(project(tmp_path, files), sandbox(tmp_path))
    of_core = {"tests/core_test.py", "tests/test_by_name.py", "tests/test_core.py", "tests/test_dotted.py"}
    assert set(reached(seen, ["pkg/core.py", "README.md"])) == of_core
    assert set(reached(seen, ["tests/test_none.py"])) == {"tests/test_none.py"}
    assert set(reached(seen, ["tests/deep/conftest.py"])) == {"tests/deep/test_deep.py"}
    assert set(reached(seen, ["README.md"])) == set()


def test_only_tests_related_to_changed_files_are_run(tmp_path: Path) -> None:
    files = {**PYTEST, "core.py": "", "test_core.py": "def test_core(): pass\n"}
    ran = run(
        tmp_path, project(tmp_path, files), related=["core.py"], some="only those reached from the change"
    )
    assert (list(results(ran)), ran.some) == (
        ["test_core.py::test_core"],
        "only those reached from the change",
    )


@pytest.mark.parametrize(
    ("path", "it_is"),
    [("tests/data/x.json", True), ("a/test_b.py", True), ("conftest.py", True), ("a/b_test.py", True),
     ("a/latest.py", False), ("pkg/testing.py", False)],
)  # fmt: skip
def test_it_is_known_where_tests_live(path: str, it_is: bool) -> None:
    chosen = TestsChosen("pytest", "pytest", "")
    assert is_test_file(chosen, path) is it_is
    assert is_test_file(TestsChosen("pytest", "pytest", "", "back"), f"back/{path}") is it_is
    assert not is_test_file(TestsChosen("pytest", "pytest", "", "back"), f"front/{path}")


def test_the_order_of_sets_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    text = "import pytest\n@pytest.mark.parametrize('x', set('abcdefghijklmnop'))\ndef test_p(x): pass\n"
    root = project(tmp_path, {"test_a.py": text})
    first, again, other = (list(results(run(tmp_path, root, seed=seed))) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.timeout(10)
@pytest.mark.parametrize("text", ["\n" * 200_000, "import a(\n" * 20_000, "from a import (" + " " * 180_000])
def test_imports_made_to_be_slow_are_read_in_no_time(tmp_path: Path, text: str) -> None:
    files = {f"test_{n}.py": text for n in range(5)} | {
        "test_b.py": "from x import (  # (\n  core)\nimport core\n"
    }
    root = project(tmp_path, files)
    assert reached(Project(root, sandbox(tmp_path)), ["core.py"]) == ["test_b.py"]


# --- which lines are run ----------------------------------------------------------------------------------

CORE = "def used():\n    return 1\ndef unused():\n    return 2\n"


def measure(tmp_path: Path, root: Path, command: str = "") -> Lines:
    return run_coverage(
        choose(root, command, sandbox(tmp_path)), root=root, sandbox=sandbox(tmp_path), logs=tmp_path / "logs",
        into=tmp_path / "lines", timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["pytest", "unittest"])
def test_lines_are_measured_from_the_first_import_on(tmp_path: Path, kind: str) -> None:
    files = {
        "pytest": {"conftest.py": "import core\n", "test_a.py": "import core\ndef test_a(): core.used()\n"},
        "unittest": {
            "test_a.py": UNIT.replace("pass", "core.used()", 1).replace("import", "import core,", 1)
        },
    }[kind]
    root = project(tmp_path, {"core.py": CORE, **files}, plugins=True)
    found = measure(tmp_path, root, "" if kind == "pytest" else ".venv/bin/python -m unittest")
    assert (found.tool, found.format, found.problem) == ("coverage.py", "coverage.py", "")
    [report] = found.files
    core = json.loads(report.read_text())["files"]["core.py"]
    assert (core["executed_lines"], core["missing_lines"]) == ([1, 2, 3], [4])
    assert not list(root.glob(".coverage*"))
    assert (tmp_path / "logs" / found.log).is_file()
    assert found.command.endswith(f"-m {kind}")


def test_a_project_that_measures_itself_is_left_alone(tmp_path: Path) -> None:
    root = project(tmp_path, {**PYTEST, "core.py": CORE}, plugins=True)
    found = measure(tmp_path, root, ".venv/bin/python -m pytest --cov=core")
    assert (found.files, found.problem) == ((), "the project measures its coverage itself, by pytest-cov")


def test_without_coverage_py_nothing_is_measured_and_it_says_why(tmp_path: Path) -> None:
    found = measure(tmp_path, project(tmp_path, {"test_a.py": UNIT}, pytest=False))
    assert found.problem == "the project's Python has no coverage.py"


@pytest.mark.parametrize("make", ["mkfifo", "ln -s /etc/passwd", "mkdir"])
def test_what_is_no_file_in_the_place_of_a_problem_is_not_there(tmp_path: Path, make: str) -> None:
    root = project(tmp_path, {"test_a.py": UNIT})
    found = measure(
        tmp_path, root, f'{make} "$CI_AGENT_LINES/problem.txt"; .venv/bin/python -m unittest -k none'
    )
    assert found.problem in ("", "coverage.py left no report")


def test_keys_in_a_problem_are_hidden_before_it_is_cut(tmp_path: Path) -> None:
    root = project(tmp_path, {"test_a.py": UNIT})
    command = f'printf "%0290d{KEY}" 0 > "$CI_AGENT_LINES/problem.txt"; .venv/bin/python -m unittest -k none'
    chosen = choose(root, command, sandbox(tmp_path))
    found = run_coverage(
        chosen, root=root, sandbox=sandbox(tmp_path), logs=tmp_path / "logs", into=tmp_path / "lines", timeout=60,
        hide=lambda text: text.replace(KEY, "***"),
    )  # fmt: skip
    assert found.problem == f"{'0' * 290}***"


KEY = "q7Zk-93jd-PPq1-0qmX-77aa"


@pytest.mark.parametrize(
    ("command", "to", "words", "narrowed"),
    [
        ("pytest -q tests", "select", ["tests/a.py", "-k", "b"], "pytest -q tests/a.py -k b"),
        ("pytest tests", "select", ["-k", "b"], "pytest tests -k b"),
        (
            "cd x && pytest -p no:cacheprovider . -x",
            "cases",
            ["a.py::t[b c]"],
            "cd x && pytest -p no:cacheprovider -x 'a.py::t[b c]'",
        ),
        ("pytest 'my tests' b.py", "files", ["my tests/a.py"], "pytest 'my tests/a.py'"),
        (
            "pytest --cov src --ignore tests/x tests",
            "files",
            ["tests/a.py"],
            "pytest --cov src --ignore tests/x tests/a.py",
        ),
        ("pytest docs", "files", ["tests/a.py"], "pytest docs tests/a.py"),
    ],
)
def test_words_of_pytest_take_the_place_of_the_paths_they_lie_in(
    command: str, to: str, words: Sequence[str], narrowed: str
) -> None:
    [runner] = [runner for runner in RUNNERS if runner.name == "pytest"]
    assert getattr(runner, to)(command, words) == narrowed
