"""What the entries of other ecosystems make the real tools do and leave."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from defusedxml import ElementTree

from ci_agent.sandbox import Command
from ci_agent.verification.ecosystems import c, go, java, rust, shell
from ci_agent.verification.project import Project
from ci_agent.verification.runner import Runner
from tests.verification.ecosystem_projects import BATS, CARGO, CTEST, GO, MAVEN, laid_out
from tests.verification.projects import sandbox

pytestmark = pytest.mark.slow


def named(runners: tuple[Runner, ...], name: str) -> Runner:
    return next(runner for runner in runners if runner.name == name)


class Ran:
    """What a run with the runner's first report left: exit code, log and reports."""

    def __init__(self, tmp_path: Path, runner: Runner, root: Path, command: str = "") -> None:
        place = sandbox(tmp_path)
        found = Project(root, place)
        command = command or runner.command(found)
        report = next(report for report in runner.reports if report.here(found, command))
        folder = tmp_path / "the reports"
        folder.mkdir(exist_ok=True)
        log = tmp_path / "log"
        words = place.shell(report.command(command, folder))
        self.exit_code = place.run(Command(words, root, 100.0, log, report.environment(folder))).exit_code
        self.log = log.read_text()
        self.paths = [*folder.iterdir(), *(root.glob(report.files) if report.files else ())]

    def junit(self) -> set[tuple[str, bool]]:
        """Name of each case in the reports, and whether it passed."""
        cases = [case for path in self.paths for case in ElementTree.parse(path).iter("testcase")]
        return {(case.attrib["name"], case.find("failure") is None) for case in cases}

    def go(self) -> dict[str, str]:
        """The ids of the cases that ended, and how."""
        lines = [json.loads(line) for path in self.paths for line in path.read_text().splitlines()]
        ends = [line for line in lines if line.get("Test") and line["Action"] in ("pass", "fail", "skip")]
        return {f"{line['Package']}::{line['Test']}": line["Action"] for line in ends}


def test_go_leaves_its_events_for_us_and_its_words_in_the_log(tmp_path: Path) -> None:
    ran = Ran(tmp_path, go.RUNNERS[0], laid_out(tmp_path / "p", GO))
    assert ran.exit_code == 1
    assert ran.go() == {
        "example.com/m/a::TestAdd": "pass",
        "example.com/m/a::TestMany": "fail",
        "example.com/m/a::TestMany/one_two": "pass",
        "example.com/m/a::TestMany/a(b)|c": "pass",
        "example.com/m/a::TestMany/x/y": "fail",
        "example.com/m/b::TestTwice": "pass",
        "example.com/m/c::TestAlone": "pass",
    }
    assert '<it> \\ says "hello"\tto you\n' in ran.log
    assert "--- FAIL: TestMany/x/y" in ran.log
    assert '"Action"' not in ran.log
    assert "(cached)" not in Ran(tmp_path, go.RUNNERS[0], tmp_path / "p").log


def test_go_that_does_not_build_says_so_in_the_log_and_by_its_exit_code(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "p", {**GO, "a/a.go": "package a\nfunc Add(x, y int) int { return z }\n"})
    ran = Ran(tmp_path, go.RUNNERS[0], root)
    assert ran.exit_code == 1
    assert "undefined: z" in ran.log


def test_go_runs_single_cases_the_packages_of_files_and_those_that_a_change_reaches(tmp_path: Path) -> None:
    runner, root = go.RUNNERS[0], laid_out(tmp_path / "p", GO)
    assert runner.cases
    assert runner.files
    assert runner.related
    cases = ["example.com/m/a::TestMany/one_two", "example.com/m/a::TestMany/a(b)|c"]
    ran = Ran(tmp_path, runner, root, runner.cases("go test ./...", cases))
    assert ran.go() == dict.fromkeys(["example.com/m/a::TestMany", *cases], "pass")
    assert ran.exit_code == 0

    def packages(command: str) -> set[str]:
        return {name.split("::")[0][-1] for name in Ran(tmp_path, runner, root, command).go()}

    assert packages(runner.files("go test ./...", ["b/b_test.go"])) == {"b"}
    assert packages(runner.related("go test ./...", ["a/a.go", "gone/x.go"])) == {"a", "b"}
    assert packages(runner.related("go test ./...", ["b/b.go"])) == {"b"}
    assert packages(runner.related("go test ./...", ["c/testdata/x.txt"])) == {"c"}
    assert packages(runner.related("go test ./...", ["docs.md"])) == {"a", "b", "c"}


def test_go_says_which_lines_were_run_by_the_tests_of_whatever_package(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "p", {name: text for name, text in GO.items() if name != "a/a_test.go"})
    _, report = go.RUNNERS[0].coverage[0]
    place = sandbox(tmp_path)
    words = place.shell(report.command("go test ./...", tmp_path))
    place.run(Command(words, root, 100.0, tmp_path / "log", {}))
    assert re.search(r"^example.com/m/a/a.go:3\.\S+ 1 1$", (tmp_path / "go.cover").read_text(), re.MULTILINE)


def test_cargo_runs_every_member_and_goes_on_after_a_failure(tmp_path: Path) -> None:
    runner, root = named(rust.RUNNERS, "cargo test"), laid_out(tmp_path / "p", CARGO)
    ran = Ran(tmp_path, runner, root)
    assert ran.exit_code == 101
    assert dict(re.findall(r"^test (.*) \.\.\. (\w+)$", ran.log, re.MULTILINE)) == {
        "tests::adds": "ok",
        "tests::adds_wrongly": "FAILED",
        "works": "ok",
        "more_works": "ok",
        "src/lib.rs - add (line 1)": "ok",
    }
    assert runner.cases
    for narrowed, name in (
        (runner.cases("cargo test --workspace", ["adding::tests::adds"]), "tests::adds"),
        (runner.cases("cargo test", ["adding (doc)::src/lib.rs - add"]), "src/lib.rs - add (line 1)"),
    ):
        ran = Ran(tmp_path, runner, root, narrowed)
        assert re.findall(r"^test (.*) \.\.\. ok$", ran.log, re.MULTILINE) == [name]
        assert ran.exit_code == 0


def test_maven_runs_every_module_and_single_methods(tmp_path: Path) -> None:
    runner, root = named(java.RUNNERS, "maven"), laid_out(tmp_path / "p", MAVEN)
    ran = Ran(tmp_path, runner, root)
    assert ran.exit_code == 1
    assert len(ran.paths) == 2
    assert ran.junit() == {("good", True), ("bad", False)}
    assert runner.cases
    whole = runner.command(Project(root, sandbox(tmp_path)))
    ran = Ran(tmp_path, runner, root, runner.cases(whole, ["x.TwoTest::good"]))
    assert ran.exit_code == 0
    assert "Tests run: 1, Failures: 0" in ran.log
    assert "Running x.OneTest" not in ran.log


def test_ctest_builds_runs_and_takes_names_for_names(tmp_path: Path) -> None:
    runner, root = named(c.RUNNERS, "ctest"), laid_out(tmp_path / "p", CTEST)
    whole = runner.command(Project(root, sandbox(tmp_path)))
    ran = Ran(tmp_path, runner, root, whole)
    assert ran.exit_code == 8
    assert ran.junit() == {("good", True), ("good.too", True), ("goodxtoo", True), ("bad", False)}
    assert runner.cases
    ran = Ran(tmp_path, runner, root, runner.cases(whole, ["good.too"]))
    assert ran.junit() == {("good.too", True)}
    assert ran.exit_code == 0


def test_bats_writes_junit_and_takes_names_and_files(tmp_path: Path) -> None:
    runner, root = shell.RUNNERS[0], laid_out(tmp_path / "p", BATS)
    ran = Ran(tmp_path, runner, root)
    assert ran.exit_code == 1
    assert ran.junit() == {("adds (x) | 'y'", True), ("adds", True), ("fails", False), ("other", True)}
    assert runner.cases
    assert runner.files
    ran = Ran(tmp_path, runner, root, runner.cases("bats test", ["a.bats::adds (x) | 'y'", "a.bats::adds"]))
    assert ran.junit() == {("adds (x) | 'y'", True), ("adds", True)}
    ran = Ran(tmp_path, runner, root, runner.files("bats test", ["test/b.bats"]))
    assert ran.junit() == {("other", True)}
