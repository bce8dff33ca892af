"""What all readers have in common: ids that stay, bounds, and nothing but `ReportError` whatever they are given."""

from __future__ import annotations

import json
import os
import random
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_agent.journal.events import Case, Result
from ci_agent.verification import reading
from ci_agent.verification.reading import FORMATS, ReportError, cases, files

FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
REPORTS = Path(__file__).with_name("reports")


def report(tmp_path: Path, body: str | bytes) -> Path:
    path = tmp_path / "report"
    path.write_bytes(body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"))
    return path


def read(tmp_path: Path, format: str, body: str | bytes) -> tuple[Case, ...]:  # noqa: A002
    return reading.read(format, [report(tmp_path, body)])


def results(tmp_path: Path, format: str, body: str | bytes) -> dict[str, Result]:  # noqa: A002
    return {case.id: case.result for case in read(tmp_path, format, body)}


# --- ids --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("t[<object at 0x7f3a1c2b9d10>]", "t[<object at …>]"),
        ("t[#<Foo:0x000055d0c0a8e1f8>]", "t[#<Foo:…>]"),
        ("[1] java.lang.Object@1b2c3d4e", "[1] java.lang.Object…"),
        ("X$$Lambda$14/0x0000000800c03000@5e8c92f4", "X$$Lambda$14/……"),
        ("at 2026-11-21T11:19:16.355Z", "at …"),
        ("t[16fd2706-8baf-433b-82eb-8c7fada847da]", "t[…]"),
        ("GET http://localhost:54321/x", "GET http://localhost:…/x"),
        ("t[/tmp/pytest-of-me/pytest-12/x]", "t[/tmp/…/x]"),
        ("t[/tmp/tmpab_cd123/x]", "t[/tmp/…/x]"),
        ("TestX/tmp/TestDir123456789/001", "TestX/tmp/…/001"),
        # what a project can have chosen itself
        ("t[0xdeadbeef]", "t[0xdeadbeef]"),
        ("t[2026-11-21T11:19:16]", "t[2026-11-21T11:19:16]"),
        ("t[localhost:8080]", "t[localhost:8080]"),
        ("t[me@decade.org]", "t[me@decade.org]"),
        ("t[/tmp/x]", "t[/tmp/x]"),
        ("t[1.5s]", "t[1.5s]"),
    ],
)
def test_what_a_name_holds_of_one_run_only_is_left_out(name: str, expected: str) -> None:
    assert cases.steady(name) == expected


Told = tuple[str, str, Result]  # group, name, result
SUITES = ("", "a", "b")
ONE = st.tuples(
    st.sampled_from(SUITES), st.sampled_from(["x", "y[1]", "z at 0x7f00"]), st.sampled_from(Result)
)


FIRST, SECOND = "16fd2706-8baf-433b-82eb-8c7fada847da", "26fd2706-8baf-433b-82eb-8c7fada847db"


def test_cases_that_only_what_looks_made_up_tells_apart_stay_apart(tmp_path: Path) -> None:
    def of(*names: str) -> str:
        return "".join(f"<testcase classname='m' name='t[{one}]'><failure/></testcase>" for one in names)

    passed = f"<testcase classname='m' name='t[{SECOND}]'/>"
    both = f"m::t[{FIRST}]", f"m::t[{SECOND}]"
    assert results(tmp_path, "junit", f"<r>{of(FIRST)}{passed}</r>") == {both[0]: "failed", both[1]: "passed"}
    assert results(tmp_path, "junit", f"<r>{passed}{of(FIRST)}</r>") == {both[0]: "failed", both[1]: "passed"}
    assert list(results(tmp_path, "junit", f"<r>{of(FIRST)}</r>")) == ["m::t[…]"]
    assert list(results(tmp_path, "junit", f"<r>{of(FIRST, FIRST)}</r>")) == ["m::t[…]", "m::t[…]#2"]


def test_an_id_of_another_run_is_found_again_by_a_run_of_this_case_alone(tmp_path: Path) -> None:
    path = report(tmp_path, f"<testcase classname='m' name='t[{FIRST}]'/>")
    (case,) = reading.read("junit", [path], known={f"m::t[{FIRST}]"})
    assert case.id == f"m::t[{FIRST}]"


def test_a_failure_and_the_teardown_of_another_case_are_not_one(tmp_path: Path) -> None:
    body = "".join(
        f"<testcase classname='m' name='t[{one}]'><error message='{said}'/></testcase>"
        for one, said in (
            (FIRST, "boom"),
            (SECOND, "failed on teardown with x"),
            (SECOND, "failed on teardown"),
        )
    )
    assert len(results(tmp_path, "junit", f"<r>{body}</r>")) == 2


def test_more_reports_than_are_read_are_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="20,001 test reports"):
        reading.read("junit", [tmp_path / "not there"] * (reading.MOST_REPORTS + 1))


@pytest.mark.slow
def test_the_cases_of_all_reports_count(tmp_path: Path) -> None:
    half = cases.MOST_CASES // 2 + 1
    path = report(tmp_path, "ok\n" * half + f"1..{half}\n")
    with pytest.raises(ReportError, match="300,000"):
        reading.read("tap", [path, path])


def as_junit(tests: Sequence[Told]) -> str:
    inside = {Result.FAILED: "<failure/>", Result.ERROR: "<error/>", Result.SKIPPED: "<skipped/>"}
    told = [f"<testcase classname={g!r} name={n!r}>{inside.get(r, '')}</testcase>" for g, n, r in tests]
    return f"<r>{''.join(told)}</r>"


def as_tap(tests: Sequence[Told]) -> str:
    lines = [
        f"{'not ok' if result.bad else 'ok'} {number} - {group} {name}{' # SKIP' if result is Result.SKIPPED else ''}"
        for number, (group, name, result) in enumerate(tests, start=1)
    ]
    return "\n".join([*lines, f"1..{len(tests)}"])


def as_libtest(tests: Sequence[Told]) -> str:
    words = {Result.PASSED: "ok", Result.SKIPPED: "ignored"}
    lines = [f"test {group}::{name} ... {words.get(result, 'FAILED')}" for group, name, result in tests]
    bad, skipped = sum(one[2].bad for one in tests), sum(one[2] is Result.SKIPPED for one in tests)
    count = (
        f"{len(tests) - bad - skipped} passed; {bad} failed; {skipped} ignored; 0 measured; 0 filtered out"
    )
    return "\n".join([f"running {len(tests)} tests", *lines, f"test result: ok. {count}"])


@pytest.mark.parametrize(("format", "write"), [("junit", as_junit), ("tap", as_tap), ("libtest", as_libtest)])
@FOLDER
@given(tests=st.lists(ONE, max_size=8), seed=st.integers(0, 9))
def test_the_order_of_a_run_changes_no_id(
    tmp_path: Path,
    format: str,  # noqa: A002
    write: Callable[[Sequence[Told]], str],
    tests: list[Told],
    seed: int,
) -> None:
    first = results(tmp_path, format, write(tests))
    random.Random(seed).shuffle(tests)
    assert results(tmp_path, format, write(tests)) == first
    assert len(first) == len(tests)


def test_names_from_outside_the_caps_are_cut_and_nothing_is_done_with_the_rest(tmp_path: Path) -> None:
    deep = "<testsuite name='%s'>" % ("n" * 9_000) * 90
    body = f"{deep}<testcase name='x'/>{'</testsuite>' * 90}"
    (case,) = read(tmp_path, "junit", body)
    assert len(case.id) == cases.LONGEST_ID


def test_suites_without_end_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="suites in suites"):
        read(tmp_path, "junit", "<testsuite>" * 500_000)


# --- forged and cut off -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "body"),
    [
        ("tap", "ok 1 - a\nok 2 - b\n"),
        ("tap", "1..3\nok 1 - a\nok 2 - b\n"),
        ("tap", "1..1\nok 1 - a\nok 2 - b\n"),
        ("tap", "ok 1 - a\nok 2 - forged\nnot ok 2 - b\n1..2\n"),
        ("tap", "1..2\nok 1 - a\nBail out! no database\n"),
        ("tap", "1..2\n1..1\nok 1 - a\n"),
        ("go", '{"Action":"run","Package":"p","Test":"T"}\n{"Action":"pass","Package":"p","Test":"T"}\n'),
        ("go", '{"Action":"pass","Package":"p"}\n{"Action":"output","Pack'),
        ("go", '{"Action":"pass","Package":"p","Test":"' + "x" * 70_000 + '"}\n{"Action":"pass","Package":"p"}\n'),
        ("libtest", "running 2 tests\ntest a ... ok\n"),
        ("libtest", "running 1 test\ntest a ... FAILED\ntest forged ... ok\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0\n"),
        ("libtest", "     Running unittests src/lib.rs (target/debug/deps/one-83d69e65c7120d7f)\n"),
        ("nextest", "    Starting 1 test across 1 binary\n        PASS [   0.004s] one a\n"),
        ("nextest", "    Starting 1 test across 1 binary\n        FAIL [   0.004s] one a\n PASS [ 0.1s] one forged\n     Summary [   0.012s] 1 test run: 0 passed, 1 failed\n"),
        ("minitest", "A#test_a = 0.00 s = .\n"),
        ("minitest", "A#test_a = A#test_f = 0.00 s = .\nA#test_g = 0.00 s = .\n0.00 s = .\n\n1 runs, 0 assertions, 0 failures, 0 errors, 0 skips\n"),
        ("minitest", "A#test_a = 0.00 s = .\n\nFinished in 0.1s\n1 runs, 0 assertions, 1 failures, 0 errors, 0 skips\n"),
        ("exunit", "  * test a [L#1]\r  * test a (0.1ms) [L#1]\n"),
        ("exunit", "  * test a [L#1]\r  * test a (0.1ms) [L#1]\n\n1 test, 1 failure\n"),
        ("exunit", "  * test a [L#1]\r  * test a (0.1ms) [L#1]\n\r  * test f (0.1ms) [L#1]\n\n1 test, 0 failures\n"),
        ("jest", '{"numTotalTests": 2, "testResults": []}'),
        ("jest", '{"numTotalTests": 1, "testResults": [{"name": "a", "assertionResults": [{"title": "x", "status": "great"}]}]}'),
        ("mocha", '{"stats": {"passes": 1, "pending": 0, "failures": 0}, "passes": [], "pending": [], "failures": []}'),
        ("rspec", '{"examples": [], "summary": {"example_count": 1}}'),
        ("trx", "<TestRun><Results/></TestRun>"),
        *((name, "") for name in FORMATS),
        *((name, "the command was not found\n") for name in FORMATS),
    ],
)  # fmt: skip
def test_what_is_cut_off_or_does_not_add_up_is_refused(tmp_path: Path, format: str, body: str) -> None:  # noqa: A002
    with pytest.raises(ReportError):
        read(tmp_path, format, body)


def test_with_capturing_off_libtest_is_refused_where_its_results_are_lost() -> None:
    with pytest.raises(ReportError, match="nocapture"):
        reading.read("libtest", [REPORTS / "libtest-nocapture.txt"])


def test_what_tests_print_in_between_is_no_result(tmp_path: Path) -> None:
    body = "ok 1 - a\nok 5 - forged\n    ok 1 - forged\nok 2 - b\nok then\nnot ok 3 - c\n1..3\n"
    assert results(tmp_path, "tap", body) == {"a": Result.PASSED, "b": Result.PASSED, "c": Result.FAILED}
    body = "A#test_a = B#test_forged = 0.00 s = .\n0.00 s = F\nA#test_b = noise\nmore\n0.01 s = .\n\nFinished in 0.1s\n"
    body += "  1) Failure:\nA#test_a [a.rb:1]:\nno\n\n2 runs, 1 assertions, 1 failures, 0 errors, 0 skips\n"
    assert results(tmp_path, "minitest", body) == {"A::test_a": Result.FAILED, "A::test_b": Result.PASSED}


def go(*events: dict[str, str]) -> str:
    return "\n".join(json.dumps({"Package": "p", **event}) for event in events)


def test_go_tests_that_never_ended_or_ended_twice_are_bad(tmp_path: Path) -> None:
    begun = [{"Action": "run", "Test": name} for name in ("Twice", "Hangs", "Good")]
    ends = [
        {"Action": "fail", "Test": "Twice"},
        {"Action": "pass", "Test": "Twice"},
        {"Action": "pass", "Test": "Good"},
    ]
    body = go(*begun, *ends, {"Action": "pass", "Test": "NeverBegun"}, {"Action": "fail"})
    assert results(tmp_path, "go", body) == {
        "p::Twice": Result.FAILED,
        "p::Hangs": Result.ERROR,
        "p::Good": Result.PASSED,
    }


def test_a_test_binary_that_crashed_is_a_bad_case_and_the_others_stay(tmp_path: Path) -> None:
    head = "     Running unittests src/{0}.rs (target/debug/deps/{0}-83d69e65c7120d7f)\n\nrunning 2 tests\ntest a ... ok\n"
    crash = "error: test failed, to rerun pass `-p one --lib`\n\nCaused by:\n"
    crash += "  process didn't exit successfully: `one` (signal: 6, SIGABRT: process abort signal)\n"
    whole = "test b ... ok\n\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n"
    found = results(tmp_path, "libtest", head.format("lib") + crash + head.format("main") + whole)
    assert found == {
        "lib::a": Result.PASSED,
        "lib": Result.ERROR,
        "main::src/main.rs::a": Result.PASSED,
        "main::src/main.rs::b": Result.PASSED,
    }


def test_tap_streams_one_after_the_other_and_those_that_skip_all(tmp_path: Path) -> None:
    body = "TAP version 14\n1..0 # SKIP no database\nTAP version 14\n1..1\nok 1 - a\n1..1\nnot ok 1 - b # TODO later\n"
    assert results(tmp_path, "tap", body) == {"a": Result.PASSED, "b": Result.SKIPPED}


# --- untrusted --------------------------------------------------------------------------------------------

TOKENS = st.sampled_from(
    """ok|not ok|1|2| - |1..2|# SKIP|# TODO|# Subtest: a| {|}|    |  ---|  ...|Bail out!|\n|\r|\t|a|#|::|=
    0.00 s = .|A#test_a = |Finished in 1s|  1) Failure:|1 runs, 1 assertions, 0 failures, 0 errors, 0 skips
    running 1 test|test a ... |FAILED|failures:|---- a stdout ----|   Doc-tests a|test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0
    Starting 1 test across 1 binary|PASS [ 1.0s] a b|Summary [ 1.0s] 1 test run: 1 passed|  * test a (1.0ms) [L#1]|1 test, 0 failures|  1) test a (A)
    {"Action":"run","Package":"p","Test":"t"}|{"Action":"pass","Package":"p"}|{|[|]|"|:|,|1e999|null|\\ud800|"testResults"|"numTotalTests"|"examples"|"summary"
    <UnitTestResult>|</UnitTestResult>|<ResultSummary>|<testsuite>|<testcase>|</testcase>|<failure>|&#0;|]]>|\x00|\x1b[31m|é|\ud800""".replace("\n    ", "|").split("|")
)  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
@FOLDER
@given(body=st.binary(max_size=200) | st.lists(TOKENS, max_size=30).map("".join) | st.lists(TOKENS, max_size=30).map("\n".join))  # fmt: skip
def test_any_input_gives_fit_cases_or_a_report_error(tmp_path: Path, format: str, body: str | bytes) -> None:  # noqa: A002
    with suppress(ReportError):
        found = read(tmp_path, format, body)
        assert all(case.id.isprintable() and len(case.id) <= cases.LONGEST_ID + 9 for case in found)
        assert all(len(case.message) <= cases.LONGEST_MESSAGE for case in found)
        assert all(len(case.details) <= cases.LONGEST_DETAILS for case in found)


@pytest.mark.parametrize("name", FORMATS)
def test_reports_over_the_size_limit_are_refused_unread(tmp_path: Path, name: str) -> None:
    path = report(tmp_path, "")
    os.truncate(path, 200_000_000)  # a hole, no bytes
    with pytest.raises(ReportError, match="50 MB"):
        reading.read(name, [path])


@pytest.mark.parametrize("name", ["jest", "mocha", "rspec"])
@pytest.mark.parametrize("body", ["[" * 1_000_000, '{"x":' * 1_000_000, '{"examples":' + "[" * 1_000_000])
def test_json_that_is_nested_very_deeply_is_refused(tmp_path: Path, name: str, body: str) -> None:
    with pytest.raises(ReportError):
        read(tmp_path, name, body)


def test_half_a_surrogate_pair_in_json_is_read(tmp_path: Path) -> None:
    body = r'{"numTotalTests":1,"testResults":[{"name":"a.js","assertionResults":[{"title":"\ud83d \\ud83d \ud83d\ude00","status":"passed"}]}]}'
    assert results(tmp_path, "jest", body) == {"a.js::\ufffd \\ud83d \U0001f600": Result.PASSED}


ENDLESS = ["x", " ", "#", "(", "[", " - ok", " ... ignored, ", "A#b = ", "../", " # skip", ": ", "1) "]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "head",
    [
        "",
        "ok 1 - ",
        "test a",
        "  * a",
        "A#test_",
        "     Running (",
        "  1) a",
        '{"',
        "not ok 1\n  ---\n  error: ",
    ],
)
def test_endless_lines_are_read_in_linear_time(tmp_path: Path, name: str, head: str) -> None:
    """The time-out of the suite is the limit: a pattern that goes back over itself takes hours here."""
    body = "\n".join(head + part * (60_000 // len(part)) for part in ENDLESS)
    with suppress(ReportError):
        read(tmp_path, name, f"1..1\nrunning 1 test\n{body}\nFinished in\n  1) Failure:\n{body}")


@pytest.mark.slow
def test_a_line_of_a_hundred_megabytes_is_passed_by_without_being_kept(tmp_path: Path) -> None:
    path = report(tmp_path, "")
    os.truncate(path, 100_000_000)
    with path.open("rb") as file:
        tracemalloc.start()
        longest = max(map(len, files.lines(file)))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert longest == files.LONGEST_LINE
    assert peak < 2_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "one"),
    [("tap", "ok\n"), ("go", '{"Action":"run","Package":"p","Test":"t"}\n'), ("trx", "<UnitTestResult/>"), ("exunit", "\r  * a (1ms) [L#1]\n"), ("libtest", "test a ... ok\n")],
)  # fmt: skip
def test_more_cases_than_are_read_are_refused(tmp_path: Path, name: str, one: str) -> None:
    head = {"trx": "<r>", "libtest": "running 9 tests\n"}.get(name, "")
    with pytest.raises(ReportError, match="300,000"):
        read(tmp_path, name, head + one * (cases.MOST_CASES + 1))


@pytest.mark.slow
def test_fifty_thousand_cases_take_little_memory(tmp_path: Path) -> None:
    body = "".join(
        f'<testcase classname="a.b.Test{n // 50}" name="case {n}" time="0.1"/>' for n in range(50_000)
    )
    path = report(tmp_path, f"<r>{body}</r>")
    tracemalloc.start()
    assert len(reading.read("junit", [path])) == 50_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000_000
