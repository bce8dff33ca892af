"""Changes of a small Python project, examined for real: in clean checkouts, with real git and real test runs."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ci_agent.evidence.ground import failure
from ci_agent.journal.events import (
    CasesRetried,
    CheckRan,
    Grade,
    Moment,
    ProofRan,
    Result,
    SetupRan,
    Stability,
    TestsChosen,
    TestsRan,
    Warned,
    Without,
)
from ci_agent.sandbox.presence import Presence
from ci_agent.sandbox.shared_memory import SharedMemory
from tests.evidence.ground import scene
from tests.support.ticks import pass_a_tick

pytestmark = pytest.mark.slow

SLUG = """\
def slug(text):
    return "-".join(text.lower().split({}))
"""
TESTS = """\
import unittest
from slugs import slug

class TestSlug(unittest.TestCase):
    def test_plain(self):
        self.assertEqual(slug("A b"), "a-b")
"""
BLANKS = """
    def test_blanks(self):
        self.assertEqual(slug("A  b"), "a-b")
"""
PROJECT = {"slugs.py": SLUG.format('" "'), "test_slugs.py": TESTS, ".gitignore": "*.local\n"}
FIX = {"slugs.py": SLUG.format("")}


_PATH = os.environ["PATH"]


@pytest.fixture(autouse=True)
def _python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin")


def test_a_fix_with_a_test_is_verified(tmp_path: Path) -> None:
    here = scene(tmp_path, PROJECT)
    found = here.examine(FIX | {"test_slugs.py": TESTS + BLANKS})
    assert found.judged.grade is Grade.VERIFIED
    assert found.judged.ready
    [proof] = here.of(ProofRan)
    assert isinstance(proof, ProofRan)
    assert [(case.id, case.added, case.without) for case in proof.cases] == [
        ("test_slugs.TestSlug::test_blanks", True, Without.FAILS)
    ]
    assert "'a--b' != 'a-b'" in proof.cases[0].message
    moments = [ran.moment for ran in here.of(TestsRan) if isinstance(ran, TestsRan)]
    again = [Moment.AGAIN] * 4  # twice without the change, twice with it
    assert moments == [Moment.BEFORE, Moment.AFTER, Moment.PROOF, *again, Moment.REVERSE]


def test_a_test_that_passes_without_the_change_is_named(tmp_path: Path) -> None:
    idle = TESTS + '\n    def test_idle(self):\n        self.assertEqual(slug("c"), "c")\n'
    found = scene(tmp_path, PROJECT).examine(FIX | {"test_slugs.py": idle})
    assert found.judged.grade is Grade.REMARKS
    assert found.measured.proof
    assert [case.without for case in found.measured.proof.cases] == [Without.PASSES]


def test_a_test_of_something_new_can_not_run_without_it(tmp_path: Path) -> None:
    new = TESTS.replace("import slug", "import slug, snake") + (
        '\n    def test_snake(self):\n        self.assertEqual(snake("A b"), "a_b")\n'
    )
    change = {
        "slugs.py": PROJECT["slugs.py"] + '\ndef snake(text):\n    return slug(text).replace("-", "_")\n'
    }
    found = scene(tmp_path, PROJECT).examine(change | {"test_slugs.py": new})
    assert found.measured.proof
    by_id = {case.id: case.without for case in found.measured.proof.cases}
    assert by_id["test_slugs.TestSlug::test_snake"] is Without.MISSING
    assert found.judged.ready


def test_what_breaks_is_run_again_before_it_is_called_broken(tmp_path: Path) -> None:
    here = scene(tmp_path, PROJECT)
    found = here.examine({"slugs.py": 'def slug(text):\n    return "x"\n'})
    assert found.judged.grade is Grade.BROKEN
    assert not found.judged.ready
    [retried] = here.of(CasesRetried)
    assert isinstance(retried, CasesRetried)
    [case] = retried.cases
    assert case.stability is Stability.BROKEN
    assert (len(case.result_alone), len(case.base_alone)) == (3, 1)
    assert [change.id for change in found.compared.newly_broken] == ["test_slugs.TestSlug::test_plain"]


COUNTED = """\
import unittest
from pathlib import Path

class TestCounted(unittest.TestCase):
    def test_sometimes(self):
        runs = Path({counter!r})
        number = int(runs.read_text()) + 1 if runs.exists() else 1
        runs.write_text(str(number))
        self.assertNotIn(number, {bad})
"""


def test_a_flaky_test_is_called_flaky_and_breaks_nothing(tmp_path: Path) -> None:
    flaky = COUNTED.format(
        counter=str(tmp_path / "counter"), bad=[2, 4, 7]
    )  # 1 is before, 2 after, 6 to 8 are on the base again
    here = scene(tmp_path, PROJECT | {"test_flaky.py": flaky})
    found = here.examine({"slugs.py": PROJECT["slugs.py"] + "\n# a comment\n"})
    assert [change.id for change in found.compared.flaky] == ["test_flaky.TestCounted::test_sometimes"]
    assert found.compared.newly_broken == ()
    assert found.judged.grade is Grade.REMARKS
    assert found.measured.retried
    assert found.measured.retried.cases[0].failures == (2, 4)


def test_a_test_that_comes_to_fail_now_and_then_is_not_let_pass(tmp_path: Path) -> None:
    here = scene(tmp_path, PROJECT | {"test_flaky.py": _times(tmp_path, [2, 4])})
    found = here.examine({"README": "x"})
    assert found.judged.grade is Grade.NOT_VERIFIED
    assert found.judged.reasons[0].startswith("1 test became flaky with the change")
    assert "failed 2 of 4 runs, none of 4 on the base" in found.judged.reasons[0]


def test_a_test_that_fails_only_after_another_depends_on_the_order(tmp_path: Path) -> None:
    shared = "import unittest, slugs\nclass TestLast(unittest.TestCase):\n    def test_clean(self):\n        self.assertFalse(hasattr(slugs, 'left'))\n"
    leaves = "import unittest, slugs\nclass TestFirst(unittest.TestCase):\n    def test_leaves(self):\n        slugs.left = 1\n"
    here = scene(tmp_path, PROJECT | {"test_z.py": shared})
    found = here.examine({"test_a.py": leaves})
    assert [change.id for change in found.compared.order_dependent] == ["test_z.TestLast::test_clean"]
    assert found.judged.grade is Grade.NOT_VERIFIED
    assert not found.judged.ready


def test_a_deleted_or_skipped_test_is_never_counted_as_fixed(tmp_path: Path) -> None:
    failing = PROJECT | {"test_slugs.py": TESTS + BLANKS}
    here = scene(tmp_path, failing)
    deleted = here.examine({"test_slugs.py": TESTS})
    skipped = here.examine(
        {"test_slugs.py": TESTS + BLANKS.replace("    def", "    @unittest.skip('later')\n    def")}
    )
    for found in (deleted, skipped):
        assert found.compared.fixed == ()
        assert [change.id for change in found.compared.lost] == ["test_slugs.TestSlug::test_blanks"]
        assert not found.judged.ready


def test_what_is_in_no_commit_is_not_there_when_the_tests_run(tmp_path: Path) -> None:
    """The result is a checkout of its own, with set-up of its own."""
    tests = "import unittest, pathlib\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(pathlib.Path('made').read_text(), pathlib.Path('wanted').read_text())\n"
    files = {"wanted": "1", "test_made.py": tests, ".gitignore": "made\n"}
    here = scene(tmp_path, files, setup="test ! -e made && cp wanted made")
    found = here.examine({"wanted": "2"}, {"wanted": "3"})
    assert found.compared.newly_broken == ()
    places = [ran.place for ran in here.of(SetupRan) if isinstance(ran, SetupRan)]
    assert [place for place in places if place == "result"] == ["result", "result"]
    assert all(ran.exit_code == 0 for ran in here.of(SetupRan) if isinstance(ran, SetupRan))


def test_what_set_up_makes_of_tracked_files_is_not_what_is_tested(tmp_path: Path) -> None:
    here = scene(tmp_path, PROJECT, setup="echo broken > slugs.py")
    assert here.examine(FIX).compared.newly_broken == ()


def test_a_base_that_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    here = scene(tmp_path, PROJECT)
    first = here.examine(FIX)
    second = here.examine(FIX)
    assert first.before
    assert second.before
    assert (first.before.reused, second.before.reused) == (False, True)
    assert second.before.cases == first.before.cases
    here.repository.git("checkout", "-q", "main")
    here.repository.commit({"other": "1"})
    third = here.examine(FIX)
    assert third.before
    assert not third.before.reused


def _times(tmp_path: Path, bad: list[int]) -> str:
    return COUNTED.format(counter=str(tmp_path / "counter"), bad=bad)


def test_what_failed_on_the_base_by_accident_is_not_called_fixed(tmp_path: Path) -> None:
    here = scene(tmp_path, PROJECT | {"test_flaky.py": _times(tmp_path, [1])})
    found = here.examine({"README": "x"})
    assert found.compared.fixed == ()
    assert [change.id for change in found.compared.flaky] == ["test_flaky.TestCounted::test_sometimes"]
    assert found.judged.grade is Grade.REMARKS


def test_a_new_test_that_fails_without_the_change_by_accident_is_no_proof(tmp_path: Path) -> None:
    here = scene(tmp_path, PROJECT)
    found = here.examine(FIX | {"test_flaky.py": _times(tmp_path, [2])})  # 1 is after, 2 the proof
    assert found.measured.proof
    assert [case.without for case in found.measured.proof.cases] == [Without.UNSTEADY]
    assert "1 new test passes one time and fails another, so it shows nothing." in found.judged.remarks
    assert found.judged.grade is Grade.REMARKS


def test_a_change_of_tests_alone_proves_nothing_about_the_source(tmp_path: Path) -> None:
    here = scene(tmp_path, PROJECT)
    found = here.examine({"test_more.py": TESTS.replace("TestSlug", "TestMore")})
    assert found.measured.proof
    assert [case.without for case in found.measured.proof.cases] == [Without.PASSES]
    assert found.judged.grade is Grade.REMARKS
    assert Moment.PROOF not in {ran.moment for ran in here.of(TestsRan) if isinstance(ran, TestsRan)}


def test_what_tests_leave_behind_fails_no_other_run(tmp_path: Path) -> None:
    """Each proof and each first run again has a checkout in which nothing was left behind."""
    leaves = (
        "import os, unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        os.mkdir('left')\n"
    )
    here = scene(tmp_path, PROJECT | {"test_leaves.py": leaves})
    found = here.examine({"test_leaves.py": leaves + "# a comment\n", "README": "x"})
    assert found.measured.proof
    assert found.measured.proof.cases == ()
    assert found.measured.proof.outdated == ()


def test_what_fails_in_a_fresh_clone_is_broken_though_it_passes_the_second_time(tmp_path: Path) -> None:
    found = scene(tmp_path, PROJECT).examine(
        {
            "slugs.py": "import os\n"
            + PROJECT["slugs.py"].replace(
                "    return",
                "    if not os.path.exists('cache'):\n        os.mkdir('cache')\n        raise OSError\n    return",
            )
        }
    )
    assert [change.id for change in found.compared.newly_broken] == ["test_slugs.TestSlug::test_plain"]


def test_a_test_that_was_weakened_to_fit_is_named(tmp_path: Path) -> None:
    """As it was, it fails against the new source."""
    found = scene(tmp_path, PROJECT).examine(
        {
            "slugs.py": PROJECT["slugs.py"].replace('"-"', '"_"'),
            "test_slugs.py": TESTS.replace(
                'self.assertEqual(slug("A b"), "a-b")', 'self.assertTrue(slug("A b"))'
            ),
        }
    )
    assert found.measured.proof
    [old] = found.measured.proof.outdated
    assert (old.id, old.gone) == ("test_slugs.TestSlug::test_plain", False)
    assert "'a_b' != 'a-b'" in old.message
    assert found.judged.grade is Grade.REMARKS
    assert any("test_plain" in remark for remark in found.judged.remarks)


def test_a_test_that_is_replaced_because_it_would_fail_is_not_renamed(tmp_path: Path) -> None:
    found = scene(tmp_path, PROJECT).examine(
        {
            "slugs.py": PROJECT["slugs.py"].replace('"-"', '"_"'),
            "test_slugs.py": TESTS.replace("test_plain", "test_plainly").replace("a-b", "a_b"),
        }
    )
    assert found.measured.proof
    assert [(old.id, old.gone) for old in found.measured.proof.outdated] == [
        ("test_slugs.TestSlug::test_plain", True)
    ]
    assert not found.judged.ready


def test_a_project_that_the_change_brings_has_no_run_before(tmp_path: Path) -> None:
    here = scene(tmp_path, PROJECT, test=None)
    brings = {"web/package.json": '{"scripts": {"test": "node --test"}}', "web/a.test.js": _NODE.format(1)}
    found = here.examine(brings)
    assert [change.after for change in found.compared.added] == ["passed"]
    assert found.compared.removed == ()
    assert found.judged.ready


def test_a_project_that_the_change_removes_is_missed(tmp_path: Path) -> None:
    below = {"web/package.json": '{"scripts": {"test": "node --test"}}', "web/a.test.js": _NODE.format(1)}
    found = scene(tmp_path, PROJECT | below, test=None).examine(dict.fromkeys(below))
    assert len(found.compared.lost) == 1
    assert not found.judged.ready


def test_the_manifest_of_the_first_tests_may_be_new_as_well(tmp_path: Path) -> None:
    files = {"package.json": '{"scripts": {"test": "node --test"}}', "a.test.js": _NODE.format(1)}
    found = scene(tmp_path, {"README": "x"}, test=None).examine(files)
    assert found.before is None
    assert [change.after for change in found.compared.added] == ["passed"]
    assert found.judged.ready


def test_what_the_change_needs_to_be_installed_is_installed(tmp_path: Path) -> None:
    files = {"package.json": '{"scripts": {"test": "node --test"}}', "a.test.js": _NODE.format(1)}
    here = scene(tmp_path, files, test=None)
    needs = {
        "package.json": '{"scripts": {"test": "node --test"}, "dependencies": {"one": "file:./one"}}',
        "one/package.json": '{"name": "one", "version": "1.0.0", "main": "i.js"}',
        "one/i.js": "module.exports = 1;\n",
        "b.test.js": _NODE.format('require("one")').replace('"one", ()', '"two", ()'),
    }
    found = here.examine(needs)
    assert found.compared.newly_broken == ()
    assert len(found.compared.added) == 1


def test_checks_see_nothing_that_tests_leave_behind(tmp_path: Path) -> None:
    leaves = "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        open('gen.py', 'w').close()\n"
    here = scene(tmp_path, PROJECT | {"test_leaves.py": leaves}, checks=("test ! -e gen.py",))
    for _ in range(2):  # the second time with a base that is remembered
        found = here.examine({"README": "x"})
        assert found.measured.checks
        assert (found.measured.checks.checks[0].before, found.measured.checks.checks[0].after) == (0, 0)


def test_where_single_cases_can_not_be_run_all_tests_are_run_again(tmp_path: Path) -> None:
    counter = str(tmp_path / "counter")
    flaky = (
        'const fs = require("fs"); const t = require("node:test"); const a = require("assert");\n'
        f't("now and then", () => {{ const f = {counter!r}; const n = fs.existsSync(f) ? +fs.readFileSync(f) + 1 : 1;\n'
        "fs.writeFileSync(f, String(n)); a.notEqual(n, 2); });\n"
    )
    here = scene(
        tmp_path, {"package.json": '{"scripts": {"test": "node --test"}}', "a.test.js": flaky}, test=None
    )
    found = here.examine({"README": "x"})
    assert found.compared.newly_broken == ()
    assert len(found.compared.flaky) == 1


def test_without_tests_nothing_is_claimed(tmp_path: Path) -> None:
    found = scene(tmp_path, {"a": "1"}, test=None).examine({"a": "2"})
    assert found.judged.grade is Grade.NOT_VERIFIED
    assert found.judged.ready
    off = scene(tmp_path / "off", PROJECT, policy="off")
    assert off.examine(FIX).judged.grade is Grade.NOT_VERIFIED
    assert off.of(TestsRan) == []


def test_the_first_tests_of_a_repository_come_with_the_change(tmp_path: Path) -> None:
    here = scene(tmp_path, {"slugs.py": PROJECT["slugs.py"]}, test=None)
    found = here.examine(FIX | {"test_slugs.py": TESTS + BLANKS})
    assert found.after.by_case
    assert found.judged.ready
    assert found.measured.proof
    assert Without.FAILS in {case.without for case in found.measured.proof.cases}


def test_only_new_findings_of_checks_count(tmp_path: Path) -> None:
    lint = "grep -n TODO *.py /dev/null | sed 's/# TODO/ TODO found:/'; ! grep -q TODO *.py"
    files = PROJECT | {"old.py": "# TODO one\n"}
    here = scene(tmp_path, files, checks=(lint, "true"))
    same = here.examine(FIX)
    assert same.measured.checks
    assert [check.worse for check in same.measured.checks.checks] == [False, False]
    assert same.judged.ready
    worse = here.examine(FIX | {"new.py": "\n# TODO two\n"})
    assert worse.measured.checks
    [finding] = worse.measured.checks.checks[0].new
    assert (finding.path, finding.line) == ("new.py", 2)
    assert not worse.judged.ready
    assert len([ran for ran in here.of(CheckRan) if isinstance(ran, CheckRan)]) == 4


def test_a_set_up_that_fails_on_the_result_is_told(tmp_path: Path) -> None:
    here = scene(tmp_path, PROJECT, setup="! grep -q broken slugs.py")
    found = here.examine({"slugs.py": PROJECT["slugs.py"] + "# broken\n"})
    assert "failed with exit code 1" in found.measured.setup_failed
    assert not found.judged.ready


def test_a_suite_too_slow_for_what_is_left_says_so(tmp_path: Path) -> None:
    slow = PROJECT | {
        "test_slow.py": "import time, unittest\nclass T(unittest.TestCase):\n    def test_slow(self):\n        time.sleep(1.2)\n"
    }
    here = scene(tmp_path, slow)
    here.seconds_left_after_base = 1.5  # enough for the tests that the change reaches
    found = here.examine(FIX | {"test_slugs.py": TESTS + BLANKS})
    assert "were left" in found.after.some
    assert found.judged.grade is not Grade.VERIFIED


def test_the_policy_changed_runs_what_the_change_reaches_and_then_all(tmp_path: Path) -> None:
    files = PROJECT | {
        "test_other.py": TESTS.replace("TestSlug", "TestOther")
        .replace("from slugs import slug", "slug = str.lower")
        .replace("a-b", "a b")
    }
    here = scene(tmp_path, files, policy="changed")
    found = here.examine(FIX | {"test_slugs.py": TESTS + BLANKS})
    both = (Moment.BEFORE, Moment.AFTER)
    runs = [ran for ran in here.of(TestsRan) if isinstance(ran, TestsRan) and ran.moment in both]
    assert [(ran.moment, bool(ran.some), len(ran.cases)) for ran in runs] == [
        (Moment.AFTER, True, 2),
        (Moment.BEFORE, True, 1),
        (Moment.AFTER, False, 3),
        (Moment.BEFORE, False, 2),
    ]
    assert found.judged.grade is Grade.VERIFIED
    short = scene(tmp_path / "short", files, policy="changed", final_full=False)
    judged = short.examine(FIX | {"test_slugs.py": TESTS + BLANKS}).judged
    assert judged.grade is Grade.REMARKS


def test_projects_below_are_tested_when_the_change_reaches_them(tmp_path: Path) -> None:
    below = {"web/package.json": '{"scripts": {"test": "node --test"}}', "web/a.test.js": _NODE.format(1)}
    here = scene(tmp_path, PROJECT | below, test=None)
    found = here.examine({"web/a.test.js": _NODE.format(2)})
    folders = [chosen.folder for chosen in here.of(TestsChosen) if isinstance(chosen, TestsChosen)]
    assert folders == ["", "web"]
    assert len(found.after.cases) == 2
    assert [change.id for change in found.compared.newly_broken] == [
        case.id for case in found.after.cases if case.result.bad
    ]
    assert len(found.compared.newly_broken) == 1
    again = [ran for ran in here.of(TestsRan) if isinstance(ran, TestsRan) and ran.moment is Moment.AGAIN]
    assert {ran.command for ran in again} == {"(cd web && npm test)"}  # and nothing of the other project
    [retried] = here.of(CasesRetried)
    assert isinstance(retried, CasesRetried)
    assert [case.failures for case in retried.cases] == [(4, 4)]


_NODE = 'const t = require("node:test"); const a = require("assert"); t("one", () => a.equal(1, {}));\n'


def test_a_set_up_nobody_asked_for_may_fail(tmp_path: Path) -> None:
    """It is told, and the tests are run all the same."""
    files = {
        "package.json": '{"scripts": {"test": "node --test"}, "dependencies": {"nowhere": "file:./nowhere.tgz"}}',
        "a.test.js": _NODE.format(1),
    }
    here = scene(tmp_path, files, test=None)
    found = here.examine({"b.test.js": _NODE.format(1).replace("one", "two")})
    assert any("Nobody asked for it" in fact.text for fact in here.of(Warned) if isinstance(fact, Warned))
    assert found.compared.added
    [said] = [text for text in found.judged.remarks if "Set-up fails" in text]
    assert said.startswith("Set-up fails before the change and after it: `npm install")
    assert "nowhere.tgz" in said


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        (
            "npm error code E404\nnpm error 404 Not Found\nnpm error A complete log is there",
            "npm error 404 Not Found",
        ),
        (
            "npm ERR! code ERESOLVE\nnpm ERR! could not resolve\nnpm ERR! see below",
            "npm ERR! could not resolve",
        ),
        (
            "  error: subprocess-exited-with-error\n  x exit code: 1\n  error: Multiple top-level packages\nnote: see",
            "error: Multiple top-level packages",
        ),
        (
            "ERROR: No matching distribution found for nowhere\n",
            "ERROR: No matching distribution found for nowhere",
        ),
        ("fatal: not a git repository.\nmake: *** [all] Error 1\n", "fatal: not a git repository"),
        ("one\ntwo\n\n", "two"),
        ("", ""),
    ],
)
def test_of_a_set_up_that_fails_the_line_is_told_that_says_why(printed: str, told: str) -> None:
    said = failure(SetupRan("make", 1, 1.0, False, "setup.log", printed, place="base"))
    assert said == "`make` failed with exit code 1" + (f": {told}" if told else "")


def test_of_projects_whose_coverage_is_not_known_it_is_said(tmp_path: Path) -> None:
    below = {
        "web/package.json": '{"scripts": {"test": "make"}}',
        "web/Makefile": "all:\n\ttrue\n",
        "web/a.js": "let a = 1;\n",
    }
    here = scene(tmp_path, PROJECT | below, test=None, coverage="on")
    found = here.examine(FIX | {"web/a.js": "let a = 2;\n"})
    measured = found.measured.coverage
    assert measured
    assert [(file.path, file.missed) for file in measured.files] == [("slugs.py", ())]
    assert measured.problem.startswith("in web: ")


def test_inherited_tests_can_be_run_again(tmp_path: Path) -> None:
    files = {
        "slugs.py": PROJECT["slugs.py"],
        "tests/__init__.py": "",
        "tests/test_base.py": "class TestBase:\n    text = 'A b'\n\n    def test_it(self):\n        from slugs import slug\n"
        "        assert slug(self.text) == self.text.lower().replace(' ', '-')\n",
        "tests/test_more.py": "from tests.test_base import TestBase\n\n\nclass TestMore(TestBase):\n    text = 'C d'\n",
    }
    here = scene(tmp_path, files, test="python -m pytest tests/test_more.py")
    found = here.examine(
        {"slugs.py": "def slug(text):\n    return text.replace('C', 'x').replace(' ', '-').lower()\n"}
    )
    assert found.measured.retried
    assert [(case.id, case.failures) for case in found.measured.retried.cases] == [
        ("tests/test_more.py::TestMore::test_it", (4, 4))
    ]


def test_a_project_below_that_can_not_be_tested_on_the_base_is_left_out(tmp_path: Path) -> None:
    below = {"fuzz/package.json": '{"scripts": {"test": "no-such-runner"}}', "fuzz/a.js": "1;\n"}
    here = scene(tmp_path, PROJECT | below, test=None)
    change = FIX | {"test_slugs.py": TESTS + BLANKS, "fuzz/a.js": "2;\n"}
    found = here.examine(change, change)
    said = [fact.text for fact in here.of(Warned) if isinstance(fact, Warned)]
    assert len([text for text in said if "The tests in fuzz are left out" in text]) == 1
    assert found.judged.grade is Grade.VERIFIED


# --- bases and changes that are not as they should be -----------------------------------------------------


def test_a_base_that_can_not_be_loaded_has_no_tests_to_lose(tmp_path: Path) -> None:
    files = PROJECT | {"slugs.py": "def slug(text:\n"}
    found = scene(tmp_path, files).examine(FIX)
    assert found.before
    assert [(case.id, case.result) for case in found.before.cases] == [("test_slugs", Result.ERROR)]
    assert found.compared.lost == ()
    assert found.judged.ready


def test_on_a_base_where_all_tests_fail_the_fixed_ones_count_and_the_others_are_told(tmp_path: Path) -> None:
    files = PROJECT | {"test_slugs.py": TESTS.replace('"a-b"', '"a_b"') + BLANKS}
    found = scene(tmp_path, files).examine(FIX)
    assert [change.id for change in found.compared.fixed] == ["test_slugs.TestSlug::test_blanks"]
    assert [change.id for change in found.compared.still_failing] == ["test_slugs.TestSlug::test_plain"]
    assert found.judged.grade is Grade.REMARKS
    assert "1 test fails as before the change." in found.judged.remarks


@pytest.mark.parametrize("script", ["true", "node --test b.test.js", "node --test a.test.js || true"])
def test_a_change_to_the_test_command_itself_is_not_verified(tmp_path: Path, script: str) -> None:
    """The command is `npm test` on both sides; what that is, is in a file of the change."""
    manifest = '{"scripts": {"test": "%s"}}'
    both = {"a.test.js": _NODE.format(1), "b.test.js": _NODE.format(1).replace("one", "two")}
    here = scene(tmp_path, both | {"package.json": manifest % "node --test"}, test=None)
    found = here.examine({"package.json": manifest % script, "a.test.js": _NODE.format(2)})
    assert not found.judged.ready


def test_a_change_to_what_runs_the_tests_in_the_configuration_has_no_say(tmp_path: Path) -> None:
    here = scene(tmp_path, PROJECT, test=None)
    found = here.examine(
        {"slugs.py": SLUG.format('"_"'), ".ci-agent.yml": "verification:\n  test: 'true'\n"}
        | {"Makefile": "test:\n\ttrue\n", "pytest.ini": "[pytest]\n"}
    )
    assert found.judged.grade is Grade.BROKEN


# --- changes that only look good --------------------------------------------------------------------------

BUG = PROJECT | {"test_slugs.py": TESTS + BLANKS}  # `test_blanks` fails
PYTEST = {
    "slugs.py": SLUG.format('" "'),
    "tests/conftest.py": "",
    "tests/test_slugs.py": "from slugs import slug\n\ndef test_blanks():\n    assert slug('A  b') == 'a-b'\n\n"
    "def test_plain():\n    assert slug('A b') == 'a-b'\n",
    "pytest.ini": "[pytest]\npythonpath = .\n",
}
MENDS = "import slugs\nslugs.slug = lambda text: '-'.join(text.lower().split())\n"


def test_a_failing_test_that_is_weakened_alone_is_not_fixed(tmp_path: Path) -> None:
    found = scene(tmp_path, BUG).examine(
        {"test_slugs.py": BUG["test_slugs.py"].replace('("A  b")', '("A b")')}
    )
    assert found.compared.fixed
    assert found.judged.grade is Grade.NOT_VERIFIED
    assert "only because the test was changed" in found.judged.reasons[0]


@pytest.mark.parametrize(
    "more",
    [{}, {"slugs.py": PYTEST["slugs.py"] + "# a comment\n"}, {"README": "x"}],
    ids=["alone", "source", "text"],
)
def test_fixtures_that_mend_the_source_for_the_tests_mend_nothing(
    tmp_path: Path, more: dict[str, str]
) -> None:
    found = scene(tmp_path, PYTEST, test="python -m pytest").examine({"tests/conftest.py": MENDS} | more)
    assert [change.id for change in found.compared.fixed] == ["tests/test_slugs.py::test_blanks"]
    assert found.judged.grade is Grade.NOT_VERIFIED


def test_fixtures_that_hide_what_the_change_breaks_are_named(tmp_path: Path) -> None:
    here = scene(tmp_path, PYTEST, test="python -m pytest")
    found = here.examine(
        {
            "slugs.py": "def slug(text):\n    return text\n\n\ndef shout(text):\n    return text.upper()\n",
            "tests/conftest.py": MENDS,
            "tests/test_shout.py": "import slugs\n\ndef test_shout():\n    assert slugs.shout('a') == 'A'\n",
        }
    )
    assert not found.compared.newly_broken
    assert found.judged.grade is not Grade.VERIFIED
    assert any("in its old form" in remark and "test_plain" in remark for remark in found.judged.remarks)


def test_honest_fixtures_and_data_keep_the_proof(tmp_path: Path) -> None:
    here = scene(tmp_path, PYTEST, test="python -m pytest")
    found = here.examine(
        FIX
        | {
            "tests/conftest.py": "import pytest\n\n@pytest.fixture\ndef text():\n    return 'C  d'\n",
            "tests/data/want.txt": "c-d",
            "tests/test_more.py": "from pathlib import Path\nfrom slugs import slug\n\ndef test_more(text):\n"
            "    assert slug(text) == Path(__file__).with_name('data').joinpath('want.txt').read_text()\n",
        }
    )
    assert found.measured.proof
    assert [case.without for case in found.measured.proof.cases] == [Without.FAILS]
    assert found.judged.grade is Grade.VERIFIED
    assert found.judged.remarks == ()


def test_old_tests_that_lack_what_the_change_takes_away_are_named(tmp_path: Path) -> None:
    found = scene(tmp_path, PROJECT).examine(
        {
            "slugs.py": "def dashed(text):\n    return '-'.join(text.lower().split())\n",
            "test_slugs.py": (TESTS + BLANKS)
            .replace("slug(", "dashed(")
            .replace("import slug", "import dashed"),
        }
    )
    assert (
        "1 test can't run with this change in its old form, because it takes away what it needs"
        in " ".join(found.judged.remarks)
    )


def test_an_old_test_that_ends_the_process_with_the_change_is_no_silent_one(tmp_path: Path) -> None:
    found = scene(tmp_path, PYTEST, test="python -m pytest").examine(
        {
            "slugs.py": "import os\n\n\ndef slug(text):\n    if text == 'A b':\n        os._exit(3)\n"
            "    return '-'.join(text.lower().split())\n",
            "tests/test_slugs.py": PYTEST["tests/test_slugs.py"].replace(
                "slug('A b') == 'a-b'", "slug('A c') == 'a-c'"
            ),
        }
    )
    assert found.compared.newly_broken == ()
    assert found.judged.grade is Grade.REMARKS
    assert any("did not reach its end" in remark for remark in found.judged.remarks)


def test_expectations_beside_the_source_that_are_edited_alone_do_not_verify_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Rust the expected value may stand on a line that tells nothing of a test."""
    monkeypatch.setenv("PATH", _PATH)
    source = (
        "pub fn slug(text: &str) -> String {{\n    text.replace(' ', \"-\")\n}}\n\n#[cfg(test)]\nmod tests {{\n"
        '    #[test]\n    fn plain() {{\n        assert_eq!(\n            super::slug("a b"),\n            "{}"\n'
        "        );\n    }}\n}}\n"
    )
    files = {
        "Cargo.toml": '[package]\nname = "slugs"\nversion = "0.1.0"\nedition = "2021"\n',
        ".gitignore": "target\nCargo.lock\n",
        "src/lib.rs": source.format("a_b"),
    }
    found = scene(tmp_path, files, test="cargo test --offline").examine({"src/lib.rs": source.format("a-b")})
    assert len(found.compared.fixed) == 1
    assert found.judged.grade is Grade.REMARKS
    assert "the tests live in the files of the source" in found.judged.remarks[0]


def test_what_runs_the_tests_is_named_where_the_change_edits_it(tmp_path: Path) -> None:
    here = scene(tmp_path, PYTEST, test="python -m pytest")
    quiet = {"pytest.ini": PYTEST["pytest.ini"] + "addopts = -p quiet\n", "quiet.py": MENDS}
    found = here.examine(quiet)
    assert found.judged.grade is Grade.REMARKS
    assert (
        "The change edits `pytest.ini`, which has a say in how tests and their coverage are run."
        in found.judged.remarks
    )


def test_an_interpreter_in_the_commit_is_not_what_its_tests_run_with(tmp_path: Path) -> None:
    here = scene(tmp_path, BUG)
    fake = "#!/bin/sh\necho it is all fine\n"
    found = here.examine({".venv/bin/python": fake, "slugs.py": SLUG.format('"_"')})
    assert found.after.by_case
    assert found.judged.grade is Grade.BROKEN


def test_test_files_that_only_the_runs_tell_of_are_test_files(tmp_path: Path) -> None:
    files = {
        "slugs.py": PYTEST["slugs.py"],
        "checks/check_slugs.py": PYTEST["tests/test_slugs.py"],
        "pytest.ini": "[pytest]\npythonpath = .\npython_files = check_*.py\n",
    }
    found = scene(tmp_path, files, test="python -m pytest").examine(
        {"checks/check_slugs.py": files["checks/check_slugs.py"].replace("'A  b'", "'A b'"), "README": "x"}
    )
    assert found.judged.grade is Grade.NOT_VERIFIED


def test_a_new_test_that_comes_and_goes_keeps_the_change_from_being_ready(tmp_path: Path) -> None:
    here = scene(tmp_path, PROJECT)
    found = here.examine(FIX | {"test_flaky.py": _times(tmp_path, [1])})
    assert [change.before for change in found.compared.flaky] == [None]
    assert not found.judged.ready
    assert "1 test of the change is flaky" in found.judged.reasons[0]


def test_a_remembered_base_that_is_no_longer_true_is_measured_again(tmp_path: Path) -> None:
    """A test that fails from some day on, whatever the change is."""
    day = tmp_path / "day"
    expires = (
        "import pathlib, unittest\nclass TestDay(unittest.TestCase):\n    def test_day(self):\n"
        f"        self.assertFalse(pathlib.Path({str(day)!r}).exists())\n"
    )
    here = scene(tmp_path, PROJECT | {"test_day.py": expires})
    here.examine(FIX)
    day.touch()
    found = here.examine(FIX)
    assert found.before
    assert not found.before.reused
    assert [change.id for change in found.compared.still_failing] == ["test_day.TestDay::test_day"]
    assert found.compared.order_dependent == found.compared.newly_broken == ()


LEAVES = """\
import os
import unittest
from pathlib import Path


class Alone(unittest.TestCase):
    def test_nobody_was_here(self):
        place = Path(os.environ["PYTHONUSERBASE"], "was-here")
        self.assertFalse(place.exists())
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
"""


def test_what_the_tests_of_one_hand_in_leave_in_a_cache_the_next_does_not_find(tmp_path: Path) -> None:
    here = scene(tmp_path, PROJECT | {"test_alone.py": LEAVES})
    found = here.examine(
        {"slugs.py": PROJECT["slugs.py"] + "\n# one\n"}, {"slugs.py": PROJECT["slugs.py"] + "\n# two\n"}
    )
    assert found.after is not None
    assert [case.result for case in found.after.cases if "nobody_was_here" in case.id] == [Result.PASSED]
    assert found.compared.newly_broken == ()


def test_what_is_in_shared_memory_is_told_once_and_is_no_fault_of_the_change(tmp_path: Path) -> None:
    here = scene(tmp_path, PROJECT)
    files = tmp_path / "memory"
    files.mkdir()
    with closing(Presence(tmp_path / "lock")) as presence:
        here.memory = SharedMemory(files=files, objects=tmp_path / "none", presence=presence)
        pass_a_tick()
        for name in (b"a\xff\n", b"b" * 200, b"c", b"d", b"e"):
            Path(os.fsdecode(bytes(files) + b"/" + name)).symlink_to("nowhere")
        found = here.examine(FIX | {"test_slugs.py": TESTS + BLANKS})
    assert found.judged.grade is Grade.VERIFIED
    [told] = here.of(Warned)
    assert isinstance(told, Warned)
    shown = [str(files / name)[:60] for name in ("a\\udcff\\n", "b" * 200, "c")]
    assert told.text == (
        f"Since this work began, {', '.join(shown)} and 2 more came to be or changed in shared memory, perhaps by its "
        "commands; the tests may have seen it."
    )
