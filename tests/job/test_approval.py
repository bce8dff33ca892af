"""Plans and changes that a person has to approve before a job goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_agent.journal.events import ChangeProposed, PlanCompared, PlanProposed, ProposalDecided, Pushed
from ci_agent.session.endings import PLAN_FIRST
from tests.job.conftest import commented, labelled, start, until_asked
from tests.job.test_checkpoints import ref, state
from tests.job.test_resuming import facts
from tests.support.jobs import CALCULATOR, FIX, SUBMIT, Runner, calculator, last_results
from tests.support.model_server import Hang, ModelServer, Say
from tests.support.pipelines import Done, Pipeline
from tests.support.repositories import Repository

pytestmark = pytest.mark.slow

PLAN = ("propose_plan", {"plan": "add() subtracts. Add instead.", "files": ["calculator.py"]})
WIDER = ("propose_plan", {"plan": "Add, and say so.", "files": ["calculator.py", "NOTES.md"]})
NOTE = ("write_file", {"path": "NOTES.md", "content": "add() adds.\n"})
DOUBLE = ("edit_file", {"path": "calculator.py", "old": "a * 2", "new": "2 * a"})


def first(project: Pipeline, *steps: Say, label: str = "", **settings: str) -> tuple[int, Done]:
    """The first job on a new issue, in which the model takes these steps; the issue's number, and the job."""
    number = project.forge.write_issue("add() subtracts", "")
    if label:
        project.forge.label(number, label, by="dana")
    project.model.say(list(steps))
    done = project.call(project.environment(*labelled(project, number)) | settings)
    project.end()
    return number, done


def said(project: Pipeline, number: int, text: str, *steps: Say, by: str = "dana", **settings: str) -> Done:
    """The job that a comment starts, in which the model takes these steps."""
    project.model.say(list(steps))
    done = project.call(project.environment(*commented(project, number, text, by=by)) | settings)
    project.end()
    return done


def told(project: Pipeline, before: int) -> str:
    """What the model was told first in a job, before which there were so many requests."""
    [text] = last_results(project.model.requests[before].body)
    return text


def needed(what: str, **more: str) -> dict[str, str]:
    return {"CI_AGENT_APPROVAL_NEEDED": what} | more


def branches(project: Pipeline) -> str:
    return project.origin.git("for-each-ref", "--format=%(refname)", "refs/heads/feat")


def comment(project: Pipeline, number: int) -> str:
    """The last progress comment."""
    return [text for _, text in project.said(number) if "<sub>" in text][-1]


def test_a_plan_is_rejected_then_approved_and_then_carried_out(project: Pipeline) -> None:
    settings = needed("plan")
    number, done = first(project, Say(calls=[FIX]), Say(calls=[PLAN]), **settings)
    assert done.exit_code == 5, done.log
    assert facts(done, PlanProposed) == [PlanProposed("add() subtracts. Add instead.", ("calculator.py",))]
    assert "ai-waiting" in project.labels(number)
    text = comment(project, number)
    assert "add() subtracts. Add instead." in text
    assert "- `calculator.py`" in text
    assert "@dana" in text
    assert "/agent approve" in text
    assert "/agent reject WHY" in text
    assert branches(project) == ""
    asked = len(project.model.requests)
    done = said(project, number, "/agent reject Say it in the notes too.", Say(calls=[WIDER]), **settings)
    assert done.exit_code == 5, done.log
    assert "Rejected by dana" in told(project, asked)
    assert told(project, asked).count("Say it in the notes too.") == 1
    assert facts(done, ProposalDecided) == [ProposalDecided(False, "dana", "Say it in the notes too.")]
    assert "- `NOTES.md` (new)" in comment(project, number)
    asked = len(project.model.requests)
    done = said(project, number, "/agent approve", Say(calls=[FIX, NOTE]), Say(calls=[SUBMIT]), **settings)
    assert done.exit_code == 0, done.log
    assert "Approved by dana" in told(project, asked)
    assert [fact.outside for fact in facts(done, PlanCompared)] == [()]
    [request] = project.merge_requests()
    assert not request["draft"]
    assert "The plan, approved by dana" in request["text"]
    assert state(project, number)["jobs"] == 3


def test_until_the_plan_is_approved_files_stay_as_they_are(project: Pipeline) -> None:
    change = ("bash", {"command": "sed -i 's/a - b/a + b/' calculator.py; echo x > new.py"})
    number, done = first(
        project,
        Say(calls=[FIX]),
        Say(calls=[change]),
        Say(calls=[SUBMIT]),
        Say(calls=[PLAN]),
        **needed("plan"),
    )
    assert done.exit_code == 5, done.log
    answers = [last_results(request.body)[0] for request in project.model.requests[1:4]]
    assert "approve your plan first" in answers[0]
    assert "Put back as before, because your plan is not approved yet: calculator.py, new.py." in answers[1]
    assert "approve your plan first" in answers[2]
    assert state(project, number)["work"] == ""


def test_the_label_asks_for_a_plan_on_one_issue(project: Pipeline) -> None:
    number, done = first(project, Say(calls=[PLAN]), label=PLAN_FIRST.name)
    assert done.exit_code == 5, done.log
    assert "propose_plan" in str(project.model.requests[0].body["tools"])
    done = said(project, number, "/agent approve", Say(calls=[FIX]), Say(calls=[SUBMIT]))
    assert done.exit_code == 0, done.log


def test_nobody_else_pays_for_plans(project: Pipeline) -> None:
    number, done = first(project, Say(calls=[FIX]), Say(calls=[SUBMIT]))
    assert done.exit_code == 0, done.log
    assert "propose_plan" not in str(project.model.requests[0].body)
    assert number


def test_a_change_is_approved_and_pushed_as_it_was_shown(project: Pipeline) -> None:
    settings = needed("push")
    number, done = first(project, Say(calls=[FIX]), Say(calls=[SUBMIT]), **settings)
    assert done.exit_code == 5, done.log
    assert branches(project) == ""
    assert project.merge_requests() == []
    text = comment(project, number)
    assert "`calculator.py` (+1 \u22121)" in text
    assert "1 test fixed" in text
    assert "Add instead of subtracting" in text
    assert "return a + b" in project.origin.git("show", f"{ref(number)}^:calculator.py")
    others_work(project)
    asked = len(project.model.requests)
    done = said(project, number, "/agent approve", **settings)
    assert done.exit_code == 0, done.log
    assert len(project.model.requests) == asked
    assert len(facts(done, Pushed)) == 1
    assert len(project.merge_requests()) == 1
    assert "return a + b" in project.origin.git("show", f"feat/ai-task-{number}:calculator.py")
    assert "# others" in project.origin.git("show", f"feat/ai-task-{number}:calculator.py")


def others_work(project: Pipeline) -> None:
    """Somebody merges another change of the same file meanwhile."""
    there = project.folder / "elsewhere"
    project.checkout.git("clone", "--quiet", str(project.origin.path), str(there))
    place = Repository(there)
    place.commit({"calculator.py": CALCULATOR + "\n\n# others\n"})
    place.git("push", "--quiet", "origin", "HEAD:main")


def test_a_rejected_change_is_made_anew_and_asked_about_anew(project: Pipeline) -> None:
    settings = needed("push")
    number, _ = first(project, Say(calls=[FIX]), Say(calls=[SUBMIT]), **settings)
    asked = len(project.model.requests)
    done = said(
        project,
        number,
        "/agent reject Factor first, please.",
        Say(calls=[DOUBLE]),
        Say(calls=[SUBMIT]),
        **settings,
    )
    assert done.exit_code == 5, done.log
    assert "Rejected by dana" in told(project, asked)
    assert "Factor first, please." in told(project, asked)
    assert branches(project) == ""
    assert len({fact.change for fact in facts(done, ChangeProposed)}) == 2
    done = said(project, number, "/agent approve", **settings)
    assert done.exit_code == 0, done.log
    assert "2 * a" in project.origin.git("show", f"feat/ai-task-{number}:calculator.py")


def test_a_file_outside_of_the_plan_is_named(project: Pipeline) -> None:
    settings = needed("plan")
    number, _ = first(project, Say(calls=[PLAN]), **settings)
    asked = len(project.model.requests)
    steps = (Say(calls=[FIX, NOTE]), Say(calls=[SUBMIT]), Say(calls=[SUBMIT]))
    done = said(project, number, "/agent approve", *steps, **settings)
    assert "Changed and not in the approved plan: NOTES.md." in told(project, asked + 2)
    assert done.exit_code == 0, done.log
    [request] = project.merge_requests()
    for text in (request["text"], comment(project, number)):
        assert "**Not in the approved plan:** `NOTES.md`" in text


def test_a_file_outside_of_the_plan_can_need_an_approval_of_its_own(project: Pipeline) -> None:
    settings = needed("plan", CI_AGENT_APPROVAL_STRICT="true")
    number, _ = first(project, Say(calls=[PLAN]), **settings)
    asked = len(project.model.requests)
    steps = (Say(calls=[FIX, NOTE]), Say(calls=[SUBMIT]), Say(calls=[SUBMIT]))
    done = said(project, number, "/agent approve", *steps, **settings)
    assert "Changed and not in the approved plan: NOTES.md." in told(project, asked + 2)
    assert done.exit_code == 5, done.log
    assert branches(project) == ""
    assert "**Not in the approved plan:** `NOTES.md`" in comment(project, number)
    done = said(project, number, "/agent approve", **settings)
    assert done.exit_code == 0, done.log
    assert len(project.merge_requests()) == 1


def test_what_does_not_hold_is_not_pushed_as_a_draft_either(project: Pipeline) -> None:
    settings = needed("push", CI_AGENT_LIMITS_MAX_ITERATIONS="2")
    number, done = first(project, Say(calls=[FIX]), Say(calls=[("bash", {"command": "ls"})]), **settings)
    assert done.exit_code == 4, done.log
    assert branches(project) == ""
    assert project.merge_requests() == []
    assert "Nothing was pushed, because a person has to approve the change first" in comment(project, number)
    assert f"ci-agent sessions show {number}" in comment(project, number)
    work = state(project, number)["work"]
    assert "return a + b" in project.origin.git("show", f"{work}:calculator.py")
    said(project, number, "/agent retry", Say(calls=[("ask_user", {"question": "Which sign?"})]))
    assert state(project, number)["work"] == work  # until the next session has work of its own


ON_ONE = pytest.mark.parametrize("project", ["github"], indirect=True)  # the same code decides on both


def untouched(project: Pipeline, number: int, text: str, by: str = "dana", **settings: str) -> str:
    """What a comment is answered that decides nothing."""
    asked, before = len(project.model.requests), state(project, number)
    done = project.call(project.environment(*commented(project, number, text, by=by)) | settings)
    project.end()
    assert done.exit_code == 0, done.log
    assert len(project.model.requests) == asked
    assert state(project, number) == before
    assert "ai-waiting" in project.labels(number)
    return project.said(number)[-1][1]


def test_who_may_not_write_may_not_approve(project: Pipeline) -> None:
    number, _ = first(project, Say(calls=[PLAN]), **needed("plan"))
    project.forge.person("mallory")
    answer = untouched(project, number, "/agent approve", by="mallory", **needed("plan"))
    assert "Only people who may write to this repository" in answer


@ON_ONE
def test_a_question_can_not_be_approved(project: Pipeline) -> None:
    number, _ = first(project, Say(calls=[("ask_user", {"question": "Which sign?"})]), **needed("plan"))
    for word in ("approve", "reject no"):
        assert "I have asked a question" in untouched(project, number, f"/agent {word}", **needed("plan"))


@ON_ONE
def test_an_answer_where_a_plan_waits_goes_on_planning(project: Pipeline) -> None:
    number, _ = first(project, Say(calls=[PLAN]), **needed("plan"))
    asked = len(project.model.requests)
    steps = (Say(calls=[FIX]), Say(calls=[WIDER]))
    done = said(project, number, "/agent answer Notes, too", *steps, **needed("plan"))
    assert done.exit_code == 5, done.log
    assert "Neither approved nor rejected: dana says" in told(project, asked)
    assert "approve your plan first" in told(project, asked + 1)


@ON_ONE
def test_a_word_counts_only_for_what_was_posted_before_it(project: Pipeline) -> None:
    number, _ = first(project, Say(calls=[PLAN]), **needed("plan"))
    early = commented(project, number, "/agent approve")
    said(project, number, "/agent reject No notes", Say(calls=[WIDER]), **needed("plan"))
    asked = len(project.model.requests)
    done = project.call(project.environment(*early) | needed("plan"))
    assert done.exit_code == 0, done.log
    assert len(project.model.requests) == asked
    assert "posted after you wrote that" in project.said(number)[-1][1]


@ON_ONE
def test_a_change_is_approved_without_words_that_nobody_would_act_on(project: Pipeline) -> None:
    number, _ = first(project, Say(calls=[FIX]), Say(calls=[SUBMIT]), **needed("push"))
    answer = untouched(project, number, "/agent approve but rename it", **needed("push"))
    assert "pushes exactly the change that waits" in answer


@ON_ONE
def test_an_approval_outlives_the_job_that_was_given_it(project: Pipeline) -> None:
    number, _ = first(project, Say(calls=[PLAN]), **needed("plan"))
    steps = iter([Say(calls=[("bash", {"command": "ls"})])])
    project.model.say(lambda _: next(steps, Hang()))
    asked = len(project.model.requests)
    job = start(project, project.environment(*commented(project, number, "/agent approve")) | needed("plan"))
    until_asked(project, asked + 2)
    job.kill()
    job.communicate(timeout=30)
    project.end()
    done = said(project, number, "/agent retry", Say(calls=[FIX]), Say(calls=[SUBMIT]), **needed("plan"))
    assert done.exit_code == 0, done.log
    assert [fact.by for fact in facts(done, PlanCompared)] == ["dana"]


@ON_ONE
def test_a_change_on_which_nobody_decides_is_never_pushed(project: Pipeline) -> None:
    number, _ = first(project, Say(calls=[FIX]), Say(calls=[SUBMIT]), **needed("push"))
    for name, value in (("REMIND_AFTER", "0.000001"), ("GIVE_UP_AFTER", "0.000001")):
        environment = project.environment("schedule", {}) | needed("push", **{f"CI_AGENT_ASK_{name}": value})
        polled = project.call(environment, command="poll")
        assert polled.exit_code == 0, polled.log
        if name == "REMIND_AFTER":
            assert "what I proposed" in project.said(number)[-1][1]
    assert branches(project) == ""
    assert project.merge_requests() == []
    assert "ai-failed" in project.labels(number)
    [text] = [text for _, text in project.said(number) if "Nobody answered within" in text]
    assert "Nothing was pushed, because a person has to approve the change first" in text
    assert "return a + b" in project.origin.git("show", f"{state(project, number)['work']}:calculator.py")


@ON_ONE
def test_work_that_could_not_go_on_does_not_begin(project: Pipeline) -> None:
    settings = needed("plan", CI_AGENT_CHECKPOINT_KEEP="false")
    number, done = first(project, Say(calls=[PLAN]), **settings)
    assert done.exit_code == 0, done.log
    assert project.model.requests == []
    assert "only go on after that where sessions are kept" in project.said(number)[-1][1]


@pytest.mark.parametrize(
    ("what", "words", "exit_code", "said"),
    [
        ("plan", (), 2, "a plan has to be approved here"),
        ("push", ("--push",), 2, "a person has to approve what is pushed"),
        ("push", (), 0, "feat/ai-task-1"),
    ],
)
def test_on_ones_own_machine_nothing_waits(
    what: str, words: tuple[str, ...], exit_code: int, said: str, tmp_path: Path
) -> None:
    source = calculator(tmp_path)
    source.git("remote", "add", "origin", str(tmp_path / "nowhere"))
    with ModelServer([Say(calls=[FIX]), Say(calls=[SUBMIT])]) as model:
        done = Runner(tmp_path).run(source.path, *words, server=model, CI_AGENT_APPROVAL_NEEDED=what)
    assert done.exit_code == exit_code, done.stderr
    assert said in done.stdout + done.stderr
