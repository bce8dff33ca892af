"""The fold over the events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ci_agent.journal.events import (
    CommandStarted,
    Committed,
    Grade,
    Judged,
    ModelRetried,
    Moment,
    SecretsSuspected,
    SessionStarted,
    SetupChosen,
    TestsChosen,
    TestsCompared,
    TestsRan,
    ToolCalled,
    Verdict,
)
from ci_agent.reporting.summary import Summary, argument
from ci_agent.reporting.wording import duration, money, paid, spent, tokens
from ci_agent.task import Ending, Status
from tests.support.stories import (
    ALL,
    NEEDED,
    alone,
    answered,
    called,
    facts,
    hand_in,
    judged,
    ran,
    replied,
    several,
    started,
    story,
    success,
    verified,
    working,
)


@pytest.mark.parametrize("name", ALL)
def test_following_along_gives_the_same_as_reading_afterwards(name: str) -> None:
    followed = Summary()
    for event in ALL[name]():
        followed.apply(event)
    assert followed == Summary.of(ALL[name]())


def test_a_story_of_success_adds_up() -> None:
    summary = Summary.of(success())
    assert summary.status is Status.COMPLETED
    assert summary.ending is Ending.SUBMITTED
    assert summary.compared is not None
    assert summary.compared.verdict is Verdict.VERIFIED
    assert summary.solved
    assert summary.step == summary.replies == 6
    assert summary.usage.prompt == 30_000
    assert summary.cost == pytest.approx(0.06)
    assert summary.files_read == {"slugs/core.py", "tests/test_core.py"}
    assert len(summary.commands) == 1


@pytest.mark.parametrize(
    ("name", "solved"),
    [("success", True), ("no_tests", True), ("needs_human", False), ("limit", False), ("no_change", False)],
)
def test_only_a_hand_in_that_nothing_speaks_against_is_solved(name: str, solved: bool) -> None:
    assert Summary.of(ALL[name]()).solved is solved


def test_a_hand_in_whose_tests_never_ran_is_not_solved() -> None:
    told = [fact for fact in facts(success()) if not isinstance(fact, TestsRan | Judged)]
    assert not Summary.of(story(*told)).solved


def test_the_night_between_two_jobs_is_not_working_time() -> None:
    first = success()
    later = story(started(), replied(7), start=datetime(2025, 11, 4, 9, 0, tzinfo=UTC), seconds=10)
    assert Summary.of([*first, *later]).seconds == Summary.of(first).seconds + 10


def test_a_clock_that_is_set_back_takes_no_time_away() -> None:
    events = story(*facts(working()), seconds=-60)
    assert Summary.of(events).seconds == 0


def test_a_new_job_starts_without_the_end_of_the_one_before() -> None:
    summary = Summary.of([*success(), *story(started())])
    assert summary.ended is None
    assert summary.stopped is None
    assert summary.cost == pytest.approx(0.06)  # money counts over the whole session


def test_the_current_tool_is_the_one_that_has_not_answered() -> None:
    calling = called(1, "bash", command="make")
    assert Summary.of(story(started(), calling)).tool == calling
    assert Summary.of(story(started(), calling, answered(1, "bash"))).tool is None


def test_a_round_counts_as_a_hand_in_only_if_the_model_handed_in() -> None:
    def rounds(name: str) -> list[tuple[int, bool]]:
        return [(each.number, each.handed_in) for each in Summary.of(ALL[name]()).rounds]

    assert rounds("second_try") == [(1, True), (2, True)]
    assert rounds("needs_human") == [(1, True), (2, True), (3, True)]
    assert rounds("limit") == [(1, False)]
    # A hand-in without any change is sent back untested; what is tested later was not handed in.
    told = [*hand_in(1)[:3], answered(1, "submit", ok=False), replied(2), ran(Moment.AFTER), verified()]
    assert [each.handed_in for each in Summary.of(story(*told)).rounds] == [False]


def test_a_retry_is_over_when_the_model_answers() -> None:
    retry = ModelRetried(1, "429", 2.0)
    assert Summary.of(story(started(), retry)).waiting == retry
    over = Summary.of(story(started(), retry, replied(1)))
    assert over.waiting is None
    assert over.retries == 1


@pytest.mark.parametrize("arguments", ["", "{", "[1]", "null", '{"command": 3}', "[" * 100_000])
def test_arguments_that_are_no_json_object_are_shown_as_they_are(arguments: str) -> None:
    assert argument(ToolCalled(1, "c", "bash", arguments), "command") == arguments


def test_what_it_cost_is_said_only_as_far_as_it_is_known() -> None:
    def costs(*each: float | None) -> tuple[str, str]:
        summary = Summary.of(story(started(), *(replied(n, cost) for n, cost in enumerate(each, 1))))
        return paid(summary), spent(summary)

    assert costs() == ("", "")
    assert costs(None) == ("cost unknown", "cost unknown")
    assert costs(0.5, None) == ("at least $0.50", "at least $0.50 of $3.00")
    assert costs(0.5, 0.25) == ("$0.75", "$0.75 of $3.00")


def test_the_cached_share_is_that_of_the_input() -> None:
    assert tokens(Summary.of(story(replied(1), replied(2)))) == "10,300 tokens, 43 % cached"
    assert tokens(Summary.of(story(replied(1)))) == "5,150 tokens"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (4.24, "4.2 s"),
        (42.4, "42 s"),
        (59.7, "1 min"),
        (252, "4 min 12 s"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_cost_that_is_not_nothing_is_never_shown_as_nothing() -> None:
    assert money(0.0004) == "under $0.01"
    assert money(0) == "$0.00"
    assert money(1234.5) == "$1,234.50"


def test_elapsed_time_is_that_between_the_events() -> None:
    events = story(started(), replied(1), replied(2), seconds=30)
    assert Summary.of(events).seconds == timedelta(minutes=1).total_seconds()
    assert isinstance(events[0].fact, SessionStarted)


def test_the_verdict_of_the_last_round_decides() -> None:
    told = facts(success())
    assert Summary.of(story(*told)).solved
    for grade in Grade:
        for ready in (True, False):
            other = [replace(f, grade=grade, ready=ready) if isinstance(f, Judged) else f for f in told]
            assert Summary.of(story(*other)).solved is ready


def test_while_a_round_goes_on_the_verdict_of_the_one_before_is_not_taken_for_its_own() -> None:
    told = facts(ALL["second_try"]())
    last = max(n for n, fact in enumerate(told) if isinstance(fact, Judged))
    compared = max(n for n, fact in enumerate(told) if isinstance(fact, TestsCompared))
    for length in range(compared - 1, last):  # from the tests after on
        summary = Summary.of(story(*told[: length + 1]))
        assert summary.judged is None
        assert summary.rounds[0].judged is not None
        assert summary.verifying


def test_each_round_has_its_own_evidence() -> None:
    first, second = Summary.of(ALL["second_try"]()).rounds
    assert (first.proof, first.coverage, first.retried) == (None, None, None)
    assert second.proof is not None
    assert second.proof_runs
    assert second.proof_runs[0].moment is Moment.PROOF
    assert second.coverage is not None
    assert first.after is not second.after
    worse = Summary.of(ALL["worse"]()).last
    assert worse.retried is not None
    assert worse.checks is not None
    assert [check.moment for check in worse.checks_ran] == [Moment.AFTER]
    assert len(Summary.of(ALL["worse"]()).checks_before) == 1


def test_what_comes_after_a_verdict_begins_another_round() -> None:
    after = ran(Moment.AFTER)
    rounds = Summary.of(story(after, verified(), judged(Grade.BROKEN, "x"), after)).rounds
    assert [each.judged is not None for each in rounds] == [True, False]


def test_runs_again_and_for_coverage_are_not_taken_for_the_run_after() -> None:
    told = [*facts(success())]
    at = next(number for number, fact in enumerate(told) if isinstance(fact, Judged))
    told[at:at] = [ran(moment, passed=1) for moment in Moment if moment not in (Moment.BEFORE, Moment.AFTER)]
    after = Summary.of(story(*told)).after
    assert after is not None
    assert after.moment is Moment.AFTER


def test_a_project_that_is_chosen_again_takes_the_place_of_itself() -> None:
    root, web, root_again = (
        TestsChosen("", "", "x"),
        TestsChosen("b", "", "x", "web"),
        TestsChosen("c", "", "x"),
    )
    summary = Summary.of(story(started(), root, web, root_again))
    assert summary.chosen == [web, root_again]
    assert not summary.no_tests
    assert Summary.of(story(root)).no_tests
    assert Summary.of(story(web, started())).chosen == []


def test_only_a_verification_without_a_session_is_alone() -> None:
    assert Summary.of(alone(success())).alone
    assert not Summary.of(success()).alone
    assert not Summary.of([]).alone


def test_a_set_up_of_the_result_begins_a_round_and_keeps_its_own_reason() -> None:
    summary = Summary.of(several())
    assert [(each.runs[0].command, len(each.runs)) for each in summary.last.set_ups] == [
        ("pip install -e .", 2),
        (NEEDED.command, 1),
    ]
    assert [each.chosen for each in summary.last.set_ups][1] == NEEDED
    assert [each.runs[0].place for each in summary.set_ups] == ["work"]
    assert summary.prepared == summary.last.set_ups
    assert Summary.of(success()).prepared == Summary.of(success()).set_ups
    assert len(summary.rounds) == 1
    assert summary.rounds[0].handed_in


def test_runs_again_and_both_sides_of_the_proof_are_kept_apart_from_all_else() -> None:
    summary = Summary.of(several())
    assert len(summary.last.again) == 14
    assert [run.moment for run in summary.last.proof_runs] == [Moment.PROOF, Moment.PROOF]
    assert summary.before is not None
    assert summary.before.moment is Moment.BEFORE
    assert summary.after is not None
    assert summary.after.moment is Moment.AFTER


def test_nothing_to_set_up_is_only_said_where_nothing_ever_was() -> None:
    none, some = SetupChosen("", "all is there"), SetupChosen("make", "x")
    assert Summary.of(story(none)).nothing_to_set_up == none
    assert Summary.of(story(none, some)).nothing_to_set_up is None
    assert Summary.of(story()).nothing_to_set_up is None


def test_what_a_lost_job_was_doing_is_not_done_by_the_next_one() -> None:
    lost = story(
        started(), ModelRetried(1, "busy", 5.0), CommandStarted("tests before", "pytest"), called(3, "bash")
    )
    summary = Summary.of(story(*facts(lost), started()))
    assert (summary.tool, summary.waiting, summary.running) == (None, None, None)


def test_a_suspicion_ends_with_the_commit_that_it_was_about() -> None:
    committed = [fact for fact in facts(success()) if isinstance(fact, Committed)]
    suspected = SecretsSuspected(("a.py:1",))
    assert Summary.of(story(started(), *committed, suspected)).suspected == suspected
    assert Summary.of(story(started(), *committed, suspected, started(), *committed)).suspected is None
