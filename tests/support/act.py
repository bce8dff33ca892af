"""GitHub workflows on this machine, by act in host mode: steps are real processes, there are no containers.

    workflow = Workflow(tmp_path, yaml, "issues", payload, environment={"GITHUB_API_URL": server.url})
    with start(workflow) as process: ...

The actions of others are stood for by those in tests/templates/actions. What act can't do: it does not know
`queue` in `concurrency`, which is left out here; when it is interrupted itself it kills the step outright and runs
no `always()` steps of an action, other than GitHub's runner, so tests that cancel do it by the runner's rule:
`interrupt_as_the_runner_does`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.packages import CACHE, ROOT, offline, source

VERSION = "v0.2.89"
OURS = "your-org/ci-agent@0000000000000000000000000000000000000000"  # as the examples call the action
TOKEN = "ghs_workflow"  # the one that the stand-in for GitHub knows as the workflow's
_STUBS = ROOT / "tests/templates/actions"


@dataclass(frozen=True)
class Workflow:
    """A workflow and the event that starts it. Below `folder` lie the repository, the cache and the artifacts."""

    folder: Path
    text: str
    event: str
    payload: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"


def act() -> Path:
    """Where the program is. `install` puts it there."""
    return CACHE / "bin" / "act"


def install() -> None:
    """Build it, with Go, unless it is there."""
    if not act().exists():
        environment = {**os.environ, "GOBIN": str(act().parent), "GOFLAGS": "-modcacherw"}
        subprocess.run(["go", "install", f"github.com/nektos/act@{VERSION}"], check=True, env=environment)


@contextmanager
def start(workflow: Workflow) -> Iterator[subprocess.Popen[str]]:
    """act at work on the workflow, with a clean environment; its output is the log of all jobs."""
    repository = workflow.folder / "repository"
    if not repository.exists():
        _make(workflow, repository)
    process = subprocess.Popen(
        _command(workflow), cwd=repository, env=_environment(workflow), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run(workflow: Workflow) -> tuple[int, str]:
    """The exit code and the log, when all is over."""
    with start(workflow) as process:
        log, _ = process.communicate(timeout=110)
        return process.returncode, log


def entry_process(process: subprocess.Popen[str]) -> int:
    """The process that act started for the step that runs now."""
    children = Path(f"/proc/{process.pid}/task").glob("*/children")
    (pid,) = [int(word) for file in children for word in file.read_text(encoding="ascii").split()]
    return pid


def interrupt_as_the_runner_does(pid: int) -> None:
    """Only the entry process is told, and only once: after 7.5 s SIGTERM would follow, and 2.5 s later SIGKILL for
    all, which no test of ours should come to. Source: actions/runner, ProcessInvoker.cs."""
    os.kill(pid, signal.SIGINT)


def _make(workflow: Workflow, repository: Path) -> None:
    place = repository / ".github/workflows/ci-agent.yml"
    place.parent.mkdir(parents=True)
    place.write_text(re.sub(r"\n *queue: max", "", workflow.text), encoding="utf-8")
    (workflow.folder / "event.json").write_text(json.dumps(workflow.payload), encoding="utf-8")
    (workflow.folder / "home").mkdir()
    source(workflow.folder / "action")
    for words in (
        ["init", "-q", "-b", "main"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "Begin"],
        ["remote", "add", "origin", "https://github.com/acme/widget.git"],
    ):
        subprocess.run(["git", *words], cwd=repository, check=True)


def _command(workflow: Workflow) -> list[str]:
    settings = {
        **offline(),
        "STUB_CACHE": str(workflow.folder / "cache"),
        "STUB_ARTIFACTS": str(workflow.artifacts),
        **workflow.environment,
    }
    replaced = {OURS: workflow.folder / "action"} | {
        found: _STUBS / found.partition("@")[0].removeprefix("actions/").split("/")[0]
        for found in _used((ROOT / "action.yml").read_text(encoding="utf-8"))
    }
    secrets = {"GITHUB_TOKEN": TOKEN, **workflow.secrets}
    pairs = [
        *(("--env", f"{name}={value}") for name, value in settings.items()),
        *(("--secret", f"{name}={value}") for name, value in secrets.items()),
        *(("--local-repository", f"{name}={folder}") for name, folder in replaced.items()),
    ]
    words = [word for pair in pairs for word in pair]
    event = str(workflow.folder / "event.json")
    host = ["-P", "ubuntu-latest=-self-hosted", "--no-cache-server"]
    return [str(act()), workflow.event, "--eventpath", event, *host, *words]


def _used(action: str) -> list[str]:
    """The actions it uses, without the folders in their repositories."""
    found = re.findall(r"uses: ([\w.-]+/[\w.-]+)[\w./-]*@(\w+)", action)
    return sorted({f"{name}@{commit}" for name, commit in found})


def _environment(workflow: Workflow) -> dict[str, str]:
    git, python = shutil.which("git"), Path(sys.executable).resolve()
    folders = [str(python.parent), str(Path(git or "/usr/bin/git").parent), "/usr/bin", "/bin"]
    return {"PATH": ":".join(dict.fromkeys(folders)), "HOME": str(workflow.folder / "home"), **_proxies()}


def _proxies() -> dict[str, str]:
    return {name: value for name, value in offline().items() if name.endswith("_proxy")}
