"""`junit.xml`: true, well-formed and valid, whatever the names and the output hold."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest
import xmlschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_agent.journal import Event
from ci_agent.journal.events import (
    Case,
    CasesRetried,
    CheckCompared,
    ChecksCompared,
    Finding,
    Judged,
    Moment,
    ProofRan,
    Result,
    Retried,
    SetupRan,
    Shown,
    Stability,
    TestsChosen,
    TestsCompared,
    TestsRan,
    Verdict,
    Without,
    WorkspaceReady,
)
from ci_agent.reporting.junit import LIMIT, junit_report
from ci_agent.reporting.junit_suites import LOG, legal
from tests.reporting.test_merge_request import told_with, weakened
from tests.reporting.test_text import TEXTS
from tests.support.junit_schema import junit_schema
from tests.support.stories import (
    ALL,
    BASE,
    BY_CHANCE,
    FLAKY,
    HEAD,
    TREE,
    alone,
    facts,
    needs_human,
    ran,
    remarks,
    set_up_fails,
    several,
    story,
    success,
    worse,
)


@pytest.fixture(scope="module")
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(junit_schema())


def report(events: list[Event], log: str = "the log") -> ET.Element:
    return ET.fromstring(junit_report(events, lambda _: log))


def own(events: list[Event]) -> dict[str, str]:
    suite = report(events)[0]
    return {case.get("name", ""): _result(case) for case in suite.iter("testcase")}


def suites(events: list[Event]) -> dict[str, ET.Element]:
    return {suite.get("name", ""): suite for suite in report(events)}


def properties(suite: ET.Element) -> dict[str, str]:
    return {each.get("name", ""): each.get("value", "") for each in suite.iter("property")}


def cases(suite: ET.Element) -> dict[str, ET.Element]:
    return {f"{case.get('classname')}::{case.get('name')}": case for case in suite.iter("testcase")}


def _result(case: ET.Element) -> str:
    return next((child.tag for child in case if child.tag in {"failure", "error", "skipped"}), "passed")


@pytest.mark.parametrize("name", ALL)
def test_every_story_gives_a_valid_report(name: str, schema: xmlschema.XMLSchema) -> None:
    schema.validate(junit_report(ALL[name](), lambda _: "log"))


def test_an_empty_journal_gives_a_valid_report(schema: xmlschema.XMLSchema) -> None:
    schema.validate(junit_report([], lambda _: ""))


def test_the_session_checks_itself_first() -> None:
    assert own(success()) == {
        "issue read": "passed",
        "tests before": "passed",
        "agent finished": "passed",
        "tests after": "passed",
        "verdict": "passed",
    }


@pytest.mark.parametrize(
    ("name", "case", "result"),
    [
        ("needs_human", "verdict", "failure"),
        ("worse", "verdict", "failure"),
        ("remarks", "verdict", "passed"),
        ("needs_human", "agent finished", "passed"),
        ("limit", "agent finished", "failure"),
        ("cancelled", "agent finished", "error"),
        ("cancelled", "tests after", "skipped"),
        ("question", "agent finished", "skipped"),
        ("no_tests", "tests before", "skipped"),
        ("no_tests", "tests after", "skipped"),
        ("no_tests", "verdict", "passed"),
        ("cancelled", "verdict", "skipped"),
        ("no_change", "agent finished", "failure"),
    ],
)
def test_a_check_ends_as_it_was(name: str, case: str, result: str) -> None:
    assert own(ALL[name]())[case] == result


def test_tests_that_no_longer_run_are_a_failure_with_their_names() -> None:
    [case] = [c for c in report(weakened())[0].iter("testcase") if c.get("name") == "verdict"]
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "Not verified. 2 tests that ran before do not run now."
    assert (failure.text or "").split() == ["t.py::test_skipped", "t.py::test_*gone*:", "boom"]


def test_a_verification_without_a_session_has_only_its_own_checks() -> None:
    told = alone(success())
    assert list(own(told)) == ["tests before", "tests after", "verdict"]
    assert properties(suites(told)["after"])["commit"] == HEAD


@pytest.mark.parametrize("command", ["", "python -m pytest"])
def test_a_session_without_tests_has_no_tests_after_that_pass(command: str) -> None:
    told = after(success(), command=command, cases=(), by_case=bool(command), exit_code=5, log="", tail="")
    told = told_with(told, TestsCompared, verdict=Verdict.NO_TESTS, fixed=(), added=())
    told = told_with(told, TestsChosen, command=command, runner="")
    assert own(told)["tests after"] == "skipped"
    named = ["ci-agent", *["after"] * bool(command), "before", "proof"]
    assert [suite.get("name") for suite in report(told)] == named


def test_a_session_that_could_not_read_the_issue_says_so() -> None:
    assert own([])["issue read"] == "error"


def test_the_projects_suite_has_its_cases_figures_and_origin() -> None:
    suite = report(needs_human())[1]
    assert suite.get("name") == "after"
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) == (
        "215",
        "2",
        "0",
        "3",
    )
    assert properties(suite) == {
        "runner": "pytest",
        "command": "python -m pytest",
        "exit code": "1",
        "tree": TREE,
        "commit": HEAD,
        "base": BASE,
        "log": "tests-after.log",
    }
    case = next(case for case in suite.iter("testcase") if case.get("name") == "test_unicode")
    assert case.get("classname") == "tests/test_core.py"
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "assert 'a-?' == 'a-é'"
    assert "AssertionError" in (failure.text or "")
    assert suite.findtext("system-out") == "the log"


def after(events: list[Event], **changes: Any) -> list[Event]:
    return story(
        *(
            dataclasses.replace(fact, **changes)
            if isinstance(fact, TestsRan) and fact.moment == "after"
            else fact
            for fact in facts(events)
        )
    )


def test_a_failure_without_any_word_is_still_a_failure() -> None:
    told = (Case("t::a", Result.FAILED), Case("t::b", Result.ERROR), Case("t::c", Result.SKIPPED))
    suite = report(after(success(), cases=told))[1]
    assert [_result(case) for case in suite.iter("testcase")] == ["failure", "error", "skipped"]
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("1", "1", "1")


def test_a_run_that_broke_off_is_no_green_suite() -> None:
    suite = report(after(success(), problem="ended by us after 600 s"))[1]
    assert suite.get("errors") == "1"


def test_the_totals_are_those_of_the_suites() -> None:
    root = report(needs_human())
    assert root.get("tests") == str(sum(int(suite.get("tests", "")) for suite in root)) == "435"
    assert root.get("failures") == "3"


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    TEXTS,
    TEXTS,
    st.sampled_from(Result),
    st.floats(min_value=-1, max_value=1e6),
    st.sampled_from([success, needs_human, worse]),
)
def test_any_name_and_any_output_give_a_valid_report(
    schema: xmlschema.XMLSchema,
    one: str,
    two: str,
    result: Result,
    seconds: float,
    tell: Callable[[], list[Event]],
) -> None:
    told = (
        Case(one, result, seconds, two, one),
        Case(two + "]]>", result, 1e-7, one + "]]>\x00", "\ufffe" + two),
    )
    events = after(tell(), cases=told, command=one, problem=two, tail=one)
    events = told_with(events, ProofRan, cases=(Shown(one, True, Without.FAILS, two),), problem=two)
    events = told_with(events, Judged, reasons=(one,), remarks=(two,))
    events = told_with(events, CasesRetried, cases=(Retried(one, (), (), None, Stability.FLAKY),))
    check = CheckCompared(one, 0, 1, (Finding(two, 3, one, two),), 0, bool(len(one) % 2), two)
    events = told_with(events, ChecksCompared, checks=(check,))
    events = told_with(events, WorkspaceReady, base_sha=two)
    events = told_with(events, SetupRan, tail=one)
    written = junit_report(events, lambda _: one + "\ud800]]>\x1b" + two)
    schema.validate(written)
    names = [case.get("name") for case in ET.fromstring(written.encode())[1].iter("testcase")]
    assert len(names) == 2 + bool(two)


@given(st.text())
def test_legal_text_survives_the_way_through_xml(text: str) -> None:
    element = ET.Element("a", b=legal(text))
    element.text = legal(text)
    back = ET.fromstring(ET.tostring(element))
    assert back.get("b") == legal(text)
    assert (back.text or "") == legal(text)


def test_a_flood_of_a_log_is_cut_in_the_middle() -> None:
    out = report(success(), "a" * LOG + "b" * LOG)[1].findtext("system-out") or ""
    assert len(out) < LOG + 100
    assert out.startswith("aaa")
    assert out.endswith("bbb")
    assert "[200,000 characters left out]" in out


def test_what_failed_on_the_base_is_no_failure_of_the_change() -> None:
    suite = suites(success())["before"]
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("0", "0", "4")
    skipped = cases(suite)["before: tests/test_core.py::test_runs"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "fails on the base: assert 'a--b' == 'a-b'"


def test_a_base_whose_run_broke_off_is_no_failure_either_but_said() -> None:
    told = told_with(success(), TestsRan, problem="ended by us", reused=True)
    suite = suites(told)["before"]
    assert suite.get("errors") == "0"
    assert properties(suite)["problem"] == "ended by us"
    assert properties(suite)["taken over"] == "from an earlier job on the same commit"


def test_no_case_has_the_name_of_one_in_another_suite() -> None:
    """GitLab would show only one of them."""
    names = [name for suite in report(worse()) for name in cases(suite)]
    assert len(names) == len(set(names))


def test_a_test_that_fails_without_the_change_passes_in_the_proof() -> None:
    suite = suites(remarks())["proof"]
    assert {name.partition("::")[2]: _result(case) for name, case in cases(suite).items()} == {
        "test_tabs": "passed",
        "test_trailing": "skipped",
        "test_1": "passed",
    }
    shown = cases(suite)["without the change: tests/test_core.py::test_1"]
    assert shown.findtext("system-out") == "fails without the change: assert 1 == 2"
    assert properties(suite)["files"] == "tests/test_core.py"


def test_a_flaky_case_passes_and_says_how_often_it_failed() -> None:
    suite = suites(remarks())["after"]
    case = cases(suite)[FLAKY]
    assert _result(case) == "passed"
    flaky = case.find("flakyFailure")
    assert flaky is not None
    assert (flaky.get("type"), flaky.get("message")) == ("failed", "assert 3 == 4")
    assert "AssertionError" in (flaky.findtext("stackTrace") or "")
    assert (case.findtext("system-out") or "").startswith("flaky: failed 2 of 4 runs\n")
    assert suite.get("failures") == "0"
    assert properties(suite)["flaky"] == FLAKY
    assert properties(suite)["not all tests"].startswith("those of the changed files")


def test_a_check_fails_only_where_it_got_worse() -> None:
    assert [_result(case) for case in suites(remarks())["checks"].iter("testcase")] == ["passed"]
    [case] = suites(worse())["checks"].iter("testcase")
    failure = case.find("failure")
    assert failure is not None
    assert case.get("name") == "ruff check ."
    assert "slugs/core.py:14: `re` imported but unused F401" in (failure.text or "")


def large(number: int, size: int, *, name: int = 0) -> list[Event]:
    """A run before and one after with that many failing cases and so much output."""
    told = tuple(
        Case(f"t.py::{'n' * name}{n}", Result.FAILED, 0.1, "m" * name, "x" * size) for n in range(number)
    )
    return story(*(dataclasses.replace(ran(moment), cases=told) for moment in (Moment.BEFORE, Moment.AFTER)))


def test_a_file_too_large_for_gitlab_leaves_out_what_weighs_most_and_says_so() -> None:
    whole = suites(large(30, 1000))
    assert "left out" not in properties(whole["after"])
    assert whole["before"].get("tests") == "30"
    told = junit_report(large(80, 500_000), lambda _: "log")
    assert len(told) < LIMIT
    assert "without the output of single cases" in told


def test_a_file_of_long_names_keeps_some_cases() -> None:
    told = junit_report(large(5100, 0, name=3000), lambda _: "log")
    assert len(told) < LIMIT
    assert suites_of(told)["after"].get("failures") == "5000"


def suites_of(text: str) -> dict[str, ET.Element]:
    return {suite.get("name", ""): suite for suite in ET.fromstring(text)}


def test_of_very_many_cases_before_only_those_that_differ_are_written() -> None:
    many = tuple(Case(f"t.py::{n}", Result.PASSED) for n in range(20_001))
    before = dataclasses.replace(ran(Moment.BEFORE), cases=many)
    after_ = dataclasses.replace(ran(Moment.AFTER), cases=many[1:])
    suite = suites(story(before, after_))["before"]
    assert list(cases(suite)) == ["before: t.py::0"]
    assert properties(suite)["left out"] == "before: only what differs"


def test_a_case_that_failed_on_the_base_by_chance_is_not_said_to_fail_there() -> None:
    bad = Case(BY_CHANCE, Result.FAILED, message="assert 5 == 6")
    told = [
        dataclasses.replace(fact, cases=(*fact.cases, bad))
        if isinstance(fact, TestsRan) and fact.moment is Moment.BEFORE
        else fact
        for fact in facts(several())
    ]
    xml = junit_report(story(*told), lambda name: "")
    assert 'message="failed and passed on the base: assert 5 == 6"' in xml
    assert "message=\"fails on the base: assert 'a--b' == 'a-b'\"" in xml


def test_a_verification_that_could_not_begin_is_an_error_and_not_a_row_of_skipped_cases() -> None:
    xml = junit_report(set_up_fails(), lambda name: "")
    assert xml.count("<error ") == 1
    assert "so nothing was compared" in xml
