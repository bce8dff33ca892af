"""Setting up a repository, and looking whether everything is there: `ci-agent init` and `ci-agent doctor`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci_agent.platforms import Label
from ci_agent.platforms.github.administration import GitHubAdministration
from ci_agent.platforms.gitlab.administration import GitLabAdministration
from tests.forges.github import NAME as GITHUB_NAME
from tests.forges.github import WRITE, FakeGitHub, NotHereError
from tests.forges.github import Token as GitHubToken
from tests.forges.gitlab import NAME as GITLAB_NAME
from tests.forges.gitlab import FakeGitLab, Token
from tests.forges.http import Answer, Fault, Request, serving
from tests.support.jobs import calculator
from tests.support.repositories import Repository

pytestmark = pytest.mark.slow


@dataclass
class Desk:
    """A person's checkout, and what they have in their environment."""

    checkout: Repository
    environment: dict[str, str]
    place: Path | None = None  # where they are, if not at the top of the checkout

    def at(self, place: Path) -> Desk:
        return replace(self, place=place)

    def call(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ci_agent", *words, "-C", str(self.place or self.checkout.path)],
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


class SettingsOfGitLab(FakeGitLab):
    """The stand-in with what only somebody who sets a project up asks for."""

    def _answer(self, request: Request) -> Answer:
        place = re.fullmatch(r"/api/v4/projects/[^/]+/(?:triggers|hooks/(\d+))", request.path)
        if place is None or request.method == "POST":
            return super()._answer(request)
        if self.members[self._token(request).login] < 40:
            return Answer(403, {"message": "403 Forbidden"})
        if place[1] is None:
            return Answer(200, self.triggers)
        hook = next(hook for hook in self.hooks if str(hook["id"]) == place[1])
        assert "url" in request.body  # GitLab wants it, changed or not
        hook |= {key: value for key, value in request.body.items() if key != "url_variables"}
        return Answer(200, hook)

    def hook(self, url: str, **more: object) -> None:
        """Somebody made a webhook, for issues and comments if nothing else is said."""
        events = {"issues_events": True, "note_events": True, "push_events": False}
        self.hooks.append(
            {"id": len(self.hooks) + 1, "url": url, "alert_status": "executable"} | events | more
        )


class SettingsOfGitHub(FakeGitHub):
    """The stand-in as a repository with issues, which shows what the token's account may do there."""

    may_push = True

    def _list_issues(self, request: Request, token: GitHubToken) -> Answer:
        if "issues" not in token.permissions:
            raise NotHereError(403, "Resource not accessible by personal access token")
        return super()._list_issues(request, token)

    def _get_repository(self, *words: Any) -> Answer:
        answer = super()._get_repository(*words)
        rights = {"admin": False, "maintain": False, "push": self.may_push, "triage": True, "pull": True}
        return Answer(200, answer.body | {"has_issues": True, "permissions": rights})


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


TASK = Label("ai-task", "8250df", "for ci-agent")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
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
    gitlab = SettingsOfGitLab()
    gitlab.members["project_7_bot_a1b2"] = 40
    gitlab.variables = [
        {"key": name, "masked": True, "protected": True} for name in ("GITLAB_TOKEN", "LLM_API_KEY")
    ]
    gitlab.files[".gitlab-ci.yml"] = b"include: [{project: x/ci-agent, file: templates/.gitlab-ci.yml}]\n"
    with gitlab.serve() as server:
        where = {"CI_SERVER_URL": server.url, "GITLAB_TOKEN": "glpat-bot"}
        applied = desk.call("init", *GITLAB, "--apply", "--action", "tools/bots/ci-agent@v2", **where)
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
    gitlab = SettingsOfGitLab()
    gitlab.members["project_7_bot_a1b2"] = 40
    gitlab.triggers = [{"id": 1, "token": "glpt", "description": "by hand"}]
    with gitlab.serve() as server:
        place = f"{server.url}/api/v4/projects/7/ref/main/trigger/pipeline"
        gitlab.hook(f"{place}?token={{token}}", alert_status="disabled")
        done = desk.call("doctor", *GITLAB, CI_SERVER_URL=server.url, GITLAB_TOKEN="glpat-bot")
    assert "switched off by GitLab after failures (disabled)" in done.stdout


def test_init_sets_up_gitlab_once_and_shows_no_secret(desk: Desk) -> None:
    gitlab = SettingsOfGitLab()
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
    assert {
        "ai-task",
        "ai-plan-first",
        "ai-running",
        "ai-review",
        "ai-failed",
        "ai-waiting",
    } <= gitlab.labels.keys()
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
        done = desk.call("init", *GITHUB, "--action", f"acme/ci-agent@{COMMIT}", **where)
        odd = desk.call("init", *GITHUB, "--action", "acme", **where)
        server.broken.clear()
    assert (done.returncode, odd.returncode) == (0, 2), done.stderr
    workflow = yaml.safe_load((desk.checkout.path / ".github/workflows/ci-agent.yml").read_text())
    uses = [step["uses"] for step in workflow["jobs"]["work"]["steps"]]
    assert f"acme/ci-agent@{COMMIT}" in uses
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


# --- init: the file ---------------------------------------------------------------------------------------


def test_what_init_writes_for_gitlab_holds_all_that_is_known_and_names_the_rest(desk: Desk) -> None:
    desk.checkout.git("remote", "add", "origin", "git@gitlab.com:acme/widget.git")
    done = desk.call("init")
    text = (desk.checkout.path / ".gitlab-ci.yml").read_text()
    written = yaml.safe_load(text)
    assert [sorted(item) for item in written["include"]] == [["file", "project", "ref"]]
    assert written["variables"]["CI_AGENT_PACKAGE"] == "git+https://gitlab.com/your-group/ci-agent@v1"
    lines = [number for number, line in enumerate(text.splitlines(), 1) if "your-group/ci-agent" in line]
    place_and_lines = f"where it says your-group/ci-agent (lines {lines[0]} and {lines[1]})"
    assert f"put the place and tag (v1) of your copy of ci-agent {place_and_lines}" in done.stdout
    (desk.checkout.path / ".gitlab-ci.yml").unlink()
    again = desk.call("init", "--action", "tools/bots/ci-agent@v2.1")
    written = yaml.safe_load((desk.checkout.path / ".gitlab-ci.yml").read_text())
    assert written["include"][0] == {
        "project": "tools/bots/ci-agent",
        "ref": "v2.1",
        "file": "templates/.gitlab-ci.yml",
    }
    assert written["variables"]["CI_AGENT_PACKAGE"] == "git+https://gitlab.com/tools/bots/ci-agent@v2.1"
    assert ".gitlab-ci.yml; commit it to the default branch\n" in again.stdout


def test_without_a_token_init_writes_the_file_and_lists_all_the_rest(desk: Desk) -> None:
    for words, secrets, places in (
        (
            GITHUB,
            "New repository secret: LLM_API_KEY",
            ("let Actions open pull requests: Settings → Actions", "make the label ai-task: Issues → Labels"),
        ),
        (
            GITLAB,
            "Settings → CI/CD → Variables, each masked and protected: LLM_API_KEY, and GITLAB_TOKEN",
            ("a trigger and its webhook: Settings", "make the label ai-task: Manage → Labels → New label"),
        ),
    ):
        done = desk.call("init", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "✓ wrote" in done.stdout
        assert "✗" not in done.stdout
        for said in (*places, secrets):
            assert said in done.stdout
    assert desk.checkout.path.joinpath(".github/workflows/ci-agent.yml").is_file()


def test_to_apply_takes_a_token_and_nothing_is_written_without_one(desk: Desk) -> None:
    for words, role in ((GITHUB, "GITHUB_TOKEN: the token of an administrator"), (GITLAB, "of a Maintainer")):
        done = desk.call("init", *words, "--apply")
        assert done.returncode == 3
        assert role in done.stderr
    assert not (desk.checkout.path / ".gitlab-ci.yml").exists()
    assert not (desk.checkout.path / ".github").exists()


def test_a_token_that_is_refused_leaves_the_list_for_a_person(desk: Desk) -> None:
    with FakeGitLab().serve() as server:
        done = desk.call("init", *GITLAB, CI_SERVER_URL=server.url, GITLAB_TOKEN="glpat-other")
    assert done.returncode == 1
    assert "✗ what is set already could not be looked at: GitLab answered 401" in done.stdout
    assert "Settings → Webhooks" in done.stdout


def test_init_writes_at_the_top_of_the_repository(desk: Desk) -> None:
    desk.checkout.write({"src/widget/x.py": ""})
    inner = desk.checkout.path / "src/widget"
    done = desk.at(inner).call("init", *GITHUB)
    assert done.returncode == 0, done.stderr
    assert (desk.checkout.path / ".github/workflows/ci-agent.yml").is_file()
    assert not (inner / ".github").exists()


@pytest.mark.parametrize("command", ["init", "doctor"])
def test_outside_of_a_repository_nothing_is_done(desk: Desk, tmp_path: Path, command: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for words in ((), GITHUB):
        done = desk.at(outside).call(command, *words)
        assert done.returncode == 2
        assert "is in no git repository; go into a checkout of the project" in done.stderr
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ("acme", "wants OWNER/NAME@COMMIT"),
        ("acme/ci-agent", "wants OWNER/NAME@COMMIT"),
        ("acme/ci-agent@main\n", "wants OWNER/NAME@COMMIT"),
        ("acme/ci-agent@$(x)", "wants OWNER/NAME@COMMIT"),
        (f"your-org/ci-agent@{COMMIT}", "as the documentation has it"),
        (f"OWNER/NAME@{COMMIT}", "as the documentation has it"),
        ("acme/ci-agent@COMMIT", "as the documentation has it"),
        (f"acme/ci-agent@{'0' * 40}", "as the documentation has it"),
        ("acme/ci-agent@0123abc", "GitHub knows no shortened commits"),
    ],
)
def test_an_action_that_can_not_be_is_refused_before_anything_is_written(
    desk: Desk, action: str, why: str
) -> None:
    done = desk.call("init", *GITHUB, "--action", action)
    assert done.returncode == 2
    assert why in done.stderr
    assert not (desk.checkout.path / ".github").exists()


def test_an_action_by_its_tag_is_taken_with_a_remark(desk: Desk) -> None:
    done = desk.call("init", *GITHUB, "--action", "acme/ci-agent@v1")
    assert done.returncode == 0
    assert "v1 can be moved to other code later, a commit can't" in done.stdout
    assert "uses: acme/ci-agent@v1" in (desk.checkout.path / ".github/workflows/ci-agent.yml").read_text()


def test_a_second_init_says_what_differs_and_no_more(desk: Desk) -> None:
    words = ("init", *GITHUB, "--action", f"acme/ci-agent@{COMMIT}")
    desk.call(*words)
    file = desk.checkout.path / ".github/workflows/ci-agent.yml"
    same = desk.call(*words)
    assert f"✓ {file} is there already\n" in same.stdout
    assert "uses:" not in same.stdout
    file.write_text(file.read_text().replace("timeout-minutes: 75", "timeout-minutes: 99"))
    other = desk.call(*words)
    assert "stays as it is. It (-) differs from what is written today (+)" in other.stdout
    assert re.findall(r"^[-+].*", other.stdout, re.MULTILINE) == [
        "-    timeout-minutes: 99",
        "+    timeout-minutes: 75",
    ]
    file.write_text("# ci-agent\n" + "x:\n" * 100)
    assert "lines more" in desk.call(*words).stdout


# --- init: the platform -----------------------------------------------------------------------------------


def test_each_step_is_tried_by_itself_and_a_developer_is_told_whose_token_it_takes(desk: Desk) -> None:
    gitlab = SettingsOfGitLab()
    gitlab.variables_role = "no_one_allowed"
    with gitlab.serve() as server:
        done = desk.call("init", *GITLAB, "--apply", CI_SERVER_URL=server.url, GITLAB_TOKEN="glpat-bot")
        assert not server.broken
    assert done.returncode == 1
    assert "✓ make the label ai-task: made" in done.stdout
    assert "ai-waiting" in gitlab.labels
    for what, by_hand in (
        ("let pipelines be started with variables", "Minimum role to use pipeline variables: Developer"),
        ("make a trigger and its webhook", "Settings → Webhooks → Add new webhook"),
    ):
        [line] = [line for line in done.stdout.splitlines() if line.startswith(f"✗ {what}")]
        assert "takes the token of a Maintainer of the project" in line
        assert by_hand in line


def administration(url: str, token: str = "glpat-bot") -> GitLabAdministration:
    return GitLabAdministration(GITLAB_NAME, token, url=url, wait=lambda _seconds: None)


def test_an_answer_that_was_lost_makes_no_second_trigger_webhook_or_label() -> None:
    gitlab = SettingsOfGitLab()
    gitlab.members["project_7_bot_a1b2"] = 40
    with gitlab.serve() as server:
        server.faults += [
            Fault("POST", f"/{what}$", 502, after=True) for what in ("triggers", "hooks", "labels")
        ]
        for step in administration(server.url).steps([TASK]):
            step.do()
        assert administration(server.url).steps([TASK]) == []
        assert not server.broken
    assert [len(made) for made in (gitlab.triggers, gitlab.hooks, gitlab.labels)] == [1, 1, 1]


def test_a_trigger_that_is_left_of_an_earlier_try_is_used() -> None:
    gitlab = SettingsOfGitLab()
    gitlab.members["project_7_bot_a1b2"] = 40
    gitlab.triggers = [{"id": 1, "token": "glptt-earlier", "description": "ci-agent"}]
    with gitlab.serve() as server:
        [step] = administration(server.url).steps([])
        step.do()
        [made] = [request for request in server.requests if request.method == "POST"]
    assert made.body["url_variables"] == [{"key": "token", "value": "glptt-earlier"}]


PLACE = "/api/v4/projects/7/ref/main/trigger/pipeline?token={token}"


@pytest.mark.parametrize(
    "url",
    [
        f"https://elsewhere.example{PLACE}",
        "HERE/api/v4/projects/8/ref/main/trigger/pipeline?token={token}",
        "HERE/api/v4/projects/acme%2Fother/trigger/pipeline?ref=main&token={token}",
        "HERE/trigger/pipeline-of-mine",
    ],
)
def test_a_webhook_to_another_project_or_server_is_not_ours(url: str) -> None:
    gitlab = SettingsOfGitLab()
    gitlab.members["project_7_bot_a1b2"] = 40
    gitlab.triggers = [{"id": 1, "token": "glpt", "description": "by hand"}]
    with gitlab.serve() as server:
        gitlab.hook(url.replace("HERE", server.url))
        found = {check.what: check for check in administration(server.url).checks([])}["webhook"]
        assert (found.ok, found.found) == (False, "there is none that starts pipelines of this project")
        [step] = administration(server.url).steps([])
        step.do()
        assert len(gitlab.hooks) == 2
        assert administration(server.url).steps([]) == []


@pytest.mark.parametrize(
    ("url", "more", "triggers", "said"),
    [
        (
            f"HERE{PLACE}",
            {"push_events": True, "merge_requests_events": True, "confidential_issues_events": True},
            1,
            "hears of more than issues and comments: confidential_issues, merge_requests, push",
        ),
        (f"HERE{PLACE}", {"note_events": False}, 1, "does not hear of issues and comments"),
        (f"HERE{PLACE}", {}, 0, "its trigger token is gone"),
        (f"HERE{PLACE}".replace("{token}", "glptt-old"), {}, 1, "its trigger token is gone"),
        (f"HERE{PLACE}".replace("main", "dev"), {}, 1, "starts pipelines of dev, not of main"),
    ],
)
def test_a_webhook_with_a_fault_is_named_and_mended(
    url: str, more: dict[str, object], triggers: int, said: str
) -> None:
    gitlab = SettingsOfGitLab()
    gitlab.members["project_7_bot_a1b2"] = 40
    gitlab.triggers = [{"id": 1, "token": "glpx", "description": "by hand"}][:triggers]
    with gitlab.serve() as server:
        gitlab.hook(url.replace("HERE", server.url), **more)
        found = {check.what: check for check in administration(server.url).checks([])}["webhook"]
        assert found.ok is False
        assert said in found.found
        [step] = administration(server.url).steps([])
        assert "mended" in step.do()
        [hook] = gitlab.hooks
        assert hook["url"] == f"{server.url}{PLACE}"
        assert {name for name, on in hook.items() if name.endswith("_events") and on} == {
            "issues_events",
            "note_events",
        }
        assert administration(server.url).steps([]) == []


# --- GitHub -----------------------------------------------------------------------------------------------


def test_init_lets_actions_open_pull_requests_with_the_token_of_an_administrator(desk: Desk) -> None:
    github = SettingsOfGitHub()
    github.may_create_pulls = False
    github.tokens["ghp_dana"] = GitHubToken("dana", permissions=WRITE | {"administration": "write"})
    with github.serve() as server:
        where = {"GITHUB_API_URL": server.url, "GITHUB_TOKEN": "ghp_dana"}
        asked = desk.call("init", *GITHUB, **where)
        assert "to let Actions open pull requests: Settings → Actions" in asked.stdout
        assert {request.method for request in server.requests} == {"GET"}
        done = desk.call("init", *GITHUB, "--apply", **where)
        assert not server.broken
    assert done.returncode == 0, done.stdout
    assert "✓ let Actions open pull requests: allowed" in done.stdout
    assert github.may_create_pulls
    assert github.token_permissions == "read"
    assert {"ai-task", "ai-running", "ai-review", "ai-failed", "ai-waiting"} <= github.labels.keys()


def test_init_with_a_token_that_may_not_change_settings_does_the_rest(desk: Desk) -> None:
    github = SettingsOfGitHub()
    with github.serve() as server:
        done = desk.call("init", *GITHUB, "--apply", GITHUB_API_URL=server.url, GITHUB_TOKEN="ghs_workflow")
    assert done.returncode == 1
    assert "✓ make the label ai-task: made" in done.stdout
    [line] = [line for line in done.stdout.splitlines() if line.startswith("✗")]
    assert "takes the token of an administrator of the repository" in line
    assert "By hand: Settings → Actions → General" in line


def test_an_answer_of_github_that_was_lost_makes_no_second_label() -> None:
    github = SettingsOfGitHub()
    with github.serve() as server:
        server.faults.append(Fault("POST", "/labels$", 502, after=True))
        here = GitHubAdministration(
            GITHUB_NAME, "ghs_workflow", api_url=server.url, wait=lambda _seconds: None
        )
        assert here.steps([TASK])[0].do() == "made"
        assert [request.method for request in server.requests].count("POST") == 1
        assert not server.broken


def told(github: FakeGitHub, desk: Desk, token: str, **more: str) -> tuple[int, str]:
    """What the doctor says of GitHub, with a workflow on the default branch."""
    github.files[".github/workflows/ci-agent.yml"] = b"name: ci-agent\n"
    with github.serve() as server:
        done = desk.call("doctor", *GITHUB, GITHUB_API_URL=server.url, GITHUB_TOKEN=token, **more)
        assert not server.broken
    return done.returncode, done.stdout


def test_doctor_is_content_with_github_where_everything_is_there(desk: Desk) -> None:
    github = SettingsOfGitHub()
    rights = WRITE | {"administration": "write"}
    github.tokens["ghp_dana"] = GitHubToken("dana", permissions=rights, scopes="repo, workflow")
    code, said = told(github, desk, "ghp_dana")
    assert code == 0, said
    for line in (
        "✓  token                     classic, of the account dana",
        "✓  rights                    the scopes repo, workflow",
        "✓  pull requests by Actions  allowed",
        "✓  workflow                  .github/workflows/ci-agent.yml, on the default branch",
        "?  labels                    not there yet: ai-task, ",
        "→ make ai-task by Issues → Labels → New label, or all by `ci-agent init --apply`",
    ):
        assert line in said, said
    github.may_create_pulls = False
    code, said = told(github, desk, "ghp_dana")
    assert code == 1
    assert "✗  pull requests by Actions  not allowed" in said
    assert "`ci-agent init --apply` with an administrator's token" in said


def test_doctor_says_what_a_token_of_github_may_not_and_what_nobody_can_look_up(desk: Desk) -> None:
    github = SettingsOfGitHub()
    github.tokens |= {
        "ghp_narrow": GitHubToken("dana", scopes="read:org, gist"),
        "ghp_public": GitHubToken("dana", scopes="public_repo"),
        "github_pat_x": GitHubToken("dana"),
        "github_pat_y": GitHubToken("dana", permissions={"contents": "write"}),
    }
    code, said = told(github, desk, "ghp_narrow")
    assert code == 1
    assert "✗  rights                    without the scope repo; it has gist, read:org" in said
    assert "or classic with the scope repo" in said
    code, said = told(github, desk, "ghp_public")
    assert "✓  rights                    the scopes public_repo" in said
    assert "without the scope workflow it can't change workflow files" in said
    github.private = True
    assert (
        "✗  rights                    without the scope repo; it has public_repo"
        in told(github, desk, "ghp_public")[1]
    )
    code, said = told(github, desk, "github_pat_x")
    assert "✓  token                     fine-grained, of the account dana" in said
    assert "?  rights                    it can read issues and pull requests; what it may write only" in said
    assert "?  pull requests by Actions  only an administrator's token can see the setting" in said
    code, said = told(github, desk, "github_pat_y")
    assert code == 1
    assert "✗  rights                    it lacks the permission Issues" in said
    code, said = told(github, desk, "ghs_workflow")
    assert "?  rights                    those that the workflow's `permissions:` say" in said
    github.may_push = False
    assert (
        "✗  rights                    dana may not push to acme/widget"
        in told(github, desk, "github_pat_x")[1]
    )


# --- doctor -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [GITHUB, GITLAB])
def test_one_cause_is_said_once(desk: Desk, words: tuple[str, ...]) -> None:
    with FakeGitHub().serve() as github, FakeGitLab().serve() as gitlab:
        where = {"GITHUB_API_URL": github.url, "CI_SERVER_URL": gitlab.url}
        wrong = desk.call("doctor", *words, GITHUB_TOKEN="ghp_old", GITLAB_TOKEN="glpat-old", **where)
        none = desk.call("doctor", *words, **where)
    for done in (wrong, none):
        assert done.returncode == 1
        assert "✗  token" in done.stdout
        assert done.stdout.count("✗") == 1
        assert "?  the rest" in done.stdout
        assert "only a" not in done.stdout
        scope = "classic with the scope repo" if words == GITHUB else "the scopes api and write_repository"
        assert scope in done.stdout
    assert wrong.stdout.count("answered 401") == 1


def test_doctor_names_the_endpoint_that_it_tried(desk: Desk) -> None:
    # Nobody listens there.
    done = desk.call("doctor", *GITHUB, LLM_BASE_URL="http://127.0.0.1:9/v1")
    assert "✗  model          http://127.0.0.1:9/v1 can't be reached: ConnectionError" in done.stdout
    assert "→ look whether LLM_BASE_URL is right" in done.stdout
    desk.environment.pop("LLM_BASE_URL")
    done = desk.call("doctor", *GITHUB, HTTPS_PROXY="http://127.0.0.1:9")
    assert "✗  model          https://api.openai.com/v1 can't be reached: ProxyError" in done.stdout
    assert "→ look whether OpenAI is meant: LLM_BASE_URL is not set" in done.stdout
    desk.environment.pop("LLM_API_KEY")
    done = desk.call("doctor", *GITHUB)
    assert "→ set LLM_API_KEY to a key for https://api.openai.com/v1" in done.stdout


def test_doctor_says_that_the_endpoint_has_no_such_model(desk: Desk) -> None:
    done = desk.call("doctor", *GITHUB, MODEL_NAME="gpt-6")
    assert re.search(r"✗  model +http://127.0.0.1:\d+/v1 has no model gpt-6", done.stdout)
    assert "→ set MODEL_NAME; there is: gpt-5-mini, other" in done.stdout


def test_an_endpoint_that_sends_us_elsewhere_is_not_taken_for_right(desk: Desk) -> None:
    with serving(lambda _request: Answer(302, None, {"Location": "https://login.example"})) as server:
        done = desk.call("doctor", *GITHUB, LLM_BASE_URL=f"{server.url}/v1")
    assert re.search(r"\?  model +\S+ answers 302", done.stdout)


def test_doctor_reports_what_a_checkout_still_has_of_the_examples(desk: Desk) -> None:
    for words in (GITHUB, GITLAB):
        assert desk.call("init", *words).returncode == 0
    done = desk.at(desk.checkout.path / ".github").call("doctor", *GITHUB)
    assert done.returncode == 1
    assert re.search(
        r"✗  \.github/workflows/ci-agent\.yml +still says, as the example: your-org/ci-agent@000…",
        done.stdout,
    )
    assert re.search(r"✗  \.gitlab-ci\.yml +still says, as the example: your-group/ci-agent", done.stdout)


@pytest.mark.parametrize(
    ("version", "mark", "said"),
    [
        ("2.31.9", "✗", "→ git 2.32 or newer"),
        ("2.34.1", "✓", "before 2.38, work goes to a branch of its own"),
    ],
)
def test_doctor_knows_which_git_will_do(
    desk: Desk, tmp_path: Path, version: str, mark: str, said: str
) -> None:
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho git version {version}\n")
    program.chmod(0o755)
    done = desk.call("doctor", *GITHUB, PATH=f"{program.parent}:{desk.environment['PATH']}")
    assert f"{mark}  git " in done.stdout
    assert said in done.stdout
