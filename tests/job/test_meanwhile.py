"""A word to the session that is at work: to stop, and to take more into account. Whole jobs on both platforms."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import threading
import time
from datetime import datetime
from typing import Any

import pytest

from ci_agent.config import load
from ci_agent.job.checkpoints import key_of
from ci_agent.job.roster import SHELF, Granted, Roster
from ci_agent.journal.events import InputTaken, SessionEnded, SessionResumed
from ci_agent.workspace import Store
from tests.job.conftest import commented, labelled, start, until, until_asked
from tests.job.racing import entry
from tests.job.test_checkpoints import state
from tests.support.jobs import FIX, SUBMIT
from tests.support.model_server import Hang, Request, Say, Step
from tests.support.pipelines import GITLAB_TOKEN, Pipeline

pytestmark = pytest.mark.slow

LOOK = ("bash", {"command": "cat calculator.py"})
LONG = ("bash", {"command": "touch ../begun || true; sleep 300"})
SLOW_TESTS = """\
import time
import unittest

from calculator import add


class Calculator(unittest.TestCase):
    def test_add(self):
        if add(1, 2) == 3:
            time.sleep(300)
        self.fail()
"""

HOLDS_THE_END = """\
#!/bin/sh
while read -r _ new ref; do
  case $ref in refs/ci-agent/issues/*)
    if git show "$new:state.json" | grep -q '"status": "completed"'; then
      touch ended
      while [ ! -f go ]; do sleep 0.1; done
    fi
  esac
done
"""


def answered(project: Pipeline, number: int) -> str:
    """What was said last on the issue."""
    return project.said(number)[-1][1]


def states(project: Pipeline) -> list[str]:
    """How the CI's jobs stand, as the platform sees it."""
    found = project.forge.runs if project.platform == "github" else project.forge.jobs
    return list(found.values())


def refs(project: Pipeline, kind: str) -> list[str]:
    """What is kept of one kind."""
    return project.origin.git("for-each-ref", "--format=%(refname)", f"refs/ci-agent/{kind}/").split()


def on_roster(project: Pipeline) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(
        project.origin.git("show", "refs/ci-agent/roster/all:roster.json")
    )["entries"]
    return entries


class NeverEnded:
    """A platform that calls no job ended."""

    def job_ended(self, job: str, heard: datetime | None = None) -> bool:
        return False


def job_key(project: Pipeline) -> bytes:
    """The key that the project's jobs derive."""
    given = {"LLM_API_KEY": project.model.key}
    if project.platform == "gitlab":
        given["GITLAB_TOKEN"] = GITLAB_TOKEN
    key = key_of(load(file=None, environment=given, flags={}).config)
    assert key is not None
    return key


def listened(project: Pipeline) -> None:
    """Wait until the job at work, which does nothing else with git, has looked into its inbox once more: the look that was
    under way has two requests, the one that finds something new four."""
    before = len(project.git.addresses)
    until(lambda: len(project.git.addresses) > before + 6)


def stopped(project: Pipeline, number: int, job: subprocess.Popen[str]) -> str:
    """Dana stops the job, which is over then; its log."""
    began = time.monotonic()
    done = project.run(*commented(project, number, "/agent stop"))
    assert done.exit_code == 0, done.log
    log, _ = job.communicate(timeout=30)
    assert time.monotonic() - began < 25
    assert job.returncode == 143, log
    said = project.said(number)
    assert said[0][1].startswith("**Cancelled.** Stopped by dana (`/agent stop`)."), said
    assert answered(project, number).startswith(
        "It has ended: **Cancelled.** Stopped by dana (`/agent stop`)."
    )
    assert project.labels(number) == ["ai-failed"]
    assert "canceled" not in states(project)  # nobody had to ask the platform
    assert "completed" not in states(project)
    assert on_roster(project) == []
    assert refs(project, "inbox") == []
    kept = state(project, number)
    assert (kept["status"], kept["ending"], kept["said"]) == ("cancelled", "cancelled", True)
    return log


def test_a_stop_ends_a_session_whose_model_hangs_and_a_retry_goes_on_with_it(project: Pipeline) -> None:
    project.model.say(lambda request: Say(calls=[FIX]) if len(request.body["messages"]) == 2 else Hang())
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project, 2)
    stopped(project, number, job)
    before = project.model.requests[-1].body["messages"]
    assert "a + b" in project.origin.show("feat/ai-task-1", "calculator.py")
    project.end()
    project.model.say([Say(calls=[SUBMIT])])
    done = project.run(*commented(project, number, "/agent retry"))
    assert done.exit_code == 0, done.log
    assert project.model.requests[-1].body["messages"][: len(before)] == before
    [resumed] = [event.fact for event in done.events if isinstance(event.fact, SessionResumed)]
    assert resumed.restored
    assert project.labels(number) == ["ai-review"]


def test_a_stop_ends_a_command_that_takes_long(project: Pipeline) -> None:
    project.model.say([Say(calls=[FIX]), Say(calls=[LONG])])
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project, 2)
    stopped(project, number, job)
    assert "a + b" in project.origin.show("feat/ai-task-1", "calculator.py")


def test_a_stop_ends_tests_that_take_long(project: Pipeline) -> None:
    project.model.say(
        [
            Say(calls=[FIX, ("write_file", {"path": "test_calculator.py", "content": SLOW_TESTS})]),
            Say(calls=[SUBMIT]),
        ]
    )
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project, 2)
    stopped(project, number, job)


def test_who_waits_for_a_turn_is_stopped(project: Pipeline) -> None:
    project.model.say([Hang()])
    busy = start(project, project.environment(*labelled(project, project.forge.write_issue("one", ""))))
    until_asked(project)
    number = project.forge.write_issue("add() subtracts", "")
    environment = project.environment(*labelled(project, number), CI_AGENT_LIMITS_MAX_CONCURRENT="1")
    waiting = start(project, environment)
    until(lambda: bool(project.said(number)))
    done = project.run(*commented(project, number, "/agent stop"))
    assert done.exit_code == 0, done.log
    log, _ = waiting.communicate(timeout=30)
    assert waiting.returncode == 0, log
    assert project.said(number)[0][1].startswith(
        "**Not begun.** The waiting was ended by dana (`/agent stop`)."
    )
    assert answered(project, number).startswith("It has ended: **Not begun.** The waiting was ended by dana")
    assert "What there is of the work is kept" not in answered(project, number)
    assert project.labels(number) == ["ai-failed"]
    assert len(on_roster(project)) == 1
    busy.send_signal(signal.SIGINT)
    busy.communicate(timeout=30)


def test_a_session_that_waits_for_an_answer_is_ended(project: Pipeline) -> None:
    project.model.say([Say(calls=[FIX]), Say(calls=[("ask_user", {"question": "Which sign?"})])])
    number = project.forge.write_issue("add() is wrong", "")
    assert project.run(*labelled(project, number)).exit_code == 5
    project.end()
    done = project.run(*commented(project, number, "/agent stop"))
    assert done.exit_code == 0, done.log
    assert project.said(number)[0][1].startswith("**Cancelled.** Stopped by dana (`/agent stop`).")
    assert answered(project, number).startswith("It has ended: **Cancelled.** Stopped by dana")
    assert project.labels(number) == ["ai-failed"]
    assert state(project, number)["status"] == "cancelled"
    assert on_roster(project) == []
    project.run(*commented(project, number, "/agent stop"))
    assert "there is nothing to stop" in answered(project, number)


def test_what_a_lost_job_left_is_not_gone_on_with(project: Pipeline) -> None:
    project.model.say([Say(calls=[FIX]), Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project, 2)
    job.kill()
    job.communicate(timeout=30)
    project.end()
    project.call(project.environment("schedule", {}), command="poll")
    assert project.said(number)[0][1].startswith("**Interrupted.**")
    assert project.labels(number) == ["ai-task"]
    done = project.run(*commented(project, number, "/agent stop"))
    assert done.exit_code == 0, done.log
    assert project.said(number)[0][1].startswith("**Cancelled.** Stopped by dana (`/agent stop`).")
    assert answered(project, number).startswith("It has ended: **Cancelled.** Stopped by dana")
    assert project.labels(number) == ["ai-failed"]
    assert "0 issues wait" in project.call(project.environment("schedule", {}), command="poll").log


def test_what_waits_for_a_schedule_waits_no_more(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    project.forge.label(number, "ai-review", by="dana")
    project.forge.label(number, "ai-task", by="dana")
    done = project.run(*commented(project, number, "/agent stop"))
    assert done.exit_code == 0, done.log
    assert "Its label `ai-task` is gone now, so none begins because of it" in answered(project, number)
    assert project.labels(number) == ["ai-review"]


def test_a_job_that_is_not_on_the_roster_is_stopped_by_the_platform(project: Pipeline) -> None:
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project)
    [roster] = refs(project, "roster")
    project.origin.git("update-ref", "-d", roster)
    done = project.run(*commented(project, number, "/agent stop"))
    assert done.exit_code == 0, done.log
    assert "asked the platform to cancel the job" in answered(project, number)
    job.send_signal(signal.SIGINT)
    job.communicate(timeout=30)


def test_a_job_that_is_there_is_left_alone_by_jobs_with_another_key(project: Pipeline) -> None:
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project)
    key = "a key that was set after that job had begun"
    looked = project.call(project.environment("schedule", {}, CI_AGENT_CHECKPOINT_KEY=key), command="poll")
    assert f"Issue {number} is left alone while job" in looked.log
    assert project.labels(number) == ["ai-running"]
    done = project.run(*commented(project, number, "/agent run"), CI_AGENT_CHECKPOINT_KEY=key)
    assert done.exit_code == 0, done.log
    assert "Another job is at work on this issue already" in answered(project, number)
    project.run(*commented(project, number, "/agent stop"), CI_AGENT_CHECKPOINT_KEY=key)
    assert "could not be stopped: it was begun with another key" in answered(project, number)
    assert project.labels(number) == ["ai-running"]
    assert len(project.model.requests) == 1
    job.send_signal(signal.SIGINT)
    job.communicate(timeout=30)


def test_what_is_said_meanwhile_reaches_the_model_with_its_next_step(project: Pipeline) -> None:
    told = threading.Event()

    def work(request: Request) -> Step:
        asked = len(project.model.requests)
        if asked == 1:
            assert told.wait(60)
        return Say(calls=[FIX]) if asked == 1 else Say(calls=[SUBMIT])

    project.model.say(work)
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project)
    second = project.run(
        *commented(project, number, "/agent retry Keep <!-- hidden --> the docstrings."), "--route"
    )
    assert second.exit_code == 0, second.log
    assert second.outputs.get("issues") == ("[]" if project.platform == "github" else None)
    assert "is told this. Nothing else was started." in answered(project, number)
    listened(project)
    told.set()
    log, _ = job.communicate(timeout=60)
    assert job.returncode == 0, log
    messages = project.model.requests[1].body["messages"]
    assert messages[-1]["role"] == "user"
    assert messages[-1]["content"].startswith("[Said while you work, by somebody who may ask you for work.")
    assert 'by="dana"' in messages[-1]["content"]
    assert "Keep  the docstrings." in messages[-1]["content"]
    assert len(project.model.requests) == 2
    assert "has read this, and takes it into account" in answered(project, number)
    assert "dana said meanwhile: Keep  the docstrings." in project.said(number)[0][1].replace("&nbsp;", " ")
    assert refs(project, "inbox") == []
    assert len(project.merge_requests()) == 1


def test_what_is_said_before_a_hand_in_holds_is_seen_to_before_the_end(project: Pipeline) -> None:
    told = threading.Event()

    def work(request: Request) -> Step:
        asked = len(project.model.requests)
        if asked == 1:
            assert told.wait(60)
            return Say(calls=[FIX, SUBMIT])
        return Say(calls=[SUBMIT])

    project.model.say(work)
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project)
    project.run(*commented(project, number, "/agent retry Say it in the changelog."))
    listened(project)
    told.set()
    log, _ = job.communicate(timeout=60)
    assert job.returncode == 0, log
    given_back, said = project.model.requests[1].body["messages"][-2:]
    assert "Meanwhile somebody has said more, which follows" in given_back["content"]
    assert "Say it in the changelog." in said["content"]


def test_what_is_said_as_the_session_ends_is_taken_up_by_its_job_once(project: Pipeline) -> None:
    """The last word is on the issue, and the job has not let go of it yet: its checkpoint is on the way."""
    more = ("edit_file", {"path": "calculator.py", "old": "a * 2", "new": "2 * a"})
    project.model.say([Say(calls=[FIX]), Say(calls=[SUBMIT]), Say(calls=[more]), Say(calls=[SUBMIT])])
    number = project.forge.write_issue("add() subtracts", "")
    hook = project.origin.path / "hooks" / "pre-receive"
    hook.write_text(HOLDS_THE_END)
    hook.chmod(0o755)
    job = start(project, project.environment(*labelled(project, number)))
    until((project.origin.path / "ended").exists)
    told = project.run(*commented(project, number, "/agent retry Double it, too."))
    assert "told to the session that is at work" in told.log
    (project.origin.path / "go").touch()
    log, _ = job.communicate(timeout=90)
    assert job.returncode == 0, log
    asked = [str(one.body["messages"]) for one in project.model.requests]
    assert ["Double it, too." in one for one in asked] == [False, False, True, True]
    said = [text for _, text in project.said(number)]
    assert sum(text.startswith("**Done") for text in said) == 2, said
    assert "The session had just ended when you said this. I take it up now." in said
    assert (refs(project, "inbox"), on_roster(project)) == ([], [])


def test_what_a_session_can_not_hear_any_more_is_asked_for_as_usual(project: Pipeline) -> None:
    """The roster has a job that lets go of the issue right after the word for it was added."""
    number = project.forge.write_issue("add() subtracts", "")
    roster = Roster(Store(project.origin.path, None, SHELF), NeverEnded(), job_key(project), io.StringIO())
    states = project.forge.runs if project.platform == "github" else project.forge.jobs
    states[999] = "in_progress" if project.platform == "github" else "running"
    environment = project.environment(*commented(project, number, "/agent retry Mend it."))
    assert roster.claim(entry("999", str(number)), 2) == Granted()
    hook = project.origin.path / "hooks" / "post-receive"
    hook.write_text(
        "#!/bin/sh\nwhile read -r _ _ ref; do case $ref in refs/ci-agent/inbox/*) "
        "git update-ref -d refs/ci-agent/roster/all;; esac; done\n"
    )
    hook.chmod(0o755)
    done = project.call(environment)
    assert done.exit_code == 0, done.log
    assert project.labels(number) == ["ai-review"]
    assert "Mend it." in str(project.model.requests[0].body["messages"])
    assert not [event for event in done.events if isinstance(event.fact, InputTaken)]
    assert refs(project, "inbox") == []


def test_who_told_a_job_that_died_is_told_that_it_was_not_heard(project: Pipeline) -> None:
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    environment = project.environment(*labelled(project, number))
    job = start(project, environment)
    until_asked(project)
    job.send_signal(signal.SIGSTOP)
    project.run(*commented(project, number, "/agent retry Keep the docs."))
    assert "is told this" in answered(project, number)
    job.kill()
    job.communicate(timeout=30)
    last = project.call(environment, "--final-word")
    assert last.exit_code == 0, last.log
    assert answered(project, number).startswith("I did not get to this: the job ended before it heard it.")
    assert refs(project, "inbox") == []


def test_a_new_beginning_is_nothing_to_tell_a_session_that_is_at_work(project: Pipeline) -> None:
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project)
    done = project.run(*commented(project, number, "/agent retry --fresh and better"))
    assert (done.exit_code, refs(project, "inbox")) == (0, [])
    assert "end it with `/agent stop` first" in answered(project, number)
    job.send_signal(signal.SIGINT)
    job.communicate(timeout=30)


def test_without_a_key_a_stop_is_the_platforms_matter(project: Pipeline) -> None:
    if project.platform == "gitlab":
        return  # there the token is one
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project)
    done = project.run(*commented(project, number, "/agent stop"), LLM_API_KEY="none")
    assert done.exit_code == 0, done.log
    assert "asked the platform to cancel the job" in answered(project, number)
    assert refs(project, "inbox") == []
    job.send_signal(signal.SIGINT)
    job.communicate(timeout=30)


def test_a_stop_that_was_put_back_by_somebody_stops_no_later_session(project: Pipeline) -> None:
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project)
    hook = project.origin.path / "hooks" / "post-receive"
    hook.write_text(
        "#!/bin/sh\nwhile read -r _ new ref; do case $ref in refs/ci-agent/inbox/*) "
        "[ -f kept ] || echo $new > kept;; esac; done\n"
    )
    hook.chmod(0o755)
    project.run(*commented(project, number, "/agent stop"))
    job.communicate(timeout=30)
    project.origin.git(
        "update-ref", "refs/ci-agent/inbox/1", (project.origin.path / "kept").read_text().strip()
    )
    project.end()
    project.model.say([Say(calls=[FIX]), Say(calls=[SUBMIT])])
    done = project.run(*commented(project, number, "/agent retry"))
    assert done.exit_code == 0, done.log
    assert not [event for event in done.events if isinstance(event.fact, InputTaken)]
    [*_, ended] = [event.fact for event in done.events if isinstance(event.fact, SessionEnded)]
    assert ended.status == "completed"
