"""Several models in one session: who begins, who takes over, who looks at it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ci_agent.journal.events import (
    Judged,
    ModelChosen,
    ModelReplied,
    Reviewed,
    StatusChanged,
    ToolAnswered,
    Warned,
)
from ci_agent.task import Ending, Status
from tests.support.anthropic_server import AnthropicServer, Says
from tests.support.jobs import BRANCH, BREAK, FIX, MEND, SUBMIT, Runner, calculator
from tests.support.model_server import Fault, ModelServer, Request, Say, Step

pytestmark = pytest.mark.slow

_LOOK = ("bash", {"command": "cat calculator.py"})
_STRONG = "models:\n  strong: strong-1\n"


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def _by_model(**steps: list[Step]) -> Callable[[Request], Step]:
    """The next step of the model that is asked; the last one repeats. Dashes of a name are underlines here."""
    counts = dict.fromkeys(steps, 0)

    def answer(request: Request) -> Step:
        name = str(request.body["model"]).replace("-", "_")
        number, counts[name] = counts[name], counts[name] + 1
        return steps[name][min(number, len(steps[name]) - 1)]

    return answer


def _models(server: ModelServer) -> list[str]:
    return [str(request.body["model"]) for request in server.requests]


def test_a_better_model_takes_over_when_two_hand_ins_failed(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": _STRONG})
    steps = _by_model(
        scripted=[Say(calls=[FIX, BREAK]), Say(calls=[SUBMIT])],
        strong_1=[Say(calls=[MEND]), Say(calls=[SUBMIT])],
    )
    with ModelServer(steps) as server:
        job = runner.run(repository.path, server=server)
    assert (job.exit_code, job.end.ending) == (0, Ending.SUBMITTED), job.stderr
    assert _models(server) == ["scripted"] * 3 + ["strong-1"] * 2
    first, second = job.facts(ModelChosen)
    assert (first.role, first.model, first.reason) == ("default", "scripted", "")
    assert (second.role, second.model, second.instead_of) == ("strong", "strong-1", "scripted")
    assert second.reason == job.facts(Judged)[0].reasons[0]
    assert (
        len(job.facts(Judged)) == 2
    )  # the files were the same at the second hand-in, so it was not tested again
    # A conversation of its own, with what there is to know.
    told = server.requests[3].body["messages"]
    assert [message["role"] for message in told] == ["system", "user"]
    assert "# Taken over from another model" in told[1]["content"]
    assert "- calculator.py" in told[1]["content"]
    assert "test_double" in told[1]["content"]
    assert "return a + b" in repository.show(BRANCH, "calculator.py")
    [text] = job.merge_requests()
    assert "- `strong-1` took over from `scripted`: " in text
    assert "`scripted`, `strong-1`" in text


def test_a_better_model_takes_over_from_one_that_goes_in_circles(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": _STRONG})
    steps = _by_model(scripted=[Say(calls=[_LOOK])], strong_1=[Say(calls=[FIX]), Say(calls=[SUBMIT])])
    with ModelServer(steps) as server:
        job = runner.run(repository.path, server=server)
    assert job.exit_code == 0, job.stderr
    assert (
        job.facts(ModelChosen)[1].reason
        == "The model repeated the same calls with the same results and was stopped."
    )
    assert "It left no change." in server.requests[-1].body["messages"][1]["content"]


def test_a_better_model_takes_over_where_nothing_was_changed_after_most_steps(
    runner: Runner, tmp_path: Path
) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": _STRONG})

    def answer(request: Request) -> Step:
        asked = len(request.body["messages"])
        if request.body["model"] == "strong-1":
            return Say(calls=[FIX, SUBMIT])
        return Say(calls=[("bash", {"command": f"echo {asked}"})])

    with ModelServer(answer) as server:
        job = runner.run(repository.path, "--max-iterations", "10", server=server)
    assert job.exit_code == 0, job.stderr
    assert job.facts(ModelChosen)[1].reason == "The model had changed nothing after 60% of the steps."
    assert _models(server) == ["scripted"] * 6 + ["strong-1"]


def test_with_one_model_the_same_is_only_said_to_it(runner: Runner, tmp_path: Path) -> None:
    def answer(request: Request) -> Step:
        asked = len(request.body["messages"])
        return Say(calls=[FIX, SUBMIT] if asked > 14 else [("bash", {"command": f"echo {asked}"})])

    with ModelServer(answer) as server:
        job = runner.run(calculator(tmp_path).path, "--max-iterations", "10", server=server)
    assert job.exit_code == 0, job.stderr
    [told] = [one for one in job.facts(ToolAnswered) if "no file has changed yet" in one.text]
    assert told.step == 6
    assert told.text.endswith(told.added)


def test_words_choose_the_model_and_the_merge_request_says_so(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": _STRONG})
    with ModelServer(_by_model(strong_1=[Say(calls=[FIX, SUBMIT])])) as server:
        job = runner.run(repository.path, "--model", "strong", server=server)
    assert job.exit_code == 0, job.stderr
    [text] = job.merge_requests()
    assert "- `strong-1` (strong) did the work: it was asked for." in text


def test_a_word_for_a_model_that_is_not_there_is_a_usage_error(runner: Runner, tmp_path: Path) -> None:
    with ModelServer([Say()]) as server:
        job = runner.run(calculator(tmp_path).path, "--model", "cheap", server=server)
    assert (job.exit_code, server.requests) == (2, [])
    assert "`models.cheap` is not set, so there is no cheap model to begin with" in job.stderr


def test_labels_of_the_issue_choose_the_model(runner: Runner, tmp_path: Path) -> None:
    issue = tmp_path / "issue.md"
    issue.write_text("---\ntitle: add() subtracts\nlabels: [ai-strong]\n---\nSee the tests.\n")
    repository = calculator(tmp_path, {".ci-agent.yml": _STRONG})
    with ModelServer(_by_model(strong_1=[Say(calls=[FIX, SUBMIT])])) as server:
        job = runner.run(repository.path, "--issue", str(issue), server=server)
    assert job.exit_code == 0, job.stderr
    [chosen] = job.facts(ModelChosen)
    assert (chosen.role, chosen.reason) == ("strong", "the label ai-strong asks for it")


def test_a_fallback_answers_where_the_first_one_does_not(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(
        tmp_path, {".ci-agent.yml": "models:\n  fallback: other\nmodel:\n  retry_wait: 0.01\n"}
    )
    steps = _by_model(scripted=[Say(calls=[FIX]), Fault(503)], other=[Say(calls=[SUBMIT])])
    with ModelServer(steps) as server:
        job = runner.run(repository.path, server=server)
    assert job.exit_code == 0, job.stderr
    assert _models(server) == ["scripted"] * 4 + ["other"]
    assert job.facts(ModelReplied)[1].model == "other"
    chosen = job.facts(ModelChosen)[-1]
    assert (chosen.role, chosen.model, chosen.instead_of) == ("fallback", "other", "scripted")
    assert (
        "- `other` took over from `scripted`: The model gave no usable answer in 3 tries"
        in job.merge_requests()[0]
    )
    assert "`scripted`, `other`" in job.merge_requests()[0]


# --- fresh eyes -------------------------------------------------------------------------------------------


def test_a_reviewers_defects_are_given_back_once(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": _STRONG + "review: true\n"})
    steps = _by_model(
        scripted=[Say(calls=[FIX]), Say(calls=[SUBMIT])],
        strong_1=[Say("DEFECT: calculator.py:2: add('a', 'b') is not tested")],
    )
    with ModelServer(steps) as server:
        job = runner.run(repository.path, server=server)
    assert job.exit_code == 0, job.stderr
    assert _models(server) == ["scripted", "scripted", "strong-1", "scripted"]
    [reviewed] = job.facts(Reviewed)
    assert reviewed.defects == ("calculator.py:2: add('a', 'b') is not tested",)
    assert "1. calculator.py:2" in server.requests[-1].body["messages"][-1]["content"]
    [text] = job.merge_requests()
    assert "Read again by `strong-1`" in text
    assert "1 defect named, the change is as it was." in text


def test_a_reviewer_that_finds_nothing_costs_no_step(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": "review: true\n"})
    steps: list[Step] = [Say(calls=[FIX]), Say(calls=[SUBMIT]), Say("OK")]
    with ModelServer(steps) as server:
        job = runner.run(repository.path, server=server)
    assert job.exit_code == 0, job.stderr
    assert len(job.facts(ModelReplied)) == 2
    assert "no defect found" in job.merge_requests()[0]


def test_work_that_held_is_not_lost_when_the_review_leads_nowhere(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": "review: true\n"})
    steps: list[Step] = [
        Say(calls=[FIX]),
        Say(calls=[SUBMIT]),
        Say("DEFECT: x"),
        Say(calls=[BREAK]),
        Say("I give up."),
    ]
    with ModelServer(steps) as server:
        job = runner.run(repository.path, server=server)
    assert (job.exit_code, job.end.ending) == (0, Ending.SUBMITTED), job.stderr
    assert "return a * 2" in repository.show(BRANCH, "calculator.py")
    assert any("came to no better end" in warned.text for warned in job.facts(Warned))


# --- the gate ---------------------------------------------------------------------------------------------


def test_leftovers_are_given_back_before_anything_is_tested(runner: Runner, tmp_path: Path) -> None:
    scratch = ("write_file", {"path": "repro.py", "content": "print(1)\n"})
    remove = ("bash", {"command": "rm repro.py"})
    steps: list[Step] = [
        Say(calls=[FIX, scratch]),
        Say(calls=[SUBMIT]),
        Say(calls=[remove]),
        Say(calls=[SUBMIT]),
    ]
    with ModelServer(steps) as server:
        job = runner.run(calculator(tmp_path).path, server=server)
    assert job.exit_code == 0, job.stderr
    [returned] = [one for one in job.facts(ToolAnswered) if one.name == "submit"]
    assert "scratch or leftover files: repro.py" in returned.text
    assert len(job.facts(Judged)) == 1


def test_what_the_model_insists_on_is_left_to_people(runner: Runner, tmp_path: Path) -> None:
    scratch = ("write_file", {"path": "repro.py", "content": "print(1)\n"})
    with ModelServer([Say(calls=[FIX, scratch]), Say(calls=[SUBMIT])]) as server:
        job = runner.run(calculator(tmp_path).path, server=server)
    assert job.exit_code == 0, job.stderr
    assert "The change adds what looks like scratch or leftover files: repro.py" in job.merge_requests()[0]


def test_conflict_markers_are_never_accepted(runner: Runner, tmp_path: Path) -> None:
    conflict = ("write_file", {"path": "notes.md", "content": "<<<<<<< a\n=======\n>>>>>>> b\n"})
    with ModelServer([Say(calls=[FIX, conflict]), Say(calls=[SUBMIT])]) as server:
        job = runner.run(calculator(tmp_path).path, server=server)
    assert (job.exit_code, job.end.ending) == (1, Ending.UNVERIFIED)
    assert job.end.sentence == "Conflict markers are left in notes.md:1."
    assert "draft: true" in job.merge_requests()[0]


# --- other ways to ask ------------------------------------------------------------------------------------


def test_a_model_of_the_responses_api_does_the_whole_job(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": "model:\n  api: responses\n"})
    with ModelServer([Say(calls=[FIX]), Say(calls=[SUBMIT])]) as server:
        job = runner.run(repository.path, server=server)
    assert job.exit_code == 0, job.stderr
    assert {request.path for request in server.requests} == {"/v1/responses"}
    kinds = [item.get("type") for item in server.requests[1].body["input"]]
    assert kinds[-2:] == ["function_call", "function_call_output"]


def test_claude_does_the_whole_job_through_its_own_api(runner: Runner, tmp_path: Path) -> None:
    steps = [Says("", [FIX]), Says("", [SUBMIT])]
    with AnthropicServer(steps) as server:
        job = runner.run(
            calculator(tmp_path).path,
            "--model",
            "anthropic:claude-sonnet-4-5",
            ANTHROPIC_API_KEY=server.key,
            ANTHROPIC_BASE_URL=server.base_url,
            OPENAI_API_KEY="sk-never-sent-to-others",
        )
    assert job.exit_code == 0, job.stderr
    assert len(server.requests) == 2
    assert "never-sent" not in str([request.headers for request in server.requests])
    [first, second] = job.facts(ModelReplied)
    assert first.cost is not None
    assert second.usage.cached > 0


def test_without_its_key_claude_is_not_asked_with_another_one(runner: Runner, tmp_path: Path) -> None:
    job = runner.run(
        calculator(tmp_path).path, "--model", "anthropic:claude-sonnet-4-5", OPENAI_API_KEY="sk-0123456789"
    )
    assert job.exit_code == 3
    assert "set ANTHROPIC_API_KEY" in job.stderr


def test_a_model_without_tool_calls_writes_them(runner: Runner, tmp_path: Path) -> None:
    fix = (
        '<call name="edit_file">\n<arg name="path">calculator.py</arg>\n<arg name="old">a - b</arg>\n'
        '<arg name="new">a + b</arg>\n</call>'
    )
    submit = (
        '<call name="submit">\n<arg name="title">Add</arg>\n<arg name="summary">It subtracted.</arg>\n</call>'
    )

    def answer(request: Request) -> Step:
        if "tools" in request.body:
            return Fault(400, {"error": {"message": "model gemma does not support tools"}})
        return Say(submit if len(request.body["messages"]) > 2 else fix)

    with ModelServer(answer) as server:
        job = runner.run(calculator(tmp_path).path, server=server)
    assert job.exit_code == 0, job.stderr
    assert ["tools" in request.body for request in server.requests] == [True, False, False]


# --- what a strict reader asked for -----------------------------------------------------------------------


def test_whoever_names_a_model_gets_it_whatever_labels_and_files_say(runner: Runner, tmp_path: Path) -> None:
    issue = tmp_path / "issue.md"
    issue.write_text("---\ntitle: Fix a typo in the docs\nlabels: [ai-strong]\n---\n")
    file = "models:\n  use: strong\n  strong: strong-1\n  cheap: cheap-1\n"
    repository = calculator(tmp_path, {".ci-agent.yml": file})
    with ModelServer(_by_model(mine=[Say(calls=[FIX, SUBMIT])])) as server:
        job = runner.run(repository.path, "--issue", str(issue), "--model", "mine", server=server)
    assert job.exit_code == 0, job.stderr
    assert _models(server) == ["mine"]


_WORSE = ("submit", {"title": "Rewrite everything", "summary": "In another language."})
_REVERT = ("bash", {"command": "git checkout -q -- ."})
_CONFLICT = ("write_file", {"path": "x.md", "content": "<<<<<<< a\n=======\n>>>>>>> b\n"})


@pytest.mark.parametrize(
    "then",
    [
        [Say(calls=[BREAK]), Say(calls=[_WORSE])],
        [Say(calls=[_REVERT]), Say(calls=[_WORSE])],
        [Say(calls=[_CONFLICT]), Say(calls=[_WORSE])],
    ],
    ids=["broken", "taken back", "a conflict"],
)
def test_a_hand_in_that_held_is_delivered_with_its_own_words(
    runner: Runner, tmp_path: Path, then: list[Step]
) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": "review: true\nlimits:\n  max_verifications: 1\n"})
    steps: list[Step] = [Say(calls=[FIX]), Say(calls=[SUBMIT]), Say("DEFECT: x"), *then]
    with ModelServer(steps) as server:
        job = runner.run(repository.path, server=server)
    assert (job.exit_code, job.end.ending) == (0, Ending.SUBMITTED), job.stdout + job.stderr
    assert repository.git("log", "-1", "--format=%s", BRANCH) == "Add instead of subtracting"
    [text] = job.merge_requests()
    assert "Rewrite everything" not in text
    assert "In another language" not in text
    assert "1 defect named, the change is as it was." in text
    assert "**Verified.**" in text
    assert "return a + b" in repository.show(BRANCH, "calculator.py")
    assert "return a * 2" in repository.show(BRANCH, "calculator.py")


def test_leftovers_of_a_hand_in_that_is_delivered_after_all_are_told(runner: Runner, tmp_path: Path) -> None:
    scratch = ("write_file", {"path": "repro.py", "content": "print(1)\n"})
    repository = calculator(tmp_path, {".ci-agent.yml": "review: true\n"})
    steps: list[Step] = [
        Say(calls=[FIX, scratch]),
        *[Say(calls=[SUBMIT])] * 3,
        Say("DEFECT: x"),
        Say("I give up."),
    ]
    with ModelServer(steps) as server:
        job = runner.run(repository.path, server=server)
    assert job.exit_code == 0, job.stderr
    assert "scratch or leftover files: repro.py" in job.merge_requests()[0]


def test_nothing_is_reviewed_when_the_limits_are_used_up(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": "review: true\n"})
    with ModelServer([Say(calls=[FIX]), Say(calls=[SUBMIT])]) as server:
        job = runner.run(repository.path, "--max-iterations", "2", server=server)
    assert job.exit_code == 0, job.stderr
    assert (len(server.requests), job.facts(Reviewed)) == (2, [])


def test_a_review_that_can_not_be_read_is_none(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": "review: true\n"})
    steps: list[Step] = [Say(calls=[FIX]), Say(calls=[SUBMIT]), Say("Terrible, it deletes data.")]
    with ModelServer(steps) as server:
        job = runner.run(repository.path, server=server)
    assert job.exit_code == 0, job.stderr
    assert "its answer could not be read and does not count" in job.merge_requests()[0]


def test_commands_by_other_names_are_commands_for_people_too(runner: Runner, tmp_path: Path) -> None:
    other = ("execute_bash", {"cmd": "echo by another name"})
    with ModelServer([Say(calls=[other, FIX, SUBMIT])]) as server:
        job = runner.run(calculator(tmp_path).path, server=server)
    assert job.exit_code == 0, job.stderr
    assert "echo by another name" in job.merge_requests()[0]


def test_the_status_is_coding_again_when_another_model_takes_over(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": _STRONG})
    steps = _by_model(
        scripted=[Say(calls=[FIX, BREAK]), Say(calls=[SUBMIT])],
        strong_1=[Say(calls=[MEND]), Say(calls=[SUBMIT])],
    )
    with ModelServer(steps) as server:
        job = runner.run(repository.path, server=server)
    told = [
        fact for fact in (event.fact for event in job.events) if isinstance(fact, StatusChanged | ModelChosen)
    ]
    at = next(number for number, fact in enumerate(told) if isinstance(fact, ModelChosen) and fact.instead_of)
    before = told[at - 1]
    assert isinstance(before, StatusChanged)
    assert before.status is Status.CODING


def test_talk_in_the_wrong_moment_does_not_keep_a_better_model_away(runner: Runner, tmp_path: Path) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": _STRONG})

    def answer(request: Request) -> Step:
        asked = len(request.body["messages"])
        if request.body["model"] == "strong-1":
            return Say(calls=[FIX, SUBMIT])
        return Say("Hm.") if asked == 12 else Say(calls=[("bash", {"command": f"echo {asked}"})])

    with ModelServer(answer) as server:
        job = runner.run(repository.path, "--max-iterations", "10", server=server)
    assert job.exit_code == 0, job.stderr
    assert job.facts(ModelChosen)[1].reason == "The model had changed nothing after 60% of the steps."


def test_a_draft_is_not_lost_when_the_better_model_takes_all_of_it_back(
    runner: Runner, tmp_path: Path
) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": _STRONG})
    steps = _by_model(
        scripted=[Say(calls=[FIX, BREAK]), Say(calls=[SUBMIT])],
        strong_1=[Say(calls=[_REVERT]), Say(calls=[SUBMIT])],
    )
    with ModelServer(steps) as server:
        job = runner.run(repository.path, server=server)
    assert (job.exit_code, job.end.ending) == (1, Ending.UNVERIFIED)
    assert "return a + b" in repository.show(BRANCH, "calculator.py")
    assert "draft: true" in job.merge_requests()[0]


def test_each_model_without_a_price_is_told(runner: Runner, tmp_path: Path) -> None:
    file = _STRONG + "  prices: [scripted 1 0.1 2]\n"
    repository = calculator(tmp_path, {".ci-agent.yml": file})
    steps = _by_model(scripted=[Say(calls=[_LOOK])], strong_1=[Say(calls=[FIX, SUBMIT])])
    with ModelServer(steps) as server:
        job = runner.run(repository.path, server=server)
    told = [warned.text for warned in job.facts(Warned) if "price" in warned.text]
    assert told == ["The limit of money does not hold: no price is known for strong-1 (set `models.prices`)."]


def test_many_calls_in_one_reply_end_with_the_time(runner: Runner, tmp_path: Path) -> None:
    calls = [FIX, *[("bash", {"command": "sleep 2"})] * 60]
    with ModelServer([Say(calls=calls)]) as server:
        job = runner.run(calculator(tmp_path).path, "--timeout", "0.1", server=server)
    assert job.exit_code == 4, job.stdout
    texts = [answered.text for answered in job.facts(ToolAnswered)]
    assert "Not run: the session's time is up." in texts
    assert job.end.seconds < 30
