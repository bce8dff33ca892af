"""The report of a verification without a session."""

from __future__ import annotations

from dataclasses import replace

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
    SetupRan,
    TestsChosen,
    TestsCompared,
    TestsRan,
    WorkspaceReady,
)
from ci_agent.reporting.evidence import evidence
from ci_agent.reporting.sections import LIMIT
from tests.reporting.test_merge_request import told_with
from tests.reporting.test_text import TEXTS
from tests.support.stories import (
    ALL,
    BRANCH,
    alone,
    facts,
    remarks,
    second_try,
    set_up_fails,
    several,
    story,
    success,
    worse,
)


def test_it_reads_from_the_verdict_to_the_commands() -> None:
    order = [
        "**Not verified.** 1 test fails together with the others since this change. 1 check got worse.\n",
        "Order-dependent:\n\n- `tests/test_cache.py::test_clear`",
        "Flaky:\n\n- `tests/test_cache.py::test_expiry`: failed 2 of 4 runs",
        "| some tests of `python -m pytest` on 3f2c1aa → 9b8e7d6 | before | after |\n",
        "<details><summary>1 fixed, 2 added, 1 edited</summary>\n",
        "Changed lines run by the tests: 4 of 7; not run:",
        "### Checks\n- **Worse**: `ruff check .` fails",
        "### Check it yourself\n```sh\ngit switch --detach 9b8e7d6\npip install -e .   # it is set in .ci-agent.yml\npython -m pytest   # 214 passed, 2 failed, 3 skipped\n",
        "ci-agent verify --base 3f2c1aa --head 9b8e7d6 --setup 'pip install -e .'\n```\n",
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
    assert "ci-agent verify --base '`id`;' --head '$(id)' --setup" in body


def test_every_run_of_one_verification_is_told() -> None:
    body = evidence(alone(remarks()))
    assert "- check before: `ruff check .`: exit code 0, 0.2 s\n" in body
    assert "- again: `tests/test_cache.py::test_expiry`: failed 2 of 4 runs, so it is flaky\n" in body
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


def test_each_set_up_of_the_result_and_each_project_has_a_line_of_its_own() -> None:
    body = evidence(alone(several()))
    assert (
        "### Check it yourself\n```sh\ngit switch --detach 9b8e7d6\n"
        "pip install -e .   # it is set in .ci-agent.yml\n"
        ". .venv/bin/activate\n"
        "cd web && npm ci   # web/node_modules is missing\n"
        "python -m pytest\n"
        "(cd web && npm test)\n"
        "ci-agent verify --base 3f2c1aa --head 9b8e7d6 --setup 'pip install -e .'\n```\n"
    ) in body
    assert "- set-up: `pip install -e .`: exit code 0, 8.2 s (it is set in .ci-agent.yml)\n" in body
    assert (
        "- set-up of the result: `pip install -e .`: 2 times, exit code 0, 11 s (it is set in .ci-agent.yml)\n"
    ) in body
    assert (
        "- set-up of the result: `cd web && npm ci`: exit code 0, 6.1 s (web/node_modules is missing)\n"
        in body
    )
    for part in (
        "| `python -m pytest`, `(cd web && npm test)` on 3f2c1aa → 9b8e7d6 | before | after |\n",
        "- tests before: `python -m pytest`, `(cd web && npm test)`: 211 passed",
    ):
        assert part in body
    assert "pytest npm" not in body


def test_a_set_up_that_failed_once_is_not_said_to_have_passed() -> None:
    told = facts(alone(several()))
    last = max(n for n, fact in enumerate(told) if isinstance(fact, SetupRan))
    late = told[last]
    assert isinstance(late, SetupRan)
    told[last] = replace(late, exit_code=None, timed_out=True)
    assert "`pip install -e .`: 2 times, 1 times exit code 0, 1 times timed out, 11 s" in evidence(
        story(*told)
    )


def test_set_ups_of_an_earlier_round_are_not_what_prepared_the_result() -> None:
    early = SetupRan("make old", 0, 1.0, False, "", "", place="result")
    late = SetupRan("make new", 0, 1.0, False, "", "", place="result")
    first, second = facts(alone(success())), facts(alone(success()))
    body = evidence(story(*first[:-1], early, first[-1], late, *second[-5:]))
    assert "9b8e7d6\nmake new\npython" in body
    assert "- set-up of the result: `make old`: exit code 0" in body


def test_runs_again_are_counted_and_the_first_commands_named() -> None:
    body = evidence(alone(several()))
    start = body.index("- 14 runs of tests again, 1 min 30 s:\n")
    lines = body[start:].split("\n")[1:12]
    assert lines[0] == "  - `python -m pytest t.py::test_0`, 2 times"
    assert lines[9] == "  - `python -m pytest t.py::test_9`"
    assert lines[10] == "  - … and 3 other commands"
    assert body.count("- the change's tests on the old source: `python -m pytest`: ") == 2
    assert "- coverage: `python -m pytest --cov`: measured with coverage.py 7.6\n" in body


def test_a_case_that_failed_on_the_base_by_chance_is_said_to_be_that() -> None:
    said = "- `tests/test_cache.py::test_size`: failed and passed on the base: `assert 5 == 6`\n"
    assert said in evidence(alone(several()))


def test_where_set_up_fails_nothing_was_compared_and_the_log_is_named() -> None:
    body = evidence(set_up_fails())
    assert body.startswith(
        "**Not finished.** Set-up fails before the change, so nothing was compared: `npm ci; npm run build` failed "
        "with exit code 2: error: no such file `a.ts`. All it printed is in the report's logs/setup.log.\n\n"
    )
    assert "9b8e7d6\n# it is given with --setup\nnpm ci\nnpm run build\nnpm test\n" in body
    assert (
        "- set-up of the base: `npm ci`, `npm run build`: exit code 2, 3 s (it is given with --setup)\n"
        in body
    )
    assert "judged" not in body


def test_many_long_reasons_stand_beneath_a_short_first_line() -> None:
    long = tuple(f"Of {n} tests `{'x' * 200}` fails and nobody knows why, {'y' * 100}" for n in range(1, 4))
    body = evidence(told_with(alone(remarks()), Judged, reasons=long))
    head = body.split("\n\nFlaky:")[0]
    assert head == "\n".join(
        [
            "**Verified, with remarks.**",
            "",
            *(f"- {reason}." for reason in long),
            "",
            "Beside that:",
            "",
            "- 1 test is flaky.",
            "- 1 of 2 new tests shows nothing.",
        ]
    )
    short = evidence(told_with(alone(remarks()), Judged, reasons=long[:1]))
    assert short.startswith(f"**Verified, with remarks.** {long[0]}.\n\n- 1 test is flaky.")
