from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ci_agent.journal.events import TestsChosen
from ci_agent.verification import can_narrow, choose, choose_more, choose_setup
from ci_agent.verification.detect import select
from ci_agent.verification.project import MOST_FILES
from tests.verification.projects import project, sandbox

PYTHON = ".venv/bin/python"
NPM = json.dumps({"scripts": {"test": "node --test"}})
UNIT = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass\n"


def chosen(tmp_path: Path, files: dict[str, str], *, with_pytest: bool = True) -> TestsChosen:
    return choose(project(tmp_path, files, pytest=with_pytest), "", sandbox(tmp_path))


def test_a_configured_command_wins_over_every_sign(tmp_path: Path) -> None:
    root = project(tmp_path, {"pytest.ini": "[pytest]\n"})
    assert choose(root, " make quick ", sandbox(tmp_path)).command == "make quick"


@pytest.mark.parametrize("word", ["none", "off", "None"])
def test_the_words_none_and_off_mean_that_there_are_no_tests_and_why_says_so(
    tmp_path: Path, word: str
) -> None:
    found = choose(project(tmp_path, {"pytest.ini": ""}), word, sandbox(tmp_path))
    assert found.command == ""
    assert word in found.why


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.ini", ""),
        ("pyproject.toml", "[project]\nname='x'\n[tool.pytest.ini_options]\n"),
        ("tox.ini", "[tox]\n[pytest]\n"),
        ("setup.cfg", "[tool:pytest]\n"),
        ("tests/conftest.py", ""),
        ("src/deep/tests/test_a.py", "from pytest import raises\n"),
    ],
)
def test_pytest_is_chosen_on_its_sign_even_where_it_is_not_installed(
    tmp_path: Path, name: str, text: str
) -> None:
    found = chosen(tmp_path, {name: text, "Makefile": "test:\n\ttrue\n"}, with_pytest=False)
    assert (found.command, found.runner) == (f"{PYTHON} -m pytest", "pytest")
    assert name in found.why


def test_tests_named_for_pytest_are_given_to_it_where_it_is_installed(tmp_path: Path) -> None:
    assert chosen(tmp_path, {"tests/test_a.py": UNIT}).runner == "pytest"


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"test_a.py": UNIT}, f"{PYTHON} -m unittest discover"),
        ({"tests/test_a.py": UNIT}, f"{PYTHON} -m unittest discover -s tests"),
        ({"tests/test_a.py": UNIT, "tests/__init__.py": ""}, f"{PYTHON} -m unittest discover"),
        (
            {"src/p/t/test_a.py": UNIT, "src/p/t/__init__.py": "", "src/p/__init__.py": ""},
            f"{PYTHON} -m unittest discover -s src",
        ),
    ],
)
def test_unittest_starts_above_the_outermost_package_of_its_tests(
    tmp_path: Path, files: dict[str, str], command: str
) -> None:
    found = chosen(tmp_path, files, with_pytest=False)
    assert (found.command, found.runner) == (command, "unittest")


@pytest.mark.parametrize(
    ("files", "command", "runner"),
    [
        ({"package.json": NPM}, "npm test", "node:test"),
        ({"package.json": json.dumps({"scripts": {"test": "./all.sh"}})}, "npm test", "npm test"),
        ({"go.mod": "module x\n"}, "go test ./...", "go test"),
        ({"Cargo.toml": "[package]\n"}, "cargo test", "cargo test"),
        ({"Makefile": "all:\n\ttrue\ntest: all\n\ttrue\n"}, "make test", "make test"),
        ({"Makefile": ".PHONY: check\ncheck:\n\ttrue\n"}, "make check", "make check"),
        ({"GNUmakefile": "check:\n\ttrue\nunit test::\n\ttrue\n"}, "make test", "make test"),
    ],
)
def test_other_runners_are_known_by_their_manifest(
    tmp_path: Path, files: dict[str, str], command: str, runner: str
) -> None:
    found = chosen(tmp_path, files)
    assert (found.command, found.runner) == (command, runner)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"package.json": json.dumps({"scripts": {"test": 'echo "Error: no test specified" && exit 1'}})},
        {"package.json": "{ not json"},
        {"package.json": '["a list"]'},
        {"package.json": '{"scripts": {"test": 3}}'},
        {"package.json": "[" * 100_000},
        {"Makefile": "test := 3\n.PHONY: test\nlatest:\n\ttrue\n"},
        {"node_modules/x/test_a.py": "import pytest\n", ".hidden/conftest.py": ""},
    ],
)
def test_where_nothing_says_how_tests_are_run_there_is_no_command_and_a_next_step(
    tmp_path: Path, files: dict[str, str]
) -> None:
    found = chosen(tmp_path, files)
    assert found.command == ""
    assert "`verification.test`" in found.why


def test_a_python_file_deep_in_a_project_of_another_language_does_not_make_it_a_python_project(
    tmp_path: Path,
) -> None:
    files = {"package.json": NPM, "scripts/test_release.py": "import pytest\n"}
    assert chosen(tmp_path, files).command == "npm test"
    assert chosen(tmp_path / "mixed", {**files, "setup.py": ""}).runner == "pytest"


def test_looking_for_signs_runs_nothing_of_the_project(tmp_path: Path) -> None:
    trap = "open('sprung', 'w')\n"
    files = dict.fromkeys(["conftest.py", "test_a.py", "pytest.py", "setup.py", "sitecustomize.py"], trap)
    root = project(tmp_path, files)
    (root / "conftest.py").unlink()
    assert choose(root, "", sandbox(tmp_path)).runner == "pytest"
    assert not (root / "sprung").exists()


def test_links_and_pipes_that_look_like_manifests_are_not_opened(tmp_path: Path) -> None:
    root = project(tmp_path, {"a.txt": ""})
    os.mkfifo(root / "Makefile")
    (root / "package.json").symlink_to("/dev/zero")
    assert choose(root, "", sandbox(tmp_path)).command == ""


def test_looking_for_signs_ends_in_a_very_large_repository(
    tmp_path: Path,
) -> None:
    root = project(tmp_path, {"a/x": "", "z/conftest.py": "", "Makefile": "test:\n\ttrue\n"})
    for number in range(MOST_FILES):
        os.link(root / "a/x", root / f"a/{number}")
    assert choose(root, "", sandbox(tmp_path)).command == "make test"


@pytest.mark.parametrize(
    ("command", "runner", "selector", "expected"),
    [
        ("pytest -q", "pytest", "tests/test_a.py -k 'x or y'", "pytest -q tests/test_a.py -k 'x or y'"),
        ("cd back && uv run pytest", "pytest", "a;b", "cd back && uv run pytest 'a;b'"),
        ("make build\nDEBUG=1 python3.12 -m pytest -x", "pytest", "a", "make build\nDEBUG=1 python3.12 -m pytest -x a"),
        ("python -m unittest discover", "unittest", "tests/test_a.py::T::test_x",
         "python -m unittest discover -k test_a.T.test_x"),
        ("python -m unittest discover", "unittest", "tests.test_a.T::test_x other",
         "python -m unittest discover -k tests.test_a.T.test_x -k other"),
        ("npm test", "npm test", "a.test.js", "npm test -- a.test.js"),
        ("npm run test -- -x", "npm test", "a", "npm run test -- -x a"),
        ("go test ./...", "go test", "TestA TestB", "go test ./... -run 'TestA|TestB'"),
        ("cargo test", "cargo test", "slug tabs", "cargo test -- slug tabs"),
        ("cargo test", "cargo test", "--test slugs", "cargo test --test slugs"),
        ("pytest", "pytest", "it's", "pytest 'it'\"'\"'s'"),
        ("pytest", "pytest", "  ", "pytest"),
        ("coverage run -m pytest", "pytest", "a", "coverage run -m pytest a"),
        # what can't be narrowed stays whole
        ("make test", "make test", "a", "make test"),
        ("pytest | tee log", "", "a", "pytest | tee log"),
        ("sh -c 'pytest'", "", "a", "sh -c 'pytest'"),
        ("./run-pytest", "", "a", "./run-pytest"),
        ("./run-tests", "", "a", "./run-tests"),
        ("echo pytest-free", "", "a", "echo pytest-free"),
    ],
)  # fmt: skip
def test_a_selector_narrows_the_command_word_by_word_where_its_runner_can(
    tmp_path: Path, command: str, runner: str, selector: str, expected: str
) -> None:
    found = choose(tmp_path, command, sandbox(tmp_path))
    assert found.runner == runner
    assert select(found, selector) == expected
    if selector.strip():
        assert can_narrow(found, "selector") is (expected != command)


# --- hints of the CI --------------------------------------------------------------------------------------


def test_what_wraps_another_runner_does_not_win_by_a_hint(tmp_path: Path) -> None:
    ci = "jobs:\n  test:\n    steps:\n    - run: tox\n"
    files = {"tox.ini": "[testenv]\ncommands = pytest\n", ".github/workflows/test.yml": ci}
    assert chosen(tmp_path / "alone", files).runner == "tox"
    assert chosen(tmp_path / "both", files | {"conftest.py": ""}).runner == "pytest"


BOTH = {"test_a.py": "import pytest\n", "package.json": NPM, "setup.py": ""}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".gitlab-ci.yml", "unit-tests:\n  before_script: !reference [.x, y]\n  script:\n    - npm ci\n    - [npm test]\n"),
        (".gitlab-ci.yml", ".d: &d\n  script: npm run test\nunit-tests:\n  <<: *d\n"),
        (".github/workflows/ci.yml", "on: push\njobs:\n  lint:\n    steps: [{run: pytest}]\n  unit-tests:\n    steps:\n      - uses: x\n      - run: |\n          npm ci\n          npm test -- --ci\n"),
    ],
)  # fmt: skip
def test_a_runner_that_a_job_for_tests_calls_wins_over_others_whose_sign_is_there(
    tmp_path: Path, name: str, text: str
) -> None:
    assert chosen(tmp_path / "without", BOTH).runner == "pytest"
    found = chosen(tmp_path, {**BOTH, name: text})
    assert found.command == "npm test"
    assert "the CI's job `unit-tests` calls node:test" in found.why


@pytest.mark.parametrize(
    "text",
    [
        "test: {script: [cargo test, make test, 'rm -rf / && npm test | tee x', 3, {a: b}]}",
        "lint: {script: npm test}",
        "test: npm test",
        "[" * 50_000,
        # merged as YAML says, these are 9 ** 50 entries
        "m0: &m0 {x: 1}\n"
        + "".join(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}\n" for n in range(1, 50)),
        "!!python/object/apply:os.system [touch sprung]",
        "? [a]\n: b",
        "\x00",
        "- " * 10_000,
    ],
)
def test_what_a_ci_file_says_beside_plain_calls_of_runners_changes_nothing(tmp_path: Path, text: str) -> None:
    assert chosen(tmp_path, {**BOTH, ".gitlab-ci.yml": text}).runner == "pytest"
    assert not (tmp_path / "project" / "sprung").exists()


def test_ci_files_that_are_no_files_are_not_waited_for(tmp_path: Path) -> None:
    root = project(tmp_path, {**BOTH, ".github/workflows/x": ""})
    os.mkfifo(root / ".gitlab-ci.yml")
    (root / ".github/workflows/a.yml").symlink_to("/dev/zero")
    assert choose(root, "", sandbox(tmp_path)).runner == "pytest"


# --- projects below the root ------------------------------------------------------------------------------

MANY = {
    "back/pyproject.toml": "[tool.pytest.ini_options]\n", "back/tests/conftest.py": "", "back/src/deep/core.py": "",
    "front/package.json": NPM, "front/src/a.js": "", "docs/x.md": "", "tool/go.mod": "module x\n", "tool/x.go": "",
    "node_modules/x/package.json": NPM,
}  # fmt: skip


def more(root: Path, tmp_path: Path, changed: list[str]) -> list[tuple[str, str]]:
    top = choose(root, "", sandbox(tmp_path))
    return [(one.folder, one.runner) for one in choose_more(root, sandbox(tmp_path), top, changed)]


def test_the_nearest_project_of_each_changed_file_is_tested(tmp_path: Path) -> None:
    root = project(tmp_path, MANY)
    changed = [
        "back/src/deep/core.py",
        "back/tests/conftest.py",
        "docs/x.md",
        "tool/gone/y.go",
        "x",
        "node_modules/x/a.js",
    ]
    assert more(root, tmp_path, changed) == [("back", "pytest"), ("tool", "go test")]
    assert more(root, tmp_path, ["../x/y.js", "/etc/x"]) == []


def test_where_the_root_has_no_tests_and_no_change_is_known_all_projects_below_are_tested(
    tmp_path: Path,
) -> None:
    root = project(tmp_path, {**MANY, "front/inner/package.json": NPM})
    assert more(root, tmp_path, []) == [
        ("back", "pytest"), ("front", "node:test"), ("tool", "go test"), ("front/inner", "node:test"),
    ]  # fmt: skip
    crowd = {f"p{number}/go.mod": "module x\n" for number in range(12)}
    assert len(more(project(tmp_path / "crowd", crowd), tmp_path, [])) == 10


@pytest.mark.parametrize(
    ("files", "changed", "expected"),
    [
        # pytest at the root looks below it, but runs no JavaScript
        ({"pytest.ini": "[pytest]\n"}, "back/src/deep/core.py", []),
        ({"pytest.ini": "[pytest]\ntestpaths =\n  tests\n"}, "back/src/deep/core.py", [("back", "pytest")]),
        ({"pyproject.toml": "[tool.pytest.ini_options]\ntestpaths=['back/tests']\n"}, "back/src/deep/core.py", []),
        ({"pytest.ini": "[pytest]\n"}, "front/src/a.js", [("front", "node:test")]),
        # workspaces, where the script goes to each; scripts and makefiles that name the folder
        ({"package.json": json.dumps({"workspaces": ["front"], "scripts": {"test": "npm test -ws"}})}, "front/src/a.js", []),
        ({"package.json": json.dumps({"workspaces": ["front"], "scripts": {"test": "./x.sh"}})}, "front/src/a.js", [("front", "node:test")]),
        ({"package.json": json.dumps({"scripts": {"test": "cd front && node --test"}})}, "front/src/a.js", []),
        ({"Makefile": "test:\n\tmake -C front test\n"}, "front/src/a.js", []),
        ({"Makefile": "test:\n\tmake -C front2 test\n"}, "front/src/a.js", [("front", "node:test")]),
    ],
)  # fmt: skip
def test_what_the_roots_command_runs_already_is_not_run_again(
    tmp_path: Path, files: dict[str, str], changed: str, expected: list[tuple[str, str]]
) -> None:
    assert more(project(tmp_path, {**MANY, **files}), tmp_path, [changed]) == expected


@pytest.mark.parametrize("configured", ["none", "make all"])
def test_beside_a_configured_command_nothing_is_looked_for(tmp_path: Path, configured: str) -> None:
    root = project(tmp_path, MANY)
    top = choose(root, configured, sandbox(tmp_path))
    assert top.configured
    assert choose_more(root, sandbox(tmp_path), top, ["front/src/a.js"]) == []
    words = TestsChosen(top.command, top.runner, "the configuration says so, but not of the tests")
    assert choose_more(root, sandbox(tmp_path), words, ["front/src/a.js"]) != []


def test_links_do_not_lead_to_projects_elsewhere(tmp_path: Path) -> None:
    root = project(tmp_path, {"a.txt": ""})
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "go.mod").write_text("module x\n")
    (root / "link").symlink_to(tmp_path / "outside")
    assert more(root, tmp_path, ["link/x.go"]) == []


# --- set-up -----------------------------------------------------------------------------------------------


def test_a_configured_set_up_wins_and_none_means_none(tmp_path: Path) -> None:
    root = project(tmp_path, {"package.json": NPM.replace("}}", '}, "dependencies": {"a": "1"}}')})
    top = choose(root, "", sandbox(tmp_path))
    assert choose_setup(root, "", sandbox(tmp_path), [top]).command.startswith("npm install")
    asked = choose_setup(root, " make x ", sandbox(tmp_path), [top])
    assert (asked.command, asked.configured) == ("make x", True)
    assert choose_setup(root, "none", sandbox(tmp_path), [top]).command == ""


def test_each_project_is_prepared_in_its_folder(tmp_path: Path) -> None:
    manifest = NPM.replace("}}", '}, "dependencies": {"a": "1"}}')
    root = project(tmp_path, {"package.json": manifest, "a b/package.json": manifest})
    sub = TestsChosen("npm test", "node:test", "", "a b")
    found = choose_setup(root, "", sandbox(tmp_path), [choose(root, "", sandbox(tmp_path)), sub])
    install = "npm install --no-audit --no-fund"
    assert found.command == f"{install} && (cd 'a b' && {install})"
    assert "a b: package.json names packages" in found.why
