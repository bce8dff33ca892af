"""The findings beside a pipeline, and the summary on its page."""

from __future__ import annotations

from markdown_it import MarkdownIt

from ci_agent.journal.events import Case, Change, Moment, Result, TestsCompared, TestsRan, Verdict
from ci_agent.reporting.findings import Finding, findings
from ci_agent.reporting.job_summary import job_summary
from tests.support.stories import facts, needs_human, ran, story, success, working

TRACE = "tests/test_core.py:3: in helper\ntests/test_core.py:12: AssertionError"


def compared(broken: tuple[Change, ...] = (), lost: tuple[Change, ...] = ()) -> TestsCompared:
    return TestsCompared(1, Verdict.BROKEN, "Broken.", newly_broken=broken, lost=lost)


def after(*cases: Case) -> TestsRan:
    run = ran(Moment.AFTER)
    return TestsRan(**{name: getattr(run, name) for name in run.__slots__} | {"cases": cases})


def test_a_broken_test_is_found_at_the_line_where_it_failed() -> None:
    case = Case("tests/test_core.py::test_a", Result.FAILED, message="assert 1 == 2", details=TRACE)
    lost = Change("tests/test_core.py::test_b", Result.PASSED, None)
    told = compared((Change(case.id, Result.PASSED, Result.FAILED, case.message),), (lost,))
    assert findings(story(*facts(working()), after(case), told)) == [
        Finding("Test newly broken: tests/test_core.py::test_a", "assert 1 == 2", "tests/test_core.py", 12),
        Finding("Test no longer run: tests/test_core.py::test_b", "no longer run", "tests/test_core.py"),
    ]


def test_a_test_without_a_file_in_its_name_has_no_place() -> None:
    for odd in ("com.example.Widget works", "/etc/passwd::x", "a\nb::c"):
        [found] = findings(story(*facts(working()), compared((Change(odd, Result.PASSED, Result.FAILED),))))
        assert (found.file, found.line) == ("", 0)
        assert "\n" not in found.title


def test_where_nothing_was_broken_there_is_nothing_to_find() -> None:
    assert findings(success()) == []
    assert findings([]) == []


def test_the_summary_has_the_verdict_the_tests_and_where_things_are() -> None:
    text = job_summary(success(), links={"merge request": "https://x/34"})
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert html.startswith("<h2>")
    assert "<strong>Done" in html
    assert '<th style="text-align:right">before</th>' in html
    assert '<a href="https://x/34">merge request</a>' in html


def test_the_summary_names_what_is_broken() -> None:
    text = job_summary(needs_human(), links={})
    assert "newly broken" in text
    assert "| before | after |" in text


def test_the_summary_of_nothing_is_still_one() -> None:
    assert job_summary([], links={}).startswith("## ci-agent\n")
