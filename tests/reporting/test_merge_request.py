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
    Change,
    Committed,
    FileChanged,
    IssueRead,
    Moment,
    Pushed,
    Result,
    SessionStarted,
    Submitted,
    TestsChosen,
    TestsCompared,
    TestsRan,
    Verdict,
    Warned,
)
from ci_agent.reporting.merge_request import text, title
from ci_agent.reporting.sections import LIMIT
from tests.reporting.test_text import SKIPS, TEXTS
from tests.support.stories import (
    added_only,
    called,
    facts,
    limit,
    needs_human,
    no_tests,
    on_platform,
    ran,
    second_try,
    story,
    success,
    unchanged,
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
        "**Verified.** 1 test fixed, none newly broken, 2 added.\n",
        "| `python -m pytest` on 3f2c1aa → this branch | before | after |\n|---|--:|--:|\n",
        "| passed | 211 | 214 |\n| failed | 1 | 0 |\n| skipped | 3 | 3 |\n",
        "<details><summary>1 fixed, 2 added</summary>\n\n",
        "| `tests/test_core.py::test_runs` | failed | passed | `assert 'a--b' == 'a-b'` |\n",
        "### What changed\n- `slugs/core.py` (+1 \u22121)\n- `tests/test_core.py` (+9)\n",
        "### Why\n> *In the model's words:* `slug()` split",
        f"### Check it yourself\n```sh\n{FETCH}\npip install -e .\npython -m pytest   # 214 passed, 3 skipped\n```\n",
        "<details><summary>Commands that were run</summary>\n\n",
        "- set-up: `pip install -e .`: exit code 0, 8.2 s\n",
        "- tests before: `python -m pytest`: 211 passed, 1 failed, 3 skipped, 6.4 s\n",
        "- tests after, hand-in 1: verified (214 passed, 3 skipped, 6.4 s)\n",
        "  - `python -c \"from slugs import slug; print(slug('A  b'))\"`\n",
        "Something to change? Run `ci-agent run` again.\n",
        "<sub>6 min 18 s · $0.06 of $3.00 · 30,900 tokens, 72 % cached · `gpt-5-mini` · sandbox: none · ci-agent 0.1.0</sub>\n",
    ]
    body = said(success())
    places = [body.find(part) for part in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)


def test_a_failure_starts_with_what_is_wrong() -> None:
    body = said(needs_human())
    assert body.startswith(
        "**Needs human.** 1 test newly broken by this change.\n\n"
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
    return told_with(needs_human(), TestsCompared, **(values | changes))


def test_tests_that_no_longer_run_need_a_human_and_are_named() -> None:
    body = said(weakened())
    assert body.startswith(
        "**Needs human.** 2 tests that ran before do not run now.\n\n"
        "- `t.py::test_skipped`: skipped\n- `t.py::test_*gone*`: removed\n\nRefs #12"
    )
    assert "hand-in 3: 2 no longer run (" in body
    assert "Verified" not in body


def test_beside_broken_tests_those_that_no_longer_run_are_named_too() -> None:
    broke = Change("t.py::test_b", Result.PASSED, Result.FAILED, "oh")
    body = said(weakened(verdict=Verdict.BROKEN, newly_broken=(broke,)))
    assert body.startswith(
        "**Needs human.** 1 test newly broken by this change.\n\n- `t.py::test_b`: `oh`\n\n"
        "No longer run:\n\n- `t.py::test_skipped`: skipped\n"
    )


def test_a_limit_is_said_with_its_figure_and_the_tests_of_what_is_there() -> None:
    assert said(limit()).startswith(
        "**Needs human.** The limit of 50 model replies was reached before the work was handed in. "
        "Tests of what is here: 1 test fixed, none newly broken.\n"
    )


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


def test_what_only_broke_nothing_is_not_called_verified() -> None:
    body = said(added_only())
    assert (
        "\n\n**Nothing newly broken**; 2 tests added, 1 still failing. "
        "No test that failed before passes now, so only the added ones speak for this change.\n"
    ) in body
    assert "erified" not in body
    assert "fixed" not in body


def test_without_a_failing_test_before_the_verdict_says_that_none_failed() -> None:
    added = (Change("t::new", None, Result.PASSED),)
    told = [
        ran(Moment.BEFORE) if isinstance(fact, TestsRan) and fact.moment == "before" else fact
        for fact in facts(told_with(success(), TestsCompared, fixed=(), added=added))
    ]
    assert (
        "**Nothing newly broken**; 1 test added. No test failed before, so only the added one speaks for this change.\n"
    ) in said(story(*told))


@pytest.mark.parametrize(
    ("added", "head"),
    [
        ((), "**Nothing newly broken.** "),
        ((Change("t::new", None, Result.SKIPPED),), "**Nothing newly broken**; 1 test added. "),
    ],
)
def test_without_an_added_test_that_passes_nothing_speaks_for_the_change(
    added: tuple[Change, ...], head: str
) -> None:
    body = said(told_with(success(), TestsCompared, fixed=(), added=added))
    assert (
        f"{head}No test that failed before passes now, and none was added that passes: "
        "the tests do not show what this change does.\n"
    ) in body


def test_where_the_run_before_did_not_end_nothing_is_compared() -> None:
    reason = "No test fails. What failed before the change is not known: the tests did not end within 9 s."
    told = [
        dataclasses.replace(fact, problem="the tests did not end within 9 s")
        if isinstance(fact, TestsRan) and fact.moment == "before"
        else fact
        for fact in facts(told_with(success(), TestsCompared, fixed=(), reason=reason))
    ]
    body = said(story(*told))
    assert f"\n\n**Not compared.** {reason}\n" in body
    assert "erified" not in body.partition("<details>")[0]


def test_a_run_without_a_commit_of_its_own_claims_none() -> None:
    assert title(unchanged()) == "Make slugs of any white space"
    body = said(unchanged())
    assert "> *In the model's words, from a run that changed nothing:* `slug()` split" in body
    assert "- Nothing was changed in this run; the branch is as an earlier one left it.\n" in body


def test_work_put_on_top_of_somebody_elses_is_not_called_verified() -> None:
    body = said(told_with(on_platform(success()), Pushed, tested=False))
    assert body.startswith(
        "**Needs human.** The tests ran on this work alone, not on the branch as it is now. "
        "Tests of what is here: 1 test fixed, none newly broken, 2 added.\n\nRefs #12"
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
    assert "**Not verified: no tests were found.**" in body
    assert "**Verified" not in body
    assert "| before | after |" not in body


def test_a_run_that_did_not_end_proves_nothing() -> None:
    reason = "The tests after the change prove nothing: ended by us after 600 s."
    events = told_with(success(), TestsCompared, verdict=Verdict.INCOMPLETE, reason=reason)
    events = story(
        *(
            dataclasses.replace(f, problem="ended by us after 600 s", exit_code=None)
            if isinstance(f, TestsRan) and f.moment == "after"
            else f
            for f in facts(events)
        )
    )
    body = said(events)
    assert body.startswith(f"**Needs human.** {reason}\n\nRefs #12")
    assert "| ran to the end | yes | no |" in body
    assert "test fixed" not in body


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
    said_little = "(only the exit code of `make test` is known)."
    assert f"**Verified.** The test command failed before and passes now {said_little}" in body
    assert "| the command as a whole | failed (exit code 2) | passed |" in body
    assert "make test   # passed\n" in said(told_with(events, TestsChosen, command="make test"))
    body = said(told_with(events, TestsCompared, fixed=()))
    assert (
        "**Nothing newly broken.** The test command passes before and after, so it does not show what this change "
        "does. Only the exit code of `make test` is known: not which tests ran, nor that any did.\n"
    ) in body


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
@given(TEXTS, TEXTS, st.sampled_from([success, needs_human, limit]))
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
    events = told_with(events, TestsCompared, fixed=(change,), lost=(change,), reason=two)
    body = said(story(*facts(events), Warned(two), called(9, "bash", command=one)))
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(body)
    html = "".join(token.content for token in tokens if token.type == "html_block")
    assert html.count("<details>") == html.count("</details>") == 2
    headings = [tokens[n + 1].content for n, token in enumerate(tokens) if token.type == "heading_open"]
    assert [h for h in headings if h != "Why"] == ["What changed", "Check it yourself", "Worth knowing"]
    assert not any(line.lstrip("> ").startswith("/") for line in body.split("\n"))


def test_the_title_is_the_models_if_it_is_usable() -> None:
    assert title(success()) == "Split slugs at runs of white space"


@pytest.mark.parametrize("unusable", ["", "  \n", "...", "\u200b", "###"])
def test_else_the_title_comes_from_the_issue(unusable: str) -> None:
    assert (
        title(told_with(success(), Submitted, title=unusable))
        == "Address issue 12: slug() makes double dashes"
    )
