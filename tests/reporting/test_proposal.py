"""What waits for a person's word, as they read it."""

from __future__ import annotations

import dataclasses

from ci_agent.journal.events import (
    ChangeProposed,
    FileChanged,
    PlanCompared,
    PlanProposed,
    PolicyAction,
    PolicyFinding,
    PolicyJudged,
    ProposalDecided,
)
from ci_agent.reporting import merge_request
from ci_agent.reporting.job_summary import job_summary
from ci_agent.reporting.junit import junit_report
from ci_agent.reporting.progress import progress_comment
from ci_agent.reporting.terminal import line
from tests.reporting.test_merge_request import told_with
from tests.support.stories import PLAN, change_waits, facts, on_platform, plan_waits, planned, story, success

WAYS = ("`/agent approve`", "`/agent reject WHY`")


def test_a_plan_is_shown_whole_with_all_its_files_and_the_ways_to_decide() -> None:
    said = progress_comment(on_platform(plan_waits()), next_step="x")
    assert said.startswith("**A plan, before I change anything** · waiting for @dana · ")
    assert "> *The model proposes:* `slug()` splits at each blank." in said
    assert "- `slugs/core.py`\n- `tests/test_core.py`\n- `docs/` (new)\n" in said
    assert all(way in said for way in WAYS)


def test_what_is_approved_is_what_can_be_read() -> None:
    """The longest plan there can be."""
    files = tuple(f"{number:03}/{'x' * 190}.py" for number in range(100))
    plan = PlanProposed("word " * 1_199 + "last.", files)
    events = story(*(plan if isinstance(fact, PlanProposed) else fact for fact in facts(plan_waits())))
    said = progress_comment(events, next_step="x")
    assert "word last." in said
    assert all(f"`{name}`" in said for name in files)
    assert len(said) < 60_000


def test_a_change_is_shown_with_its_verdict_its_files_and_the_models_words() -> None:
    said = progress_comment(on_platform(change_waits()), next_step="x")
    first = said.split("\n")[0]
    assert first.startswith("**Done, and nothing pushed yet** · waiting for @dana · verified · 1 test fixed")
    assert "(`approval.needed: push`)" in said
    assert "- `slugs/core.py` (+1 \u22121)\n- `tests/test_core.py` (+9)\n" in said
    assert "> *In the model's words:* Split slugs at runs of white space" in said
    assert "ci-agent sessions show 12" in said
    assert "open the pull request" in said
    assert all(way in said for way in WAYS)


def test_what_the_policy_holds_against_the_change_stands_beside_it() -> None:
    finding = PolicyFinding(
        "policy.instructions", PolicyAction.DRAFT, "instructions for agents", ("AGENTS.md",)
    )
    told = [
        PolicyJudged("t", (finding,)) if isinstance(f, ChangeProposed) else f for f in facts(change_waits())
    ]
    at = next(at for at, fact in enumerate(facts(change_waits())) if isinstance(fact, ChangeProposed))
    events = story(*told[: at + 1], *facts(change_waits())[at:])
    assert "instructions for agents (AGENTS.md)" in progress_comment(events)


def test_where_nobody_can_answer_nobody_is_told_how() -> None:
    for tell in (plan_waits, change_waits):
        assert "/agent" not in job_summary(tell(), links={})


def test_files_outside_of_the_plan_are_named_in_the_comment_and_the_merge_request() -> None:
    outside = "**Not in the approved plan:** `NEWS.md`"
    assert outside in progress_comment(planned())
    text = merge_request.text(planned(), fetch_hint="", feedback_hint="")
    assert outside in text
    assert "<summary>The plan, approved by dana</summary>" in text
    assert PLAN.plan.split(".")[0] in text


def test_planned_files_that_were_not_touched_are_named_too() -> None:
    events = told_with(planned(), PlanCompared, untouched=("docs/",))
    assert "**Not in the approved plan:** `NEWS.md` · Planned and not touched: `docs/`" in progress_comment(
        events
    )
    assert "planned and not touched: docs/" in line(PlanCompared("dana", (), ("docs/",)))


def test_the_merge_request_says_who_approved_the_change() -> None:
    change = next(fact for fact in facts(change_waits()) if isinstance(fact, ChangeProposed))
    events = story(change, ProposalDecided(True, "dana"), *facts(on_platform(success())))
    text = merge_request.text(events, fetch_hint="", feedback_hint="")
    assert "The change was approved before it was pushed, by dana." in text


def test_many_files_outside_of_the_plan_are_counted() -> None:
    events = told_with(planned(), PlanCompared, outside=tuple(f"{number}.py" for number in range(30)))
    assert "`19.py` and 10 more" in progress_comment(events)


def test_a_word_that_is_awaited_is_no_failure() -> None:
    for tell in (plan_waits, change_waits):
        assert "waits for an approval" in junit_report(tell(), lambda _: "")


def test_a_change_of_many_files_names_the_first() -> None:
    files = tuple(FileChanged(f"{number}.py", 1, 0) for number in range(40))
    events = [
        dataclasses.replace(event, fact=dataclasses.replace(event.fact, files=files))
        if isinstance(event.fact, ChangeProposed)
        else event
        for event in change_waits()
    ]
    assert "… and 10 more (+10" in progress_comment(events)
