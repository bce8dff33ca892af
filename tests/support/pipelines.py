"""Whole CI jobs: `ci-agent job` as a process of its own, with a stand-in for the platform, git over HTTP with a
password, and a model on loopback.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ci_agent.journal import Event, read
from ci_agent.session import states
from tests.forges.github import NAME as GITHUB_NAME
from tests.forges.github import RUNNER, FakeGitHub
from tests.forges.gitlab import NAME as GITLAB_NAME
from tests.forges.gitlab import FakeGitLab
from tests.forges.http import Server
from tests.support.git_server import GitServer, git_server
from tests.support.jobs import calculator
from tests.support.model_server import ModelServer
from tests.support.repositories import Repository

GITHUB_TOKEN, GITLAB_TOKEN = "ghs_workflow", "glpat-bot"
WORKFLOW = ".github/workflows/ci-agent.yml"
READING = {"github": "ghs_reading", "gitlab": "glpat-reading"}  # tokens that may not write


@dataclass(frozen=True)
class Done:
    """A job that ended."""

    exit_code: int
    log: str
    folder: Path  # where it was called
    outputs: dict[str, str]
    summary: str
    events: tuple[Event, ...] = field(repr=False)


@dataclass
class Pipeline:
    """A project with its platform, ready for jobs. `forge` is the stand-in, `server` answers for it."""

    platform: str
    folder: Path
    forge: Any
    server: Server
    git: GitServer
    origin: Repository  # bare
    checkout: Repository
    model: ModelServer
    runs: int = 0

    def environment(self, name: str, payload: Mapping[str, Any], **more: str) -> dict[str, str]:
        """What the CI would set for a job that the event started."""
        self.runs += 1
        place = self.folder / f"run-{self.runs}"
        place.mkdir()
        (place / "home").mkdir()
        (place / "event.json").write_text(json.dumps(payload))
        for file in ("output", "summary"):
            (place / file).touch()
        kept = {key: os.environ[key] for key in ("PATH", "LANG", "PYTHONPATH") if key in os.environ}
        common = {
            "HOME": str(place / "home"),
            "CI": "true",
            "LLM_BASE_URL": self.model.base_url,
            "LLM_API_KEY": self.model.key,
            "MODEL_NAME": "scripted",
        }
        own = self._github(name, place) if self.platform == "github" else self._gitlab(name, place, payload)
        return kept | common | own | more

    def _github(self, name: str, place: Path) -> dict[str, str]:
        run = 100 + self.runs
        self.forge.runs[run] = "in_progress"
        self.forge.created[run] = self.forge.now()
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": name,
            "GITHUB_EVENT_PATH": str(place / "event.json"),
            "GITHUB_REPOSITORY": GITHUB_NAME,
            "GITHUB_API_URL": self.server.url,
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_RUN_ID": str(run),
            "GITHUB_JOB": "work",
            "GITHUB_WORKFLOW_REF": f"{GITHUB_NAME}/{WORKFLOW}@refs/heads/main",
            "GITHUB_WORKFLOW_SHA": self.origin.git("rev-parse", "main"),
            "RUNNER_NAME": RUNNER,
            "RUNNER_ENVIRONMENT": "github-hosted",
            "GITHUB_ACTOR": "dana",
            "GITHUB_ACTOR_ID": str(self.forge.people["dana"]["id"]),
            "GITHUB_WORKSPACE": str(self.checkout.path),
            "GITHUB_OUTPUT": str(place / "output"),
            "GITHUB_STEP_SUMMARY": str(place / "summary"),
            "RUNNER_TEMP": str(place / "temp"),
            "GITHUB_TOKEN": GITHUB_TOKEN,
        }

    def _gitlab(self, name: str, place: Path, payload: Mapping[str, Any]) -> dict[str, str]:
        job = 200 + self.runs
        self.forge.jobs[job] = "running"
        self.forge.created[job] = self.forge.now()
        return {
            "GITLAB_CI": "true",
            "CI_PIPELINE_SOURCE": name,
            "CI_SERVER_URL": self.server.url,
            "CI_PROJECT_PATH": GITLAB_NAME,
            "CI_DEFAULT_BRANCH": "main",
            "CI_JOB_ID": str(job),
            "CI_JOB_STARTED_AT": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "CI_JOB_TIMEOUT": "4500",
            "CI_JOB_URL": f"https://gitlab.example/{GITLAB_NAME}/-/jobs/{job}",
            "CI_PROJECT_DIR": str(self.checkout.path),
            "GITLAB_USER_LOGIN": "dana",
            "GITLAB_USER_ID": str(self.forge.people["dana"]["id"]),
            "GITLAB_TOKEN": GITLAB_TOKEN,
        } | ({"TRIGGER_PAYLOAD": str(place / "event.json")} if payload else {})

    def run(self, name: str, payload: Mapping[str, Any], *words: str, **environment: str) -> Done:
        """A job that the event starts, to its end."""
        return self.call(self.environment(name, payload, **environment), *words)

    def call(self, environment: Mapping[str, str], *words: str, command: str = "job") -> Done:
        """`ci-agent COMMAND WORDS` in that environment."""
        place = self.place(environment)
        done = subprocess.run(
            [sys.executable, "-m", "ci_agent", command, *words],
            env=dict(environment),
            cwd=place,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        return self.done(environment, done.returncode, done.stdout + done.stderr)

    def place(self, environment: Mapping[str, str]) -> Path:
        """Where a job with that environment is called."""
        return Path(environment["HOME"]).parent

    def done(self, environment: Mapping[str, str], exit_code: int, log: str) -> Done:
        """What a job that ended left behind."""
        place = self.place(environment)
        report = place / "ci-agent-report" / "session.jsonl"
        dotenv = place / "report.env"
        text = (place / "output").read_text() if self.platform == "github" else ""
        outputs = _heredocs(text)
        events = tuple(read(report)) if report.exists() else ()
        assert not states.wrong(events)
        if dotenv.exists():
            outputs = dict(line.split("=", 1) for line in dotenv.read_text().splitlines())
        return Done(
            exit_code,
            log,
            place,
            outputs,
            (place / "summary").read_text(),
            events,
        )

    def end(self) -> None:
        """All jobs so far are over, as the platform sees it."""
        states = self.forge.runs if self.platform == "github" else self.forge.jobs
        for number in states:
            states[number] = "completed" if self.platform == "github" else "success"

    def said(self, number: int) -> list[tuple[str, str]]:
        """Who said what on an issue, our markers left out."""
        return [(who, text.partition("-->\n")[2] or text) for who, text in self.forge.thread(number)]

    def labels(self, number: int) -> list[str]:
        """The labels of an issue."""
        return [
            label["name"] if isinstance(label, dict) else label
            for label in self.forge.issues[number]["labels"]
        ]

    def merge_requests(self) -> list[dict[str, Any]]:
        """What was opened, with the same names on both platforms: title, text, draft, branch, open, labels, url, reviewers."""
        if self.platform == "github":
            return [
                {
                    "title": raw["title"],
                    "text": raw["body"],
                    "draft": raw["draft"],
                    "branch": raw["head"]["ref"],
                    "open": raw["state"] == "open",
                    "labels": [label["name"] for label in raw["labels"]],
                    "url": raw["html_url"],
                    "reviewers": [person["login"] for person in raw.get("requested_reviewers", [])],
                }
                for raw in self.forge.pulls.values()
            ]
        return [
            {
                "title": raw["title"].removeprefix("Draft: "),
                "text": raw["description"],
                "draft": raw["draft"],
                "branch": raw["source_branch"],
                "open": raw["state"] == "opened",
                "labels": raw["labels"],
                "url": raw["web_url"],
                "reviewers": [person["username"] for person in raw["reviewers"]],
            }
            for raw in self.forge.requests.values()
        ]


@contextmanager
def pipeline(
    platform: str, folder: Path, model: ModelServer, files: Mapping[str, str | bytes] | None = None
) -> Iterator[Pipeline]:
    """A project on `platform` with a bug, a test that shows it, and a checkout as the CI makes it."""
    source = calculator(folder, files)
    origin = folder / "git" / "acme" / "widget.git"
    source.git("clone", "--quiet", "--bare", str(source.path), str(origin))
    user, password = ("x-access-token", GITHUB_TOKEN) if platform == "github" else ("oauth2", GITLAB_TOKEN)
    with git_server(folder / "git", user, password) as git:
        git.readers.add(READING[platform])
        url = git.url("acme/widget.git")
        forge: Any = FakeGitHub(url, origin) if platform == "github" else FakeGitLab(url, origin)
        forge.files = {
            name: content.encode() if isinstance(content, str) else content
            for name, content in (files or {}).items()
        }
        if platform == "github":
            forge.private = True  # where reading takes permissions as well; GitLab's project is as it begins
        checkout = folder / "checkout"
        source.git("clone", "--quiet", "--depth=1", origin.as_uri(), str(checkout))
        with forge.serve() as server:
            yield Pipeline(
                platform, folder, forge, server, git, Repository(origin), Repository(checkout), model
            )
        assert not git.refused, git.refused


def _heredocs(text: str) -> dict[str, str]:
    """The values in a file of GITHUB_OUTPUT, as the runner reads it."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, _, border = line.partition("<<")
        found[name] = "\n".join(iter(lambda: next(lines), border))
    return found
