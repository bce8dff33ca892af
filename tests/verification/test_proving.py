from __future__ import annotations

import pytest

from ci_agent.journal.events import Case, Moment, Result, Shown, TestsRan, Without
from ci_agent.verification.proving import belongs as in_file
from ci_agent.verification.proving import proves, sentence, shown

PASSED, FAILED, ERROR, SKIPPED = Result.PASSED, Result.FAILED, Result.ERROR, Result.SKIPPED
PASSES, FAILS, MISSING, UNKNOWN = Without.PASSES, Without.FAILS, Without.MISSING, Without.UNKNOWN
NEW, OLD = "t/test_a.py::test_new", "t/test_a.py::test_old"
FILES = ("t/test_a.py", "t/support.py")


def ran(*cases: Case, **fields: object) -> TestsRan:
    command = str(fields.pop("command", "pytest"))
    return TestsRan(
        Moment.PROOF, command, "t", 1, 1.0, False, str(fields.pop("problem", "")), True, cases, "", ""
    )


def case(name: str, result: Result = PASSED, message: str = "", details: str = "") -> Case:
    return Case(name, result, 0.0, message, details)


def belongs(name: str, file: str) -> bool:
    return name.startswith(f"{file}::")


def told(before: Result | None, now: Case | None, name: str = NEW) -> list[tuple[bool, Without]]:
    """What is said of one case that passes after the change, beside another one that always passes."""
    other = case("t/test_b.py::test_other")
    old = ran(other, *([case(name, before)] if before else []))
    found = shown(old, ran(other, case(name)), ran(other, *([now] if now else [])), FILES, belongs)
    assert {one.id for one in found} <= {name}
    return [(one.added, one.without) for one in found]


ELSEWHERE = "com.x.SlugTest::tabs"


@pytest.mark.parametrize(
    ("before", "now", "ours", "elsewhere"),
    [
        # added: whichever file it is in
        (None, FAILED, FAILS, FAILS),
        (None, ERROR, FAILS, FAILS),
        (None, PASSED, PASSES, PASSES),
        (None, SKIPPED, UNKNOWN, UNKNOWN),
        (None, None, UNKNOWN, UNKNOWN),
        # there before
        (PASSED, PASSED, None, None),
        (PASSED, FAILED, FAILS, FAILS),
        (PASSED, SKIPPED, None, None),
        (PASSED, None, None, None),
        (FAILED, FAILED, None, None),  # mended by the source: the comparison says so
        (FAILED, PASSED, PASSES, PASSES),  # mended by editing the test
        (FAILED, SKIPPED, None, None),
        (FAILED, None, None, None),
        (FAILED, ERROR, None, None),
        (SKIPPED, PASSED, PASSES, PASSES),
        (SKIPPED, FAILED, FAILS, FAILS),
        (SKIPPED, SKIPPED, None, None),
        (SKIPPED, None, None, None),
    ],
)
def test_a_case_is_told_by_what_it_does_on_the_base_and_without_the_change(
    before: Result | None, now: Result | None, ours: Without | None, elsewhere: Without | None
) -> None:
    for name, expected in ((NEW, ours), (ELSEWHERE, elsewhere)):
        found = told(before, case(name, now, "assert 1 == 2") if now else None, name)
        assert found == ([(before is None, expected)] if expected else [])


def test_a_case_of_another_file_is_not_called_edited_where_ids_tell_files() -> None:
    flaky = "t/test_b.py::test_flaky"
    found = shown(ran(case(flaky, FAILED)), ran(case(NEW), case(flaky)), ran(case(flaky)), FILES, belongs)
    assert [one.id for one in found] == [NEW]


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        ("tests/test_a.py::T::test", "tests/test_a.py", True),
        ("tests/test_a.py::T::test", "other/test_a.py", False),
        ("pkg/tests/test_a.py::test[tests/test_b.py]", "tests/test_b.py", False),
        ("strsim::tests/lib.rs::same", "tests/lib.rs", True),
        ("strsim (doc)::src/lib.rs - jaro", "tests/lib.rs", False),
        ("test_slugs.TestSlug::test_tabs", "test_slugs.py", True),
        ("test_slugs.TestSlug::test_tabs", "test_other.py", False),
        ("com.x.SlugTest::tabs", "src/test/java/com/x/SlugTest.java", True),
        ("slug tabs", "test/slug.test.js", True),
        ("tabs", "test/slug.test.js", False),
    ],
)
def test_ids_tell_files(name: str, file: str, expected: bool) -> None:
    assert in_file(name, file) is expected


@pytest.mark.parametrize("result", [PASSED, FAILED, ERROR, SKIPPED])
def test_only_what_passes_after_the_change_shows_anything(result: Result) -> None:
    after = ran(case(NEW, result))
    assert bool(shown(None, after, ran(case(NEW, FAILED)), FILES, belongs)) == (result is PASSED)


def test_nothing_was_run_without_the_change() -> None:
    assert shown(ran(), ran(case(NEW), case(OLD)), None, FILES, belongs) == (
        Shown(NEW, True, UNKNOWN),
        Shown(OLD, True, UNKNOWN),
    )


SOURCE = "def test_x():\n>       slug(1)\n\nt/test_a.py:3: \n_ _ _\n\nslug.py:9: AttributeError"


@pytest.mark.parametrize(
    ("expected", "result", "message", "details"),
    [
        (FAILS, FAILED, "AssertionError: assert 'a' == 'b'", ""),
        (FAILS, FAILED, "assert 'NameError: x' == ''", "E   NameError: no"),
        (FAILS, FAILED, "AssertionError: assert 'x is not defined' in y", ""),
        (FAILS, FAILED, "Failed: DID NOT RAISE <class 'ValueError'>", ""),
        (FAILS, FAILED, "ValueError: bad", "ImportError: only told of in passing"),
        (FAILS, FAILED, "AttributeError: 'NoneType' object has no attribute 'x'", ""),
        (FAILS, FAILED, "AttributeError: module 're' has no attribute 'x'", SOURCE),
        (FAILS, FAILED, "TypeError: Cannot read properties of undefined (reading 'a')", ""),
        (FAILS, FAILED, "expected 1 to be 2", ""),
        (FAILS, FAILED, "a_test.go:3: undefined: x\\nerror[E0425]", ""),
        (FAILS, FAILED, 'Error: expect(received).toBe(expected)\n\nReceived: "x is not defined"', ""),
        (FAILS, FAILED, "org.opentest4j.AssertionFailedError: has no attribute", ""),
        (FAILS, ERROR, "failed on setup with ValueError", "E   ValueError: bad"),
        (MISSING, FAILED, "AttributeError: module 'slug' has no attribute 'x'", "\nt/test_a.py:3: AttributeError"),
        (MISSING, FAILED, "AttributeError: module 'slug' has no attribute 'x'", "t/conftest.py:3: AttributeError"),
        (MISSING, FAILED, "AttributeError: module 'slug' has no attribute 'x'", "t/support.py:3: AttributeError"),
        (MISSING, FAILED, "TypeError: slug() got an unexpected keyword argument 'x'", ""),
        (MISSING, FAILED, "NameError: name 'x' is not defined", ""),
        (MISSING, FAILED, "ImportError: cannot import name 'x' from 'slug'", ""),
        (MISSING, FAILED, "TypeError: slug.x is not a function", ""),
        (MISSING, FAILED, "ReferenceError: x is not defined", ""),
        (MISSING, FAILED, "NoMethodError: undefined method `x' for Slug", ""),
        (MISSING, ERROR, "failed on setup", "E   ModuleNotFoundError: No module named 'slug.x'"),
        (MISSING, ERROR, "java.lang.NoSuchMethodError: 'int Slug.x()'", ""),
        (MISSING, FAILED, "(in test file a.bats, line 3)\n  `slug a' failed with status 127", ""),
        (UNKNOWN, FAILED, "Failed: Timeout >5.0s", ""),
        (UNKNOWN, ERROR, "panic: test timed out after 1s", ""),
        (UNKNOWN, FAILED, 'thrown: "Exceeded timeout of 5000 ms for a test.', ""),
    ],
)  # fmt: skip
def test_why_a_case_fails_without_the_change(
    expected: Without, result: Result, message: str, details: str
) -> None:
    (found,) = shown(ran(), ran(case(NEW)), ran(case(NEW, result, message, details)), FILES, belongs)
    assert (found.without, found.message) == (expected, message.partition("\n")[0])


GO_BUILD = "# example.com/m [example.com/m.test]\n./a_test.go:3:2: undefined: Slug\nFAIL example.com/m [build failed]"
RUST = "error[E0425]: cannot find function `slug` in this scope\nerror: could not compile `m`"


@pytest.mark.parametrize(
    ("expected", "name", "stand_in", "message"),
    [
        (MISSING, NEW, case("t/test_a.py", ERROR, "collection failure", "t/test_a.py:1: in <module>\nE   ImportError: cannot import name 'x'"), "ImportError: cannot import name 'x'"),
        (MISSING, NEW, case("t/test_a.py", ERROR, "SyntaxError: bad"), "SyntaxError: bad"),
        (MISSING, "com.x.SlugTest::tabs", case("com.x.SlugTest", ERROR, "initializationError"), "initializationError"),
        (MISSING, "example.com/m::TestX", case("example.com/m", FAILED, "build failed", GO_BUILD), "./a_test.go:3:2: undefined: Slug"),
        (MISSING, "m::tests::x", case("cargo test", FAILED, "exit code 101", RUST), "error[E0425]: cannot find function `slug` in this scope"),
        (MISSING, "m::tests::x", case("cargo test (exit code)", ERROR, "the command ended", RUST), "error[E0425]: cannot find function `slug` in this scope"),
        (UNKNOWN, "m::tests::x", case("cargo test", FAILED, "exit code 101", "no disk"), ""),
        (UNKNOWN, NEW, case("t/test_ab.py", ERROR, "ImportError: x"), ""),
        (UNKNOWN, NEW, case("t/test", ERROR, "ImportError: x"), ""),
        (UNKNOWN, NEW, case("t/test_a.py", SKIPPED, "ImportError: x"), ""),
    ],
)  # fmt: skip
def test_a_case_that_did_not_run_is_missing_where_what_holds_it_could_not_be_loaded(
    expected: Without, name: str, stand_in: Case, message: str
) -> None:
    without = ran(stand_in, command="cargo test")
    (found,) = shown(ran(), ran(case(name)), without, FILES, belongs)
    assert (found.without, found.message) == (expected, message)


def test_a_part_of_a_test_that_failed_before_it_came_to_the_part_is_not_missing() -> None:
    after, without = (
        ran(case("m::TestA"), case("m::TestA/part")),
        ran(case("m::TestA", FAILED, "undefined: x")),
    )
    found = shown(ran(), after, without, FILES, belongs)
    assert [one.without for one in found] == [FAILS, UNKNOWN]


def test_a_run_that_came_to_nothing_says_why() -> None:
    without = ran(problem="the tests did not end within 9 s")
    (found,) = shown(ran(), ran(case(NEW)), without, FILES, belongs)
    assert (found.without, found.message) == (UNKNOWN, "the tests did not end within 9 s")


def test_messages_are_short_and_on_one_line() -> None:
    (found,) = shown(
        None, ran(case(NEW)), ran(case(NEW, FAILED, "assert\x1b[31m " + "x" * 900 + "\nmore")), FILES, belongs
    )
    assert len(found.message) == 200
    assert found.message.startswith("assert xxx")


def cases(added: str, edited: str = "") -> list[Shown]:
    kinds = {"p": PASSES, "f": FAILS, "m": MISSING, "u": UNKNOWN}
    return [
        Shown(f"t{number}", number < len(added), kinds[kind]) for number, kind in enumerate(added + edited)
    ]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (cases(""), ""),
        (cases("fff"), "3 new tests: fail without the change, pass with it."),
        (cases("f"), "1 new test: fails without the change, passes with it."),
        (cases("", "f"), "1 edited test: fails without the change, passes with it."),
        (cases("ff", "f"), "2 new and 1 edited tests: fail without the change, pass with it."),
        (cases("p"), "1 new test passes without the change as well: `t0`."),
        (cases("ppppp"), "5 new tests pass without the change as well: `t0`, `t1`, `t2` and 2 more."),
        (cases("mm"), "2 new tests can't run without the change (they need what it adds), pass with it."),
        (cases("m"), "1 new test can't run without the change (it needs what it adds), passes with it."),
        (cases("u"), "1 new test passes with the change, and was not run to the end without it."),
        (
            cases("fpf"),
            (
                "Of 3 new tests: 2 fail without the change, pass with it; "
                "1 passes without the change as well: `t1`."
            ),
        ),
        (
            cases("um", "f"),
            (
                "Of 2 new and 1 edited tests: 1 fails without the change, passes with it; "
                "1 can't run without the change (it needs what it adds), passes with it; "
                "1 passes with the change, and was not run to the end without it."
            ),
        ),
    ],
)
def test_what_the_tests_show_is_a_sentence(found: list[Shown], said: str) -> None:
    assert sentence(found) == said


@pytest.mark.parametrize(("kinds", "expected"), [("", False), ("pmu", False), ("pf", True)])
def test_one_test_that_fails_without_the_change_is_a_proof(kinds: str, expected: bool) -> None:
    assert proves(cases(kinds)) is expected
