"""From a label to a merge request, and from a comment to the next attempt, on both platforms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ci_agent.framing import framed
from tests.job.conftest import commented, labelled
from tests.support.jobs import FIX, SUBMIT, TESTS
from tests.support.model_server import Say
from tests.support.pipelines import Pipeline

# Of a whole session, the edits of its comment not counted. Two of GitHub's say when the job ends, one looks for what other
# jobs left undone.
REQUESTS = 27

MORE_TESTS = TESTS + "\n    def test_more(self):\n        self.assertEqual(add(2, 2), 4)\n"
ADD_TEST = ("write_file", {"path": "test_calculator.py", "content": MORE_TESTS})


def test_a_label_becomes_a_merge_request(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "`add(1, 2)` gives -1.", by="guest")
    done = project.run(*labelled(project, number))
    assert done.exit_code == 0, done.log
    [(who, comment)] = project.said(number)
    assert (
        who == project.forge.tokens[project.environment("x", {})[f"{project.platform.upper()}_TOKEN"]].login
    )
    reference = {"github": "#2", "gitlab": "!1"}[project.platform]
    assert (
        f"**Done: {reference}**, branch `feat/ai-task-1` · verified · 1 test fixed, none newly broken"
        in comment
    )
    assert project.labels(number) == ["ai-review"]
    [request] = project.merge_requests()
    assert (request["branch"], request["draft"], request["open"]) == ("feat/ai-task-1", False, True)
    assert request["text"].startswith(
        "Closes #1 · reported by guest · started by @dana\n\n**Verified.** 1 test fixed"
    )
    assert request["reviewers"] == ["dana"]
    assert project.origin.show("feat/ai-task-1", "calculator.py").startswith(
        "def add(a, b):\n    return a + b"
    )
    assert project.origin.git("log", "--format=%s", "main..feat/ai-task-1") == "Add instead of subtracting"
    assert "Closes: #1" in project.origin.git("log", "-1", "--format=%b", "feat/ai-task-1")
    assert (done.folder / "ci-agent-report" / "junit.xml").exists()


@pytest.mark.slow
def test_the_requests_of_a_session_are_few(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "", by="guest")
    project.server.requests.clear()
    project.run(*labelled(project, number))
    edits = [request for request in project.server.requests if _is_edit(request.method, request.path)]
    made = [request for request in project.server.requests if request not in edits]
    assert len(made) <= REQUESTS, "\n".join(f"{request.method} {request.path}" for request in made)
    assert 3 <= len(edits) <= 12


def _is_edit(method: str, path: str) -> bool:
    return method in ("PATCH", "PUT") and ("/issues/comments/" in path or "/notes/" in path)


@pytest.mark.slow
def test_the_comment_goes_through_the_phases_of_the_work(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "", by="guest")
    project.server.requests.clear()
    done = project.run(*labelled(project, number))
    written = [
        str(request.body) for request in project.server.requests if "ci-agent: progress" in str(request.body)
    ]
    phases = [
        phase
        for text in written
        for phase in ("pending", "cloning", "analyzing", "coding", "testing", "committing", "**Done: ")
        if f"· {phase}" in text or phase in text.partition("-->")[2][:12]
    ]
    assert list(dict.fromkeys(phases)) == [
        "pending", "cloning", "analyzing", "coding", "testing", "committing", "**Done: ",
    ]  # fmt: skip
    for phase in ("Cloning", "Coding", "Testing"):  # and so does the log, in parts that can be folded away
        assert phase in done.log


@pytest.mark.slow
def test_later_steps_are_told_how_it_went(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    done = project.run(*labelled(project, number))
    url = project.merge_requests()[0]["url"]
    if project.platform == "github":
        assert done.outputs == {
            "status": "completed",
            "branch": "feat/ai-task-1",
            "merge-request-url": url,
            "cost": "",  # nobody knows what the model costs
        }
        assert "| failed | 1 | 0 |" in done.summary
    else:
        assert done.outputs["CI_AGENT_STATUS"] == "completed"
        assert done.outputs["CI_AGENT_MERGE_REQUEST_URL"] == url
    [(sha, status)] = project.forge.statuses
    assert sha == project.origin.git("rev-parse", "feat/ai-task-1")
    assert (status["state"], status["description"]) == ("success", "1 test fixed, none newly broken")


@pytest.mark.slow
def test_a_comment_goes_on_with_the_same_branch_and_merge_request(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    project.run(*labelled(project, number))
    project.end()
    first = project.origin.git("rev-parse", "feat/ai-task-1")
    project.model.say([Say(calls=[ADD_TEST]), Say(calls=[SUBMIT])])
    done = project.run(*commented(project, number, "/agent retry add a test\nof larger numbers, please"))
    assert done.exit_code == 0, done.log
    told = str(project.model.requests[-1].body["messages"][1]["content"])
    asked = framed("request", "add a test\nof larger numbers, please", by="dana")
    assert f"# Asked for now, in addition\n\n{asked}" in told
    assert told.count("of larger numbers, please") == 1
    assert project.origin.git("log", "--format=%P", "-1", "feat/ai-task-1") == first
    [request] = project.merge_requests()
    assert "1 added" in request["text"]
    assert project.labels(number) == ["ai-review"]
    assert len([text for _, text in project.said(number) if text.startswith("**Done")]) == 2


@pytest.mark.slow
def test_a_comment_on_the_merge_request_goes_on_as_well(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    project.run(*labelled(project, number))
    project.end()
    project.model.say([Say(calls=[ADD_TEST]), Say(calls=[SUBMIT])])
    request = 2 if project.platform == "github" else 1
    done = project.run(*commented(project, request, "/agent retry with a test", on_request=True))
    assert done.exit_code == 0, done.log
    assert len(project.merge_requests()) == 1
    assert project.origin.git("rev-list", "--count", "main..feat/ai-task-1") == "2"
    said = (
        project.forge.thread(2) if project.platform == "github" else project.forge.thread(1, on_request=True)
    )
    assert "I am going on with this" in said[-1][1]


@pytest.mark.slow
def test_what_the_work_cost_is_told_where_prices_are_known(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    prices: dict[str, Any] = {"CI_AGENT_MODEL_PRICES_INPUT": "1", "CI_AGENT_MODEL_PRICES_OUTPUT": "10"}
    done = project.run(*labelled(project, number), **prices)
    cost = done.outputs["cost" if project.platform == "github" else "CI_AGENT_COST"]
    assert cost == "0.0030"  # two replies of 1,000 and 50 tokens
    [(_, comment)] = project.said(number)
    assert "under $0.01" in comment


@pytest.mark.slow
def test_what_can_not_be_verified_is_a_draft_and_a_red_job(project: Pipeline) -> None:
    project.model.say(
        [
            Say(calls=[("edit_file", {"path": "calculator.py", "old": "a * 2", "new": "a * 3"})]),
            Say(calls=[SUBMIT]),
        ]
    )
    number = project.forge.write_issue("add() subtracts", "")
    done = project.run(*labelled(project, number), CI_AGENT_LIMITS_MAX_VERIFICATIONS="1")
    assert done.exit_code == 1
    [request] = project.merge_requests()
    assert (request["draft"], request["labels"]) == (True, ["ai-failed"])
    assert "**Broken.** 1 test newly broken" in request["text"]
    assert project.labels(number) == ["ai-failed"]
    [(_, status)] = project.forge.statuses
    assert status["state"] == {"github": "failure", "gitlab": "failed"}[project.platform]
    [(_, comment)] = project.said(number)
    assert comment.startswith("**Not solved.**")
    assert "`/agent retry`" in comment
    if project.platform == "github":
        assert (
            "::error file=test_calculator.py,line=11,title=Test newly broken%3A test_calculator.py"
            in done.log
        )


@pytest.mark.slow
def test_a_second_success_makes_a_draft_ready(project: Pipeline) -> None:
    wrong = ("edit_file", {"path": "calculator.py", "old": "a * 2", "new": "a * 3"})
    project.model.say([Say(calls=[wrong]), Say(calls=[SUBMIT])])
    number = project.forge.write_issue("add() subtracts", "")
    project.run(*labelled(project, number), CI_AGENT_LIMITS_MAX_VERIFICATIONS="1")
    project.end()
    mend = ("edit_file", {"path": "calculator.py", "old": "a * 3", "new": "a * 2"})
    project.model.say([Say(calls=[FIX, mend]), Say(calls=[SUBMIT])])
    done = project.run(*commented(project, number, "/agent retry"))
    assert done.exit_code == 0, done.log
    [request] = project.merge_requests()
    assert (request["draft"], request["labels"]) == (False, [])


@pytest.mark.slow
def test_an_intent_without_an_issue_gets_one(project: Pipeline) -> None:
    given = {"intent": "add() subtracts\nIt gives -1."}
    name, payload = ("workflow_dispatch", {"inputs": given}) if project.platform == "github" else ("web", {})
    done = project.run(name, payload, CI_AGENT_INTENT=given["intent"] if project.platform == "gitlab" else "")
    assert done.exit_code == 0, done.log
    [issue] = project.forge.issues.values()
    assert issue["title"] == "add() subtracts"
    assert [request["branch"] for request in project.merge_requests()] == ["feat/ai-task-1"]


@pytest.mark.slow
def test_a_routing_job_that_is_run_again_opens_one_issue_for_an_intent(project: Pipeline) -> None:
    given = {"intent": "add() subtracts"}
    name, payload = ("workflow_dispatch", {"inputs": given}) if project.platform == "github" else ("web", {})
    intent = given["intent"] if project.platform == "gitlab" else ""
    environment = project.environment(name, payload, CI_AGENT_INTENT=intent, CI_PIPELINE_ID="815")
    again = environment | ({"CI_JOB_ID": "299"} if project.platform == "gitlab" else {})
    for one in (environment, again):
        project.forge.jobs = {201: "running", 299: "running"}
        assert project.call(one, "--route").exit_code == 0
    assert len(project.forge.issues) == 1


@pytest.mark.slow
def test_a_schedule_finds_what_waits_and_works_for_who_labelled_it(project: Pipeline, tmp_path: Path) -> None:
    waiting = project.forge.write_issue("add() subtracts", "", by="guest")
    left = project.forge.write_issue("Nobody is at work on it, whatever its label says", "")
    ended = project.forge.write_issue("Ended", "")
    project.forge.write_issue("Unlabelled", "")
    project.forge.label(waiting, "ai-task", by="robin")
    for number, label in ((left, "ai-running"), (ended, "AI-Failed")):
        project.forge.label(number, "ai-task", by="robin")
        project.forge.label(number, label, by="robin")
    environment = project.environment("schedule", {})
    child = tmp_path / "child.yml"
    found = project.call(environment, "--child-pipeline", str(child), command="poll")
    assert found.exit_code == 0, found.log
    if project.platform == "github":
        assert json.loads(found.outputs["issues"]) == [waiting, left]
        done = project.run("schedule", {}, "--issue", str(waiting))
    else:
        assert f"ci-agent-{waiting}" in child.read_text()
        assert f"ci-agent-{left}" in child.read_text()
        assert f"ci-agent-{ended}" not in child.read_text()
        done = project.run("schedule", {}, "--issue", str(waiting))
    assert done.exit_code == 0, done.log
    assert "started by @robin" in project.merge_requests()[0]["text"]
