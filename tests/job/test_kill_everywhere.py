"""Whatever a session dies of, and wherever: the next schedule brings it to the end that it would have come to.

Each point is a job that something happens to, what the CI does then, and the schedules after it. `POINTS=all` tries every
point, else one in 13 (docs/architecture.md has how many that are).
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.forges.http import Fault
from tests.job.conftest import commented, labelled
from tests.job.test_checkpoints import journal, state
from tests.support.jobs import BREAK, FIX, MEND, SUBMIT
from tests.support.model_server import ModelServer, Request, Say, Step
from tests.support.namespaces import lacking, unshared
from tests.support.pipelines import Done, Pipeline, pipeline

pytestmark = pytest.mark.slow

PLAN = ("update_plan", {"items": [{"text": "Mend add()", "done": False}]})
WORK = (
    Say(calls=[PLAN, ("bash", {"command": "grep -n a calculator.py"})]),
    Say(calls=[FIX, BREAK]),
    Say(calls=[SUBMIT]),
    Say(calls=[MEND]),
    Say(calls=[SUBMIT]),
)
STRIDE = 1 if os.environ.get("POINTS") == "all" else 13
EVENTS = 90  # more than a session has; what dies later is not hit
FULL = os.strerror(errno.ENOSPC)
SAVED = 4  # before this event the session is not saved
REQUESTS = 60  # the same of the platform's


def by_heart(request: Request) -> Step:
    """The model: what it says depends on how much it has said in this conversation, as far as it is told of that. What a full
    disk kept it from it says again."""
    done = list[bool]()
    for message in request.body["messages"]:
        if message["role"] == "assistant":
            done.append(True)
        elif message["role"] == "tool" and FULL in str(message["content"]):
            done[-1] = False
    return WORK[min(sum(done), len(WORK) - 1)]


@dataclass(frozen=True)
class End:
    """What a session came to, as far as it must not depend on what happened on the way."""

    status: str
    labels: tuple[str, ...]
    branches: tuple[str, ...]
    files: str  # the tree on the work branch
    requests: tuple[tuple[str, bool, bool], ...]  # title, draft, open
    comments: tuple[str, ...]  # the first words of each


@pytest.fixture(params=["github", "gitlab"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pipeline]:
    with ModelServer(by_heart) as model, pipeline(request.param, tmp_path, model) as made:
        yield made


def end_of(project: Pipeline, number: int) -> End:
    branch = f"feat/ai-task-{number}"
    branches = project.origin.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()
    there = branch in branches
    return End(
        status=state(project, number)["status"],
        labels=tuple(sorted(project.labels(number))),
        branches=tuple(branches),
        files=project.origin.git("rev-parse", f"{branch}^{{tree}}") if there else "",
        requests=tuple((one["title"], one["draft"], one["open"]) for one in project.merge_requests()),
        comments=tuple(text.split()[0] for who, text in project.said(number) if who != "dana"),
    )


def dying(project: Pipeline, environment: dict[str, str], kind: str, event: int, *words: str) -> Done:
    """A job to which it happens."""
    command = [sys.executable, "-m", "tests.support.dying", kind, str(event), "job", *words]
    if kind == "full":
        github = project.platform == "github"
        folder = project.place(environment) / "temp" if github else project.folder / "checkout.tmp"
        folder.mkdir()
        script = f'mount -t tmpfs -o size=40m none "{folder}" && exec "$@"'
        command = [*unshared(), "sh", "-c", script, "sh", *command]
    done = subprocess.run(
        command,
        env=environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=project.place(environment),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return project.done(environment, done.returncode, done.stdout + done.stderr)


def schedules(project: Pipeline, number: int) -> None:
    """The schedule's jobs until nothing waits: one that looks, and one for each issue that it finds."""
    for _ in range(4):
        project.end()
        looked = project.call(project.environment("schedule", {}), command="poll")
        assert looked.exit_code == 0, looked.log
        if "0 issues wait" in looked.log:
            return
        worked = project.run("schedule", {}, "--issue", str(number))
        assert worked.exit_code in (0, 1), worked.log
    raise AssertionError(f"it never comes to an end: {project.said(number)}")


def undisturbed(project: Pipeline) -> tuple[End, int, int]:
    """How it ends when nothing happens, and how many events and requests that takes."""
    number = project.forge.write_issue("add() subtracts", "")
    before = len(project.server.requests)
    done = project.run(*labelled(project, number))
    assert done.exit_code == 0, done.log
    return end_of(project, number), len(done.events), len(project.server.requests) - before


def check(project: Pipeline, number: int, wanted: End) -> None:
    found = end_of(project, number)
    assert found == wanted
    # What a job that is cancelled has so far is a commit of its own; nothing is pushed twice.
    commits = project.origin.git("log", "--format=%T", f"main..feat/ai-task-{number}").split()
    assert 1 <= len(commits) == len(set(commits)) <= 2
    events = journal(project, number)
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    replies = [event["fact"] for event in events if event["kind"] == "ModelReplied"]
    kept = state(project, number)
    assert kept["steps"] == len(replies) == len({event["step"] for event in replies})
    assert [event["kind"] for event in events].count("SessionEnded") >= 1


@pytest.fixture
def wanted(project: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> End:
    """What an undisturbed session comes to on the same platform."""
    if project.platform not in _UNDISTURBED:
        with ModelServer(by_heart) as model:
            place = tmp_path_factory.mktemp("undisturbed")
            with pipeline(project.platform, place, model) as other:
                _UNDISTURBED[project.platform] = undisturbed(other)
    return _UNDISTURBED[project.platform][0]


_UNDISTURBED: dict[str, tuple[End, int, int]] = {}


def recovered(project: Pipeline, number: int) -> None:
    """What becomes of it: the schedules; and where a person has to ask again, one does."""
    schedules(project, number)
    if "ai-failed" in project.labels(number):
        project.end()
        again = project.run(*commented(project, number, "/agent retry"))
        assert again.exit_code == 0, again.log


@pytest.mark.parametrize("event", range(1, EVENTS, STRIDE))
def test_a_job_that_is_killed(project: Pipeline, wanted: End, event: int) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    environment = project.environment(*labelled(project, number))
    dying(project, environment, "kill", event)
    recovered(project, number)
    check(project, number, wanted)


@pytest.mark.parametrize("event", range(min(2, STRIDE), EVENTS, STRIDE))
def test_a_job_that_is_killed_where_the_ci_says_the_last_word(
    project: Pipeline, wanted: End, event: int
) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    environment = project.environment(*labelled(project, number))
    dying(project, environment, "kill", event)
    word = project.call(environment, "--final-word")
    assert word.exit_code == 0, word.log
    recovered(project, number)
    check(project, number, wanted)


@pytest.mark.parametrize("event", range(min(3, STRIDE), EVENTS, STRIDE))
def test_a_job_that_is_cancelled(project: Pipeline, wanted: End, event: int) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    dying(project, project.environment(*labelled(project, number)), "term", event)
    recovered(project, number)
    check(project, number, wanted)


@pytest.mark.skipif(bool(lacking()), reason=str(lacking()))
@pytest.mark.parametrize("event", range(min(4, STRIDE), EVENTS, STRIDE))
def test_a_job_whose_disk_is_full(project: Pipeline, wanted: End, event: int) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    dying(project, project.environment(*labelled(project, number)), "full", event)
    recovered(project, number)
    if event < SAVED:  # nothing of it could be saved, so what follows is another session
        wanted = replace(wanted, comments=("**Not", *wanted.comments))
    check(project, number, wanted)


@dataclass
class Nth(Fault):
    """The `number`th request of all, from 1, and as many after it as `times` says."""

    number: int = 1
    seen: int = 0

    def matches(self, request: Any) -> bool:
        self.seen += 1
        return self.times > 0 and self.seen >= self.number


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("request_number", range(1, REQUESTS, STRIDE))
def test_a_request_that_is_cut(project: Pipeline, wanted: End, request_number: int, after: bool) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    event = labelled(project, number)
    cut = Nth("", "", after=after, number=request_number)
    project.server.faults.append(cut)
    project.run(*event)
    project.server.faults.remove(cut)
    recovered(project, number)
    check(project, number, wanted)


@pytest.mark.parametrize("request_number", range(1, REQUESTS, STRIDE))
def test_a_platform_that_is_gone_from_some_request_on(
    project: Pipeline, wanted: End, request_number: int
) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    event = labelled(project, number)
    gone = Nth("", "", status=503, times=10_000, number=request_number)
    project.server.faults.append(gone)
    project.run(*event)
    project.server.faults.remove(gone)
    recovered(project, number)
    check(project, number, wanted)
