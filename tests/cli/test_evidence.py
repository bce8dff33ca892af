"""What a session makes of the evidence, and `ci-agent verify`: commands in processes of their own, real git."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from ci_agent.journal.events import CheckRan, Judged, ProofRan, SetupChosen, SetupRan, TestsRan, Without
from ci_agent.task import Ending
from tests.sandbox.confining import needs_landlock
from tests.support.jobs import BRANCH, BREAK, FIX, SUBMIT, TESTS, Runner, calculator, last_results
from tests.support.model_server import ModelServer, Say
from tests.support.package_index import WHEEL, package_index
from tests.support.repositories import Repository

pytestmark = pytest.mark.slow

NO_TEST_OF_ADD = TESTS.replace("    def test_add(self):\n        self.assertEqual(add(1, 2), 3)\n\n", "")
ADD_TEST = (
    "edit_file",
    {
        "path": "test_calculator.py",
        "old": "    def test_double",
        "new": "    def test_add(self):\n        self.assertEqual(add(1, 2), 3)\n\n    def test_double",
    },
)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def _bug(folder: Path) -> tuple[str, str]:
    issue = folder / "bug.md"
    issue.write_text("---\ntitle: add() is broken\n---\nIt subtracts.\n")
    return "--issue", str(issue)


# --- a session --------------------------------------------------------------------------------------------


CACHE_TEST = """\
import os
import unittest
from pathlib import Path


class Cache(unittest.TestCase):
    def test_it_is_that_of_the_set_up(self):
        cache = Path(os.environ["PIP_CACHE_DIR"])
        self.assertEqual((list(cache.glob("planted")), bool(list(cache.glob("http*")))), ([], True))
"""


@needs_landlock
def test_what_was_downloaded_before_the_agents_first_command_serves_all_that_follow_and_nothing_it_puts_aside(
    runner: Runner, tmp_path: Path
) -> None:
    repository = calculator(tmp_path, {"test_cache.py": CACHE_TEST})
    plant = 'touch "$PIP_CACHE_DIR/planted"; rm -r "$PIP_CACHE_DIR"/http*; touch ../../downloads/pip/planted; echo done'
    steps = [Say(calls=[("bash", {"command": plant})]), Say(calls=[FIX]), Say(calls=[SUBMIT])]
    with package_index() as index, ModelServer(steps) as server:
        job = runner.run(repository.path, "--setup", index.install, server=server)
        [planted] = last_results(server.requests[1].body)
        assert index.downloads == [WHEEL]
    assert job.exit_code == 0, job.stderr
    assert "downloads/pip/planted': Permission denied\ndone" in planted
    assert [fact.place for fact in job.facts(SetupRan)] == ["work", "base", "result"]
    bad = {case.id for ran in job.facts(TestsRan) for case in ran.cases if case.result.bad}
    assert bad == {"test_calculator.py::Calculator::test_add"}  # on the base
    [folder] = (job.state / "sessions").iterdir()
    assert not (folder / "downloads").exists()


def test_a_mended_defect_without_a_test_is_given_back_once_for_one(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path, {"test_calculator.py": NO_TEST_OF_ADD})
    steps = [Say(calls=[FIX]), Say(calls=[SUBMIT]), Say(calls=[ADD_TEST, SUBMIT])]
    with ModelServer(steps) as server:
        job = runner.run(repository.path, *_bug(tmp_path), server=server)
        [_, asked] = [last_results(request.body) for request in server.requests[1:]]
    assert job.exit_code == 0
    assert "it adds no test" in asked[0]
    assert "say why in `no_test`" in asked[0]
    first, second = job.facts(ProofRan)
    assert first.cases == ()
    assert [(case.added, case.without) for case in second.cases] == [(True, Without.FAILS)]
    [text] = job.merge_requests()
    assert "**Verified.** No test newly broken, 1 added. 1 new test: fails without the change" in text
    assert "::test_add` | \N{EN DASH} | passed | fails: `AssertionError: -1 != 3` |" in text


def test_it_may_say_why_there_is_no_test(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path, {"test_calculator.py": NO_TEST_OF_ADD})
    declines = (SUBMIT[0], SUBMIT[1] | {"no_test": "It is <b>obvious</b>."})
    with ModelServer([Say(calls=[FIX]), Say(calls=[SUBMIT]), Say(calls=[declines])]) as server:
        job = runner.run(repository.path, *_bug(tmp_path), server=server)
        assert len(server.requests) == 3
    assert job.exit_code == 0
    assert [judged.ready for judged in job.facts(Judged)] == [True, True]
    [text] = job.merge_requests()
    assert "**Verified, with remarks.**" in text
    assert "It is" in text
    assert "<b>" not in text


def test_a_hand_in_that_held_is_not_lost_because_a_test_was_asked_for(runner: Runner, tmp_path: Path) -> None:
    """The model breaks something then, and comes to the limit of its steps."""
    repository = calculator(tmp_path, {"test_calculator.py": NO_TEST_OF_ADD})
    steps = [
        Say(calls=[FIX]),
        Say(calls=[SUBMIT]),
        Say(calls=[BREAK]),
        Say(calls=[("bash", {"command": "ls"})]),
    ]
    with ModelServer(steps) as server:
        job = runner.run(repository.path, *_bug(tmp_path), "--max-iterations", "4", server=server)
    assert job.exit_code == 0
    assert job.end.ending is Ending.SUBMITTED
    assert "a + b" in repository.show(BRANCH, "calculator.py")
    assert "a * 2" in repository.show(BRANCH, "calculator.py")
    [text] = job.merge_requests()
    assert "draft: false" in text
    assert "came to no better end" in text


def test_what_a_check_finds_new_keeps_the_work_from_being_accepted(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    (repository.path / ".ci-agent.yml").write_text("checks:\n- \"! grep -n 'TODO' *.py\"\n- sh lint.sh\n")
    repository.commit({"lint.sh": "grep -n XXX calculator.py /dev/null | sed 's/# XXX/ found/'; true\n"})
    worse = ("edit_file", {"path": "calculator.py", "old": "a - b", "new": "a + b  # XXX later"})
    better = ("edit_file", {"path": "calculator.py", "old": "  # XXX later", "new": ""})
    with ModelServer([Say(calls=[worse, SUBMIT]), Say(calls=[better, SUBMIT])]) as server:
        job = runner.run(repository.path, server=server)
        told = last_results(server.requests[1].body)[-1]
    assert job.exit_code == 0
    assert "Not accepted" in told
    assert "calculator.py:2: " in told
    assert [judged.ready for judged in job.facts(Judged)] == [False, True]
    assert [ran.moment for ran in job.facts(CheckRan)] == ["before", "before", *["after"] * 4]
    [text] = job.merge_requests()
    assert "`sh lint.sh`" in text


def test_the_next_session_on_the_same_commit_does_not_pay_for_the_base_again(
    runner: Runner, tmp_path: Path
) -> None:
    repository = calculator(tmp_path, {"test_calculator.py": NO_TEST_OF_ADD})
    jobs = []
    for _ in range(2):
        with ModelServer([Say(calls=[FIX]), Say(calls=[SUBMIT])]) as server:
            jobs.append(runner.run(repository.path, server=server))
    assert [job.facts(TestsRan)[0].reused for job in jobs] == [False, True]
    assert jobs[0].facts(TestsRan)[0].cases == jobs[1].facts(TestsRan)[0].cases
    assert "earlier" in jobs[1].merge_requests()[-1]


# --- ci-agent verify --------------------------------------------------------------------------------------


def _verify(tmp_path: Path, repository: Repository, *words: str) -> subprocess.CompletedProcess[str]:
    places = ["--state-dir", str(tmp_path / "state"), "--output-dir", str(tmp_path / "report")]
    return subprocess.run(
        [sys.executable, "-m", "ci_agent", "verify", "--repo", str(repository.path), *places, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def _fixed(repository: Repository, files: dict[str, str] | None = None) -> None:
    repository.git("switch", "-q", "-c", "fix")
    text = (repository.path / "calculator.py").read_text().replace("a - b", "a + b")
    repository.commit({"calculator.py": text} | (files or {}))


def test_a_branch_is_compared_with_where_it_left_the_default_branch(tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    _fixed(repository)
    before = repository.fingerprint()
    done = _verify(tmp_path, repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Verified" in done.stdout
    assert repository.fingerprint() == before
    report = tmp_path / "report"
    assert "**Verified.** 1 test fixed, none newly broken." in (report / "evidence.md").read_text()
    suites = ET.parse(report / "junit.xml").getroot().findall("testsuite")
    assert {suite.get("name") for suite in suites} == {"ci-agent", "before", "after"}
    assert b"a + b" in (report / "diff.patch").read_bytes()
    assert (report / "logs" / "tests-before.log").exists()


def test_what_the_base_gained_meanwhile_is_no_part_of_the_comparison(tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    _fixed(repository)
    repository.git("switch", "-q", "main")
    repository.commit({"other.py": "x = 1\n"})
    done = _verify(tmp_path, repository, "--head", "fix", "--json")
    kinds = {json.loads(line)["kind"] for line in done.stdout.splitlines()}
    assert {"WorkspaceReady", "TestsRan", "TestsCompared", "Judged"} <= kinds
    assert b"other.py" not in (tmp_path / "report" / "diff.patch").read_bytes()


@pytest.mark.parametrize(("base", "head"), [("HEAD~1", "HEAD"), ("v1", "fix"), ("main~0", "refs/heads/fix")])
def test_both_sides_are_whatever_git_takes_for_a_commit(tmp_path: Path, base: str, head: str) -> None:
    repository = calculator(tmp_path)
    repository.git("tag", "v1")
    _fixed(repository)
    done = _verify(tmp_path, repository, "--base", base, "--head", head)
    assert done.returncode == 0, done.stderr
    assert "1 test fixed" in done.stdout


def test_in_a_clone_and_in_a_linked_worktree_it_is_the_branch_that_is_checked_out_there(
    tmp_path: Path,
) -> None:
    repository = calculator(tmp_path)
    _fixed(repository)
    repository.git("branch", "other", "main")
    repository.git("switch", "-q", "main")
    repository.git("worktree", "add", "-q", str(tmp_path / "linked"), "fix")
    repository.git("clone", "-q", str(repository.path), str(tmp_path / "clone"))
    clone, linked = Repository(tmp_path / "clone"), Repository(tmp_path / "linked")
    clone.git("switch", "-q", "fix")
    for place in (clone, linked):
        done = _verify(tmp_path, place)
        assert done.returncode == 0, done.stderr
        assert "1 test fixed" in done.stdout


def test_the_configuration_is_that_of_the_base_and_never_that_of_the_branch(tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    repository.git("switch", "-q", "-c", "sly")
    text = (repository.path / "calculator.py").read_text().replace("a * 2", "a * 3")
    repository.commit({".ci-agent.yml": "verification:\n  test: 'true'\n", "calculator.py": text})
    repository.write({"calculator.py": "uncommitted"})
    done = _verify(tmp_path, repository)
    assert done.returncode == 1
    assert "Broken." in done.stdout
    assert "1 file with uncommitted changes" in done.stdout


def test_a_branch_that_breaks_something_is_an_exit_code_of_1(tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    repository.git("switch", "-q", "-c", "worse")
    text = (repository.path / "calculator.py").read_text().replace("a * 2", "a * 3")
    repository.commit({"calculator.py": text})
    done = _verify(tmp_path, repository)
    assert done.returncode == 1
    assert "Broken. 1 test newly broken" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--head", "main", "--base", "main"), "is the same commit as main"),
        (("--head", "main", "--base", "fix"), "is it the other way round?"),
        (("--base", "nowhere"), "there is no branch, tag or commit 'nowhere'"),
        (("--head", "nowhere"), "there is no branch, tag or commit 'nowhere'"),
        (("--policy", "some"), "`full`, `changed` or `off`"),
        (("--setup", "false"), "`false` failed with exit code 1"),
    ],
)
def test_what_can_not_be_compared_is_an_exit_code_of_2_and_says_why(
    tmp_path: Path, words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    repository = calculator(tmp_path)
    _fixed(repository)
    done = _verify(tmp_path, repository, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert not list((tmp_path / "temporary").iterdir())
    assert "Traceback" not in done.stderr


def test_a_test_command_that_is_on_neither_side_is_an_exit_code_of_2_with_a_report(tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    _fixed(repository)
    done = _verify(tmp_path, repository, "--test", "no-such-command --all")
    assert done.returncode == 2
    verdict = done.stdout[done.stdout.index("Not verified.") :]
    assert verdict.count("does not exist") == 1
    again = (tmp_path / "report" / "evidence.md").read_text()
    assert "--test 'no-such-command --all'\n" in again


def test_the_verdict_is_said_once(tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    _fixed(repository)
    done = _verify(tmp_path, repository)
    assert done.stdout.count("Verified. 1 test fixed") == 1


@pytest.mark.parametrize(
    ("shell", "said"), [("> /dev/full", "No space left on device"), ("| true", ""), (">&-", "")]
)
def test_an_output_that_can_not_be_written_changes_no_outcome(tmp_path: Path, shell: str, said: str) -> None:
    repository = calculator(tmp_path)
    _fixed(repository)
    command = shlex.join([sys.executable, "-m", "ci_agent", "verify", "--repo", str(repository.path)])
    script = f"set -o pipefail; {command} --state-dir {shlex.quote(str(tmp_path / 'state'))} {shell}"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "**Verified.**" in (tmp_path / "ci-agent-report" / "evidence.md").read_text()


def test_a_report_folder_that_can_not_be_written_to_is_said_before_anything_is_run(tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    _fixed(repository)
    done = _verify(tmp_path, repository, "--output-dir", "/proc/report")
    assert done.returncode == 2
    assert "/proc/report" in done.stderr
    assert done.stdout == ""


def test_a_key_that_the_branch_holds_is_in_no_file_of_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = calculator(tmp_path)
    _fixed(repository, {"config.py": "KEY = 'sk-very-secret-0815'\n"})
    monkeypatch.setenv("LLM_API_KEY", "sk-very-secret-0815")
    assert _verify(tmp_path, repository).returncode == 0
    for path in (tmp_path / "report").rglob("*"):
        assert path.is_dir() or b"sk-very-secret" not in path.read_bytes(), path


def test_in_a_shallow_clone_it_says_how_to_get_what_is_missing(tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    _fixed(repository)
    address = f"file://{repository.path}"
    repository.git("clone", "-q", "--depth", "1", "-b", "fix", address, str(tmp_path / "shallow"))
    for words in ((), ("--base", "main")):
        done = _verify(tmp_path, Repository(tmp_path / "shallow"), *words)
        assert done.returncode == 2
        assert "git fetch --unshallow" in done.stderr


def test_of_a_set_up_that_fails_the_report_holds_what_it_printed(tmp_path: Path) -> None:
    repository = calculator(tmp_path)
    _fixed(repository)
    done = _verify(tmp_path, repository, "--setup", "echo no wheels here; false")
    assert done.returncode == 2
    assert "no wheels here" in (tmp_path / "report" / "logs" / "setup.log").read_text()


def test_secrets_of_the_settings_stand_in_no_file_of_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = calculator(tmp_path)
    _fixed(repository)
    monkeypatch.setenv("LLM_API_KEY", "sk-very-secret-0815")
    done = _verify(tmp_path, repository, "--setup", "echo leaked: sk-very-secret-0815")
    assert done.returncode == 0
    assert "sk-very-secret" not in done.stdout
    for path in (tmp_path / "report").rglob("*"):
        assert path.is_dir() or b"sk-very-secret" not in path.read_bytes(), path


def test_set_up_is_found_out_where_something_is_missing(runner: Runner, tmp_path: Path) -> None:
    files = {"package.json": '{"scripts": {"test": "node --test"}, "dependencies": {"a": "file:./a"}}'}
    files["a/package.json"] = '{"name": "a", "version": "1.0.0", "main": "i.js"}'
    files["a/i.js"] = "module.exports = 1;\n"
    files["x.test.js"] = 'require("node:test")("one", () => require("assert").equal(require("a"), 1));\n'
    repository = calculator(tmp_path, files)
    repository.git("rm", "-q", "calculator.py", "test_calculator.py")
    repository.commit({"package.json": files["package.json"]})
    repository.git("switch", "-q", "-c", "more")
    repository.commit({"y.test.js": files["x.test.js"].replace("one", "two")})
    done = _verify(tmp_path, repository, "--json")
    facts = [json.loads(line) for line in done.stdout.splitlines()]
    [setup] = [fact for fact in facts if fact["kind"] == SetupChosen.__name__]
    assert "npm install" in json.dumps(setup)
    assert done.returncode == 0
