"""The report of a verification without a session."""

from __future__ import annotations

from hypothesis import given, settings
from markdown_it import MarkdownIt

from ci_agent.journal.events import (
    Change,
    CheckCompared,
    ChecksCompared,
    Finding,
    Judged,
    Result,
    SetupChosen,
    TestsChosen,
    TestsCompared,
    TestsRan,
    WorkspaceReady,
)
from ci_agent.reporting.evidence import evidence
from ci_agent.reporting.sections import LIMIT
from tests.reporting.test_merge_request import told_with
from tests.reporting.test_text import TEXTS
from tests.support.stories import ALL, BRANCH, alone, facts, remarks, second_try, story, success, worse


def test_it_reads_from_the_verdict_to_the_commands() -> None:
    order = [
        "**Not verified.** 1 test fails together with the others since this change. 1 check got worse.\n",
        "Order-dependent:\n\n- `tests/test_cache.py::test_clear`",
        "Flaky:\n\n- `tests/test_cache.py::test_expiry`: failed 2 of 4 runs",
        "| `python -m pytest` on 3f2c1aa → 9b8e7d6 | before | after |\n",
        "<details><summary>1 fixed, 2 added, 1 edited</summary>\n",
        "Changed lines run by the tests: 4 of 7; not run:",
        "### Checks\n- `ruff check .`: **worse**",
        "### Check it yourself\n```sh\npip install -e .   # it is set in .ci-agent.yml\npython -m pytest   # 214 passed, 2 failed, 3 skipped\n",
        "ci-agent verify --base 3f2c1aa --head 9b8e7d6\n```\n",
        "<details><summary>Commands that were run</summary>\n",
        "- tests after, on the result: not verified: 1 test fails together",
        "<sub>2 min 42 s · ci-agent 0.2.0</sub>\n",
    ]
    body = evidence(alone(worse()), version="0.2.0")
    places = [body.find(part) for part in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)


def test_it_says_nothing_of_a_session() -> None:
    for name in ALL:
        body = evidence(alone(ALL[name]()))
        for word in ("model", "hand-in", "$", "Closes", "Refs", BRANCH, "None"):
            assert word not in body, (name, word)


def test_a_branch_that_would_be_words_of_a_shell_is_quoted() -> None:
    body = evidence(told_with(alone(success()), WorkspaceReady, head_sha="$(id)", base_sha="`id`;"))
    assert "ci-agent verify --base '`id`;' --head '$(id)'\n" in body


def test_every_run_of_one_verification_is_told() -> None:
    body = evidence(alone(remarks()))
    assert "- check before: `ruff check .`: exit code 0, 0.2 s\n" in body
    assert "- again, alone: `tests/test_cache.py::test_expiry`: failed 2 of 4 runs, so it is flaky\n" in body
    assert "- check after: `ruff check .`: exit code 0, 0.2 s\n" in body


def test_before_it_is_judged_it_is_no_verdict() -> None:
    told = [fact for fact in facts(alone(success())) if not isinstance(fact, Judged)]
    assert evidence(story(*told)).startswith("**Not finished.** The change was not judged to the end.\n\n|")
    assert evidence([]).startswith("**Not finished.**")


def test_the_last_verification_is_the_one_that_is_told() -> None:
    assert evidence(alone(second_try())).startswith("**Verified.** ")


def test_words_of_strangers_in_notes_and_checks_are_inert() -> None:
    evil = "<b> @all [x](http://y)"
    check = CheckCompared("lint", 0, 1, (), 0, True, evil)
    events = told_with(told_with(alone(worse()), TestsRan, some=evil), ChecksCompared, checks=(check,))
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(evidence(events))
    assert html.count("&lt;b&gt; <code>@all</code>") >= 4  # two notes, two commands, a check
    assert "<b>" not in html
    assert "href" not in html


def test_a_flood_stays_below_the_limit() -> None:
    many = tuple(Change("|" * 300 + str(n), Result.PASSED, Result.FAILED, "m|" * 400) for n in range(3000))
    told = told_with(alone(worse()), TestsCompared, newly_broken=many, fixed=many, flaky=many, lost=many)
    told = told_with(told, Judged, reasons=("r" * 5000,) * 90, remarks=("r" * 5000,) * 90)
    body = evidence(told)
    assert len(body) <= LIMIT
    assert "*Left out, too long for here:" in body
    assert body.count("<details>") == body.count("</details>")


@settings(max_examples=40)
@given(TEXTS, TEXTS)
def test_whatever_strangers_write_it_stays_what_it_is(one: str, two: str) -> None:
    events = told_with(alone(worse()), TestsChosen, command=one, why=two, folder=one)
    events = told_with(events, SetupChosen, why=one)
    events = told_with(events, TestsRan, command=two, problem=one, some=two)
    events = told_with(events, Judged, reasons=(one, two), remarks=(two,))
    change = Change(one, Result.PASSED, Result.FAILED, two)
    events = told_with(events, TestsCompared, order_dependent=(change,), newly_broken=(change,))
    check = CheckCompared(one, 0, 1, (Finding(two, 3, one, two),), 0, True, two)
    events = told_with(events, ChecksCompared, checks=(check,))
    body = evidence(events)
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(body)
    html = "".join(token.content for token in tokens if token.type == "html_block")
    assert html.count("<details>") == html.count("</details>") == 2
    headings = [tokens[n + 1].content for n, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings in (["Checks", "Check it yourself"], ["Checks"])
    assert not any(line.lstrip("> ").startswith("/") for line in body.split("\n"))
