"""A job knows when its CI ends it, and has said its last word by then."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.ci import Definition, Host, Job
from ci_agent.ci.detect import here
from ci_agent.ci.output import output
from ci_agent.guard import Guard
from ci_agent.job.deadline import LAST_SECONDS, Deadline, deadline_of, in_time
from ci_agent.journal.events import Committed, SessionEnded, SessionStarted
from ci_agent.platforms.github import GitHub
from ci_agent.task import Ending, Limits
from tests.forges.github import NAME, RUNNER, FakeGitHub
from tests.forges.http import Fault
from tests.job.conftest import labelled
from tests.support.jobs import FIX
from tests.support.model_server import Hang, Say
from tests.support.pipelines import WORKFLOW, Pipeline

NOW = datetime(2026, 5, 6, 12, 0, tzinfo=UTC)
LIMITS = Limits(iterations=20, minutes=60, cost=2.0, input_tokens=1000, output_tokens=100, verifications=3)


# --- what is left of a session's time ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends_in", "worked", "minutes", "job_minutes"),
    [
        (None, 0, 60, None),
        (75, 0, 60, None),
        (61.5, 0, 60, None),
        (31.5, 0, 30, 75),
        (31.5, 20 * 60, 50, 75),  # the 20 minutes of earlier jobs count: 30 are left here
        (31.5, 40 * 60, 60, None),  # the session's own limit is nearer
        (31.5, 70 * 60, 60, None),  # and was reached before
        (1, 0, 0, 75),
        (-5, 10 * 60, 10, 75),
    ],
)
def test_a_session_works_until_its_limit_or_until_its_job_is_nearly_over(
    ends_in: float | None, worked: float, minutes: float, job_minutes: float | None
) -> None:
    deadline = None if ends_in is None else Deadline(NOW + timedelta(minutes=ends_in), 75)
    assert in_time(LIMITS, deadline, NOW, worked) == replace(LIMITS, minutes=minutes, job_minutes=job_minutes)


@given(st.floats(0.1, 10_080), st.floats(-1e4, 1e6), st.floats(0, 1e6))
def test_no_session_works_longer_than_its_limit_or_into_the_end_of_its_job(
    minutes: float, left: float, worked: float
) -> None:
    limits = replace(LIMITS, minutes=minutes)
    found = in_time(limits, Deadline(NOW + timedelta(seconds=left), 75), NOW, worked)
    here_alone = found.minutes * 60 - worked
    assert found.minutes <= minutes
    assert here_alone <= max(0.0, left - LAST_SECONDS) + 1e-3
    assert (found.job_minutes is None) == (found.minutes == minutes)


# --- when the job ends ------------------------------------------------------------------------------------


def _host(tmp_path: Path, **changed: object) -> Host:
    environment = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": NAME,
        "GITHUB_RUN_ID": "7",
        "RUNNER_NAME": RUNNER,
        "RUNNER_TEMP": str(tmp_path),
    }
    job = here(environment)
    assert job is not None
    guard = Guard([])
    given = {"definition": Definition(WORKFLOW, "main", "work", longer=False)} | changed
    made: Job = replace(job, **given)  # type: ignore[arg-type]
    return Host(made, output(environment, io.StringIO(), "github", guard), guard)


def _deadline(tmp_path: Path, file: str | None, *faults: Fault, **changed: object) -> Deadline | None:
    """Of a job that began at `NOW`, ten minutes later."""
    github = FakeGitHub()
    github.runs[7], github.began[7] = "in_progress", f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    if file is not None:
        github.files[WORKFLOW] = file.encode()
    with github.serve() as server:
        server.faults = list(faults)
        forge = GitHub(NAME, "ghs_workflow", api_url=server.url, wait=lambda _seconds: None)
        found = deadline_of(_host(tmp_path, **changed), forge, NOW + timedelta(minutes=10))
        asked = [request for request in server.requests if request.path not in ("/user", "/graphql")]
        assert len(asked) <= 2 + sum(8 - fault.times for fault in faults), asked
        return found


_TWENTY = "jobs: {work: {runs-on: x, timeout-minutes: 20}}"
_LONG = "jobs: {work: {runs-on: x, timeout-minutes: 600}}"


def test_on_github_the_workflow_says_how_long_and_the_platform_since_when(tmp_path: Path) -> None:
    assert _deadline(tmp_path, _TWENTY) == Deadline(NOW + timedelta(minutes=20), 20)


@pytest.mark.parametrize(
    "file", [None, "jobs: {work: {runs-on: x}}", "jobs: {}", "'", "jobs: {work: {uses: x}}"]
)
def test_where_the_workflow_does_not_say_it_github_gives_six_hours(tmp_path: Path, file: str | None) -> None:
    assert _deadline(tmp_path, file) == Deadline(NOW + timedelta(hours=6), 360)


def test_more_than_six_hours_there_are_on_runners_of_ones_own_alone(tmp_path: Path) -> None:
    own = Definition(WORKFLOW, "main", "work", longer=True)
    assert _deadline(tmp_path, _LONG) == Deadline(NOW + timedelta(hours=6), 360)
    assert _deadline(tmp_path, _LONG, definition=own) == Deadline(NOW + timedelta(hours=10), 600)


def test_what_the_ci_itself_says_is_not_asked_for(tmp_path: Path) -> None:
    said = {"minutes": 5.0, "began": NOW, "definition": None}
    dead = [Fault(method, ".", 500, times=8) for method in ("GET", "POST")]
    assert _deadline(tmp_path, None, *dead, **said) == Deadline(NOW + timedelta(minutes=5), 5)


def test_a_job_that_begins_in_the_future_by_the_servers_clock_begins_now(tmp_path: Path) -> None:
    said = {"minutes": 5.0, "began": NOW + timedelta(hours=1), "definition": None}
    assert _deadline(tmp_path, None, **said) == Deadline(NOW + timedelta(minutes=15), 5)


def test_a_job_of_which_nobody_says_how_long_it_may_take_has_no_end(tmp_path: Path) -> None:
    assert _deadline(tmp_path, None, minutes=None, definition=None) is None


@pytest.mark.parametrize("status", [0, 400, 401, 403, 404, 429, 500, 503])
def test_an_api_that_refuses_is_no_reason_to_stop(tmp_path: Path, status: int) -> None:
    found = _deadline(tmp_path, _TWENTY, Fault("GET", "/contents/", status, times=8))
    assert found == Deadline(NOW + timedelta(hours=6), 360)
    _deadline(tmp_path, _TWENTY, Fault("GET", "/jobs", status, times=8))


# --- whole jobs -------------------------------------------------------------------------------------------


def _nearly_over(project: Pipeline, seconds: float) -> tuple[dict[str, str], datetime]:
    """The environment of a job of five minutes that has worked time for so many seconds more, and its end."""
    ends = datetime.now(UTC) + timedelta(seconds=LAST_SECONDS + seconds)
    began = f"{ends - timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    number = project.forge.write_issue("add() subtracts", "")
    name, payload = labelled(project, number)
    if project.platform == "gitlab":
        more = {"CI_JOB_STARTED_AT": began, "CI_JOB_TIMEOUT": "900", "RUNNER_SCRIPT_TIMEOUT": "5m"}
        return project.environment(name, payload, **more), ends
    project.forge.files[WORKFLOW] = b"on: issues\njobs: {work: {runs-on: x, timeout-minutes: 5}}\n"
    environment = project.environment(name, payload)
    project.forge.began[int(environment["GITHUB_RUN_ID"])] = began
    return environment, ends


@pytest.mark.slow
def test_a_session_ends_before_its_job_is_ended_and_says_whose_limit_that_was(project: Pipeline) -> None:
    project.model.say(lambda request: Say(calls=[FIX]) if len(request.body["messages"]) == 2 else Hang())
    environment, ends = _nearly_over(project, 20)
    done = project.call(environment)
    assert datetime.now(UTC) < ends
    assert done.exit_code == 4, done.log
    [started] = [event.fact for event in done.events if isinstance(event.fact, SessionStarted)]
    assert started.limits.job_minutes == 5
    assert 0 < started.limits.minutes * 60 <= 20
    [ended] = [event.fact for event in done.events if isinstance(event.fact, SessionEnded)]
    assert ended.ending is Ending.LIMIT_WALL
    assert ended.sentence.startswith("The time is up: this job may take 5 minutes, less what")
    [(_, said)] = project.said(1)
    assert said.startswith("**Stopped at a limit.** The time is up: this job may take 5 minutes, less what")
    [request] = project.merge_requests()
    assert request["draft"]
    assert "This job may take 5 min, and its end came near before the work was handed in." in request["text"]
    assert "limits.timeout" not in said + request["text"]
    assert [event for event in done.events if isinstance(event.fact, Committed)]
    assert "return a + b" in project.origin.show("feat/ai-task-1", "calculator.py")


@pytest.mark.slow
def test_a_job_that_is_nearly_over_when_it_begins_says_so_at_once(project: Pipeline) -> None:
    environment, ends = _nearly_over(project, -60)
    done = project.call(environment)
    assert datetime.now(UTC) < ends
    assert done.exit_code == 4, done.log
    assert not project.model.requests
    said = project.said(1)[0][1]
    assert said.count("this job may take 5 minutes") == 1
    assert project.labels(1) == ["ai-failed"]


@pytest.mark.slow
@pytest.mark.parametrize("project", ["github"], indirect=True)
def test_a_platform_that_says_nothing_of_the_job_stops_none(project: Pipeline) -> None:
    project.server.faults = [
        Fault("GET", "/actions/runs/\\d+/jobs", 403, times=99, body={"message": "Forbidden"}),
        Fault("GET", f"/contents/{WORKFLOW}", 400, times=99, body={"message": "Bad"}),
    ]
    done = project.run(*labelled(project, project.forge.write_issue("add() subtracts", "")))
    assert done.exit_code == 0, done.log
    assert "The workflow could not be read" in done.log
    assert f"{WORKFLOW} does not say how long this job may take; 360 minutes are assumed." in done.log
