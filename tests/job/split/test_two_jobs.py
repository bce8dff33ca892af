"""One job works without a token that may write, another one publishes, on both platforms."""

from __future__ import annotations

import json

import pytest

from ci_agent.journal import read
from ci_agent.journal.events import CommentWritten, LabelsChanged, MergeRequestWritten, Pushed, TakenOver
from tests.job.conftest import commented, start, until_asked
from tests.job.split.conftest import KEY, TwoJobs, pipeline_of
from tests.support.jobs import BREAK, FIX, SUBMIT
from tests.support.model_server import Hang, Say

pytestmark = pytest.mark.slow

BRANCH = "feat/ai-task-1"


def test_the_first_job_writes_nothing_and_leaves_a_bundle(jobs: TwoJobs) -> None:
    done = jobs.work()
    assert done.exit_code == 0, done.log
    assert jobs.project.said(jobs.number) == []
    assert jobs.project.labels(jobs.number) == ["ai-task"]
    assert jobs.branches() == "main"
    names = {path.name for path in jobs.bundle.iterdir()}
    assert names == {
        "manifest.json", "manifest.hmac", "session.jsonl", "work.bundle", "comment.md", "merge-request.md",
    }  # fmt: skip
    published = CommentWritten | LabelsChanged | MergeRequestWritten | Pushed
    assert not [event for event in read(jobs.bundle / "session.jsonl") if isinstance(event.fact, published)]
    assert KEY not in done.log.replace(f"::add-mask::{KEY}", "")


def test_the_second_job_publishes_what_the_first_one_did(jobs: TwoJobs) -> None:
    assert jobs.work().exit_code == 0
    asked = len(jobs.project.model.requests)
    done = jobs.publish()
    assert done.exit_code == 0, done.log
    assert len(jobs.project.model.requests) == asked
    assert "verified · 1 test fixed, none newly broken" in jobs.comment()
    assert jobs.project.labels(jobs.number) == ["ai-review"]
    [request] = jobs.project.merge_requests()
    assert (request["branch"], request["draft"], request["reviewers"]) == (BRANCH, False, ["dana"])
    assert request["text"].startswith("Closes #1 · reported by guest · started by @dana\n\n**Verified.**")
    assert request["text"].count("which ran no tests of its own.") == 1
    assert "Closes: #1" in jobs.project.origin.git("log", "-1", "--format=%b", BRANCH)
    assert "return a + b" in jobs.project.origin.show(BRANCH, "calculator.py")
    [(sha, _)] = jobs.project.forge.statuses
    assert sha == jobs.project.origin.git("rev-parse", BRANCH)
    assert [event.fact for event in done.events if isinstance(event.fact, TakenOver)]


def test_publishing_twice_leaves_the_same_as_once(jobs: TwoJobs) -> None:
    jobs.work()
    jobs.publish()
    sha, text = jobs.project.origin.git("rev-parse", BRANCH), jobs.comment()
    assert jobs.project.forge.label(jobs.number, "ai-task", by="dana")
    again = jobs.publish()
    assert again.exit_code == 0, again.log
    assert jobs.project.origin.git("rev-parse", BRANCH) == sha
    assert len(jobs.project.merge_requests()) == 1
    assert jobs.comment().partition("·")[0] == text.partition("·")[0]
    assert jobs.branches().split() == [BRANCH, "main"]


def test_without_a_bundle_the_second_job_says_so(jobs: TwoJobs) -> None:
    done = jobs.publish()
    assert done.exit_code == 1, done.log
    assert jobs.comment().startswith("**Nothing to publish.** The job that works left nothing behind")
    assert jobs.project.labels(jobs.number) == ["ai-failed"]


def test_without_a_key_neither_job_does_anything(jobs: TwoJobs) -> None:
    for done in (jobs.work(CI_AGENT_BUNDLE_KEY=""), jobs.publish(CI_AGENT_BUNDLE_KEY="")):
        assert done.exit_code == 3, done.log
        assert "there is no key for the bundle; set CI_AGENT_BUNDLE_KEY" in done.log
    assert jobs.project.model.requests == []
    assert jobs.comment().startswith("**Could not begin.** there is no key for the bundle")


def test_a_short_key_is_no_key(jobs: TwoJobs) -> None:
    done = jobs.work(CI_AGENT_BUNDLE_KEY="short")
    assert done.exit_code == 2, done.log
    assert "at least 32 characters are wanted" in done.log


def test_a_session_that_did_not_solve_it_is_told_as_such(jobs: TwoJobs) -> None:
    jobs.project.model.say([Say(calls=[BREAK]), Say(calls=[SUBMIT])])
    first = jobs.work(CI_AGENT_LIMITS_MAX_VERIFICATIONS="1")
    assert first.exit_code == 1, first.log
    assert jobs.publish().exit_code == 1
    assert jobs.project.labels(jobs.number) == ["ai-failed"]
    [request] = jobs.project.merge_requests()
    assert request["draft"]
    assert "**Broken.** 1 test newly broken" in request["text"]


def test_what_the_bundle_says_of_itself(jobs: TwoJobs) -> None:
    jobs.work()
    manifest = json.loads((jobs.bundle / "manifest.json").read_text())
    pipeline = jobs.first.get("GITHUB_RUN_ID") or jobs.first["CI_PIPELINE_ID"]
    assert (manifest["platform"], manifest["pipeline"], manifest["issue"]) == (
        jobs.project.platform, pipeline, "1",
    )  # fmt: skip
    proposed = (jobs.bundle / "merge-request.md").read_text()
    assert "**Verified.**" in proposed


def test_what_stands_no_more_is_said_by_the_second_job_alone(jobs: TwoJobs) -> None:
    jobs.project.forge.close(jobs.number)
    first = jobs.work()
    assert (first.exit_code, jobs.bundle.exists()) == (0, False), first.log
    assert jobs.project.said(jobs.number) == []
    assert jobs.publish().exit_code == 0
    assert jobs.comment().startswith("This issue is closed, so I do nothing.")


def test_the_bundle_takes_the_place_of_nothing(jobs: TwoJobs) -> None:
    jobs.bundle.mkdir()
    (jobs.bundle / "precious").write_text("x")
    done = jobs.work()
    assert done.exit_code == 2, done.log
    assert "is there already; choose a new or empty folder with --bundle" in done.log
    assert jobs.project.model.requests == []


def test_a_secret_of_the_first_job_is_in_no_bundle(jobs: TwoJobs) -> None:
    secret = "tok_9f8e7d6c5b4a39281706f5e4d3c2b1a0"
    jobs.project.model.say(
        [Say(calls=[FIX, ("write_file", {"path": "note", "content": secret})]), Say(calls=[SUBMIT])]
    )
    assert jobs.work(DEPLOY_TOKEN=secret).exit_code == 1
    assert "work.bundle" not in {path.name for path in jobs.bundle.iterdir()}
    assert all(secret.encode() not in path.read_bytes() for path in jobs.bundle.iterdir())
    assert jobs.publish().exit_code == 1
    assert "secret values are in it" in jobs.comment()
    assert jobs.branches() == "main"


def test_a_first_job_that_is_cancelled_leaves_a_bundle_that_says_so(jobs: TwoJobs) -> None:
    jobs.project.model.say([Hang()])
    words = ("--no-publish", "--bundle", str(jobs.bundle))
    with start(jobs.project, jobs.first, *words) as process:
        until_asked(jobs.project)
        process.terminate()
        log, _ = process.communicate(timeout=30)
    assert process.returncode == 143, log
    assert jobs.publish().exit_code == 130
    assert jobs.comment().startswith("**Cancelled.**")


def test_another_attempt_goes_on_with_the_branch(jobs: TwoJobs) -> None:
    project = jobs.project
    jobs.work()
    jobs.publish()
    project.end()
    first = project.origin.git("rev-parse", BRANCH)
    project.model.say(
        [Say(calls=[("write_file", {"path": "more.py", "content": "x = 1\n"})]), Say(calls=[SUBMIT])]
    )
    again = pipeline_of(project, jobs.number, *commented(project, jobs.number, "/agent retry with more"))
    done = again.work()
    assert done.exit_code == 0, done.log
    done = again.publish()
    assert done.exit_code == 0, done.log
    assert project.origin.git("rev-parse", f"{BRANCH}^") == first
    assert len(project.merge_requests()) == 1


def test_work_that_a_person_has_to_approve_on_its_way_does_not_begin(jobs: TwoJobs) -> None:
    for done in (
        jobs.work(CI_AGENT_APPROVAL_NEEDED="push"),
        jobs.publish(CI_AGENT_APPROVAL_NEEDED="push"),
    ):
        assert done.exit_code == 0, done.log
        assert "an approval is needed, which two jobs can't wait for" in done.log
    assert jobs.project.model.requests == []
    assert "so I have not begun" in jobs.comment()
