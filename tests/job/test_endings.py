"""Jobs that end early, two at once, and the last word: what stands on the issue is true in the end."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import pytest

from ci_agent.ci.detect import here
from ci_agent.job.progress import marker_of
from ci_agent.job.promise import Promise, promise
from ci_agent.journal.events import ModelReplied
from tests.forges.http import Answer, Fault, Request
from tests.job.conftest import commented, labelled, start, until_asked
from tests.job.test_checkpoints import looks, state
from tests.support.jobs import FIX, SOLVE, SUBMIT
from tests.support.model_server import Hang, Say
from tests.support.pipelines import Pipeline

pytestmark = pytest.mark.slow

EDITS = {"github": ("PATCH", "/issues/comments/"), "gitlab": ("PUT", "/issues/1/notes/")}


def test_of_two_jobs_for_one_issue_one_works_and_the_other_says_so(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    name, payload = labelled(project, number)
    jobs = [start(project, project.environment(name, payload)) for _ in range(2)]
    logs = [job.communicate(timeout=90)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], logs
    assert len(project.merge_requests()) == 1
    done = [text for _, text in project.said(number) if text.startswith("**Done")]
    busy = [text for _, text in project.said(number) if text.startswith("Another job is at work")]
    late = [
        log for log in logs if "is gone again" in log
    ]  # where the first had begun before the second looked
    assert (len(done), len(busy) + len(late)) == (1, 1)
    assert project.labels(number) == ["ai-review"]


def test_a_cancelled_job_saves_its_work_and_says_so_within_seven_seconds(project: Pipeline) -> None:
    project.model.say(lambda request: Say(calls=[FIX]) if len(request.body["messages"]) == 2 else Hang())
    number = project.forge.write_issue("add() subtracts", "")
    environment = project.environment(*labelled(project, number))
    job = start(project, environment)
    until_asked(project, 2)
    asked = time.monotonic()
    job.send_signal(signal.SIGINT)
    log, _ = job.communicate(timeout=30)
    assert time.monotonic() - asked < 7
    assert job.returncode == 130, log
    [(_, text)] = project.said(number)
    assert text.startswith("**Cancelled.**")
    assert "`feat/ai-task-1`" in text
    assert project.labels(number) == ["ai-failed"]
    assert project.origin.show("feat/ai-task-1", "calculator.py").startswith(
        "def add(a, b):\n    return a + b"
    )
    last = project.call(environment, "--final-word")
    assert (last.exit_code, "Everything has been said." in last.log) == (0, True)


def test_a_cancelled_job_does_not_wait_for_a_platform_that_takes_no_checkpoint(project: Pipeline) -> None:
    project.model.say(lambda request: Say(calls=[FIX]) if len(request.body["messages"]) == 2 else Hang())
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project, 2)
    hook = project.origin.path / "hooks" / "pre-receive"
    hook.write_text(
        "#!/bin/sh\nwhile read -r _ _ ref; do case $ref in refs/ci-agent/issues/*) sleep 30;; esac; done\n"
    )
    hook.chmod(0o755)
    asked = time.monotonic()
    job.send_signal(signal.SIGTERM)
    log, _ = job.communicate(timeout=60)
    assert time.monotonic() - asked < 10
    assert job.returncode == 143, log
    assert "could not be saved for a later job" in log
    assert project.said(number)[0][1].startswith("**Cancelled.**")
    assert project.labels(number) == ["ai-failed"]


def test_the_last_word_of_a_job_that_was_killed_is_said_by_the_next_step(project: Pipeline) -> None:
    steps = iter([Say(calls=[FIX]), *looks(20)])
    project.model.say(lambda _: next(steps, Hang()))
    number = project.forge.write_issue("add() subtracts", "")
    environment = project.environment(*labelled(project, number))
    job = start(project, environment)
    until_asked(project, 22)
    job.kill()
    job.communicate(timeout=30)
    assert project.said(number)[0][1].startswith("**Working on it**")
    last = project.call(environment, "--final-word")
    assert last.exit_code == 0, last.log
    [(_, text)] = project.said(number)
    assert text.startswith("**Cancelled.**")
    assert "its process was killed" in text
    assert project.labels(number) == ["ai-failed"]
    assert [event for event in last.events if isinstance(event.fact, ModelReplied)]
    assert (last.folder / "ci-agent-report" / "junit.xml").exists()
    kept = state(project, number)
    assert (kept["status"], kept["ending"]) == ("cancelled", "cancelled")
    roster = project.origin.git("show", "refs/ci-agent/roster/all:roster.json")
    assert json.loads(roster)["entries"] == []
    project.end()
    before = project.model.requests[0].body["messages"]
    project.model.say([Say(calls=[SUBMIT])])
    done = project.run(*commented(project, number, "/agent retry"))
    assert done.exit_code == 0, done.log
    assert project.model.requests[-1].body["messages"][: len(before)] == before


@pytest.mark.slow
def test_a_job_that_is_gone_without_a_word_is_cleared_by_the_next_one(project: Pipeline) -> None:
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project)
    job.kill()
    job.communicate(timeout=30)
    project.end()
    project.model.say(list(SOLVE))
    done = project.run(*commented(project, number, "/agent retry"))
    assert done.exit_code == 0, done.log
    first, _, second = project.said(number)
    assert first[1].startswith("**Stopped.** This run ended without a last word")
    assert second[1].startswith("**Done")


def test_a_job_that_does_not_hear_a_stop_is_cancelled_by_the_platform(project: Pipeline) -> None:
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project)
    job.send_signal(signal.SIGSTOP)
    done = project.run(*commented(project, number, "/agent stop"))
    assert done.exit_code == 0
    assert "asked the platform to cancel the job" in project.said(number)[-1][1]
    states = project.forge.runs if project.platform == "github" else project.forge.jobs
    assert next(iter(states.values())) in ("completed", "canceled")
    job.send_signal(signal.SIGINT)
    job.send_signal(signal.SIGCONT)
    job.communicate(timeout=30)


def test_a_last_word_that_the_platform_does_not_take_is_said_by_the_next_step(project: Pipeline) -> None:
    method, path = EDITS[project.platform]
    project.server.faults = [Fault(method, path, 400, times=99)]
    number = project.forge.write_issue("add() subtracts", "")
    environment = project.environment(*labelled(project, number))
    done = project.call(environment)
    assert "The last word could not be said" in done.log
    assert project.said(number)[0][1].startswith("**Working on it**")
    project.server.faults.clear()
    last = project.call(environment, "--final-word")
    assert last.exit_code == 0, last.log
    [(_, text)] = project.said(number)
    assert text.startswith("**Done: ")
    assert project.labels(number) == ["ai-review"]
    assert "Everything has been said." in project.call(environment, "--final-word").log


def test_labels_that_the_platform_does_not_take_are_set_by_the_next_step(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    environment = project.environment(*labelled(project, number))
    changes = {"github": ("POST", "/issues/1/labels$"), "gitlab": ("PUT", "/issues/1$")}[project.platform]

    def steps(_request: object) -> Say:
        project.server.faults = [Fault(*changes, 400, times=99)]
        return Say(calls=[FIX, SUBMIT])

    project.model.say(steps)
    done = project.call(environment)
    assert (done.exit_code, "The last word could not be said" in done.log) == (0, True)
    assert project.labels(number) == ["ai-running"]
    project.server.faults.clear()
    assert project.call(environment, "--final-word").exit_code == 0
    assert project.labels(number) == ["ai-review"]


def test_a_job_that_is_killed_after_its_merge_request_has_done_its_work(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    environment = project.environment(*labelled(project, number))
    answer = project.server.answer
    jobs: list[Any] = []

    def deadly(request: Request) -> Answer:
        last = request.path.endswith(f"/issues/{number}/labels") or request.path.endswith(f"/issues/{number}")
        if last and request.method in ("POST", "PUT") and project.merge_requests():
            jobs[0].kill()
        return answer(request)

    project.server.answer = deadly
    jobs.append(start(project, environment))
    jobs[0].communicate(timeout=60)
    assert project.said(number)[0][1].startswith("**Working on it**")
    project.server.answer = answer
    last = project.call(environment, "--final-word")
    assert last.exit_code == 0, last.log
    assert project.said(number)[0][1].startswith("**Done: ")
    assert project.labels(number) == ["ai-review"]
    [request] = project.merge_requests()
    assert not request["draft"]
    name = {"github": "merge-request-url", "gitlab": "CI_AGENT_MERGE_REQUEST_URL"}[project.platform]
    assert last.outputs[name] == request["url"]


def test_a_job_of_which_the_platform_says_nothing_is_taken_to_be_at_work(project: Pipeline) -> None:
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    first = start(project, project.environment(*labelled(project, number)))
    until_asked(project)
    states = {"github": r"/actions/runs/\d+$", "gitlab": r"/jobs/\d+$"}[project.platform]
    project.server.faults = [Fault("GET", states, 400, times=99)]
    second = project.run(*commented(project, number, "/agent run"))
    assert second.exit_code == 0
    assert project.said(number)[-1][1].startswith("Another job is at work on this issue already: [progress](")
    assert project.labels(number) == ["ai-running"]
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)
    assert project.labels(number) == ["ai-failed"]


def test_the_last_word_of_a_second_job_leaves_the_labels_of_the_first_alone(project: Pipeline) -> None:
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    first = start(project, project.environment(*labelled(project, number)))
    until_asked(project)
    environment = project.environment(*commented(project, number, "/agent run"))
    job = here(environment)
    assert job is not None
    made = Promise(str(number), marker_of("s-2"), str(project.folder / "s-2"), "feat/ai-task-1")
    promise(job.scratch, made)  # it was killed right after that
    last = project.call(environment, "--final-word")
    assert last.exit_code == 0, last.log
    assert project.said(number)[-1][1].startswith("**Stopped.**")
    assert project.labels(number) == ["ai-running"]
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)


def test_a_job_that_comes_second_takes_its_label_away_again(project: Pipeline) -> None:
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    first = start(project, project.environment(*labelled(project, number)))
    until_asked(project)
    done = project.run(*labelled(project, number))
    assert (done.exit_code, "Another job is at work" in done.log) == (0, True)
    assert project.labels(number) == ["ai-running"]
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)


@pytest.mark.slow
def test_a_retry_that_could_not_begin_leaves_one_label(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    project.run(*labelled(project, number))
    project.end()
    environment = project.environment(*commented(project, number, "/agent retry"))
    done = project.call({key: value for key, value in environment.items() if key != "LLM_API_KEY"})
    assert done.exit_code == 3
    assert project.labels(number) == ["ai-failed"]
    status = {"github": "status", "gitlab": "CI_AGENT_STATUS"}[project.platform]
    assert done.outputs[status] == "failed"
    assert project.platform == "gitlab" or "**Could not begin.**" in done.summary


@pytest.mark.slow
def test_a_job_that_may_not_be_stopped_is_said_to_go_on(project: Pipeline) -> None:
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project)
    job.send_signal(signal.SIGSTOP)
    project.server.faults = [Fault("POST", "/cancel$", 403, times=9, body={"message": "Forbidden"})]
    done = project.run(*commented(project, number, "/agent stop"))
    assert done.exit_code == 0, done.log
    assert "could not be stopped: " in project.said(number)[-1][1]
    job.send_signal(signal.SIGINT)
    job.send_signal(signal.SIGCONT)
    job.communicate(timeout=30)


def test_a_reason_not_to_begin_is_the_last_word_even_where_the_label_is_not_taken(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    changes = {"github": ("POST", "/issues/1/labels$"), "gitlab": ("PUT", "/issues/1$")}[project.platform]
    environment = project.environment(*labelled(project, number))
    keyless = {key: value for key, value in environment.items() if key != "LLM_API_KEY"}
    project.server.faults = [Fault(*changes, 400, times=99)]
    assert project.call(keyless).exit_code != 0
    project.server.faults.clear()
    last = project.call(keyless, "--final-word")
    assert last.exit_code == 0, last.log
    assert project.said(number)[0][1].startswith("**Could not begin.** There is no key")
    assert project.labels(number) == ["ai-failed"]


@pytest.mark.slow
def test_requests_that_came_to_nothing_are_no_runs(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    project.forge.today()
    environment = project.environment(*commented(project, number, "/agent run"))
    for _ in range(2):
        project.call({key: value for key, value in environment.items() if key != "LLM_API_KEY"})
    done = project.run(*commented(project, number, "/agent run"), CI_AGENT_TRIGGER_RUNS_PER_DAY="1")
    assert done.exit_code == 0, done.log
    assert len(project.merge_requests()) == 1


@pytest.mark.slow
def test_the_status_is_that_of_the_job_that_works_or_says_that_none_does(project: Pipeline) -> None:
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    first = start(project, project.environment(*labelled(project, number)))
    until_asked(project)
    project.run(*commented(project, number, "/agent run"))
    project.run(*commented(project, number, "/agent status"))
    assert "I am at work on it" in project.said(number)[-1][1]
    first.kill()
    first.communicate(timeout=30)
    project.end()
    project.run(*commented(project, number, "/agent status"))
    assert project.said(number)[-1][1].startswith("I am not at work on it now")
