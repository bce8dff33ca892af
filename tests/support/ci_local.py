"""GitLab pipelines on this machine, by gitlab-ci-local: jobs are real processes, there are no containers.

    done = run(project, {"CI_PIPELINE_SOURCE": "trigger", "TRIGGER_PAYLOAD": path}, {"GITLAB_TOKEN": "glpat-…"})
    jobs = listed(project, {"CI_PIPELINE_SOURCE": "push"})

A child pipeline made from an artifact is run, too. What it can't do: `resource_group`, `timeout` and the runner's
time-outs, signals to a job, `reports:` (copied through `paths` only). `rules` see a variable that is a file as its
path, where GitLab shows them the content; hand the JSON in as a plain variable for those.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.packages import CACHE, ROOT, offline

PROJECT = "acme/widget"
Values = str | Mapping[str, str]  # of a variable: one, or one for each scope of environments
_MODULES = CACHE / "node/node_modules"
_PROGRAM = [str(_MODULES / ".bin/node"), str(_MODULES / "gitlab-ci-local/dist/index.js")]


def install() -> None:
    """Fetch it, and what else comes from npm, unless the right versions are there."""
    wanted, there = ROOT / "tests/support/node/package.json", CACHE / "node/package.json"
    done = CACHE / "node/node_modules/.package-lock.json"
    if done.exists() and there.exists() and there.read_bytes() == wanted.read_bytes():
        return
    there.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(wanted, there)
    words = ["install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(["npm", *words], cwd=there.parent, check=True)


def make_project(folder: Path, files: Mapping[str, str]) -> Path:
    """A checkout of the project as its pipelines find it."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for words in (
        ["init", "-q", "-b", "main"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "Begin"],
        ["remote", "add", "origin", f"git@gitlab.example.org:{PROJECT}.git"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def run(
    project: Path, pipeline: Mapping[str, str], settings: Mapping[str, Values] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the pipeline and its child, with a clean environment; `stdout` is the log of all jobs.

    `pipeline` are variables of this pipeline alone, `settings` those of the project, which the child has, too.
    """
    return _call(project, pipeline, offline() | dict(settings or {}), [])


def listed(project: Path, pipeline: Mapping[str, str]) -> dict[str, str]:
    """The jobs that the pipeline would have, with their `when`."""
    done = _call(project, pipeline, {}, ["--list-json"])
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    jobs = json.loads(done.stdout[done.stdout.index("[") :])
    return {job["name"]: job["when"] for job in jobs if job["when"] != "never"}


def _call(
    project: Path, pipeline: Mapping[str, str], settings: Mapping[str, Values], words: list[str]
) -> subprocess.CompletedProcess[str]:
    known: dict[str, Values] = {
        "CI_PROJECT_DIR": str(project),
        "CI_PROJECT_PATH": PROJECT,
        "CI_DEFAULT_BRANCH": "main",
        **settings,
    }
    # Said in full, because a value alone is taken for a file if there is one of that name.
    full = {
        name: {"type": "variable", "values": {"*": value} if isinstance(value, str) else dict(value)}
        for name, value in known.items()
    }
    (project.parent / "variables.yml").write_text(json.dumps(full), encoding="utf-8")
    given = [word for name, value in pipeline.items() for word in ("--variable", f"{name}={value}")]
    fixed = ["--force-shell-executor", "--variables-file", "../variables.yml", "--no-color"]
    fixed += ["--ignore-predefined-vars", ",".join([*known, *pipeline])]
    home = project.parent / "home"
    home.mkdir(exist_ok=True)
    git = Path(shutil.which("git") or "/usr/bin/git").parent
    folders = [str(Path(sys.executable).resolve().parent), str(git), "/usr/bin", "/bin"]
    environment = {"PATH": ":".join(dict.fromkeys(folders)), "HOME": str(home)}
    return subprocess.run(
        [*_PROGRAM, *fixed, *given, *words], cwd=project, env=environment, check=False, text=True,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=110,
    )  # fmt: skip
