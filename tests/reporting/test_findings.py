"""The findings beside a pipeline, and the summary on its page."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from markdown_it import MarkdownIt

from ci_agent.journal.events import (
    Case,
    Change,
    CheckCompared,
    ChecksCompared,
    IssueRead,
    Moment,
    Result,
    SessionStarted,
    TestsCompared,
    TestsRan,
    Verdict,
)
from ci_agent.journal.events import Finding as New
from ci_agent.reporting.findings import Finding, findings
from ci_agent.reporting.job_summary import job_summary
from tests.reporting.test_text import TEXTS
from tests.support.stories import (
    facts,
    needs_human,
    on_platform,
    ran,
    remarks,
    story,
    success,
    working,
    worse,
)

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


@pytest.mark.parametrize(
    ("test", "details", "place"),
    [
        ("test_a.py::t", "other/test_a.py:3: x\ntest_a.py:12: in t\nlib/core.py:5: ValueError", ("test_a.py", 12)),
        ("test_a.py::t", "lib/core.py:5: ValueError", ("test_a.py", 0)),
        ("tests.test_a.T::t", 'File "/tmp/work/12/tests/test_a.py", line 7, in t', ("tests/test_a.py", 7)),
        ("tests.test_a.T::t", 'File "/usr/lib/python3.11/unittest/case.py", line 9, in run', ("", 0)),
        ("Widget::works", "at Object.<anonymous> (src/widget.test.js:12:5)\n at node_modules/x/y.js:1:1", ("src/widget.test.js", 12)),
        ("TestSum::t", "    ../other/sum_test.go:4: x\n    .venv/lib/a.py:1: x", ("", 0)),
        ("com.example.Widget::works", "at 12:30:15 http://127.0.0.1:8080/x version 1.2:3", ("", 0)),
        ("a.py::t", "./a.py:4: AssertionError\n/tmp/work/123/a.py:9: x", ("a.py", 4)),
    ],
)  # fmt: skip
def test_the_place_is_the_last_one_in_the_project(test: str, details: str, place: tuple[str, int]) -> None:
    case = Case(test, Result.FAILED, details=details)
    told = compared((Change(test, Result.PASSED, Result.FAILED),))
    [found] = findings(story(*facts(working()), after(case), told))
    assert (found.file, found.line) == place


@given(TEXTS, TEXTS, TEXTS)
def test_whatever_a_test_says_its_finding_is_short_and_in_the_project(
    name: str, said: str, details: str
) -> None:
    case = Case(name, Result.FAILED, message=said, details=f"{details}\n{name}:3: {said}")
    told = compared((Change(name, Result.PASSED, Result.FAILED, said),), (Change(name, Result.PASSED, None),))
    for found in findings(story(*facts(working()), after(case), told)):
        assert "\n" not in found.title + found.message + found.file
        assert len(found.title) < 200
        assert not found.file.startswith(("/", "../"))
        assert found.message


def test_a_test_without_a_file_in_its_name_has_no_place() -> None:
    for odd in ("com.example.Widget works", "/etc/passwd::x", "a\nb::c"):
        [found] = findings(story(*facts(working()), compared((Change(odd, Result.PASSED, Result.FAILED),))))
        assert (found.file, found.line) == ("", 0)
        assert "\n" not in found.title


def test_what_a_check_newly_finds_is_found_at_its_line() -> None:
    found = findings(worse())
    assert found == [Finding("New finding: F401", "`re` imported but unused", "slugs/core.py", 14)]
    assert findings(remarks()) == []


def test_a_check_that_got_worse_without_a_finding_is_one_itself() -> None:
    check = CheckCompared("make types", 0, 2, (), 0, True, "It passed before and fails now.")
    assert findings(story(ChecksCompared(1, (check,)))) == [
        Finding("Check fails: make types", "It passed before and fails now.")
    ]


@given(TEXTS, TEXTS)
def test_whatever_a_check_prints_its_finding_is_short_and_in_the_project(path: str, said: str) -> None:
    new = tuple(New(each, 3, said, said) for each in (path, f"../{path}", f"/{path}", f"a/../../{path}"))
    check = CheckCompared(said, 0, 1, new, 0, True, said)
    for found in findings(story(ChecksCompared(1, (check,)))):
        assert "\n" not in found.title + found.message + found.file
        assert len(found.title) < 200
        assert not found.file.startswith("/")
        assert ".." not in found.file.split("/")
        assert found.message


def test_the_summary_has_the_evidence_of_the_verdict() -> None:
    text = job_summary(remarks(), links={})
    order = [
        "**Done: merge request 1**",
        "**Verified, with remarks.** 1 test fixed, none newly broken.\n\n- 1 test is flaky.",
        "| before | after |",
        "Flaky:\n\n- `tests/test_cache.py::test_expiry`: failed 2 of 4 runs",
        "<summary>1 fixed, 2 added, 1 edited</summary>",
        "Changed lines run by the tests: 4 of 7; not run: `slugs/core.py` 10,",
        "### Checks\n- `ruff check .` passes",
    ]
    places = [text.find(part) for part in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)
    assert "  - `slugs/core.py:14`: `re` imported but unused (`F401`)" in job_summary(worse(), links={})


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


def test_the_summary_links_to_what_the_platform_calls_it() -> None:
    links = {"merge request": "https://x/34"}
    assert "[pull request](https://x/34)" in job_summary(on_platform(success()), links=links)
    assert "[merge request](https://x/34)" in job_summary(on_platform(success(), "!34"), links=links)


def test_the_summary_names_what_is_broken_once() -> None:
    text = job_summary(needs_human(), links={})
    assert "newly broken" in text
    assert "| before | after |" in text
    assert text.count("test_unicode") == 1


def test_the_summary_names_all_that_broke_and_what_does_not_run_any_more() -> None:
    broken = tuple(Change(f"a.py::test_{n}", Result.PASSED, Result.FAILED, "@eve <b>") for n in range(5))
    lost = (Change("a.py::test_gone", Result.PASSED, None),)
    told = [compared(broken, lost) if isinstance(f, TestsCompared) else f for f in facts(needs_human())]
    text = job_summary(story(*told), links={})
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert text.index("Newly broken:") < text.index("No longer run:")
    assert html.count("<code>a.py::test_4</code>") == 1
    assert "<li><code>a.py::test_gone</code>: removed</li>" in html
    assert "<b>" not in html


def test_the_summary_links_only_to_the_web_and_its_title_does_nothing() -> None:
    told = [
        dataclasses.replace(f, title="/close @eve <img> [x](http://y) #3")
        if isinstance(f, SessionStarted)
        else f
        for f in facts(success())
    ]
    text = job_summary(story(*told), links={"merge request": "javascript:x", "issue": "https://x/12"})
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert html.startswith("<h2>#12 /close <code>@eve</code> &lt;img&gt; ")
    assert re.findall(r'href="([^"]*)"', html) == ["https://x/12"]


def test_the_title_of_the_summary_leads_to_the_issue() -> None:
    told = [
        dataclasses.replace(f, url="https://x/12") if isinstance(f, IssueRead) else f
        for f in facts(success())
    ]
    assert job_summary(story(*told), links={}).startswith(
        "## [#12](https://x/12) slug() makes double dashes\n"
    )


def test_the_summary_of_nothing_is_still_one() -> None:
    assert job_summary([], links={}).startswith("## ci-agent\n")
