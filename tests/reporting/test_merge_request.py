"""The merge request's title and text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ci_agent.journal import Event, Fact
from ci_agent.journal.events import (
    AgentStopped,
    CasesRetried,
    Change,
    CheckCompared,
    ChecksCompared,
    Committed,
    CoverageMeasured,
    FileChanged,
    FileCoverage,
    Finding,
    Grade,
    IssueRead,
    Judged,
    ProofRan,
    Pushed,
    Result,
    SessionEnded,
    SessionStarted,
    SetupChosen,
    SetupRan,
    Shown,
    Submitted,
    TestsChosen,
    TestsCompared,
    TestsRan,
    Verdict,
    Warned,
    Without,
)
from ci_agent.reporting.merge_request import text, title
from ci_agent.reporting.sections import LIMIT
from ci_agent.reporting.summary import Summary
from ci_agent.task import Ending
from tests.reporting.test_text import SKIPS, TEXTS
from tests.support.stories import (
    LIMITS,
    added_only,
    called,
    facts,
    limit,
    needs_human,
    no_tests,
    on_platform,
    remarks,
    second_try,
    story,
    success,
    unchanged,
    worse,
)

FETCH = "git fetch origin feat/ai-task-12 && git switch feat/ai-task-12"


def said(events: list[Event]) -> str:
    return text(events, fetch_hint=FETCH, feedback_hint="Something to change? Run `ci-agent run` again.")


def told_with(events: list[Event], kind: type[Fact], **changes: object) -> list[Event]:
    """The story with every fact of this kind changed."""
    return story(*(dataclasses.replace(f, **changes) if isinstance(f, kind) else f for f in facts(events)))  # type: ignore[arg-type]


def test_a_success_reads_from_verdict_to_fine_print() -> None:
    order = [
        "Closes #12 · reported by dana · started by Dana Novak\n",
        "**Verified.** 1 test fixed, none newly broken. The 2 tests added here fail without this change and pass with it.\n",
        "| `python -m pytest` on 3f2c1aa → this branch | before | after |\n|---|--:|--:|\n",
        "| passed | 211 | 214 |\n| failed | 1 | 0 |\n| skipped | 3 | 3 |\n",
        "<details><summary>1 fixed, 2 added</summary>\n\n",
        "| test | before | after | without the change |\n",
        "| `tests/test_core.py::test_runs` | failed | passed | fails: `assert 'a--b' == 'a-b'` |\n",
        "| `tests/test_core.py::test_trailing` | \N{EN DASH} | passed | fails: `assert 'a-' == 'a'` |\n",
        "### What changed\n- `slugs/core.py` (+1 \u22121)\n- `tests/test_core.py` (+9)\n\n",
        "Changed lines run by the tests: 1 of 1.\n",
        "### Why\n> *In the model's words:* `slug()` split",
        f"### Check it yourself\n```sh\n{FETCH}\npip install -e .   # it is set in .ci-agent.yml\npython -m pytest   # 214 passed, 3 skipped\n",
        "ci-agent verify --base 3f2c1aa --head feat/ai-task-12 --setup 'pip install -e .'\n```\n",
        "<details><summary>Commands that were run</summary>\n\n",
        "- set-up: `pip install -e .`: exit code 0, 8.2 s (it is set in .ci-agent.yml)\n",
        "- the tests: `python -m pytest` (pyproject.toml has \\[tool.pytest.ini_options\\])\n",
        "- tests before: `python -m pytest`: 211 passed, 1 failed, 3 skipped, 6.4 s\n",
        "- tests after, hand-in 1: verified (214 passed, 3 skipped, 6.4 s)\n",
        "- the change's tests on the old source: `python -m pytest`: 1 passed, 2 failed, 3 skipped, 6.4 s\n",
        "- coverage: measured with coverage.py 7.6\n",
        "  - `python -c \"from slugs import slug; print(slug('A  b'))\"`\n",
        "Something to change? Run `ci-agent run` again.\n",
        "<sub>7 min 12 s · $0.06 of $3.00 · 30,900 tokens, 72 % cached · `gpt-5-mini` · sandbox: none · ci-agent 0.1.0</sub>\n",
    ]
    body = said(success())
    places = [body.find(part) for part in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)


def test_a_failure_starts_with_what_is_wrong() -> None:
    body = said(needs_human())
    assert body.startswith(
        "**Broken.** 1 test newly broken by this change.\n\nNewly broken:\n\n"
        "- `tests/test_core.py::test_unicode`: `assert 'a-?' == 'a-é'`\n\nRefs #12 · reported by dana · started by Dana Novak\n"
    )
    assert "Closes" not in body
    assert "Verified" not in body


def weakened(**changes: object) -> list[Event]:
    """Handed in until the end with a test removed and one skipped."""
    lost = (
        Change("t.py::test_skipped", Result.PASSED, Result.SKIPPED),
        Change("t.py::test_*gone*", Result.FAILED, None, "boom"),
    )
    values: dict[str, object] = {
        "verdict": Verdict.WEAKENED,
        "reason": "2 tests that ran before do not run now: t.py::test_skipped, t.py::test_*gone*. No test newly broken.",
        "newly_broken": (),
        "still_failing": (),
        "newly_skipped": lost[:1],
        "removed": lost[1:],
        "lost": lost,
    }
    why = ("2 tests that ran before do not run now.",)
    told = told_with(needs_human(), Judged, grade=Grade.NOT_VERIFIED, reasons=why)
    return told_with(told, TestsCompared, **(values | changes))


def test_tests_that_no_longer_run_need_a_human_and_are_named() -> None:
    body = said(weakened())
    assert body.startswith(
        "**Not verified.** 2 tests that ran before do not run now.\n\nNo longer run:\n\n"
        "- `t.py::test_skipped`: skipped\n- `t.py::test_*gone*`: removed\n\nRefs #12"
    )
    assert "hand-in 3: 2 no longer run (" in body
    assert "Verified" not in body


def test_beside_broken_tests_those_that_no_longer_run_are_named_too() -> None:
    broke = Change("t.py::test_b", Result.PASSED, Result.FAILED, "oh")
    body = said(weakened(verdict=Verdict.BROKEN, newly_broken=(broke,)))
    assert (
        "\n\nNewly broken:\n\n- `t.py::test_b`: `oh`\n\nNo longer run:\n\n- `t.py::test_skipped`: skipped\n"
    ) in body


def test_a_limit_is_said_with_its_figure_and_the_verdict_on_what_is_there() -> None:
    body = said(limit())
    assert body.startswith(
        "**Needs human.** The limit of 50 model replies was reached before the work was handed in.\n\n"
        "What was tested: verified. 1 test fixed, none newly broken.\n\nRefs #12"
    )
    assert "**Verified" not in body


def test_a_verification_that_was_cut_short_is_no_verdict() -> None:
    told = [fact for fact in facts(success()) if not isinstance(fact, Judged)]
    body = said(story(*told))
    assert body.startswith("**Needs human.** This change was not judged to the end.\n\nRefs #12")
    untested = [
        fact for fact in told if not isinstance(fact, TestsRan | TestsCompared | ProofRan | CoverageMeasured)
    ]
    assert said(story(*untested)).startswith("**Needs human.** This change was not tested.\n\n")


def test_remarks_stand_under_the_verdict_and_are_no_failure() -> None:
    assert (
        "**Verified, with remarks.** 1 test fixed, none newly broken.\n\n"
        "- 1 test is flaky.\n- 1 of 2 new tests shows nothing.\n\nFlaky:\n\n"
        "- `tests/test_cache.py::test_expiry`: failed 2 of 4 runs, on the base 1 of 3 alone: `assert 3 == 4`\n\n|"
    ) in said(remarks())


def test_the_verdict_decides_whatever_the_comparison_alone_says() -> None:
    assert not Summary.of(told_with(success(), Judged, ready=False)).solved
    body = said(told_with(needs_human(), Judged, grade=Grade.REMARKS, ready=True, reasons=("It is *fine*",)))
    assert body.startswith("**Verified, with remarks.** It is \\*fine\\*.\n")


def test_of_many_reasons_and_remarks_the_first_are_shown() -> None:
    many = tuple(f"Thing {n}" for n in range(20))
    body = said(told_with(success(), Judged, reasons=many, remarks=many))
    assert "**Verified.** Thing 0. Thing 1. Thing 2. Thing 3. Thing 4. Thing 5.\n\n- Thing 0\n" in body
    assert "- Thing 7\n- … and 12 more\n" in body


def test_what_the_new_tests_do_without_the_change_stands_in_the_list() -> None:
    assert (
        "<details><summary>1 fixed, 2 added, 1 edited</summary>\n\n"
        "| test | before | after | without the change |\n|---|---|---|---|\n"
        "| `tests/test_core.py::test_runs` | failed | passed | fails: `assert 'a--b' == 'a-b'` |\n"
        "| `tests/test_core.py::test_tabs` | \N{EN DASH} | passed | can't be run: `cannot import name 'words'` |\n"
        "| `tests/test_core.py::test_trailing` | \N{EN DASH} | passed | passes |\n"
        "| `tests/test_core.py::test_1` | passed | passed | fails: `assert 1 == 2` |\n"
    ) in said(remarks())


def test_a_list_with_messages_of_failures_keeps_them_beside_the_proof() -> None:
    still = Change("t.py::test_s", Result.FAILED, Result.FAILED, "boom")
    body = said(told_with(success(), TestsCompared, still_failing=(still,)))
    assert "| test | before | after | message | without the change |\n" in body
    assert "| `t.py::test_s` | failed | failed | `boom` |  |\n" in body


def test_what_depends_on_the_order_is_named_with_how() -> None:
    body = said(worse())
    assert body.startswith(
        "**Not verified.** 1 test fails together with the others since this change. 1 check got worse.\n\n"
        "Order-dependent:\n\n"
        "- `tests/test_cache.py::test_clear`: fails together with the others, passes alone: `KeyError: 'a'`\n"
    )
    assert "so it is order-dependent\n" in body


def test_new_findings_of_a_check_are_named_and_counted() -> None:
    assert "### Checks\n- `ruff check .` passes before and after the change.\n" in said(remarks())
    assert (
        "### Checks\n- **Worse**: `ruff check .` fails before and after the change: 1 new finding.\n"
        "  - `slugs/core.py:14`: `re` imported but unused (`F401`)\n"
    ) in said(worse())
    many = tuple(Finding(f"a{n}.py", 0, "<b> @eve") for n in range(14))
    check = CheckCompared("lint", 0, 1, many, 0, True, "14 new findings.")
    body = said(told_with(worse(), ChecksCompared, checks=(check,)))
    assert "  - `a9.py`: &lt;b&gt; `@eve`\n  - … and 4 more\n" in body
    assert "`a10.py`" not in body


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ((("a.py", (1, 2, 3), ()),), "3 of 3."),
        ((("a.py", (10, 12, 14, 15, 16), (10, 14, 15, 16)),), "1 of 5; not run: `a.py` 10, 14\N{EN DASH}16."),
        ((("a.py", (14, 16, 20), (14, 16)), ("b.py", (1,), (1,))), "1 of 4; not run: `a.py` 14\N{EN DASH}16, `b.py` 1."),
        ((("a.py", tuple(range(1, 60)), tuple(range(1, 60, 2))),), "29 of 59; not run: `a.py` 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, …."),
        (tuple((f"{n}.py", (1,), (1,)) for n in range(12)), "0 of 12; not run: " + ", ".join(f"`{n}.py` 1" for n in range(10)) + ", and in 2 more files."),
    ],
)  # fmt: skip
def test_the_lines_that_no_test_runs_are_named(
    files: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...], line: str
) -> None:
    told = told_with(success(), CoverageMeasured, files=tuple(FileCoverage(*file) for file in files))
    assert f"\n\nChanged lines run by the tests: {line}\n" in said(told)


def test_where_coverage_was_not_measured_only_the_commands_say_why() -> None:
    body = said(told_with(success(), CoverageMeasured, tool="", files=(), problem="there is no coverage.py"))
    assert "Changed lines" not in body
    assert "- coverage: there is no coverage.py\n" in body.partition("Commands that were run")[2]
    assert "Changed lines" not in said(told_with(success(), CoverageMeasured, files=()))


def test_runs_of_some_tests_and_of_an_earlier_session_say_so() -> None:
    body = said(told_with(remarks(), TestsRan, reused=True, some=""))
    assert (
        "\n\n*Before: taken over from an earlier session on the same commit.*  \n"
        "*After: taken over from an earlier session on the same commit.*\n\n"
    ) in body
    body = said(remarks())
    some = "not all tests were run: those of the changed files, because there is little time left"
    assert f"| skipped | 3 | 3 |\n\n*After: {some}.*\n\n" in body
    assert f"3 skipped, 6.4 s; {some})\n" in body


def test_why_there_is_no_test_is_told_as_the_models_words() -> None:
    assert (
        "\n\n> *Why it adds no test, in the model's words:* The \\*names\\* of files can't be tested.\n"
        in said(remarks())
    )
    assert (
        said(told_with(success(), Submitted, summary=" ", no_test="No.")).count("in the model's words:*") == 1
    )


def test_every_project_of_the_repository_has_its_commands() -> None:
    web = TestsChosen("npm test", "npm", "web/package.json has a script `test`", "we b")
    told: list[Fact] = []
    for fact in facts(success()):
        told += [fact, web] if isinstance(fact, TestsChosen) else [fact]
    body = said(story(*told))
    assert "python -m pytest\n(cd 'we b' && npm test)\nci-agent verify --base" in body
    assert "- the tests in `we b`: `npm test` (web/package.json has a script `test`)\n" in body


def test_where_nothing_has_to_be_prepared_it_says_so() -> None:
    told = story(*(fact for fact in facts(success()) if not isinstance(fact, SetupRan)))
    told = told_with(told, SetupChosen, command="", why="every package is there")
    assert "- set-up: none (every package is there)\n" in said(told)


@pytest.mark.parametrize(
    ("broken", "left", "told"),
    [
        (1, 1, "It was not run again to see whether it is flaky."),
        (3, 3, "They were not run again to see whether they are flaky."),
        (3, 2, "2 of them were not run again to see whether they are flaky."),
        (3, 1, "1 of them was not run again to see whether they are flaky."),
    ],
)
def test_broken_tests_that_were_not_run_again_are_counted(broken: int, left: int, told: str) -> None:
    events: list[Fact] = []
    for fact in facts(needs_human()):
        if isinstance(fact, TestsCompared):
            many = [dataclasses.replace(fact.newly_broken[0], id=str(number)) for number in range(broken)]
            events += [CasesRetried(1, (), left), dataclasses.replace(fact, newly_broken=tuple(many))]
        else:
            events.append(fact)
    assert f"\n\n{told}\n" in said(story(*events))


@pytest.mark.parametrize(
    ("author", "requester", "said"),
    [
        ("dana", "Robin <robin@example.org>", "Closes #12 · reported by dana · started by Robin\n"),
        ("Dana Novak", "dana novak <dana@example.org>", "Closes #12 · asked for by dana novak\n"),
        ("", "Robin", "Closes #12 · asked for by Robin\n"),
        ("dana", "", "Closes #12 · asked for by dana\n"),
        ("", "", "Closes #12\n"),
        ("@all", "Robin", "Closes #12 · reported by `@all` · started by Robin\n"),
    ],
)
def test_the_header_names_who_reported_and_who_started(author: str, requester: str, said: str) -> None:
    events = told_with(success(), IssueRead, author=author)
    assert text(
        told_with(events, SessionStarted, requester=requester), fetch_hint="", feedback_hint=""
    ).startswith(said)


def test_a_hand_in_that_was_sent_back_is_told() -> None:
    body = said(second_try())
    assert "<summary>Commands that were run, 2 hand-ins</summary>" in body
    assert (
        "- tests after, hand-in 1: 1 newly broken (210 passed, 2 failed, 3 skipped, 6.4 s)\n"
        "- tests after, hand-in 2: verified (214 passed, 3 skipped, 6.4 s)\n"
    ) in body


def test_tests_of_work_that_was_never_handed_in_are_not_called_a_hand_in() -> None:
    body = said(limit())
    assert "- tests after, of what was there at the end: verified (212 passed, 3 skipped, 6.4 s)\n" in body
    assert "hand-in" not in body


def test_another_command_after_than_before_is_named() -> None:
    told = [
        dataclasses.replace(fact, command="make check")
        if isinstance(fact, TestsRan) and fact.moment == "after"
        else fact
        for fact in facts(success())
    ]
    assert "hand-in 1: verified (`make check`: 214 passed" in said(story(*told))


def test_what_only_broke_nothing_is_verified_with_remarks_only() -> None:
    body = said(added_only())
    assert (
        "\n\n**Verified, with remarks.** Nothing newly broken.\n\n- No test that failed before passes now.\n"
        in body
    )


def test_a_run_without_a_commit_of_its_own_claims_none() -> None:
    assert title(unchanged()) == "Make slugs of any white space"
    body = said(unchanged())
    assert "> *In the model's words, from a run that changed nothing:* `slug()` split" in body
    assert "- Nothing was changed in this run; the branch is as an earlier one left it.\n" in body


def test_work_put_on_top_of_somebody_elses_is_not_called_verified() -> None:
    body = said(told_with(on_platform(success()), Pushed, tested=False))
    assert body.startswith(
        "**Needs human.** The tests ran on this work alone, not on the branch as it is now.\n\nWhat was tested: verified. 1 test fixed, none newly broken. The 2 tests"
    )
    assert "Closes" not in body
    assert body.count("**Verified") == 0


@pytest.mark.parametrize(("reference", "word"), [("#34", "pull request"), ("!34", "merge request")])
def test_the_warnings_speak_as_the_platform_does(reference: str, word: str) -> None:
    told = on_platform(success(), reference)
    body = said(story(*facts(told), Warned("The merge request 3 of this branch was closed.")))
    assert f"- The {word} 3 of this branch was closed.\n" in body


def test_no_words_of_strangers_in_the_text_switch_the_ci_off_where_it_becomes_a_commit() -> None:
    evil = "[skip ci] `[ci skip]` ***NO_CI*** [skip_ci]"
    told = told_with(success(), Submitted, title=evil, summary=f"{evil}\n\n    {evil}\n```\n{evil}\n```")
    told = told_with(told, Committed, files=(FileChanged(evil, 1, 1),))
    told = story(*facts(told), called(9, "bash", command=evil), Warned(evil))
    assert not SKIPS.search(said(told))
    assert title(told) == "(skip ci) `(ci skip)` (NO_CI) (skip_ci)"


def test_without_tests_nothing_is_called_verified() -> None:
    body = said(no_tests())
    assert "\n\n**Not verified.** There are no tests to run.\n" in body
    assert "**Verified" not in body
    assert "| before | after |" not in body


def test_a_run_that_did_not_end_proves_nothing() -> None:
    reason = "The tests after the change prove nothing: ended by us after 600 s."
    events = told_with(success(), TestsCompared, verdict=Verdict.INCOMPLETE, reason=reason)
    events = told_with(events, Judged, grade=Grade.NOT_VERIFIED, ready=False, reasons=(reason,))
    events = story(
        *(
            dataclasses.replace(f, problem="ended by us after 600 s", exit_code=None)
            if isinstance(f, TestsRan) and f.moment == "after"
            else f
            for f in facts(events)
        )
    )
    body = said(events)
    assert body.startswith(f"**Not verified.** {reason}\n\nRefs #12")
    assert "| ran to the end | yes | no |" in body


def test_a_command_without_single_cases_is_told_as_a_whole() -> None:
    whole = Change("make test", Result.FAILED, Result.PASSED)
    events = told_with(success(), TestsCompared, fixed=(whole,), added=())
    events = story(
        *(
            dataclasses.replace(
                f, by_case=False, command="make test", exit_code=2 if f.moment == "before" else 0
            )
            if isinstance(f, TestsRan)
            else f
            for f in facts(events)
        )
    )
    body = said(events)
    assert "| the command as a whole | failed (exit code 2) | passed |" in body
    assert "make test   # passed\n" in said(told_with(events, TestsChosen, command="make test"))


def test_long_lists_are_cut_and_say_how_much_is_missing() -> None:
    many = tuple(Change(f"t.py::test_{n}", Result.PASSED, Result.FAILED, "boom") for n in range(70))
    files = tuple(FileChanged(f"f{n}.py", 1, 0) for n in range(45))
    events = told_with(needs_human(), TestsCompared, newly_broken=many)
    events = told_with(events, Committed, files=files)
    body = said(events)
    assert "- `t.py::test_9`: `boom`\n- … and 60 more" in body
    assert "<summary>70 newly broken</summary>" in body
    assert "| … and 20 more |" in body
    assert "- … and 15 more (+15 \u22120)" in body


def test_binary_files_and_renames_are_named_as_such() -> None:
    files = (FileChanged("logo.png", None, None), FileChanged("b.py", 0, 0, previous="a.py"))
    body = said(told_with(success(), Committed, files=files))
    assert "- `logo.png` (binary)\n- `a.py` → `b.py` (no lines)\n" in body


def test_warnings_are_shown_and_counted() -> None:
    body = said(story(*facts(success()), *(Warned(f"thing {n}") for n in range(8))))
    assert "### Worth knowing\n- thing 0\n" in body
    assert "- … and 3 more" in body


def test_a_flood_of_everything_stays_below_the_limit_and_says_what_is_left_out() -> None:
    def changes(name: str) -> tuple[Change, ...]:
        return tuple(
            Change(f"{name}_{n}_" + "x|" * 400, Result.PASSED, Result.FAILED, "m|" * 400) for n in range(200)
        )

    events = told_with(
        needs_human(),
        TestsCompared,
        fixed=changes("a"),
        newly_broken=changes("b"),
        added=changes("c"),
        removed=changes("d"),
    )
    events = told_with(events, Submitted, summary="w|@a " * 10_000)
    events = story(*facts(events), *(called(7, "bash", command="y" * 1000) for _ in range(500)))
    body = said(events)
    assert len(body) <= LIMIT
    assert "*Left out, too long for here: a list of tests.*" in body
    assert body.endswith("</sub>\n")
    assert body.count("<details>") == body.count("</details>")


@settings(max_examples=50)
@given(TEXTS, TEXTS, st.sampled_from([success, needs_human, limit, worse]))
def test_whatever_strangers_write_the_parts_of_the_text_stay_what_they_are(
    one: str, two: str, tell: Callable[[], list[Event]]
) -> None:
    """The headings and the details are ours, and no stranger adds or swallows one."""
    events = told_with(tell(), Submitted, summary=one, title=two)
    events = told_with(events, TestsRan, command=two, problem=one)
    events = told_with(events, SessionStarted, requester=one, model=two, title=one)
    events = told_with(events, IssueRead, author=two)
    events = told_with(events, TestsChosen, command=one)
    events = told_with(events, Committed, files=(FileChanged(one, 1, 1, two),))
    change = Change(one, Result.FAILED, Result.PASSED, two)
    events = told_with(events, TestsCompared, fixed=(change,), lost=(change,), flaky=(change,), reason=two)
    events = told_with(events, Judged, reasons=(one,), remarks=(two,))
    events = told_with(events, ProofRan, cases=(Shown(one, True, Without.FAILS, two),), problem=two)
    events = told_with(events, SetupChosen, why=two)
    events = told_with(events, CoverageMeasured, files=(FileCoverage(one, (1, 2), (1,)),))
    check = CheckCompared(one, 0, 1, (Finding(two, 3, one, two),), 0, True, two)
    events = told_with(events, ChecksCompared, checks=(check,))
    body = said(story(*facts(events), Warned(two), called(9, "bash", command=one)))
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(body)
    html = "".join(token.content for token in tokens if token.type == "html_block")
    assert html.count("<details>") == html.count("</details>") == 2
    headings = [tokens[n + 1].content for n, token in enumerate(tokens) if token.type == "heading_open"]
    assert [h for h in headings if h not in {"Why", "Checks"}] == [
        "What changed",
        "Check it yourself",
        "Worth knowing",
    ]
    assert not any(line.lstrip("> ").startswith("/") for line in body.split("\n"))


def test_the_title_is_the_models_if_it_is_usable() -> None:
    assert title(success()) == "Split slugs at runs of white space"


@pytest.mark.parametrize("unusable", ["", "  \n", "...", "\u200b", "###"])
def test_else_the_title_comes_from_the_issue(unusable: str) -> None:
    assert (
        title(told_with(success(), Submitted, title=unusable))
        == "Address issue 12: slug() makes double dashes"
    )


def test_the_limit_of_time_that_was_reached_is_named() -> None:
    late = told_with(limit(), AgentStopped, ending=Ending.LIMIT_WALL)
    late = told_with(late, SessionEnded, ending=Ending.LIMIT_WALL)
    assert "The time limit of 1 h was reached before the work was handed in." in said(late)
    of_the_job = told_with(late, SessionStarted, limits=dataclasses.replace(LIMITS, job_minutes=75))
    sentence = "This job may take 1 h 15 min, and its end came near before the work was handed in."
    assert sentence in said(of_the_job)
