"""Whole pipelines with the template as it is shipped, on gitlab-ci-local: from a webhook to the end of the child."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.forges.gitlab import NAME, FakeGitLab
from tests.support.ci_local import Values, make_project, run
from tests.support.git_server import git_server
from tests.support.jobs import CALCULATOR, SOLVE, TESTS
from tests.support.model_server import ModelServer, Request, Reset, Say, Step
from tests.support.packages import source
from tests.support.repositories import Repository
from tests.support.web import folder_served
from tests.templates.documents import EXAMPLES, PLAIN, load

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Rig:
    """A project on GitLab that includes the template from an address."""

    folder: Path
    project: Path
    gitlab: FakeGitLab
    url: str

    def run(
        self,
        pipeline: Mapping[str, str],
        model: ModelServer | None = None,
        more: Mapping[str, Values] | None = None,
    ) -> tuple[CompletedProcess[str], str]:
        settings: dict[str, Values] = {
            "CI_PROJECT_PATH": NAME, "CI_SERVER_URL": self.url, "GITLAB_TOKEN": "glpat-bot", "MODEL_NAME": "scripted",
            "CI_AGENT_PACKAGE": str(self.folder / "package"),
        }  # fmt: skip
        if model:
            settings |= {"LLM_BASE_URL": model.base_url, "LLM_API_KEY": model.key}
        done = run(self.project, pipeline, settings | dict(more or {}))
        return done, done.stdout + done.stderr

    def webhook(self, payload: Mapping[str, Any]) -> dict[str, str]:
        """What a pipeline that a webhook started is given: a file, and the source."""
        file = self.folder / "payload.json"
        file.write_text(json.dumps(payload), encoding="utf-8")
        return {"CI_PIPELINE_SOURCE": "trigger", "TRIGGER_PAYLOAD": str(file)}


@contextmanager
def rig(folder: Path, more: str = "") -> Iterator[Rig]:
    """With `more` in the project's pipeline."""
    source(folder / "package")
    with folder_served(PLAIN.parent) as address, git_server(folder / "git", "oauth2", "glpat-bot") as git:
        git.readers.add("glpat-reading")
        include = f"include:\n  - remote: {address}/{PLAIN.name}\n{more}"
        files = {".gitlab-ci.yml": include, "calculator.py": CALCULATOR, "test_calculator.py": TESTS}
        project = make_project(folder / "widget", files)
        Repository(project).git("clone", "--quiet", "--bare", ".", str(folder / "git" / f"{NAME}.git"))
        Repository(folder / "git" / f"{NAME}.git").git("config", "http.receivepack", "true")
        gitlab = FakeGitLab(git.url(f"{NAME}.git"), folder / "git" / f"{NAME}.git")
        with gitlab.serve() as server:
            yield Rig(folder, project, gitlab, server.url)


def test_an_event_that_asks_for_nothing_is_over_with_one_short_job(tmp_path: Path) -> None:
    with rig(tmp_path) as here:
        number = here.gitlab.write_issue("Sums are wrong", "add() subtracts")
        done, log = here.run(here.webhook(here.gitlab.say(number, "as in /agents.md")))
        assert done.returncode == 0, log
        assert "Nothing to do: " in log
        assert " PASS  ci-agent-route" in log
        assert " PASS  ci-agent-work" in log
        assert "ci-agent-idle" in (here.project / ".ci-agent/pipeline.yml").read_text(encoding="utf-8")
        assert here.gitlab.server is not None
        assert here.gitlab.server.requests == []


def test_a_label_becomes_a_merge_request(tmp_path: Path) -> None:
    with rig(tmp_path) as here, ModelServer(SOLVE) as model:
        number = here.gitlab.write_issue("Sums are wrong", "add() subtracts")
        done, log = here.run(here.webhook(here.gitlab.label(number, "ai-task")), model)
        assert done.returncode == 0, log
        (request,) = here.gitlab.requests.values()
        assert request["source_branch"] == f"feat/ai-task-{number}"
        assert here.gitlab.issues[number]["labels"] == ["ai-review"]
        assert len(here.gitlab.thread(number)) == 1
        assert (here.project / "ci-agent-report/junit.xml").is_file()
        assert "CI_AGENT_STATUS=" in (here.project / "report.env").read_text(encoding="utf-8")
        assert "Everything has been said." in log
        assert model.key not in log


def test_a_schedule_starts_a_job_for_each_issue_that_waits(tmp_path: Path) -> None:
    with rig(tmp_path) as here, ModelServer(SOLVE) as model:
        number = here.gitlab.write_issue("Sums are wrong", "add() subtracts")
        here.gitlab.write_issue("Nothing for us", "")
        here.gitlab.label(number, "ai-task")
        done, log = here.run({"CI_PIPELINE_SOURCE": "schedule", "CI_AGENT_POLL": "true"}, model)
        assert done.returncode == 0, log
        assert [request["source_branch"] for request in here.gitlab.requests.values()] == [
            f"feat/ai-task-{number}"
        ]


def test_a_question_is_a_success_and_says_what_it_is(tmp_path: Path) -> None:
    ask = Say(calls=[("ask_user", {"question": "Tabs, too?", "choices": ["Yes", "No"]})])
    with rig(tmp_path) as here, ModelServer([ask]) as model:
        number = here.gitlab.write_issue("Sums are wrong", "add() subtracts")
        done, log = here.run(here.webhook(here.gitlab.label(number, "ai-task")), model)
        assert done.returncode == 0, log
        assert f" PASS  [ci-agent-work] -> ci-agent-{number}" in log
        assert "The session is suspended (exit code 5)" in log
        assert "CI_AGENT_STATUS=suspended" in (here.project / "report.env").read_text(encoding="utf-8")
        assert here.gitlab.issues[number]["labels"] == ["ai-waiting"]


def test_a_plain_comment_answers_a_question(tmp_path: Path) -> None:
    with rig(tmp_path) as here, ModelServer(SOLVE) as model:
        number = here.gitlab.write_issue("Sums are wrong", "add() subtracts")
        here.gitlab.label(number, "ai-waiting")
        done, log = here.run(here.webhook(here.gitlab.say(number, "No, blanks only.")), model)
        assert done.returncode == 0, log
        assert "No, blanks only." in str(model.requests[-1].body["messages"])
        assert here.gitlab.issues[number]["labels"] == ["ai-review"]


def test_the_last_word_is_said_for_a_process_that_was_killed(tmp_path: Path) -> None:
    with rig(tmp_path) as here, ModelServer(killing(here.project)) as model:
        number = here.gitlab.write_issue("Sums are wrong", "add() subtracts")
        _, log = here.run(here.webhook(here.gitlab.label(number, "ai-task")), model)
        assert " FAIL  ci-agent-1" in log
        assert "Killed" in log
        assert f"Said the last word on issue {number}: cancelled." in log
        ((_, comment),) = here.gitlab.thread(number)
        assert "cancelled" in comment.lower()
        assert "ai-running" not in here.gitlab.issues[number]["labels"]
        assert (here.project / "ci-agent-report/junit.xml").is_file()


def test_one_job_works_with_a_token_that_may_not_write_and_another_publishes(tmp_path: Path) -> None:
    """GitLab gives each job the variables of its environment, as the example says."""
    example = load((EXAMPLES / "gitlab-split.yml").read_text(encoding="utf-8"))
    more = {"ci-agent-route": example["ci-agent-route"], "variables": {"CI_AGENT_SPLIT": "true"}}
    with (
        rig(tmp_path, "".join(f"{key}: {json.dumps(value)}\n" for key, value in more.items())) as here,
        ModelServer(SOLVE) as model,
    ):
        number = here.gitlab.write_issue("Sums are wrong", "add() subtracts")
        variables: dict[str, Values] = {
            "GITLAB_TOKEN": {"ci-agent/work": "glpat-reading", "ci-agent/publish": "glpat-bot"},
            "LLM_API_KEY": {"ci-agent/work": model.key},
            "CI_AGENT_BUNDLE_KEY": {"ci-agent/*": "k" * 48},
        }
        done, log = here.run(here.webhook(here.gitlab.label(number, "ai-task")), model, variables)
        assert done.returncode == 0, log
        assert f" PASS  [ci-agent-work] -> ci-agent-{number}-publish" in log
        assert "Nothing was published; the bundle is in ci-agent-bundle." in log
        (request,) = here.gitlab.requests.values()
        assert "which ran no tests of its own." in request["description"]
        assert here.gitlab.issues[number]["labels"] == ["ai-review"]
        assert len(here.gitlab.thread(number)) == 1


def test_a_platform_that_can_t_be_reached_fails_the_routing_job_and_starts_no_work(tmp_path: Path) -> None:
    with rig(tmp_path) as here:
        done, log = here.run(
            {"CI_PIPELINE_SOURCE": "api", "CI_AGENT_ISSUE": "23", "CI_SERVER_URL": "http://127.0.0.1:9"}
        )
        assert done.returncode != 0
        assert " FAIL  ci-agent-route" in log
        assert " PASS  ci-agent-work" not in log
        assert not (here.project / ".ci-agent/pipeline.yml").exists()


def killing(project: Path) -> Any:
    """A model that has the job killed in the middle of its work."""

    def answer(_: Request) -> Step:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:  # it ended meanwhile
                continue
            if any(word.endswith(f"{project}/.ci-agent/ci-agent".encode()) for word in words) or (
                b".ci-agent/ci-agent" in words and (process / "cwd").resolve() == project
            ):
                os.kill(int(process.name), signal.SIGKILL)
        return Reset()

    return answer
