"""The comment on the issue, in every state."""

from __future__ import annotations

import dataclasses
import re

import pytest

from ci_agent.journal import Fact
from ci_agent.journal.events import (
    CommandStarted,
    Committed,
    Grade,
    InputTaken,
    Judged,
    MergeRequestWritten,
    ModelReplied,
    ModelRetried,
    Moment,
    PlanItem,
    PlanUpdated,
    Pushed,
    QuestionAsked,
    SessionEnded,
    SetupChosen,
    SetupRan,
    Submitted,
    TestsChosen,
    Warned,
)
from ci_agent.reporting.progress import GONE, WORKING, progress_comment, question_in
from ci_agent.task import Ending, Status
from tests.reporting.test_merge_request import told_with
from tests.support.stories import (
    ALL,
    broken_round,
    facts,
    hand_in,
    measured,
    on_platform,
    question,
    ran,
    replied,
    sent_back,
    started,
    story,
    success,
    unchanged,
    undelivered,
    working,
)

DONE = "**Done: merge request 1**, branch `feat/ai-task-12`"


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("working", "**Working on it** · coding · 3 min 54 s, as of 12:03 UTC · $0.05 of $3.00"),
        (
            "success",
            f"{DONE} · verified · 1 test fixed, none newly broken, 2 added · 7 min 12 s · $0.06",
        ),
        (
            "added_only",
            f"{DONE} · verified, with remarks · no test newly broken, 2 added, 1 still failing · 6 min 27 s · $0.06",
        ),
        (
            "no_tests",
            f"{DONE} · not verified: there are no tests to run · 5 min 42 s · $0.06",
        ),
        ("needs_human", "**Not solved.** After 3 rounds 1 test is newly broken."),
        ("question", "**A question before I go on** · waiting for Dana Novak · $0.05 of $3.00"),
        ("cancelled", "**Cancelled.** Interrupted by a signal (SIGINT)."),
        ("limit", "**Stopped at a limit.** The limit of 50 model replies was reached."),
        ("no_change", "**Nothing changed.** The model handed in without changing anything."),
    ],
)
def test_the_first_line_says_how_it_stands(name: str, first: str) -> None:
    assert progress_comment(ALL[name]()).split("\n")[0] == first


@pytest.mark.parametrize("name", ALL)
def test_every_moment_of_every_story_has_a_comment(name: str) -> None:
    events = ALL[name]()
    for length in range(len(events) + 1):
        said = progress_comment(events[:length])
        assert said.startswith("**")
        assert said.endswith("\n")
        assert "None" not in said


def test_while_it_works_the_steps_stand_in_their_order() -> None:
    assert progress_comment(working()).split("\n")[2:] == [
        "- [x] Read the issue and 2 files",
        "- [x] Tests before: 211 passed, 1 failed, 3 skipped",
        "- [ ] The change, by the model's own plan:",
        "  - [x] Reproduce: `slug('A  b')` gives `a--b`",
        "  - [ ] Split at runs of white space in `slugs/core.py`",
        "  - [ ] Add tests for tabs and trailing blanks",
        "- [ ] Tests after, compared with before",
        "",
        "Step 5: `edit_file: slugs/core.py`",
        "",
    ]


@pytest.mark.parametrize(
    ("purpose", "said"),
    [
        ("set-up (work)", "Running: set-up, `make deps`\n"),
        ("set-up (base)", "Running: set-up of the base, `make deps`\n"),
        ("set-up (result)", "Running: set-up of the result, `make deps`\n"),
        ("tests before", "Running: tests before, `make deps`\n"),
        ("tests asked", "Running: tests run for the model, `make deps`\n"),
        ("coverage", "Running: tests again, for their coverage, `make deps`\n"),
        ("checks", "Running: a check, `make deps`\n"),
    ],
)
def test_a_command_of_the_harness_is_shown_while_it_runs(purpose: str, said: str) -> None:
    told = [*facts(working()), CommandStarted(purpose, "make deps")]
    assert progress_comment(story(*told)).endswith(said)
    assert "make deps" not in progress_comment(story(*told, ran(Moment.BEFORE)))
    assert "make deps" not in progress_comment(story(*told, SetupRan("make deps", 0, 1.0, False, "", "")))


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (Moment.AFTER, "tests after"),
        (Moment.AGAIN, "tests again"),
        (Moment.PROOF, "the change's tests on the old source"),
    ],
)
def test_each_part_of_a_verification_is_named_while_it_runs(moment: Moment, said: str) -> None:
    told = [*facts(working()), CommandStarted(f"tests {moment}", "make test")]
    assert f"\nRunning: {said}, `make test`\n" in progress_comment(story(*told))


def test_while_it_is_verified_again_the_last_round_is_told() -> None:
    told = [*facts(ALL["second_try"]()), *hand_in(8)]
    again = told[: told.index(broken_round(1)[-1]) + 1]
    said = progress_comment(story(*again, *sent_back(6), *hand_in(7), *measured(Moment.AFTER)))
    assert "- [ ] Tests after, once more; round 1 said: 1 newly broken\n" in said


def test_without_tests_the_steps_say_so() -> None:
    told = [TestsChosen("", "", "x") if isinstance(f, TestsChosen) else f for f in facts(working())]
    assert "- [ ] There are no tests to run, so the result can't be verified\n" in progress_comment(
        story(*told)
    )


def test_where_nothing_has_to_be_prepared_nobody_waits_for_it() -> None:
    assert "- [ ] Tests before\n" in progress_comment(story(started(), SetupChosen("", "nothing is missing")))


def test_the_final_word_names_what_depends_on_the_order() -> None:
    said = progress_comment(ALL["worse"]())
    assert said.startswith("**Not solved.** 1 test fails together with the others since this change.\n\n")
    assert (
        "- `tests/test_cache.py::test_clear` (since this change, together with the others): `KeyError: 'a'`\n"
    ) in said


def test_a_model_that_does_not_answer_is_what_people_wait_for() -> None:
    said = progress_comment(story(*facts(working()), ModelRetried(3, "HTTP 429 (too many requests)", 20)))
    assert "Waiting for the model: HTTP 429 (too many requests) (attempt 3, next in 20 s)." in said


def test_what_failed_is_named_in_the_final_word() -> None:
    said = progress_comment(ALL["needs_human"]())
    assert "- `tests/test_core.py::test_unicode` (broken by this change): `assert 'a-?' == 'a-é'`" in said
    assert "- `tests/test_core.py::test_runs` (failed before, too): `assert 'a--b' == 'a-b'`" in said
    assert "The work so far is kept: merge request 1 (a draft), branch `feat/ai-task-12`.\n" in said


def test_of_tests_that_can_not_be_run_one_sees_what_they_said() -> None:
    failed = dataclasses.replace(
        ran(Moment.BEFORE, problem="it did not come to its results"),
        tail="collecting\n\none\ntwo\nthree\nfour\n@everyone: Argument(s) {'path'} can't be found",
    )
    end = SessionEnded(Status.FAILED, Ending.ENVIRONMENT, "The tests can't be run.", 1, 6.1)
    said = progress_comment(story(failed, end), when_mended="Go on.")
    assert said.startswith("**Not solved.** The tests can't be run.\n\nThe last it printed:\n\n> `one`  \n")
    assert "> `@everyone: Argument(s) {'path'} can't be found`\n\nGo on." in said
    assert "collecting" not in said


def test_a_branch_is_named_only_when_it_is_there_and_else_the_checkout() -> None:
    said = progress_comment(ALL["not_handed_over"]())
    assert (
        "The work so far is kept: the checkout `/tmp/work/12/repo`; 1 test fixed, none newly broken" in said
    )
    assert "feat/ai-task-12" not in said
    lost = [fact for fact in facts(ALL["not_handed_over"]()) if not isinstance(fact, Warned)]
    assert "kept" not in progress_comment(story(*lost))
    assert "feat/ai-task-12" not in progress_comment(story(*lost))


def test_while_it_works_the_comment_begins_as_others_know_it_and_the_end_does_not() -> None:
    events = success()[:-2]  # the last two say how it ended
    for length in range(len(events) + 1):
        assert progress_comment(events[:length]).startswith(WORKING)
    assert not progress_comment(success()).startswith(WORKING)
    assert not GONE.startswith(WORKING)


def test_a_question_has_its_choices_and_the_way_to_answer() -> None:
    said = progress_comment(question(), next_step="Try again.", to_answer="Answer below.")
    asked = next(fact for fact in facts(question()) if isinstance(fact, QuestionAsked))
    assert question_in(said).splitlines()[0] == asked.question
    assert [line for line in question_in(said).splitlines()[1:] if line] == [
        f"{number}. {choice}" for number, choice in enumerate(asked.choices, start=1)
    ]
    assert question_in(progress_comment(success())) == ""
    assert (
        "> *The model asks:* Should tabs count as white space?\n> 1. Yes, any white space\n> 2. No, blanks only"
        in said
    )
    assert said.endswith("\n\nAnswer below.\n")
    assert "Try again." not in said


def test_the_way_to_go_on_is_not_shown_when_it_is_done() -> None:
    assert "again" not in progress_comment(success(), next_step="Run it again.")
    assert "Run it again." in progress_comment(ALL["limit"](), next_step="Run it again.")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "https://git.example.org/a/b/-/merge_requests/34",
            "[merge request 34](https://git.example.org/a/b/-/merge_requests/34)",
        ),
        ("javascript:alert(1)", "merge request 34"),
        ("https://x.y/) [click](https://evil", "merge request 34"),
    ],
)
def test_only_an_address_of_the_web_becomes_a_link(url: str, said: str) -> None:
    told: list[Fact] = [
        dataclasses.replace(fact, number="34", url=url) if isinstance(fact, MergeRequestWritten) else fact
        for fact in facts(success())
    ]
    assert progress_comment(story(*told)).startswith(f"**Done: {said}**, branch ")


def test_the_models_words_can_do_nothing() -> None:
    evil = "/close\r/merge @all <img src=x> Closes #1"
    told = story(*facts(working()), PlanUpdated((PlanItem(evil, False),)))
    asked = story(
        *(QuestionAsked(evil, (evil,)) if isinstance(f, QuestionAsked) else f for f in facts(question()))
    )
    ended = story(
        *(
            dataclasses.replace(f, sentence=evil) if isinstance(f, SessionEnded) else f
            for f in facts(success())
        )
    )
    for said in map(progress_comment, (told, asked, ended)):
        assert "<img" not in said
        assert "Closes #1" not in said
        assert not any(line.lstrip("> ").startswith("/") for line in said.splitlines())


def test_it_says_what_people_said_meanwhile_and_that_as_text() -> None:
    inputs = [InputTaken(f"reply {number}", "dana", f"word {number} <img src=x> @eve") for number in range(5)]
    said = progress_comment(story(*facts(on_platform(working())), *inputs))
    assert "word 1" not in said
    assert [f"dana said meanwhile: word {number} " in said for number in (2, 3, 4)] == [True] * 3
    assert "<img" not in said
    assert said.count("@eve") == said.count("`@eve`") == 3


def test_on_a_platform_it_links_its_log_and_says_what_it_answers_and_what_one_can_do() -> None:
    said = progress_comment(on_platform(working(), hint="tabs, too"), while_working="`/agent stop` ends it.")
    assert said.split("\n")[0].endswith(" · $0.05 of $3.00 · [log](https://ci.example/7)")
    assert said.endswith("\n\n`/agent stop` ends it.\n\n<sub>Asked for by dana's label: tabs, too</sub>\n")
    done = progress_comment(on_platform(success()), while_working="`/agent stop` ends it.")
    assert "`/agent stop`" not in done
    assert done.endswith("\n\n<sub>Asked for by dana's label</sub>\n")


def test_the_time_it_took_stands_with_the_moment_when_that_was_true() -> None:
    """Nothing writes the comment while a command runs for an hour."""
    early = progress_comment(working()[:3])
    assert "· 18 s, as of 12:00 UTC\n" in early
    assert "as of" not in progress_comment(success())
    assert "as of" not in progress_comment([])


def test_before_the_first_tests_nobody_is_told_that_they_run() -> None:
    assert "- [ ] Tests before, once the project is set up\n" in progress_comment(working()[:6])
    assert "- [ ] Tests before\n" in progress_comment(working()[:8])


@pytest.mark.parametrize("reference", ["#34", "!34"])
def test_a_merge_request_is_named_as_the_platform_names_it(reference: str) -> None:
    done = progress_comment(on_platform(success(), reference))
    assert done.startswith(f"**Done: {reference}**, branch `feat/ai-task-12` · verified")
    failed = progress_comment(on_platform(ALL["needs_human"](), reference))
    assert f"The work so far is kept: {reference} (a draft), branch" in failed


@pytest.mark.parametrize("reference", ["#34 and #35", "34", "@all", "!0", "&4", "#34\n/close"])
def test_what_is_no_reference_becomes_none(reference: str) -> None:
    said = progress_comment(on_platform(success(), reference)).split("\n")[0]
    assert said.startswith("**Done: [")
    assert "](https://x.example/34)**" in said


def test_a_question_tells_the_one_who_asked_for_the_work_and_nobody_else() -> None:
    assert "· waiting for @dana ·" in progress_comment(on_platform(question()))
    for odd in ("all", "ALL", "dana @eve", "dana/team", "-x", "dana[bot]", "d\nx", ""):
        said = progress_comment(on_platform(question(), mention=odd))
        assert "· waiting for Dana Novak ·" in said
        assert "@" not in said
    for name in ALL:
        if name not in ("question", "plan_waits", "change_waits"):
            assert "@dana" not in progress_comment(on_platform(ALL[name]())), (
                "an edit must not tell anybody again"
            )


def test_the_words_of_the_trigger_and_the_hint_can_do_nothing() -> None:
    evil = "/close @eve </sub><img src=x> Closes #1\n/merge"
    said = progress_comment(on_platform(working(), request=evil, hint=evil, job_url=evil))
    assert "<img" not in said
    assert said.count("</sub>") == 1
    assert "Closes #1" not in said
    assert "[log]" not in said
    assert not re.search(r"(?<!`)@eve", said)
    assert not any(line.lstrip("> ").startswith("/") for line in said.splitlines())


@pytest.mark.parametrize(
    ("request_", "hint", "said"),
    [
        ("mention by dana", ", could you have a look?", "by dana's comment: could you have a look?"),
        ("command by dana", "\n- tabs, too", "by dana's comment: \\- tabs, too"),
        ("assignment by dana", "", "by dana's assignment"),
        ("reply by robin", "2", "by robin's reply: 2"),
        ("dispatch by dana", "", "by dana, who started the job"),
        ("poll by dana", "", "by dana's label, found by the schedule"),
        ("label by renovate[bot]", "/etc too", r"by renovate\[bot\]'s label: \/etc too"),
        ("dispatch", "", "dispatch"),
        ("", "tabs, too", "tabs, too"),
    ],
)
def test_the_fine_print_reads_as_a_sentence(request_: str, hint: str, said: str) -> None:
    text = progress_comment(on_platform(working(), request=request_, hint=hint))
    assert text.endswith(f"\n\n<sub>Asked for{'' if said.startswith('by ') else ':'} {said}</sub>\n")


def test_without_a_trigger_in_words_there_is_no_fine_print() -> None:
    assert "<sub>" not in progress_comment(on_platform(working(), request="", hint=" ,"))


REFUSED = "The work could not be handed over as asked: creating the merge request: 403"


def test_a_branch_on_the_runner_alone_is_not_called_kept_there() -> None:
    said = progress_comment(undelivered(pushed=False, sentence="The push was refused."))
    assert "feat/ai-task-12" not in said
    assert "\n\nThe work so far is on no branch; the job's report has it as `diff.patch`.\n" in said
    told = facts(undelivered(pushed=False, sentence="The push was refused."))
    checkout = Warned("The checkout with the work so far is kept in /builds/12/repo.")
    assert progress_comment(story(checkout, *told)).count("diff.patch") == 1
    assert "/builds" not in progress_comment(story(checkout, *told))
    said = progress_comment(undelivered(pushed=True, sentence=REFUSED))
    assert "\n\nThe work so far is kept: branch `feat/ai-task-12`; 1 test fixed" in said


def test_a_push_that_went_to_another_branch_is_named_with_that_branch() -> None:
    told = told_with(undelivered(pushed=True, sentence="Moved."), Pushed, branch="feat/ai-task-12-2")
    assert "The work so far is kept: branch `feat/ai-task-12-2`;" in progress_comment(told)


def test_what_holds_but_could_not_be_delivered_is_not_called_unsolved() -> None:
    said = progress_comment(undelivered(pushed=True, sentence=REFUSED), next_step="On.", when_mended="Mend.")
    assert said.startswith(
        "**Solved, but not delivered.** The work could not be handed over as asked: creating the pull request: 403\n"
    )
    assert "\n\nMend.\n" in said
    refused = undelivered(pushed=True, sentence=REFUSED)
    untested = told_with(refused, Judged, grade=Grade.NOT_VERIFIED)
    assert progress_comment(untested).startswith("**Done, but not delivered.**")
    broke = told_with(refused, Judged, ready=False)
    assert progress_comment(broke).startswith("**Not solved.**")


def test_a_run_that_changed_nothing_claims_nothing() -> None:
    said = progress_comment(on_platform(unchanged()))
    assert said.startswith(
        "**Nothing changed** in this run; #34, branch `feat/ai-task-12`, stays as it was · 7 min 30 s · $0.06\n\n"
        "> *In the model's words:* `slug()` split"
    )
    assert "Done" not in said
    assert "fixed" not in said
    said = progress_comment(told_with(on_platform(ALL["limit"]()), Committed, made=False))
    assert (
        "\n\n**Nothing changed** in this run; #34 (a draft), branch `feat/ai-task-12`, stays as it was.\n"
        in said
    )
    assert "work so far is kept" not in said


def test_the_last_words_of_a_model_that_calls_no_tool_are_shown() -> None:
    said = progress_comment(ALL["only_words"](), next_step="Go on.", when_mended="Mend it.")
    assert (
        "without calling a tool.\n\n> *The model's last words:* Should tabs count, `@all`?\n>\n> \\/close\n\nGo on."
    ) in said
    assert "last words" not in progress_comment(ALL["limit"]())
    called_then = [*facts(ALL["only_words"]())[:-3], replied(7, words=""), *facts(ALL["only_words"]())[-3:]]
    called_then[-4].message["tool_calls"] = [{}]  # type: ignore[union-attr]
    assert "last words" not in progress_comment(story(*called_then))


@pytest.mark.parametrize("ending", list(Ending))
def test_what_to_do_next_fits_the_end(ending: Ending) -> None:
    told = [*facts(working()), SessionEnded(Status.FAILED, ending, "It ended.", 1, 9.0)]
    said = progress_comment(story(*told), next_step="Say more.", when_mended="Mend it.")
    around = {"llm_auth", "llm_quota", "llm_unavailable", "llm_replay", "env", "internal"}
    assert ("Mend it." in said) is (ending in around)
    assert ("Say more." in said) is (ending not in around)


def test_the_longest_comment_is_far_below_what_a_platform_takes() -> None:
    """GitHub takes 65,536 characters; the platform's own cut would take the words at the end."""
    long = "`@all` [skip ci] " * 5000
    for name, tell in ALL.items():
        events = on_platform(tell(), hint=long, request=long)
        events = told_with(events, ModelReplied, message={"content": long})
        events = told_with(events, Submitted, summary=long)
        events = told_with(events, SessionEnded, sentence=long)
        events = told_with(events, QuestionAsked, question=long, choices=(long, long))
        events = told_with(events, Pushed, branch=long)
        assert len(progress_comment(events, next_step="On.")) < 20_000, name


def test_a_plan_without_end_is_cut() -> None:
    items = tuple(PlanItem(f"step {number} " + "x" * 5000, False) for number in range(500))
    said = progress_comment(story(*facts(working()), PlanUpdated(items)))
    assert "  - … and 488 more" in said
    assert len(said) < 5000
