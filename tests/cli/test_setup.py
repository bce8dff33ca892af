"""Setting up a repository, and looking whether everything is there: `ci-agent init` and `ci-agent doctor`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.forges.github import NAME as GITHUB_NAME
from tests.forges.github import FakeGitHub
from tests.forges.gitlab import NAME as GITLAB_NAME
from tests.forges.gitlab import FakeGitLab, Token
from tests.forges.http import Answer, Request, serving
from tests.support.jobs import calculator
from tests.support.repositories import Repository


@dataclass
class Desk:
    """A person's checkout, and what they have in their environment."""

    checkout: Repository
    environment: dict[str, str]

    def call(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ci_agent", *words, "-C", str(self.checkout.path)],
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    def models(request: Request) -> Answer:
        if request.headers.get("Authorization") != "Bearer sk-right":
            return Answer(401, {"error": {"message": "wrong"}})
        return Answer(200, {"object": "list", "data": [{"id": "gpt-5-mini"}, {"id": "other"}]})

    checkout = calculator(tmp_path)
    with serving(models) as server:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
        model = {"LLM_BASE_URL": f"{server.url}/v1", "LLM_API_KEY": "sk-right"}
        yield Desk(checkout, kept | model | {"HOME": str(tmp_path)})


GITLAB = ("--platform", "gitlab", "--repository", GITLAB_NAME)
GITHUB = ("--platform", "github", "--repository", GITHUB_NAME)


def test_doctor_says_what_is_missing_and_what_to_do(desk: Desk) -> None:
    gitlab = FakeGitLab()
    gitlab.members["project_7_bot_a1b2"] = 40
    gitlab.variables_role = "no_one_allowed"
    gitlab.variables = [{"key": "GITLAB_TOKEN", "masked": False, "protected": True}]
    with gitlab.serve() as server:
        done = desk.call(
            "doctor", *GITLAB, CI_SERVER_URL=server.url, GITLAB_TOKEN="glpat-bot", LLM_API_KEY="sk-wrong"
        )
        assert not server.broken
    assert done.returncode == 1, done.stderr
    for line in (
        "✓  configuration",
        "✓  git",
        "✗  model",
        "refuses the key (401)",
        "→ look at LLM_API_KEY",
        "✓  tests",
        "✓  token",
        "✗  pipeline variables",
        "every webhook is refused",
        "✗  CI/CD variables",
        "not in the project: LLM_API_KEY",
        "✗  .gitlab-ci.yml",
        "✗  webhook",
        "→ `ci-agent init --apply` makes it",
    ):
        assert line in done.stdout, done.stdout
    assert "sk-wrong" not in done.stdout + done.stderr
    assert "glpat-bot" not in done.stdout + done.stderr


def test_doctor_is_content_where_everything_is_there(desk: Desk) -> None:
    gitlab = FakeGitLab()
    gitlab.members["project_7_bot_a1b2"] = 40
    gitlab.variables = [
        {"key": name, "masked": True, "protected": True} for name in ("GITLAB_TOKEN", "LLM_API_KEY")
    ]
    gitlab.files[".gitlab-ci.yml"] = b"include: [{project: x/ci-agent, file: templates/.gitlab-ci.yml}]\n"
    with gitlab.serve() as server:
        where = {"CI_SERVER_URL": server.url, "GITLAB_TOKEN": "glpat-bot"}
        applied = desk.call("init", *GITLAB, "--apply", **where)
        assert applied.returncode == 0, applied.stdout + applied.stderr
        done = desk.call("doctor", *GITLAB, **where)
        assert not server.broken
    assert done.returncode == 0, done.stdout
    assert "✗" not in done.stdout


def test_a_token_that_can_not_see_the_settings_leaves_a_question_mark(desk: Desk) -> None:
    gitlab = FakeGitLab()
    gitlab.tokens["glpat-narrow"] = Token("robin", ("api",))
    with gitlab.serve() as server:
        done = desk.call("doctor", *GITLAB, CI_SERVER_URL=server.url, GITLAB_TOKEN="glpat-narrow")
    assert "✗  token" in done.stdout
    assert "without the scope write_repository" in done.stdout
    for what in ("pipeline variables", "CI/CD variables", "webhook"):
        assert f"?  {what}" in done.stdout


def test_a_webhook_that_gitlab_switched_off_is_named(desk: Desk) -> None:
    gitlab = FakeGitLab()
    gitlab.members["project_7_bot_a1b2"] = 40
    hook = {"id": 1, "url": "https://x/api/v4/projects/7/ref/main/trigger/pipeline", "push_events": True}
    gitlab.hooks = [hook | {"issues_events": True, "note_events": True, "alert_status": "disabled"}]
    with gitlab.serve() as server:
        done = desk.call("doctor", *GITLAB, CI_SERVER_URL=server.url, GITLAB_TOKEN="glpat-bot")
    assert "switched off by GitLab after failures (disabled)" in done.stdout


def test_init_sets_up_gitlab_once_and_shows_no_secret(desk: Desk) -> None:
    gitlab = FakeGitLab()
    gitlab.members["project_7_bot_a1b2"] = 40
    gitlab.variables_role = "no_one_allowed"
    with gitlab.serve() as server:
        where = {"CI_SERVER_URL": server.url, "GITLAB_TOKEN": "glpat-bot"}
        asked = desk.call("init", *GITLAB, **where)
        assert (gitlab.hooks, gitlab.variables_role) == ([], "no_one_allowed")
        assert "Settings → Webhooks" in asked.stdout
        first, second = (desk.call("init", *GITLAB, "--apply", **where) for _ in range(2))
        assert not server.broken
    assert (first.returncode, second.returncode) == (0, 0)
    [hook] = gitlab.hooks
    place = f"{server.url}/api/v4/projects/7/ref/main/trigger/pipeline"
    assert hook["url"] == f"{place}?token={{token}}"
    assert (hook["issues_events"], hook["note_events"], hook["push_events"]) == (True, True, False)
    assert gitlab.variables_role == "developer"
    assert {"ai-task", "ai-running", "ai-review", "ai-failed", "ai-waiting"} <= gitlab.labels.keys()
    assert "glptt-s3cret" not in first.stdout + first.stderr
    written = yaml.safe_load((desk.checkout.path / ".gitlab-ci.yml").read_text())
    assert written["include"][0]["file"] == "templates/.gitlab-ci.yml"


def test_a_file_that_is_there_stays_as_it_is(desk: Desk) -> None:
    desk.checkout.write({".gitlab-ci.yml": "mine: {script: [x]}\n"})
    with FakeGitLab().serve() as server:
        done = desk.call("init", *GITLAB, CI_SERVER_URL=server.url, GITLAB_TOKEN="glpat-bot")
    assert (desk.checkout.path / ".gitlab-ci.yml").read_text() == "mine: {script: [x]}\n"
    assert "is there already and stays as it is" in done.stdout
    assert "file: templates/.gitlab-ci.yml" in done.stdout


def test_init_writes_a_workflow_for_github_with_the_action_that_is_given(desk: Desk) -> None:
    github = FakeGitHub()
    with github.serve() as server:
        where = {"GITHUB_API_URL": server.url, "GITHUB_TOKEN": "ghs_workflow"}
        done = desk.call("init", *GITHUB, "--action", "acme/ci-agent@0123abc", **where)
        odd = desk.call("init", *GITHUB, "--action", "acme", **where)
        server.broken.clear()
    assert (done.returncode, odd.returncode) == (0, 2), done.stderr
    workflow = yaml.safe_load((desk.checkout.path / ".github/workflows/ci-agent.yml").read_text())
    uses = [step["uses"] for step in workflow["jobs"]["work"]["steps"]]
    assert "acme/ci-agent@0123abc" in uses
    assert "to make the label ai-task: Issues → Labels → New label" in done.stdout


def test_the_remote_says_which_platform_and_repository_is_meant(desk: Desk) -> None:
    with serving(lambda _request: Answer(401, {"message": "Bad credentials"})) as server:
        where = {
            "GITHUB_API_URL": server.url,
            "CI_SERVER_URL": server.url,
            "GITHUB_TOKEN": "x",
            "GITLAB_TOKEN": "y",
        }
        for url, named in (
            ("git@github.com:acme/widget.git", "github, acme/widget"),
            ("https://user:s3cret@gitlab.example.org/acme/tools/widget.git", "gitlab, acme/tools/widget"),
        ):
            desk.checkout.git("remote", "add", "origin", url)
            done = desk.call("doctor", **where)
            assert re.search(rf"✓  platform +{named}\s", done.stdout), done.stdout
            assert "s3cret" not in done.stdout
            desk.checkout.git("remote", "remove", "origin")
        done = desk.call("doctor", **where)
        assert "has no remote called origin; say where it is with --platform and --repository" in done.stdout
        desk.checkout.git("remote", "add", "origin", "https://git.example.org/acme/widget")
        assert "may be GitHub or GitLab" in desk.call("doctor", **where).stdout
