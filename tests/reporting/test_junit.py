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
    Result,
    SetupRan,
    TestsChosen,
    TestsCompared,
    TestsRan,
    Verdict,
    WorkspaceReady,
)
from ci_agent.reporting.junit import LOG, junit_report, legal
from tests.reporting.test_merge_request import told_with, weakened
from tests.reporting.test_text import TEXTS
from tests.support.junit_schema import junit_schema
from tests.support.stories import ALL, BASE, HEAD, TREE, facts, needs_human, story, success


@pytest.fixture(scope="module")
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(junit_schema())


def report(events: list[Event], log: str = "the log") -> ET.Element:
    return ET.fromstring(junit_report(events, lambda _: log))


def own(events: list[Event]) -> dict[str, str]:
    suite = report(events)[0]
    return {case.get("name", ""): _result(case) for case in suite.iter("testcase")}


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
        "nothing newly broken": "passed",
    }


@pytest.mark.parametrize(
    ("name", "case", "result"),
    [
        ("needs_human", "nothing newly broken", "failure"),
        ("needs_human", "agent finished", "passed"),
        ("limit", "agent finished", "failure"),
        ("cancelled", "agent finished", "error"),
        ("cancelled", "tests after", "skipped"),
        ("question", "agent finished", "skipped"),
        ("no_tests", "tests before", "skipped"),
        ("no_tests", "tests after", "skipped"),
        ("no_tests", "nothing newly broken", "skipped"),
        ("no_change", "agent finished", "failure"),
    ],
)
def test_a_check_ends_as_it_was(name: str, case: str, result: str) -> None:
    assert own(ALL[name]())[case] == result


def test_tests_that_no_longer_run_are_a_failure_with_their_names() -> None:
    [case] = [c for c in report(weakened())[0].iter("testcase") if c.get("name") == "nothing newly broken"]
    failure = case.find("failure")
    assert failure is not None
    assert "2 tests that ran before do not run now" in failure.get("message", "")
    assert (failure.text or "").split() == ["t.py::test_skipped", "t.py::test_*gone*"]


@pytest.mark.parametrize("command", ["", "python -m pytest"])
def test_a_session_without_tests_has_no_tests_after_that_pass(command: str) -> None:
    told = after(success(), command=command, cases=(), by_case=bool(command), exit_code=5, log="", tail="")
    told = told_with(told, TestsCompared, verdict=Verdict.NO_TESTS, fixed=(), added=())
    told = told_with(told, TestsChosen, command=command, runner="")
    assert own(told)["tests after"] == "skipped"
    assert [suite.get("name") for suite in report(told)] == ["ci-agent", *filter(None, [command])]


def test_a_session_that_could_not_read_the_issue_says_so() -> None:
    assert own([])["issue read"] == "error"


def test_the_projects_suite_has_its_cases_figures_and_origin() -> None:
    suite = report(needs_human())[1]
    assert suite.get("name") == "pytest"
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) == (
        "215",
        "2",
        "0",
        "3",
    )
    properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert properties == {
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
    cases = (Case("t::a", Result.FAILED), Case("t::b", Result.ERROR), Case("t::c", Result.SKIPPED))
    suite = report(after(success(), cases=cases))[1]
    assert [_result(case) for case in suite.iter("testcase")] == ["failure", "error", "skipped"]
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("1", "1", "1")


def test_a_run_that_broke_off_is_no_green_suite() -> None:
    suite = report(after(success(), problem="ended by us after 600 s"))[1]
    assert suite.get("errors") == "1"


def test_the_totals_are_those_of_the_suites() -> None:
    root = report(needs_human())
    assert root.get("tests") == str(sum(int(suite.get("tests", "")) for suite in root)) == "220"
    assert root.get("failures") == "3"


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    TEXTS,
    TEXTS,
    st.sampled_from(Result),
    st.floats(min_value=-1, max_value=1e6),
    st.sampled_from([success, needs_human]),
)
def test_any_name_and_any_output_give_a_valid_report(
    schema: xmlschema.XMLSchema,
    one: str,
    two: str,
    result: Result,
    seconds: float,
    tell: Callable[[], list[Event]],
) -> None:
    cases = (
        Case(one, result, seconds, two, one),
        Case(two + "]]>", result, 1e-7, one + "]]>\x00", "\ufffe" + two),
    )
    events = after(tell(), cases=cases, command=one, problem=two, tail=one)
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
