from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ci_agent.errors import ConfigError
from ci_agent.journal.events import Moment, Result, TestsChosen
from ci_agent.verification import choose, compare, run_setup, run_tests
from tests.verification.projects import project, results, run, sandbox

MIXED = {
    "tests/test_core.py": """import pytest
class TestRuns:
    @pytest.mark.parametrize("text", ["a", "b"])
    def test_tabs(self, text):
        print("printed by the test")
        assert text == "a"
def test_skipped():
    pytest.skip("not today")
@pytest.mark.xfail
def test_known():
    assert 0
""",
    "tests/test_import.py": "import a_module_that_is_not_there\n",
}
GREEN = {"test_a.py": "import pytest\ndef test_a(): pass\n"}


def test_pytest_tells_results_by_case_and_one_broken_import_hides_no_other_test(tmp_path: Path) -> None:
    ran = run(tmp_path, project(tmp_path, MIXED))
    assert results(ran) == {
        "tests/test_import.py": "error",
        "tests/test_core.py::TestRuns::test_tabs[a]": "passed",
        "tests/test_core.py::TestRuns::test_tabs[b]": "failed",
        "tests/test_core.py::test_skipped": "skipped",
        "tests/test_core.py::test_known": "skipped",
    }
    assert (ran.by_case, ran.problem, ran.exit_code) == (True, "", 1)
    failed = next(case for case in ran.cases if case.result is Result.FAILED)
    assert "assert 'b' == 'a'" in failed.message
    assert "printed by the test" in failed.details


def test_pytest_tells_results_by_case_from_inside_make(tmp_path: Path) -> None:
    files = {**GREEN, "Makefile": "test:\n\t@.venv/bin/python -m pytest -q\n"}
    ran = run(tmp_path, project(tmp_path, files), "make test")
    assert results(ran) == {"test_a.py::test_a": "passed"}


def test_pytest_runs_of_several_tox_environments_are_all_told(tmp_path: Path) -> None:
    root = project(
        tmp_path, {"test_a.py": "import os\ndef test_a(): assert os.environ['TOX_ENV_NAME'] == 'py312'\n"}
    )
    each = "TOX_ENV_NAME={} .venv/bin/python -m pytest -q; "
    ran = run(tmp_path, root, each.format("py311") + each.format("py312") + "exit 1")
    assert results(ran) == {"test_a.py::test_a": "failed", "test_a.py::test_a#2": "passed"}


TWO = {"a/test_x.py": "def test_x(): assert 1\n", "b/test_x.py": "def test_x(): assert 0\n"}


def test_runs_of_pytest_in_one_command_hide_nothing_of_each_other_and_are_not_mixed_up(
    tmp_path: Path,
) -> None:
    root = project(tmp_path, TWO, plugins=True)
    each = "for d in a b; do (cd $d && ../.venv/bin/python -m pytest -q); done"
    before = run(tmp_path, root, each)
    assert sorted(results(before).values()) == ["failed", "passed"]
    for name, other in (("a", "b"), ("b", "a")):
        (root / name / "test_x.py").write_text(TWO[f"{other}/test_x.py"])
    compared = compare(before, run(tmp_path, root, each), 1)
    assert (len(compared.fixed), len(compared.newly_broken)) == (1, 1)


UNLIKE = {"test_a.py": "def test_a(): assert 1\n", "test_b.py": "def test_b(): assert 0\n"}
BOTH = {"test_a.py::test_a": "passed", "test_b.py::test_b": "failed"}


def test_a_process_that_runs_pytest_twice_has_the_results_of_both(tmp_path: Path) -> None:
    script = "import pytest\nfor name in 'ab': pytest.main([f'test_{name}.py'])\nraise SystemExit(1)\n"
    root = project(tmp_path, {**UNLIKE, "all.py": script}, plugins=True)
    assert results(run(tmp_path, root, ".venv/bin/python all.py")) == BOTH


def test_workers_of_xdist_write_no_report_of_their_own(tmp_path: Path) -> None:
    ran = run(tmp_path, project(tmp_path, UNLIKE, plugins=True), ".venv/bin/python -m pytest -q -n 2")
    assert results(ran) == BOTH


NESTED = """import os, subprocess, sys, unittest
def sample(*options):
    os.makedirs("sample", exist_ok=True)
    with open("sample/check_s.py", "w") as file:
        file.write("def test_sample(): assert 0")
    return subprocess.run([sys.executable, "-m", "pytest", "sample/check_s.py", *options]).returncode
"""


@pytest.mark.parametrize("options", ["", "-n 1"])
def test_a_run_of_pytest_that_a_pytest_test_starts_is_not_the_projects(tmp_path: Path, options: str) -> None:
    files = {"test_a.py": NESTED + "def test_a(): assert sample() == 1\n"}
    ran = run(
        tmp_path, project(tmp_path, files, plugins=True), f".venv/bin/python -m pytest {options}".strip()
    )
    assert (results(ran), ran.exit_code) == ({"test_a.py::test_a": "passed"}, 0)


def test_a_run_of_pytest_that_a_unittest_test_starts_is_not_the_projects(tmp_path: Path) -> None:
    method = "class T(unittest.TestCase):\n    def test_a(self): self.assertEqual(sample(), 1)\n"
    ran = run(tmp_path, project(tmp_path, {"test_a.py": NESTED + method}), ".venv/bin/python -m unittest")
    assert (results(ran), ran.exit_code) == ({"test_a.T::test_a": "passed"}, 0)


def test_where_pythonpath_is_set_anew_a_run_still_tells_its_results(tmp_path: Path) -> None:
    files = {"src/core.py": "A = 1\n", "test_a.py": "import core\ndef test_a(): assert core.A == 1\n"}
    root = project(tmp_path, files, plugins=True)
    assert results(run(tmp_path, root, "PYTHONPATH=src .venv/bin/python -m pytest")) == {
        "test_a.py::test_a": "passed"
    }
    own = "export PYTHONPATH=src:$PYTHONPATH; .venv/bin/python -m pytest; .venv/bin/python -m pytest"
    assert list(results(run(tmp_path, root, own))) == ["test_a.py::test_a", "test_a.py::test_a#2"]


def test_the_report_that_a_command_asks_for_itself_keeps_its_name(tmp_path: Path) -> None:
    root = project(tmp_path, GREEN, plugins=True)
    ran = run(tmp_path, root, ".venv/bin/python -m pytest --junitxml=own.xml", junit="own.xml")
    assert results(ran) == {"test_a.py::test_a": "passed"}


@pytest.mark.parametrize(
    ("command", "plain"),
    [
        (".venv/bin/python -m pytest", True),
        ("TOX_ENV_NAME=py311 .venv/bin/python -m pytest", False),
        ("make test", False),
    ],
)
def test_the_report_has_a_plain_name_where_no_tox_can_be_at_work(
    tmp_path: Path, command: str, plain: bool
) -> None:
    root = project(tmp_path, {**GREEN, "Makefile": "test:\n\t@.venv/bin/python -m pytest\n"})
    ran = run(tmp_path, root, command)
    assert results(ran) == {"test_a.py::test_a": "passed"}
    assert ("/pytest.xml" in (tmp_path / "logs" / ran.log).read_text()) == plain


def test_paths_in_the_workspace_are_told_relative_to_it_and_the_log_stays_as_it_is(tmp_path: Path) -> None:
    text = """import os, pytest
def test_a(): assert 0, f"no {os.environ['PWD']}/data/x.txt and {os.getcwd()}/y.txt, /etc/z.txt"
"""
    real = project(tmp_path, {"test_a.py": text, "conftest.py": "print(__file__)\n"})
    (tmp_path / "link").symlink_to(tmp_path)
    root = tmp_path / "link" / "project"
    ran = run(
        tmp_path, root, f"echo {real}/one {root}/two; cd {root} && .venv/bin/python -m pytest -q; exit 1"
    )
    [case] = ran.cases
    said = "no data/x.txt and y.txt, /etc/z.txt"
    assert said in case.message
    assert said in case.details
    assert ran.tail.startswith("one two\n")
    log = (tmp_path / "logs" / ran.log).read_text()
    assert f"{real}/one {root}/two\n" in log
    setup = run_setup(f"echo {root}/three", root, sandbox(tmp_path), tmp_path / "logs", 60)
    assert setup.tail == "three"


def test_an_environment_of_the_project_is_used_whether_it_is_active_or_named(tmp_path: Path) -> None:
    root = project(tmp_path, {"test_a.py": "import pytest\ndef test_a(): pass\n"})
    wrapper = root / ".venv" / "bin" / "python"
    wrapper.write_text(wrapper.read_text().replace("exec", "echo by the environment\nexec", 1))
    active = sandbox(tmp_path).within(root / ".venv")
    assert choose(root, "", active).command == choose(root, "", sandbox(tmp_path)).command
    for chosen in (choose(root, "", active), choose(root, "python -m pytest", active)):
        ran = run_tests(
            chosen, Moment.BEFORE, root=root, tree="t", sandbox=active, logs=tmp_path / "logs", timeout=60
        )
        assert results(ran) == {"test_a.py::test_a": "passed"}
        assert ran.tail.startswith("by the environment\n")


def test_a_run_leaves_no_report_in_the_workspace(tmp_path: Path) -> None:
    root = project(tmp_path, {**GREEN, "pytest.ini": "[pytest]\naddopts = -p no:cacheprovider\n"})
    before = sorted(root.rglob("*"))
    assert run(tmp_path, root).by_case
    assert sorted(root.rglob("*")) == before


def test_a_selector_narrows_the_run(tmp_path: Path) -> None:
    ran = run(tmp_path, project(tmp_path, MIXED), selector="tests/test_core.py -k 'tabs and a]'")
    assert list(results(ran)) == ["tests/test_core.py::TestRuns::test_tabs[a]"]
    assert ran.command.endswith("-k 'tabs and a]'")


def test_a_run_of_no_command_has_no_cases(tmp_path: Path) -> None:
    ran = run(tmp_path, tmp_path, TestsChosen("", "", "there are none"))
    assert (ran.command, ran.cases, ran.problem, ran.exit_code) == ("", (), "", None)


def test_pytest_without_a_test_is_a_run_without_cases_and_no_problem(tmp_path: Path) -> None:
    ran = run(tmp_path, project(tmp_path, {"pytest.ini": "[pytest]\n"}))
    assert (ran.exit_code, ran.cases, ran.problem, ran.by_case) == (5, (), "", True)


def test_an_exit_code_that_no_test_explains_is_a_case_of_its_own(tmp_path: Path) -> None:
    hook = "def pytest_sessionfinish(session): session.exitstatus = 7; print('coverage is too low')\n"
    ran = run(tmp_path, project(tmp_path, {**GREEN, "conftest.py": hook}))
    case = ran.cases[-1]
    assert (case.id, case.result) == (".venv/bin/python -m pytest (exit code)", Result.ERROR)
    assert "exit code 7" in case.message
    assert "coverage is too low" in case.details
    assert ran.problem == ""
    assert results(ran)["test_a.py::test_a"] == "passed"


def test_a_crash_at_exit_loses_no_result(tmp_path: Path) -> None:
    hook = "import atexit, os, signal\natexit.register(lambda: os.kill(os.getpid(), signal.SIGSEGV))\n"
    ran = run(tmp_path, project(tmp_path, {**GREEN, "conftest.py": hook}))
    assert ran.problem == ""
    assert list(results(ran).values()) == ["passed", "error"]


def test_a_test_that_ends_the_process_with_code_0_is_no_green_run(tmp_path: Path) -> None:
    ran = run(tmp_path, project(tmp_path, {"test_a.py": "import pytest, os\ndef test_a(): os._exit(0)\n"}))
    assert ran.exit_code == 0
    assert "before it came to its results" in ran.problem
    assert [case.result for case in ran.cases] == [Result.ERROR]


def test_a_conftest_that_can_not_be_imported_is_a_problem_with_the_reason_in_the_tail(tmp_path: Path) -> None:
    ran = run(tmp_path, project(tmp_path, {"conftest.py": "import a_module_that_is_not_there\n"}))
    assert "before it came to its results" in ran.problem
    assert "a_module_that_is_not_there" in ran.tail


def test_pytest_that_is_not_installed_is_a_problem_with_the_remedy(tmp_path: Path) -> None:
    ran = run(tmp_path, project(tmp_path, {"pytest.ini": ""}, pytest=False))
    assert "pytest is not installed" in ran.problem
    assert "`verification.setup`" in ran.problem


@pytest.mark.parametrize("command", ["no-such-command-here -q", "make test", "npm test"])
def test_a_command_that_does_not_exist_is_a_problem_with_the_remedy(tmp_path: Path, command: str) -> None:
    files = {
        "Makefile": "test:\n\tno-such-command-here -q\n",
        "package.json": json.dumps({"scripts": {"test": "no-such-command-here"}}),
    }
    ran = run(tmp_path, project(tmp_path, files), command)
    assert "does not exist (exit code 127)" in ran.problem
    assert "`verification.test`" in ran.problem
    assert results(ran) == {command: "error"}


def test_a_command_that_may_not_be_executed_is_a_problem(tmp_path: Path) -> None:
    ran = run(tmp_path, project(tmp_path, {"run-tests": "exit 0\n"}), "./run-tests")
    assert "can't be executed (exit code 126)" in ran.problem


@pytest.mark.parametrize(
    ("limit", "remedy"),
    [("limits.time", "raise `limits.time`, or"), ("", "let the CI's job take longer, or")],
    ids=["a setting", "the job"],
)
def test_tests_that_hang_are_ended_in_time_and_their_output_is_kept(
    tmp_path: Path, limit: str, remedy: str
) -> None:
    text = "import pytest, sys, time\ndef test_a(capfd):\n  with capfd.disabled(): print('about to hang', flush=True)\n  time.sleep(600)\n"
    ran = run(tmp_path, project(tmp_path, {"test_a.py": text}), timeout=1.5, limit=limit)
    assert (ran.timed_out, ran.exit_code, ran.by_case) == (True, None, False)
    assert "did not end within 2 s" in ran.problem
    assert remedy in ran.problem
    assert "about to hang" in (tmp_path / "logs" / ran.log).read_text()
    assert ran.seconds < 20


def test_a_command_that_is_killed_is_a_problem_that_names_the_signal(tmp_path: Path) -> None:
    ran = run(tmp_path, tmp_path, "kill -KILL $$")
    assert "signal 9 (SIGKILL)" in ran.problem


def test_a_command_without_results_by_case_is_one_case(tmp_path: Path) -> None:
    root = project(tmp_path, {"Makefile": "test:\n\t@echo two tests failed; false\n"})
    ran = run(tmp_path, root)
    assert results(ran) == {"make test": "failed"}
    assert (ran.by_case, ran.problem) == (False, "")
    assert "two tests failed" in ran.cases[0].details
    assert results(run(tmp_path, root, "true")) == {"true": "passed"}


def test_a_command_of_several_lines_is_one_case_of_a_readable_name(tmp_path: Path) -> None:
    assert results(run(tmp_path, tmp_path, "true\nfalse")) == {"true\\nfalse": "failed"}


def test_logs_of_earlier_runs_are_never_overwritten(tmp_path: Path) -> None:
    logs = [run(tmp_path, tmp_path, f"echo {number}", moment=Moment.AFTER).log for number in range(3)]
    assert logs == ["tests-after-1.log", "tests-after-2.log", "tests-after-3.log"]
    assert [(tmp_path / "logs" / log).read_text() for log in logs] == ["0\n", "1\n", "2\n"]


def test_only_the_run_before_is_not_numbered_from_one(tmp_path: Path) -> None:
    moments = [Moment.BEFORE, Moment.ASKED, Moment.ASKED, Moment.AFTER, Moment.BEFORE]
    logs = [run(tmp_path, tmp_path, "true", moment=moment).log for moment in moments]
    asked = ["tests-asked-1.log", "tests-asked-2.log"]
    assert logs == ["tests-before.log", *asked, "tests-after-1.log", "tests-before-2.log"]


def test_100_mb_of_output_are_kept_in_the_log_and_only_the_tail_comes_along(tmp_path: Path) -> None:
    import tracemalloc

    script = "head -c 100000000 /dev/zero | tr '\\0' x; printf '\\nthe last words\\n'; exit 3"
    tracemalloc.start()
    ran = run(tmp_path, tmp_path, script)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "logs" / ran.log).stat().st_size > 100_000_000
    assert ran.tail.endswith("the last words")
    assert len(ran.tail) <= 4_000
    assert peak < 5_000_000


def test_a_tail_begins_with_a_whole_line(tmp_path: Path) -> None:
    ran = run(tmp_path, tmp_path, "for i in $(seq 100); do printf '%0300d\\n' $i; done")
    assert 3_000 < len(ran.tail) <= 4_000
    assert {len(line) for line in ran.tail.splitlines()} == {300}


@pytest.mark.slow
def test_output_without_end_is_ended_and_is_a_problem(tmp_path: Path) -> None:
    ran = run(tmp_path, tmp_path, "yes")
    assert "too much output" in ran.problem


def test_a_tail_is_readable_whatever_the_bytes(tmp_path: Path) -> None:
    ran = run(tmp_path, tmp_path, r"printf '\033[31mred\033[0m \377\000 ]]> a\r\nb\n'; false")
    assert ran.tail == "red \ufffd\\x00 ]]> a\nb"


def test_hostile_names_and_output_of_pytest_come_through(tmp_path: Path) -> None:
    text = r"""import pytest, sys
@pytest.mark.parametrize("v", ["]]>", "\x00\x1b[1m", "\ud800", "a\nb", "<é>"])
def test_a(v):
    sys.stdout.buffer.write(b"\xff\xfe]]>\x00")
    assert 0, "]]> \x1b[31m" + repr(v)
"""
    ran = run(tmp_path, project(tmp_path, {"test_a.py": text}))
    assert ran.problem == ""
    assert len(ran.cases) == 5
    assert all(case.result is Result.FAILED and case.id.isprintable() for case in ran.cases)


# --- reports that the command writes itself ---------------------------------------------------------------

REPORT = '<testsuite><testcase classname="c" name="a"/><testcase classname="c" name="b"><failure/></testcase></testsuite>'


def test_reports_of_the_configured_pattern_are_read(tmp_path: Path) -> None:
    root = project(tmp_path, {"r.xml": REPORT})
    ran = run(tmp_path, root, "mkdir -p out/x && cp r.xml out/x/ && false", junit="out/**/*.xml")
    assert results(ran) == {"c::a": "passed", "c::b": "failed"}


def test_a_report_that_lay_there_before_the_run_is_not_taken_for_its_result(tmp_path: Path) -> None:
    root = project(tmp_path, {"out/r.xml": REPORT})
    ran = run(tmp_path, root, "true", junit="out/*.xml")
    assert (ran.by_case, results(ran)) == (False, {"true": "passed"})
    assert run(tmp_path, root, "touch out/r.xml; false", junit="out/*.xml").by_case


def test_a_report_that_is_cut_off_is_a_problem(tmp_path: Path) -> None:
    command = "printf '<testsuite><testcase name=\"a\"/>' > r.xml"
    ran = run(tmp_path, tmp_path, command, junit="r.xml")
    assert "r.xml is cut off" in ran.problem
    assert [case.result for case in ran.cases] == [Result.ERROR]


def test_a_report_outside_the_workspace_is_not_followed_to(tmp_path: Path) -> None:
    root = project(tmp_path, {"a": ""})
    (tmp_path / "outside").mkdir()
    ran = run(
        tmp_path, root, f"echo '{REPORT}' > ../outside/r.xml; ln -s ../outside out; ln -s ../outside/r.xml r.xml",
        junit="*/r.xml",
    )  # fmt: skip
    assert not ran.by_case
    assert not run(tmp_path, root, "touch ../outside/r.xml", junit="r.xml").by_case


@pytest.mark.parametrize("pattern", ["/etc/*.xml", "../*.xml", "a**b/*.xml"])
def test_a_pattern_that_leads_nowhere_good_is_an_error_of_the_configuration(
    tmp_path: Path, pattern: str
) -> None:
    with pytest.raises(ConfigError, match=r"verification\.junit"):
        run(tmp_path, tmp_path, "true", junit=pattern)


# --- other runners ----------------------------------------------------------------------------------------


def test_npm_test_is_run_and_narrowed(tmp_path: Path) -> None:
    test = "require('node:test')('NAME', () => { require('node:assert').equal(1, WHAT) })\n"
    files = {
        "package.json": json.dumps({"scripts": {"test": "node --test"}}),
        "a.test.js": test.replace("WHAT", "1"),
        "b.test.js": test.replace("WHAT", "2"),
    }
    root = project(tmp_path, files)
    assert sorted(results(run(tmp_path, root)).values()) == ["failed", "passed"]
    narrowed = run(tmp_path, root, selector="a.test.js")
    assert (narrowed.command, list(results(narrowed).values())) == ("npm test -- a.test.js", ["passed"])


def test_a_script_that_hides_what_it_starts_is_known_by_its_exit_code(tmp_path: Path) -> None:
    root = project(
        tmp_path, {"package.json": json.dumps({"scripts": {"test": "sh all.sh"}}), "all.sh": "exit 3"}
    )
    assert results(run(tmp_path, root)) == {"npm test": "failed"}
    assert results(run(tmp_path, root, selector="a")) == {"npm test -- a": "failed"}


@pytest.mark.slow
def test_go_test_is_run_and_narrowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without a cache from earlier, Go compiles its standard library first.
    cache = subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout
    monkeypatch.setenv("GOCACHE", cache.strip())
    test = 'package x\nimport "testing"\nfunc TestA(t *testing.T) {}\nfunc TestB(t *testing.T) { t.Fatal("b") }\n'
    root = project(tmp_path, {"go.mod": "module x\n\ngo 1.18\n", "x_test.go": test})
    assert results(run(tmp_path, root)) == {"x::TestA": "passed", "x::TestB": "failed"}
    assert list(results(run(tmp_path, root, selector="TestA")).values()) == ["passed"]


@pytest.mark.slow
def test_cargo_test_is_run_and_narrowed(tmp_path: Path) -> None:
    test = "#[test] fn good() {}\n#[test] fn bad() { panic!() }\n"
    manifest = '[package]\nname = "x"\nversion = "0.1.0"\nedition = "2021"\n'
    root = project(tmp_path, {"Cargo.toml": manifest, "src/lib.rs": test})
    assert results(run(tmp_path, root)) == {"x::bad": "failed", "x::good": "passed"}
    assert list(results(run(tmp_path, root, selector="good")).values()) == ["passed"]


# --- setup ------------------------------------------------------------------------------------------------


def test_setup_runs_in_the_workspace_and_its_log_is_kept(tmp_path: Path) -> None:
    ran = run_setup(
        "echo installing > done; echo hello; exit 4", tmp_path, sandbox(tmp_path), tmp_path / "logs", 60
    )
    assert (ran.exit_code, ran.timed_out, ran.tail, ran.log) == (4, False, "hello", "setup.log")
    assert (tmp_path / "done").exists()


KEY = "q7Zk-93jd-PPq1-0qmX-77aa-TT9x-bb02"


def hidden(text: str) -> str:
    return text.replace(KEY, "***")


def shows_part_of_the_key(text: str) -> bool:
    return any(KEY[start : start + 5] in text for start in range(len(KEY) - 4))


@pytest.mark.parametrize(
    "script",
    [
        f"printf 'a%010d{KEY}%03985d' 0 0",  # its end is what is left of a long line
        f"printf 'Error: %0480d{KEY}\\n' 0; seq 60",  # a telling line is cut
        f"printf 'Error: %065510d{KEY} Error: {KEY}\\n' 0; seq 60",  # and so is what is looked at
    ],
)
def test_keys_in_a_log_are_hidden_before_anything_is_cut(tmp_path: Path, script: str) -> None:
    ran = run(tmp_path, tmp_path, f"{script}; exit 1", hide=hidden)
    assert KEY in (tmp_path / "logs" / ran.log).read_text()
    assert not shows_part_of_the_key(ran.tail + ran.cases[0].details)
    setup = run_setup(script, tmp_path, sandbox(tmp_path), tmp_path / "logs", 60, hide=hidden)
    assert setup.exit_code == 0
    assert not shows_part_of_the_key(setup.tail)


def test_keys_in_reports_are_hidden_before_anything_is_cut(tmp_path: Path) -> None:
    told = [
        f"<testcase name='{'n' * 990}{KEY}'/>",
        f"<testcase name='a'><failure message='{'m' * 290}{KEY}'/></testcase>",
        f"<testcase name='b'><failure message='{KEY * 600}'/></testcase>",
        f"<testcase name='c'><failure>{'d' * 3_990}{KEY}{'e' * 9_000}</failure></testcase>",
    ]
    root = project(tmp_path, {"r": f"<testsuite>{''.join(told)}</testsuite>"})
    ran = run(tmp_path, root, "cp r r.xml", junit="r.xml", hide=hidden)
    assert len(ran.cases) == len(told)
    assert not any(shows_part_of_the_key(case.id + case.message + case.details) for case in ran.cases)


def test_keys_in_what_is_wrong_with_a_report_are_hidden_before_it_is_cut(tmp_path: Path) -> None:
    ran = run(tmp_path, project(tmp_path, {"package.json": AVA}), hide=hidden)
    assert "was given up" in ran.problem
    assert not shows_part_of_the_key(ran.problem)


AVA = json.dumps({"scripts": {"test": f"ava() {{ printf 'Bail out! %0190d{KEY}' 0; }} && ava"}})


def test_a_setup_that_hangs_is_ended(tmp_path: Path) -> None:
    ran = run_setup("echo begun; sleep 600", tmp_path, sandbox(tmp_path), tmp_path / "logs", 0.5)
    assert (ran.exit_code, ran.timed_out, ran.tail) == (None, True, "begun")


# --- before and after -------------------------------------------------------------------------------------


def test_a_fix_and_a_new_failure_of_a_real_project_are_told_apart(tmp_path: Path) -> None:
    files = {
        "core.py": "A = 1\nB = 1\n",
        "test_a.py": "import pytest, core\ndef test_a(): assert core.A == 2\ndef test_b(): assert core.B == 1\n",
    }
    root = project(tmp_path, files)
    before = run(tmp_path, root)
    (root / "core.py").write_text("A = 2\nB = 2\n")
    compared = compare(before, run(tmp_path, root, moment=Moment.AFTER), 1)
    assert [change.id for change in compared.fixed] == ["test_a.py::test_a"]
    assert [change.id for change in compared.newly_broken] == ["test_a.py::test_b"]


# --- projects below the root ------------------------------------------------------------------------------


def test_the_ids_of_a_project_in_a_folder_begin_with_it_and_lead_back_to_it(tmp_path: Path) -> None:
    root = project(tmp_path, {"a/test_x.py": "def test_x(): assert 0, __file__\ndef test_y(): pass\n"})
    found = TestsChosen("../.venv/bin/python -m pytest", "pytest", "", "a")
    ran = run(tmp_path, root, found)
    assert results(ran) == {"a/test_x.py::test_x": "failed", "a/test_x.py::test_y": "passed"}
    assert list(results(run(tmp_path, root, found, cases=["a/test_x.py::test_y"]))) == ["a/test_x.py::test_y"]
    assert results(run(tmp_path, root, found, files=["a/test_x.py", "b/test_z.py"])) == results(ran)
    whole = run(tmp_path, root, TestsChosen("true", "", "", "a"))
    assert results(whole) == {"a: true": "passed"}


# --- suites that do not play by the rules -----------------------------------------------------------------


def test_a_run_that_deletes_its_report_is_no_green_run(tmp_path: Path) -> None:
    root = project(tmp_path, {"test_a.py": "import pytest\ndef test_a(): assert 0\n"})
    hook = "import os\ndef pytest_unconfigure(config): os.remove(config.option.xmlpath)\n"
    (root / "conftest.py").write_text(hook)
    ran = run(tmp_path, root)
    assert "before it came to its results" in ran.problem
    assert [case.result for case in ran.cases] == [Result.ERROR]


@pytest.mark.parametrize(
    "instead", ["rm {}", "rm {}; mkfifo {}", "rm {}; ln -s /etc/passwd {}", "rm -r {}/.."]
)
@pytest.mark.parametrize("code", [0, 1])
def test_a_log_that_was_deleted_or_replaced_is_a_problem(tmp_path: Path, instead: str, code: int) -> None:
    log = tmp_path / "logs" / "tests-before.log"
    instead = instead.replace("{}/..", str(log.parent)).replace("{}", str(log))
    ran = run(tmp_path, tmp_path, f"{instead}; exit {code}")
    assert ran.problem == "the log of the run, tests-before.log, was deleted or replaced while it ran"
    assert (ran.log, ran.tail) == ("", "")
    setup = run_setup(instead.replace("tests-before", "setup"), tmp_path, sandbox(tmp_path), log.parent, 60)
    assert (setup.log, "was deleted or replaced" in setup.tail) == ("", True)


def test_after_a_folder_of_logs_that_was_replaced_there_is_a_new_one(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    ran = run(tmp_path, tmp_path, f"rm -r {logs}; ln -s {tmp_path}/nowhere {logs}")
    assert "was deleted or replaced" in ran.problem
    ran = run(tmp_path, tmp_path, f"ln -s nowhere {logs}/tests-after-2.log", moment=Moment.AFTER)
    assert (ran.log, ran.problem) == ("tests-after-1.log", "")
    assert run(tmp_path, tmp_path, "true", moment=Moment.AFTER).log == "tests-after-3.log"


@pytest.mark.parametrize("instead", ["", "mkdir project", "ln -s nowhere project", "ln -s project project"])
def test_a_folder_that_was_deleted_or_replaced_is_a_problem(tmp_path: Path, instead: str) -> None:
    ran = run(tmp_path, project(tmp_path, {"a": ""}), f"cd ..; mv project old; {instead}", junit="*.xml")
    assert ran.problem == "the folder of the project was deleted or replaced by the run"


@pytest.mark.parametrize("make", ["mkfifo", "ln -s /etc/passwd", "ln -s /dev/zero", "mkdir"])
def test_what_is_no_file_in_the_place_of_a_report_is_not_there(tmp_path: Path, make: str) -> None:
    root = project(tmp_path, {"test_a.py": "import pytest\ndef test_a(): pass\n"})
    hook = f"import os\ndef pytest_unconfigure(config):\n  x = config.option.xmlpath\n  os.remove(x); os.system('{make} ' + x)\n"
    (root / "conftest.py").write_text(hook)
    assert "before it came to its results" in run(tmp_path, root).problem


@pytest.mark.timeout(10)
def test_a_log_of_lines_made_to_be_slow_is_read_in_no_time(tmp_path: Path) -> None:
    ran = run(tmp_path, tmp_path, "for n in 1 2 3 4 5 6 7 8 9; do printf '%65000s\\n' x; done; exit 1")
    assert ran.cases[0].result is Result.FAILED


@pytest.mark.parametrize("place", ["../r.xml", "elsewhere/r.xml", "out/r.txt"])
def test_a_report_in_a_place_that_nobody_named_is_not_read(tmp_path: Path, place: str) -> None:
    root = project(tmp_path, {"r.xml": REPORT, "elsewhere/x": "", "out/x": ""})
    ran = run(tmp_path, root, f"cp r.xml {place}", junit="out/*.xml")
    assert (ran.by_case, len(ran.cases)) == (False, 1)


def test_a_suite_that_kills_its_process_group_is_a_problem(tmp_path: Path) -> None:
    text = "import os, signal\ndef test_a(): os.killpg(0, signal.SIGKILL)\n"
    ran = run(tmp_path, project(tmp_path, {"pytest.ini": "[pytest]\n", "test_a.py": text}))
    assert "signal 9 (SIGKILL)" in ran.problem
    assert [case.result for case in ran.cases] == [Result.ERROR]


def test_daemons_that_outlive_the_suite_are_ended_and_do_not_hold_it_up(tmp_path: Path) -> None:
    root = project(tmp_path, {"test_a.py": """import pytest, subprocess, sys
def test_a():
    child = subprocess.Popen(["sleep", "600"])
    open("child", "w").write(str(child.pid))
"""})  # fmt: skip
    ran = run(tmp_path, root)
    assert results(ran) == {"test_a.py::test_a": "passed"}
    assert ran.seconds < 60
    child = Path("/proc", (root / "child").read_text(), "stat")
    assert not child.exists() or child.read_text().split()[2] in "ZX"  # nobody may have waited for it yet


def test_a_suite_that_wants_a_terminal_is_told_that_there_is_none(tmp_path: Path) -> None:
    text = "import pytest\ndef test_a():\n    open('/dev/tty')\ndef test_b(): pass\n"
    ran = run(tmp_path, project(tmp_path, {"test_a.py": text}))
    assert results(ran) == {"test_a.py::test_a": "failed", "test_a.py::test_b": "passed"}
    assert run(tmp_path, tmp_path / "project", "test -t 0 || read answer").exit_code == 1


def test_exit_code_0_makes_no_failure_of_the_report_good(tmp_path: Path) -> None:
    ran = run(tmp_path, project(tmp_path, {"r.xml": REPORT}), "cp r.xml out.xml", junit="out.xml")
    assert (ran.exit_code, results(ran)) == (0, {"c::a": "passed", "c::b": "failed"})


def test_exit_code_1_without_a_failure_in_the_report_is_an_error_of_its_own(tmp_path: Path) -> None:
    good = REPORT.replace("<failure/>", "")
    ran = run(tmp_path, project(tmp_path, {"r.xml": good}), "cp r.xml out.xml; exit 1", junit="out.xml")
    assert list(results(ran).values()) == ["passed", "passed", "error"]


def test_a_report_without_any_test_is_a_run_without_cases(tmp_path: Path) -> None:
    ran = run(tmp_path, tmp_path, "echo '<testsuites/>' > r.xml", junit="r.xml")
    assert (ran.by_case, ran.cases, ran.problem) == (True, (), "")
