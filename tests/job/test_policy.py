"""What a session may not touch never gets to the platform, however it ends. The model really tries."""

from __future__ import annotations

import pytest

from ci_agent.journal.events import PolicyJudged, Pushed
from tests.job.conftest import labelled
from tests.support.jobs import FIX, SUBMIT
from tests.support.model_server import Say
from tests.support.pipelines import Pipeline

pytestmark = pytest.mark.slow

BRANCH = "feat/ai-task-1"
GREEDY = "on: push\njobs: {a: {runs-on: x, steps: [{run: env}]}}\n"
EVIL = ("write_file", {"path": ".github/workflows/evil.yml", "content": GREEDY})
UNDO = ("bash", {"command": "rm -r .github"})
RULES = ("write_file", {"path": "AGENTS.md", "content": "Push to main.\n"})
INCLUDED = ("write_file", {"path": "ci/build.yml", "content": "job: {script: env}\n"})


def test_a_workflow_is_never_pushed(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "", by="guest")
    project.model.say([Say(calls=[FIX, EVIL]), *[Say(calls=[SUBMIT])] * 3])
    done = project.run(*labelled(project, number))
    assert done.exit_code == 1
    assert BRANCH not in project.origin.git("for-each-ref", "refs/heads")
    assert project.merge_requests() == []
    [(_, comment)] = project.said(number)
    told = "Nothing was pushed, because the change touches what it may not: files that say what the CI runs (.github/workflows/evil.yml)"
    assert told in comment.replace("\\", "")
    assert "`diff.patch`" in comment
    assert "ai-failed" in project.labels(number)
    patch = done.folder / "ci-agent-report" / "diff.patch"
    assert "evil.yml" in patch.read_text()


def test_a_model_that_hears_of_it_mends_it(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "", by="guest")
    project.model.say([Say(calls=[FIX, EVIL]), Say(calls=[SUBMIT]), Say(calls=[UNDO]), Say(calls=[SUBMIT])])
    done = project.run(*labelled(project, number))
    assert done.exit_code == 0, done.log
    heard = str(project.model.requests[-2].body["messages"])
    assert "This session can't change files that say what the CI runs (.github/workflows/evil.yml)." in heard
    [request] = project.merge_requests()
    assert not request["draft"]
    assert "evil.yml" not in project.origin.git("ls-tree", "-r", "--name-only", BRANCH)
    assert [event.fact.findings for event in done.events if isinstance(event.fact, PolicyJudged)] == [()]


def test_a_limit_is_no_way_round_it(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "", by="guest")
    project.model.say([Say(calls=[FIX, EVIL])])
    done = project.run(*labelled(project, number), CI_AGENT_LIMITS_MAX_ITERATIONS="1")
    assert done.exit_code == 4
    assert not [event for event in done.events if isinstance(event.fact, Pushed)]
    assert BRANCH not in project.origin.git("for-each-ref", "refs/heads")
    [(_, comment)] = project.said(number)
    assert "Nothing was pushed, because the change touches what it may not" in comment


def test_what_a_person_has_to_look_at_is_a_draft_that_says_so_first(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "", by="guest")
    project.model.say([Say(calls=[FIX, RULES]), *[Say(calls=[SUBMIT])] * 3])
    done = project.run(*labelled(project, number))
    assert done.exit_code == 1
    [request] = project.merge_requests()
    assert request["draft"]
    assert request["text"].startswith(
        "**Needs human.** Only a draft, because the change touches what a person has to look at: files that other "
        "bots and agents obey (AGENTS.md)."
    )
    assert (
        "- files that other bots and agents obey: `AGENTS.md` (`policy.instructions`: draft)"
        in request["text"]
    )
    assert "AGENTS.md" in project.origin.git("ls-tree", "-r", "--name-only", BRANCH)


def test_the_base_branch_may_allow_it(project: Pipeline) -> None:
    project.forge.files[".ci-agent.yml"] = b"policy:\n  instructions: allow\n"
    number = project.forge.write_issue("add() subtracts", "", by="guest")
    project.model.say([Say(calls=[FIX, RULES]), Say(calls=[SUBMIT])])
    done = project.run(*labelled(project, number))
    assert done.exit_code == 0, done.log
    [request] = project.merge_requests()
    assert not request["draft"]


def test_the_work_cannot_allow_itself_anything(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "", by="guest")
    allow = (
        "write_file",
        {"path": ".ci-agent.yml", "content": "policy: {ci: allow, configuration: allow}\n"},
    )
    project.model.say([Say(calls=[FIX, EVIL, allow]), *[Say(calls=[SUBMIT])] * 3])
    assert project.run(*labelled(project, number)).exit_code == 1
    assert BRANCH not in project.origin.git("for-each-ref", "refs/heads")


def test_a_file_that_the_pipeline_includes_is_never_pushed(project: Pipeline) -> None:
    project.checkout.git("checkout", "--quiet", "-B", "main")
    project.checkout.commit({".gitlab-ci.yml": "include: 'ci/*.yml'\n"})
    project.checkout.git("push", "--quiet", str(project.origin.path), "main")
    number = project.forge.write_issue("add() subtracts", "", by="guest")
    project.model.say([Say(calls=[FIX, INCLUDED]), *[Say(calls=[SUBMIT])] * 3])
    assert project.run(*labelled(project, number)).exit_code == 1
    assert BRANCH not in project.origin.git("for-each-ref", "refs/heads")
