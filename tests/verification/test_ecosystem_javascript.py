from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from ci_agent.journal.events import TestsChosen
from ci_agent.verification import can_narrow, choose, choose_setup, is_test_file, reading, run_coverage
from ci_agent.verification.detect import To, narrowed
from ci_agent.verification.ecosystems import named
from ci_agent.verification.project import Project
from tests.verification.projects import project, run, sandbox


def package(script: str, **more: object) -> str:
    return json.dumps({"scripts": {"test": script}, **more})


@pytest.mark.parametrize(
    ("script", "runner"),
    [
        ("jest", "jest"),
        ("jest --ci --runInBand", "jest"),
        ("tsc -p . && NODE_ENV=test jest", "jest"),
        ("cross-env CI=1 npx jest", "jest"),
        ("node_modules/.bin/vitest run", "vitest"),
        ("vitest", "vitest"),
        ("c8 mocha -r ts-node/register", "mocha"),
        ("ava", "ava"),
        ("node --import tsx --test", "node:test"),
        # what is put after these does not reach the framework
        ("jest && eslint .", "npm test"),
        ("jest | tee log", "npm test"),
        ("jest; true", "npm test"),
        ("(jest)", "npm test"),
        ("turbo run test", "npm test"),
        ("jest-runner-of-ours", "npm test"),
        ("echo jest", "npm test"),
    ],
)
def test_the_framework_behind_a_script_is_known_where_words_reach_it(
    tmp_path: Path, script: str, runner: str
) -> None:
    root = project(tmp_path, {"package.json": package(script)})
    found = choose(root, "", sandbox(tmp_path))
    assert (found.command, found.runner) == ("npm test", runner)
    assert choose(root, "npm run test", sandbox(tmp_path)).runner == runner


@pytest.mark.parametrize(
    ("runner", "command", "to", "words", "expected"),
    [
        ("jest", "npm test", "cases", ["src/a.test.ts::g > it's (1)"],
         "npm test -- --runTestsByPath src/a.test.ts -t '^ *(g( | > )it'\"'\"'s \\(1\\)) *$'"),
        ("jest", "yarn test", "files", ["a b.test.js"], "yarn test --runTestsByPath 'a b.test.js'"),
        ("jest", "pnpm test", "related", ["a.js"], "pnpm test --passWithNoTests --findRelatedTests a.js"),
        ("vitest", "npm test", "cases", ["a.test.ts::x#2", "a.test.ts::y"], "npm test -- a.test.ts -t '^ *(x|y) *$'"),
        ("vitest", "npm test", "related", ["a.ts"], "npx --no-install vitest related --run --passWithNoTests a.ts"),
        ("mocha", "npm test -- -x", "cases", ["t.js::g h::one"], "npm test -- -x --grep '^ *(g h( |::)one) *$'"),
        ("ava", "npm test", "selector", ["a.js"], "npm test -- a.js"),
        ("node:test", "npm test", "cases", ["test::one"], "npm test"),
        ("npm test", "npm test", "files", ["a.js"], "npm test"),
    ],
)  # fmt: skip
def test_frameworks_are_narrowed_in_their_own_words(
    runner: str, command: str, to: To, words: list[str], expected: str
) -> None:
    chosen = TestsChosen(command, runner, "")
    assert narrowed(chosen, to, words) == expected
    assert can_narrow(chosen, to) is (expected != command)


def test_the_ids_of_mochas_report_lead_back_to_its_full_titles(tmp_path: Path) -> None:
    titles = ["outside of all", " with  blanks ", "suite a :: b > c", "suite deep x"]
    tests = [
        {"title": full.removeprefix("suite "), "fullTitle": full, "file": "t/a-test.js"} for full in titles
    ]
    found = tmp_path / "mocha.json"
    stats = {"passes": len(tests), "pending": 0, "failures": 0}
    found.write_text(json.dumps({"stats": stats, "passes": tests, "pending": [], "failures": []}))
    ids = [case.id for case in reading.read("mocha", [found])]
    assert ids[0] == "t/a-test.js::outside of all"
    for case, full in zip(ids, titles, strict=True):
        command = narrowed(TestsChosen("npm test", "mocha", ""), "cases", [case])
        expression = shlex.split(command)[-1]
        assert [title for title in titles if re.search(expression, title)] == [full]


@pytest.mark.parametrize(
    ("runner", "expected"),
    [
        ("jest", "npm test -- --json --outputFile=out/jest.json"),
        ("vitest", "npm test -- --reporter=default --reporter=junit --outputFile.junit=out/vitest.xml"),
        ("mocha", "npm test -- --reporter=json --reporter-option=output=out/mocha.json"),
        ("ava", "npm test -- --tap"),
    ],
)
def test_frameworks_are_asked_for_a_report_in_our_folder(runner: str, expected: str) -> None:
    entry = named(runner)
    assert entry
    assert entry.reports[0].command("npm test", Path("out")) == expected


@pytest.mark.parametrize(
    "script",
    [
        "jest --json",
        "vitest --outputFile=x",
        "mocha -O output=x",
        "ava --tap",
        "node --test-reporter=tap --test",
    ],
)
def test_a_script_that_reports_by_itself_is_left_alone(tmp_path: Path, script: str) -> None:
    seen = Project(project(tmp_path, {"package.json": package(script)}), sandbox(tmp_path))
    entry = named(choose(seen.root, "", sandbox(tmp_path)).runner)
    assert entry
    assert entry.name != "npm test"
    assert not entry.reports[0].here(seen, "npm test")
    plain = script.split(" -", maxsplit=1)[0]
    (seen.root / "package.json").write_text(package(plain))
    assert entry.reports[0].here(Project(seen.root, sandbox(tmp_path)), "npm test")


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({}, ""),
        ({"package.json": package("jest")}, ""),
        ({"package.json": package("jest", devDependencies={"jest": "1"})}, "npm install --no-audit --no-fund"),
        ({"package.json": package("jest", dependencies={"a": "1"}), "package-lock.json": ""}, "npm ci --no-audit --no-fund"),
        ({"package.json": package("jest", dependencies={"a": "1"}), "node_modules/a/x.js": ""}, ""),
        ({"package.json": package("jest", dependencies={"a": "1"}), "pnpm-lock.yaml": ""}, "pnpm install --frozen-lockfile"),
        ({"package.json": package("jest", dependencies={"a": "1"}, packageManager="pnpm@9")}, "pnpm install"),
        ({"package.json": package("jest", dependencies={"a": "1"}), "yarn.lock": ""}, "npm install --no-audit --no-fund"),
    ],
)  # fmt: skip
def test_packages_are_installed_where_there_are_some_and_node_modules_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], command: str
) -> None:
    place = tmp_path / "bin"
    place.mkdir()
    (place / "pnpm").write_text("#!/bin/sh\nexit 9\n")
    (place / "pnpm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")  # pnpm, and no yarn
    root = project(tmp_path, files)
    chosen = choose(root, "", sandbox(tmp_path))
    assert choose_setup(root, "", sandbox(tmp_path), [chosen]).command == command
    assert chosen.command in ("", "pnpm test" if "pnpm" in command else "npm test")


@pytest.mark.parametrize(
    ("path", "it_is"),
    [("src/a.test.tsx", True), ("__tests__/x.js", True), ("lib/__tests/x.js", True), ("_test_/x.js", True), ("contests/x.js", False), ("a/__snapshots__/x.snap", True), ("test.js", True),
     ("lib/b.spec.mjs", True), ("lib/b-test.js", True), ("src/latest.js", False), ("src/test-utils.ts", False), ("src/contest.js", False)],
)  # fmt: skip
def test_it_is_known_where_tests_live(path: str, it_is: bool) -> None:
    assert is_test_file(TestsChosen("npm test", "jest", ""), path) is it_is


SUITE = """const { test } = require('node:test'); const assert = require('node:assert'); const { used } = require('./core');
test('good', () => { assert.equal(used(), 1) }); test('bad', () => { assert.equal(used(), 2) })
"""
CORE = "exports.used = () => 1\nexports.unused = () => {\n  return 2\n}\n"


def test_node_test_tells_results_by_case_beside_its_usual_words(tmp_path: Path) -> None:
    root = project(tmp_path, {"package.json": package("node --test"), "core.js": CORE, "a.test.js": SUITE})
    ran = run(tmp_path, root)
    assert sorted(case.id.rpartition("::")[2] for case in ran.cases if case.result.bad) == ["bad"]
    assert (len(ran.cases), ran.problem, ran.exit_code) == (2, "", 1)
    assert "✖ bad" in (tmp_path / "logs" / ran.log).read_text()


def test_node_test_says_which_lines_it_runs(tmp_path: Path) -> None:
    root = project(tmp_path, {"package.json": package("node --test"), "core.js": CORE, "a.test.js": SUITE})
    found = run_coverage(
        choose(root, "", sandbox(tmp_path)), root=root, sandbox=sandbox(tmp_path), logs=tmp_path / "logs",
        into=tmp_path / "lines", timeout=60,
    )  # fmt: skip
    assert (found.tool, found.format, found.problem) == ("node:test", "lcov", "")
    assert "SF:core.js" in found.files[0].read_text()


def test_a_script_without_a_tool_for_coverage_is_not_run_for_it(tmp_path: Path) -> None:
    root = project(tmp_path, {"package.json": package("touch ran && mocha")})
    found = run_coverage(
        choose(root, "", sandbox(tmp_path)), root=root, sandbox=sandbox(tmp_path), logs=tmp_path / "logs",
        into=tmp_path / "lines", timeout=60,
    )  # fmt: skip
    assert (found.files, found.problem) == ((), "no tool for mocha is there")
    assert not (root / "ran").exists()
