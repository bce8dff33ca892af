"""Whole workflows with the examples and the action as they are shipped, in act: from an event to the last word."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.forges.github import NAME, FakeGitHub
from tests.support.act import OURS, Workflow, entry_process, interrupt_as_the_runner_does, run, start
from tests.support.git_server import git_server
from tests.support.jobs import SOLVE, calculator
from tests.support.model_server import Hang, ModelServer, Request, Say, Step
from tests.support.repositories import Repository
from tests.templates.documents import EXAMPLES

pytestmark = pytest.mark.slow

ISSUES = (EXAMPLES / "github-issues.yml").read_text(encoding="utf-8")


_USE = f"      - uses: {OURS}\n        with:\n          mode: route"


@dataclass(frozen=True)
class Rig:
    """A repository on GitHub with the example for issues as its workflow."""

    folder: Path
    github: FakeGitHub
    url: str

    def workflow(
        self, event: str, payload: Mapping[str, Any], model: ModelServer | None = None, text: str = ISSUES
    ) -> Workflow:
        environment = {"GITHUB_API_URL": self.url, "MODEL_NAME": "scripted"}
        if model:
            environment["LLM_BASE_URL"] = model.base_url
        secrets = {"LLM_API_KEY": model.key} if model else {}
        return Workflow(self.folder / "act", text, event, payload, environment, secrets)


@contextmanager
def rig(folder: Path) -> Iterator[Rig]:
    bare = folder / "git" / f"{NAME}.git"
    with git_server(folder / "git", "x-access-token", "ghs_workflow") as git:
        calculator(folder).git("clone", "--quiet", "--bare", ".", str(bare))
        Repository(bare).git("config", "http.receivepack", "true")
        github = FakeGitHub(git.url(f"{NAME}.git"), bare)
        with github.serve() as server:
            yield Rig(folder, github, server.url)


def test_a_label_becomes_a_pull_request(tmp_path: Path) -> None:
    with rig(tmp_path) as here, ModelServer(SOLVE) as model:
        number = here.github.write_issue("Sums are wrong", "add() subtracts")
        workflow = here.workflow("issues", here.github.label(number, "ai-task"), model)
        code, log = run(workflow)
        assert code == 0, log
        (pull,) = here.github.pulls.values()
        assert pull["head"]["ref"] == f"feat/ai-task-{number}"
        assert (workflow.artifacts / "ci-agent-report/junit.xml").is_file()
        assert "set-output:: status=completed" in log
        assert "Everything has been said." in log
        assert model.key not in log


def test_one_job_works_and_another_publishes(tmp_path: Path) -> None:
    text = (EXAMPLES / "github-split.yml").read_text(encoding="utf-8")
    with rig(tmp_path) as here, ModelServer(SOLVE) as model:
        number = here.github.write_issue("Sums are wrong", "add() subtracts")
        workflow = here.workflow("issues", here.github.label(number, "ai-task"), model, text)
        workflow = replace(workflow, secrets={**workflow.secrets, "CI_AGENT_BUNDLE_KEY": "k" * 48})
        code, log = run(workflow)
        assert code == 0, log
        assert "Nothing was published; the bundle is in " in log
        (pull,) = here.github.pulls.values()
        assert "which ran no tests of its own." in pull["body"]
        assert len(here.github.thread(number)) == 1
        assert (workflow.artifacts / "ci-agent-bundle/manifest.hmac").is_file()
        assert (workflow.artifacts / "ci-agent-report-published/session.jsonl").is_file()


def test_a_question_is_a_success_and_says_what_it_is(tmp_path: Path) -> None:
    ask = Say(calls=[("ask_user", {"question": "Tabs, too?", "choices": ["Yes", "No"]})])
    with rig(tmp_path) as here, ModelServer([ask]) as model:
        number = here.github.write_issue("Sums are wrong", "add() subtracts")
        code, log = run(here.workflow("issues", here.github.label(number, "ai-task"), model))
        assert code == 0, log
        assert "The session is suspended (exit code 5)" in log
        assert "set-output:: status=suspended" in log


def test_a_plain_comment_answers_a_question(tmp_path: Path) -> None:
    with rig(tmp_path) as here, ModelServer(SOLVE) as model:
        number = here.github.write_issue("Sums are wrong", "add() subtracts")
        here.github.label(number, "ai-waiting")
        answer = here.github.say(number, "No, blanks only.")
        code, log = run(here.workflow("issue_comment", answer, model))
        assert code == 0, log
        assert "No, blanks only." in str(model.requests[-1].body["messages"])
        (pull,) = here.github.pulls.values()
        assert pull["head"]["ref"] == f"feat/ai-task-{number}"


@pytest.mark.parametrize(
    ("labels", "by", "text"),
    [
        (["bug"], "dana", "No, blanks only."),
        ([], "dana", "No, blanks only."),
        (["ai-waiting"], "helper[bot]", "Coverage: 80 %"),
        (["ai-waiting"], "dana", "<!-- ci-agent: progress 1 -->\nA question"),
    ],
)
def test_a_plain_comment_that_can_be_no_answer_starts_no_runner(
    tmp_path: Path, labels: list[str], by: str, text: str
) -> None:
    with rig(tmp_path) as here:
        here.github.person("helper[bot]", "write", kind="Bot")
        number = here.github.write_issue("Sums are wrong", "add() subtracts")
        for label in labels:
            here.github.label(number, label)
        code, log = run(here.workflow("issue_comment", here.github.say(number, text, by=by)))
        assert code == 0, log
        assert "Run Main" not in log


def test_a_job_that_left_no_bundle_is_told_on_the_issue(tmp_path: Path) -> None:
    text = (EXAMPLES / "github-split.yml").read_text(encoding="utf-8")
    with rig(tmp_path) as here:
        number = here.github.write_issue("Sums are wrong", "add() subtracts")
        workflow = here.workflow("issues", here.github.label(number, "ai-task"), text=text)
        code, log = run(replace(workflow, secrets={"CI_AGENT_BUNDLE_KEY": "k" * 48}))  # and no model's key
        assert code != 0, log
        ((_, comment),) = here.github.thread(number)
        assert "**Nothing to publish.**" in comment


def test_a_schedule_spreads_what_waits_over_jobs(tmp_path: Path) -> None:
    text = (EXAMPLES / "github-schedule.yml").read_text(encoding="utf-8")
    with rig(tmp_path) as here, ModelServer(SOLVE) as model:
        number = here.github.write_issue("Sums are wrong", "add() subtracts")
        here.github.label(number, "ai-task", by="robin")
        here.github.write_issue("Not for us", "")
        code, log = run(here.workflow("schedule", {}, model, text))
        assert code == 0, log
        (pull,) = here.github.pulls.values()
        assert pull["head"]["ref"] == f"feat/ai-task-{number}"
        assert "started by @robin" in pull["body"]


def test_a_cancel_in_the_middle_is_told_on_the_issue_and_the_report_kept(tmp_path: Path) -> None:
    thinking = threading.Event()

    def think(_: Request) -> Step:
        thinking.set()
        return Hang()

    with rig(tmp_path) as here, ModelServer(think) as model:
        number = here.github.write_issue("Sums are wrong", "add() subtracts")
        workflow = here.workflow("issues", here.github.label(number, "ai-task"), model)
        with start(workflow) as process:
            assert thinking.wait(200)  # the action is installed first
            interrupt_as_the_runner_does(entry_process(process))
            log, _ = process.communicate(timeout=7.5)
        assert process.returncode != 0
        assert "exit status 130" in log, log
        assert "Everything has been said." in log
        ((_, comment),) = here.github.thread(number)
        assert "cancelled" in comment.lower()
        assert (workflow.artifacts / "ci-agent-report/junit.xml").is_file()


def test_another_label_starts_no_runner(tmp_path: Path) -> None:
    with rig(tmp_path) as here:
        number = here.github.write_issue("Sums are wrong", "add() subtracts")
        code, log = run(here.workflow("issues", here.github.label(number, "bug")))
        assert code == 0, log
        assert "Run Main" not in log


def test_a_comment_that_only_looks_like_a_command_ends_well_and_the_second_use_comes_from_the_cache(
    tmp_path: Path,
) -> None:
    twice = ISSUES.replace("\n  work:\n", f"{_USE}\n\n  work:\n")
    with rig(tmp_path) as here:
        number = here.github.write_issue("Sums are wrong", "add() subtracts")
        payload = here.github.say(number, "as in /agents.md")
        code, log = run(here.workflow("issue_comment", payload, text=twice))
        assert code == 0, log
        assert log.count("Nothing to do: ") == 2
        assert log.count("Run Main Install ci-agent") == 1
        assert here.github.server is not None
        assert here.github.server.requests == []
