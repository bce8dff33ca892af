"""What of a session outlives its job: the checkpoint in git at the platform, and what people see of it."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ci_agent import signing
from ci_agent.session import checkpoint
from tests.job.conftest import commented, labelled, start, until, until_asked
from tests.support.jobs import FIX, SOLVE, SUBMIT
from tests.support.model_server import Hang, Request, Say, Step
from tests.support.pipelines import Pipeline

pytestmark = pytest.mark.slow

KEY = "a-key-for-checkpoints-of-32-characters"


def looks(number: int) -> list[Step]:
    """Steps that find something else each time, or they would count as going in circles."""
    return [Say(calls=[("bash", {"command": f"echo {at}"})]) for at in range(number)]


def ref(number: int) -> str:
    return f"refs/ci-agent/issues/{number}"


def state(project: Pipeline, number: int) -> dict[str, Any]:
    """What the checkpoint on the issue says of the session."""
    found: dict[str, Any] = json.loads(project.origin.git("show", f"{ref(number)}:state.json"))
    return found


def journal(project: Pipeline, number: int) -> list[dict[str, Any]]:
    content = subprocess.check_output(
        ["git", "--git-dir", project.origin.path, "cat-file", "blob", f"{ref(number)}:journal.jsonl.gz"]
    )
    return [json.loads(line) for line in gzip.decompress(content).splitlines()]


def sessions(project: Pipeline, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """`ci-agent sessions WORDS`, as a person calls it who has the project's repository as the remote `origin`."""
    home = project.folder / "person"
    clone = home / "widget"
    if not clone.exists():
        home.mkdir()
        project.checkout.git("clone", "--quiet", project.origin.path.as_uri(), str(clone))
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "ci_agent", "sessions", *words],
        env=kept | {"HOME": str(home)} | more,
        cwd=clone,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def listed(project: Pipeline, **more: str) -> list[dict[str, Any]]:
    done = sessions(project, "list", "--json", **more)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_a_session_that_is_over_is_kept_with_what_came_of_it(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    done = project.run(*labelled(project, number), CI_AGENT_CHECKPOINT_KEY=KEY)
    assert done.exit_code == 0, done.log
    kept = state(project, number)
    assert (kept["status"], kept["issue"], kept["title"]) == ("completed", str(number), "add() subtracts")
    assert (kept["branch"], kept["model"], kept["steps"]) == (f"feat/ai-task-{number}", "scripted", 2)
    [request] = project.merge_requests()
    assert kept["merge_request_url"] == request["url"]
    assert project.origin.git("rev-parse", f"{ref(number)}^") == project.origin.git(
        "rev-parse", f"feat/ai-task-{number}"
    )
    lines = journal(project, number)
    report = (done.folder / "ci-agent-report" / "session.jsonl").read_text().splitlines()
    assert lines == [json.loads(line) for line in report[: len(lines)]]
    assert lines[-1]["kind"] in ("SessionEnded", "CommentWritten")


def test_a_job_that_is_killed_leaves_its_work_at_the_platform(project: Pipeline) -> None:
    steps = iter([Say(calls=[FIX]), *looks(checkpoint.STEPS)])

    def work(_: Request) -> Step:
        return next(steps, Hang())

    project.model.say(work)
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project, checkpoint.STEPS + 2)
    job.kill()
    job.communicate(timeout=30)
    kept = state(project, number)
    assert (kept["status"], kept["steps"]) == ("coding", checkpoint.STEPS)
    assert "return a + b" in project.origin.git("show", f"{ref(number)}^:calculator.py")
    assert [line["kind"] for line in journal(project, number)].count("ModelReplied") == checkpoint.STEPS


def test_the_last_word_of_a_job_that_was_killed_is_kept_too(project: Pipeline) -> None:
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    environment = project.environment(*labelled(project, number))
    job = start(project, environment)
    until_asked(project)
    job.kill()
    job.communicate(timeout=30)
    assert state(project, number)["status"] == "coding"
    assert project.call(environment, "--final-word").exit_code == 0
    kept = state(project, number)
    assert kept["status"] == "cancelled"
    assert "its process was killed" in kept["sentence"]


def test_the_next_session_takes_the_place_of_the_one_before(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    project.run(*labelled(project, number))
    first = state(project, number)["session"]
    project.end()
    project.model.say(list(SOLVE))
    assert project.run(*commented(project, number, "/agent retry")).exit_code in (0, 1)
    assert state(project, number)["session"] != first
    assert project.origin.git("for-each-ref", "--format=%(refname)", "refs/ci-agent/issues").split() == [
        ref(number)
    ]


def test_work_with_a_secret_in_it_is_not_kept(project: Pipeline) -> None:
    leak = ("bash", {"command": f"echo {project.model.key[::-1]} | rev > leak.txt"})
    project.model.say([Say(calls=[leak]), *looks(checkpoint.STEPS), Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project, checkpoint.STEPS + 2)
    job.kill()
    job.communicate(timeout=30)
    assert state(project, number)["steps"] == checkpoint.STEPS
    assert len(project.origin.git("log", "-1", "--format=%P", ref(number)).split()) == 0
    everything = project.origin.git("cat-file", "--batch-all-objects", "--batch", "--buffer")
    assert project.model.key not in everything


def test_a_platform_that_takes_no_checkpoint_is_no_reason_to_stop(project: Pipeline) -> None:
    hook = project.origin.path / "hooks" / "pre-receive"
    hook.write_text('#!/bin/sh\nwhile read old new ref; do case "$ref" in *ci-agent/*) exit 1;; esac; done\n')
    hook.chmod(0o755)
    number = project.forge.write_issue("add() subtracts", "")
    done = project.run(*labelled(project, number))
    assert done.exit_code == 0, done.log
    assert done.log.count("could not be saved for a later job") == 1
    assert project.origin.git("for-each-ref", "refs/ci-agent") == ""


def test_a_platform_that_wants_no_such_refs_gets_a_branch(project: Pipeline) -> None:
    project.origin.git("config", "receive.hideRefs", "refs/ci-agent")
    number = project.forge.write_issue("add() subtracts", "")
    done = project.run(*labelled(project, number))
    assert done.exit_code == 0, done.log
    assert "could not be saved" not in done.log
    assert project.origin.git("rev-parse", "--verify", f"refs/heads/ci-agent/state/{number}")
    [found] = listed(project)
    assert (found["status"], found["ref"]) == ("completed", f"refs/heads/ci-agent/state/{number}")


def test_people_list_show_and_export_sessions(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    project.run(*labelled(project, number), CI_AGENT_CHECKPOINT_KEY=KEY)
    [found] = listed(project, CI_AGENT_CHECKPOINT_KEY=KEY)
    assert found["problem"] == ""
    assert (found["issue"], found["status"], found["signature"]) == (str(number), "completed", "holds")
    assert [one["signature"] for one in listed(project)] == ["not checked"]
    table = sessions(project, "list").stdout
    assert "add() subtracts" in table
    assert "completed" in table
    shown = sessions(project, "show", str(number)).stdout
    assert f"issue {number}: add() subtracts" in shown
    assert ref(number) in shown
    exported = sessions(project, "export", str(number), "-o", "kept")
    assert exported.returncode == 0, exported.stderr
    place = project.folder / "person" / "widget" / "kept"
    assert len((place / "session.jsonl").read_text().splitlines()) == len(journal(project, number))
    again = sessions(project, "export", str(number), "-o", "kept")
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    none = sessions(project, "show", "999")
    assert (none.returncode, "no session of issue 999" in none.stderr) == (2, True)


def test_what_a_job_that_was_killed_left_stays_until_the_next_one_has_more(project: Pipeline) -> None:
    steps = iter([Say(calls=[FIX]), *looks(checkpoint.STEPS)])
    project.model.say(lambda _: next(steps, Hang()))
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project, checkpoint.STEPS + 2)
    job.kill()
    job.communicate(timeout=30)
    project.end()
    left = project.origin.git("rev-parse", f"{ref(number)}^^{{tree}}")
    project.model.say([Hang()])
    asked = len(project.model.requests)
    again = start(project, project.environment(*commented(project, number, "/agent retry")))
    until_asked(project, asked + 1)
    again.kill()
    again.communicate(timeout=30)
    assert state(project, number)["jobs"] == 2
    assert project.origin.git("rev-parse", f"{ref(number)}^^{{tree}}") == left


def test_a_job_that_is_cancelled_while_it_saves_is_kept_to_its_end(project: Pipeline) -> None:
    """The push arrives, but nobody hears of it."""
    hook = project.origin.path / "hooks" / "update"
    waits, goes = project.folder / "waits", project.folder / "goes"
    hook.write_text(
        f'#!/bin/sh\ncase "$1" in refs/ci-agent/issues/*) [ -e {goes} ] || {{ touch {waits}; sleep 2; }};; esac\n'
    )
    hook.chmod(0o755)
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until(waits.exists)
    goes.touch()
    job.send_signal(signal.SIGTERM)
    log, _ = job.communicate(timeout=30)
    assert job.returncode == 143, log
    assert "Somebody else" not in log + project.said(number)[0][1]
    assert state(project, number)["status"] == "cancelled"


def test_the_work_is_signed_too(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    project.run(*labelled(project, number), CI_AGENT_CHECKPOINT_KEY=KEY)
    git = ["git", "--git-dir", str(project.origin.path), "-c", "user.name=x", "-c", "user.email=x@y"]
    other = project.origin.git("rev-parse", "main")
    words = [*git, "commit-tree", f"{ref(number)}^{{tree}}", "-p", other, "-m", "x"]
    project.origin.git("update-ref", ref(number), subprocess.check_output(words, text=True).strip())
    [found] = listed(project, CI_AGENT_CHECKPOINT_KEY=KEY)
    assert (found["signature"], found["problem"]) == ("wrong", "its work is another one than what was signed")
    exported = sessions(project, "export", str(number), CI_AGENT_CHECKPOINT_KEY=KEY)
    assert (exported.returncode, "nothing is taken from" in exported.stderr) == (1, True)


def forged(project: Pipeline, number: int, names: Sequence[str]) -> None:
    """Somebody who may push says of the session that it cost nothing, and signs that with a key of their own."""
    kept = {**state(project, number), "cost": 0.0, "title": "forged"}
    forgery = msgspec.json.decode(json.dumps(kept), type=checkpoint.State)
    content = dict(
        zip(("state.json", "state.hmac"), signing.signed(forgery, b"k" * 32, checkpoint.PURPOSE), strict=True)
    )
    git = ["git", "--git-dir", str(project.origin.path)]
    lines = []
    for name in subprocess.check_output([*git, "ls-tree", "--name-only", ref(number)], text=True).split():
        blob = subprocess.check_output([*git, "cat-file", "blob", f"{ref(number)}:{name}"])
        if name in names:
            blob = content[name]
        made = subprocess.run(
            [*git, "hash-object", "-w", "--stdin"], input=blob, stdout=subprocess.PIPE, check=True
        )
        lines.append(f"100644 blob {made.stdout.decode().strip()}\t{name}\n")
    tree = subprocess.run(
        [*git, "mktree"], input="".join(lines), stdout=subprocess.PIPE, text=True, check=True
    )
    author = ["-c", "user.name=x", "-c", "user.email=x@y"]
    words = [*git, *author, "commit-tree", tree.stdout.strip(), "-m", "x"]
    project.origin.git("update-ref", ref(number), subprocess.check_output(words, text=True).strip())


@pytest.mark.parametrize(
    "names", [["state.json"], ["state.json", "state.hmac"]], ids=["changed", "signed anew"]
)
def test_a_checkpoint_that_somebody_changed_is_not_believed(project: Pipeline, names: list[str]) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    project.run(*labelled(project, number), CI_AGENT_CHECKPOINT_KEY=KEY)
    forged(project, number, names)
    [found] = listed(project, CI_AGENT_CHECKPOINT_KEY=KEY)
    assert (found["signature"], found.get("title")) == ("wrong", None)
    assert (
        "is not signed with this repository's key"
        in sessions(project, "show", str(number), CI_AGENT_CHECKPOINT_KEY=KEY).stdout
    )


def test_a_checkpoint_that_was_copied_from_another_issue_is_not_believed(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    project.run(*labelled(project, number), CI_AGENT_CHECKPOINT_KEY=KEY)
    project.origin.git("update-ref", ref(number + 70), ref(number))
    found = {one["issue"]: one["signature"] for one in listed(project, CI_AGENT_CHECKPOINT_KEY=KEY)}
    assert found == {str(number): "holds", str(number + 70): "wrong"}


def test_poll_deletes_what_is_old_and_signed_and_nothing_else(project: Pipeline) -> None:
    old, fresh, strange = (project.forge.write_issue("add() subtracts", "") for _ in range(3))
    for number in (old, fresh, strange):
        project.model.say(list(SOLVE))
        assert project.run(*labelled(project, number), CI_AGENT_CHECKPOINT_KEY=KEY).exit_code == 0
        project.end()
    forged(project, strange, ["state.json"])
    # The clock of the schedule is the CI's own, so the retention is what moves.
    environment = project.environment("schedule", {}, CI_AGENT_CHECKPOINT_KEY=KEY)
    words = (
        ("--child-pipeline", str(Path(environment["HOME"]) / "child.yml"))
        if project.platform == "gitlab"
        else ()
    )
    polled = project.call(environment, *words, command="poll")
    assert polled.exit_code == 0, polled.log
    assert len(project.origin.git("for-each-ref", "refs/ci-agent/issues").splitlines()) == 3
    kept = datetime.fromisoformat(state(project, old)["saved"])
    between = datetime.fromisoformat(state(project, fresh)["saved"])
    assert kept < between
    age = (datetime.now(UTC) - between + (between - kept) / 2) / timedelta(days=1)
    polled = project.call(
        environment | {"CI_AGENT_CHECKPOINT_RETENTION": f"{age:.9f}"}, *words, command="poll"
    )
    assert f"Deleted what was kept of old sessions: {old}." in polled.log
    left = project.origin.git("for-each-ref", "--format=%(refname)", "refs/ci-agent/issues").split()
    assert left == [ref(fresh), ref(strange)]


def test_nothing_is_kept_by_a_job_that_publishes_nothing(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    project.run(*labelled(project, number), "--no-publish", CI_AGENT_BUNDLE_KEY="b" * 32)
    assert project.origin.git("for-each-ref", "refs/ci-agent") == ""


@pytest.mark.parametrize("project", ["github"], indirect=True)  # on GitLab the bot's token is a key
def test_nothing_is_kept_where_that_is_not_wanted(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    assert project.run(*labelled(project, number), CI_AGENT_CHECKPOINT_KEEP="false").exit_code == 0
    assert project.origin.git("for-each-ref", "refs/ci-agent/issues") == ""


def test_without_any_key_the_log_says_that_sessions_are_not_kept(project: Pipeline) -> None:
    project.model.say([Say(calls=[FIX]), Say(calls=[SUBMIT])])
    number = project.forge.write_issue("add() subtracts", "")
    done = project.run(*labelled(project, number), LLM_API_KEY="short")
    assert "Sessions are not kept" in done.log
    assert project.origin.git("for-each-ref", "refs/ci-agent/issues") == ""
