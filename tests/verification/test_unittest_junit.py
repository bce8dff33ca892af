"""The runner script, with real projects: once by itself for its manners, then through `run_tests`."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ci_agent.verification import pytest_reports, unittest_junit
from tests.verification.projects import project, results, run

EVERYTHING = '''import sys
import unittest


def setUpModule():
    print("module set up")


class TestAll(unittest.TestCase):
    def test_passes(self):
        print("nobody needs this")

    def test_fails(self):
        """A docstring is no name."""
        print("said on the way ]]> \\x1b[31m\\x00")
        sys.stderr.write("and on the other stream\\n")
        self.assertEqual(1, 2, "]]> \\x00 \\ud800")

    def test_errors(self):
        raise KeyError("where")

    def test_sub_tests(self):
        for number in range(4):
            with self.subTest(number=number):
                self.assertNotIn(number, (1, 3))

    def test_sub_test_errors(self):
        with self.subTest("named"):
            raise ValueError("sub")

    def test_sub_test_skips(self):
        with self.subTest(number=1):
            self.skipTest("only this one")

    @unittest.skip("not today")
    def test_skipped(self):
        pass

    @unittest.expectedFailure
    def test_known(self):
        self.fail("as ever")

    @unittest.expectedFailure
    def test_surprise(self):
        pass

    def test_exits(self):
        sys.exit(0)

    def test_fails_twice(self):
        self.addCleanup(lambda: 1 / 0)
        self.fail("first")


class TestSetUp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise OSError("no database")

    def test_never(self):
        pass


@unittest.skip("whole class")
class TestSkipped(unittest.TestCase):
    def test_a(self):
        pass
'''
FILES = {
    "tests/__init__.py": "",
    "tests/test_all.py": EVERYTHING,
    "tests/test_import.py": "import a_module_that_is_not_there\nimport unittest\n",
}


def test_every_way_a_test_can_end_is_told(tmp_path: Path) -> None:
    ran = run(tmp_path, project(tmp_path, FILES, pytest=False))
    here = "tests.test_all.TestAll::"
    assert ran.command == ".venv/bin/python -m unittest discover"
    assert (ran.by_case, ran.problem, ran.exit_code) == (True, "", 1)
    assert results(ran) == {
        f"{here}test_passes": "passed",
        f"{here}test_fails": "failed",
        f"{here}test_errors": "error",
        f"{here}test_sub_tests": "failed",
        f"{here}test_sub_test_errors": "error",
        f"{here}test_sub_test_skips": "passed",
        f"{here}test_skipped": "skipped",
        f"{here}test_known": "skipped",
        f"{here}test_surprise": "failed",
        f"{here}test_exits": "error",
        f"{here}test_fails_twice": "error",
        "tests.test_all.TestSetUp::setUpClass": "error",
        "tests.test_all.TestSkipped::test_a": "skipped",
        "tests.test_import": "error",
    }
    cases = {case.id.rpartition("::")[2]: case for case in ran.cases}
    assert "said on the way ]]>" in cases["test_fails"].details
    assert "and on the other stream" in cases["test_fails"].details
    assert "nobody needs this" not in cases["test_fails"].details
    assert "unittest/case.py" not in cases["test_fails"].details
    assert "(number=1)" in cases["test_sub_tests"].details
    assert "(number=3)" in cases["test_sub_tests"].details
    assert "first" in cases["test_fails_twice"].details
    assert "ZeroDivisionError" in cases["test_fails_twice"].message
    assert "no database" in cases["setUpClass"].message
    assert "a_module_that_is_not_there" in cases["tests.test_import"].details
    assert "module set up" in (tmp_path / "logs" / ran.log).read_text()


def test_a_skipped_test_that_was_never_started_is_told(tmp_path: Path) -> None:
    text = """import unittest
class T(unittest.TestCase):
    def test_a(self): pass
    def run(self, result):  # as TestCase itself does in Python 3.12.1
        result.addSkip(self, "not today")
        result.stopTest(self)
"""
    ran = run(tmp_path, project(tmp_path, {"test_a.py": text}, pytest=False))
    assert results(ran) == {"test_a.T::test_a": "skipped"}


def test_a_selector_narrows_the_run(tmp_path: Path) -> None:
    files = {"tests/test_all.py": EVERYTHING}  # no package
    root = project(tmp_path, files, pytest=False)
    ran = run(tmp_path, root, selector="tests/test_all.py::TestAll::test_passes")
    assert results(ran) == {"test_all.TestAll::test_passes": "passed"}


def test_a_configured_command_is_reported_on_too(tmp_path: Path) -> None:
    root = project(tmp_path, FILES, pytest=False)
    ran = run(
        tmp_path, root, "cd tests/.. && .venv/bin/python -m unittest -b tests.test_all.TestAll.test_fails"
    )
    assert results(ran) == {"tests.test_all.TestAll::test_fails": "failed"}
    assert "said on the way" in ran.cases[0].details


@pytest.mark.parametrize(
    "arguments",
    [
        ["discover"], ["discover", "-s", "tests", "-t", "."], ["tests.test_all"], ["-v", "tests/test_all.py"], ["-f"],
        ["tests.no_such_module"], ["discover", "-k", "passes"], ["discover", "-s", "nowhere"], ["--no-such-option"],
        ["-b", "tests.test_all"],
    ],
)  # fmt: skip
def test_it_ends_as_python_m_unittest_does_and_says_the_same(tmp_path: Path, arguments: list[str]) -> None:
    root = project(tmp_path, FILES)
    theirs = subprocess.run(
        [sys.executable, "-m", "unittest", *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    ours = subprocess.run(
        [sys.executable, unittest_junit.__file__, *arguments],
        cwd=root, capture_output=True, text=True, check=False,
        env={unittest_junit.REPORTS: str(tmp_path)},
    )  # fmt: skip
    assert ours.returncode == theirs.returncode
    assert [line for line in ours.stderr.splitlines() if line.startswith(("FAIL", "ERROR", "OK", "NO"))] == [
        line for line in theirs.stderr.splitlines() if line.startswith(("FAIL", "ERROR", "OK", "NO"))
    ]


def test_a_command_that_starts_unittest_twice_has_the_results_of_both(tmp_path: Path) -> None:
    root = project(tmp_path, FILES, pytest=False)
    each = ".venv/bin/python -m unittest tests.test_all.TestAll."
    ran = run(tmp_path, root, f"{each}test_passes && {each}test_fails")
    assert sorted(results(ran).values()) == ["failed", "passed"]


def test_much_output_of_one_test_goes_to_the_log_and_only_its_end_into_the_case(tmp_path: Path) -> None:
    text = """import unittest
class T(unittest.TestCase):
    def test_a(self):
        for number in range(300_000): print(number)
        self.fail()
"""
    ran = run(tmp_path, project(tmp_path, {"test_a.py": text}, pytest=False))
    assert "299999" in ran.cases[0].details
    assert (tmp_path / "logs" / ran.log).stat().st_size > 1_000_000


def test_a_test_that_ends_the_process_is_no_green_run(tmp_path: Path) -> None:
    text = "import os, unittest\nclass T(unittest.TestCase):\n    def test_a(self): os._exit(0)\n"
    ran = run(tmp_path, project(tmp_path, {"test_a.py": text}, pytest=False))
    assert "before it came to its results" in ran.problem


@pytest.mark.parametrize("script", [unittest_junit, pytest_reports])
def test_what_the_projects_python_runs_is_python_3_8_and_imports_the_standard_library_only(
    script: ModuleType,
) -> None:
    tree = ast.parse(Path(str(script.__file__)).read_text(), feature_version=(3, 8))
    imported = {
        name.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    }
    imported |= {
        str(node.module).split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
    }
    assert imported <= set(sys.stdlib_module_names)
