"""Bundles that somebody changed who broke out of the sandbox, once without the key and once with it: what the second job
can find out itself it does not believe. Each is a whole job; the untouched bundle is published at the end.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from ci_agent.journal import Event, encode, read
from ci_agent.journal.events import (
    Committed,
    HandedOver,
    IssueRead,
    Pushed,
    SessionEnded,
    SessionStarted,
    WorkspaceReady,
)
from tests.job.split.bundles import sign_again
from tests.job.split.conftest import TwoJobs, two_jobs
from tests.support.jobs import SOLVE
from tests.support.model_server import ModelServer
from tests.support.pipelines import GITHUB_TOKEN, pipeline
from tests.support.repositories import Repository

pytestmark = pytest.mark.slow

BRANCH = "feat/ai-task-1"
TOKEN = "ghs_a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7"


class Kept:
    """A bundle as the first job left it, and a repository to make other work in."""

    def __init__(self, jobs: TwoJobs) -> None:
        assert jobs.work().exit_code == 0
        self.jobs = jobs
        self.original = jobs.bundle.rename(jobs.bundle.with_name("original"))
        self.clone = Repository(jobs.bundle.with_name("evil"))
        jobs.project.origin.git("clone", "--quiet", str(jobs.project.origin.path), str(self.clone.path))

    def fresh(self) -> None:
        """The bundle as it was, and the label that asks for it."""
        shutil.rmtree(self.jobs.bundle, ignore_errors=True)
        shutil.copytree(self.original, self.jobs.bundle)
        self.jobs.project.forge.label(self.jobs.number, "ai-task")

    def events(self, change: Callable[[Event], Event | None]) -> None:
        """Change the journal, event by event; None leaves one out."""
        file = self.jobs.bundle / "session.jsonl"
        changed = [event for event in map(change, read(file)) if event]
        file.write_text("".join(f"{encode(event)}\n" for event in changed))

    def replaced(self, kind: type, **fields: object) -> None:
        """Change these fields of the events of a kind."""
        self.events(lambda event: _with(event, **fields) if isinstance(event.fact, kind) else event)

    def work(self, *commands: tuple[str, ...], branch: str = BRANCH, more: tuple[str, ...] = ()) -> None:
        """Other work in place of the tested one: whatever these calls of git leave in the index."""
        self.clone.git("checkout", "--quiet", "--force", "-B", branch, "origin/main")
        for words in commands:
            self.clone.git(*words)
        self.clone.git("commit", "--quiet", "--allow-empty", "-m", "Evil")
        for name in more:
            self.clone.git("update-ref", name, "HEAD")
        names = (f"refs/heads/{branch}", *more)
        self.clone.git(
            "bundle", "create", "--quiet", str(self.jobs.bundle / "work.bundle"), "^origin/main", *names
        )
        self.replaced(Committed, tree=self.clone.git("rev-parse", "HEAD^{tree}"))

    def blob(self, content: str) -> str:
        words = ["git", "hash-object", "-w", "--stdin"]
        done = subprocess.run(
            words, cwd=self.clone.path, input=content.encode(), capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def entry(self, path: str, content: str, mode: str = "100644") -> tuple[str, ...]:
        return ("update-index", "--add", "--cacheinfo", f"{mode},{self.blob(content)},{path}")


def _with(event: Event, **fields: object) -> Event:
    return replace(event, fact=replace(event.fact, **fields))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp("split")
    with ModelServer(list(SOLVE)) as model, pipeline("github", folder, model) as project:
        yield Kept(two_jobs(project))


def refused(kept: Kept, why: str) -> None:
    """The bundle as it stands now is not published."""
    done = kept.jobs.publish()
    assert done.exit_code == 1, done.log
    assert why in kept.jobs.comment().replace("\\", ""), kept.jobs.comment()
    assert kept.jobs.branches() == "main"
    assert kept.jobs.project.merge_requests() == []
    assert kept.jobs.project.labels(kept.jobs.number) == ["ai-failed"]


def test_without_the_key_nothing_can_be_changed(kept: Kept) -> None:
    kept.fresh()
    kept.work(kept.entry("calculator.py", "evil\n"))
    refused(
        kept,
        "**Not published.** What the job that worked left behind was refused: it was changed since it was signed",
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda k: k.work(branch="main"), "is of another branch than the issue's"),
        (
            lambda k: k.work(more=("refs/heads/more",)),
            "is no git bundle with one branch",
        ),
        (lambda k: k.replaced(SessionStarted, branch="main"), "is for another work branch"),
        (lambda k: k.replaced(SessionStarted, base="feat/x"), "is for another base branch"),
        (lambda k: k.replaced(SessionStarted, issue="2"), "is for another issue"),
        (lambda k: k.replaced(SessionStarted, reference="#2"), "is for another name of the issue"),
        (lambda k: k.replaced(SessionStarted, mention="robin"), "is for another mention"),
        (lambda k: k.replaced(SessionStarted, job_url="https://evil.example"), "is for another job"),
        (lambda k: k.replaced(IssueRead, url="https://evil.example"), "read another issue"),
        (lambda k: k.replaced(WorkspaceReady, base_sha="--output=x"), "that the base branch does not have"),
        (lambda k: k.replaced(WorkspaceReady, base_sha="1" * 40), "that the base branch does not have"),
        (lambda k: k.replaced(WorkspaceReady, head_sha="1" * 40), "that the work branch does not have"),
        (lambda k: k.replaced(Committed, tree="1" * 40), "brings other files than those that were tested"),
        (
            lambda k: k.events(
                lambda event: _as(event, Pushed("x", BRANCH, "1" * 40))
                if isinstance(event.fact, HandedOver)
                else event
            ),
            "says that something was published already",
        ),
        (
            lambda k: k.events(lambda event: None if isinstance(event.fact, SessionEnded) else event),
            "has a journal without one end",
        ),
        (
            lambda k: k.events(lambda event: None if isinstance(event.fact, IssueRead) else event),
            "has a journal with gaps",
        ),
        (lambda k: (k.jobs.bundle / "session.jsonl").write_text("{}\n"), "has a journal that can't be read"),
        (
            lambda k: k.work(k.entry(".github/workflows/evil.yml", "on: push\n")),
            "Nothing was pushed, because the change touches what it may not: files that say what the CI runs",
        ),
        (
            lambda k: k.work(k.entry("link", "/etc/passwd", "120000")),
            "links that lead out of the repository (link)",
        ),
        (
            lambda k: k.work(
                ("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub"),
                k.entry(".gitmodules", '[submodule "sub"]\n\tpath = sub\n\turl = https://evil.example/x\n'),
            ),
            "submodules (.gitmodules, sub)",
        ),
        (lambda k: k.work(k.entry("note", f"{TOKEN}\n")), "The work was withheld, because secret values are in it"),
    ],
)  # fmt: skip
def test_with_the_key_what_the_second_job_sees_for_itself_counts(
    kept: Kept, change: Callable[[Kept], object], why: str
) -> None:
    kept.fresh()
    change(kept)
    sign_again(kept.jobs.bundle)
    kept.jobs.second["DEPLOY_TOKEN"] = TOKEN
    refused(kept, why)


def _as(event: Event, fact: Pushed) -> Event:
    return Event(event.sequence, event.at, fact)


def test_one_of_another_issue_or_run_is_refused(kept: Kept) -> None:
    kept.fresh()
    run = kept.jobs.second["GITHUB_RUN_ID"]
    kept.jobs.second["GITHUB_RUN_ID"] = str(int(run) + 50)
    kept.jobs.project.forge.runs[int(run) + 50] = "in_progress"
    done = kept.jobs.publish()
    kept.jobs.second["GITHUB_RUN_ID"] = run
    assert done.exit_code == 1
    assert any("it is of another pipeline" in text for _, text in kept.jobs.project.said(kept.jobs.number))
    assert kept.jobs.branches() == "main"
    kept.jobs.project.forge.delete_comment(max(kept.jobs.project.forge.comments))


def test_an_older_base_than_the_pipeline_s_own_is_refused(kept: Kept) -> None:
    """Old workflows would come back with it, which somebody mended since."""
    project, before = kept.jobs.project, kept.jobs.project.origin.git("rev-parse", "main")
    kept.clone.git("checkout", "--quiet", "--force", "-B", "newer", "origin/main")
    newer = kept.clone.commit({"mended": "x\n"})
    kept.clone.git("push", "--quiet", "origin", "newer:main")
    kept.fresh()
    kept.jobs.second["GITHUB_SHA"] = newer
    refused(kept, "begins at an older commit of the base branch than the pipeline's own")
    project.origin.git("update-ref", "refs/heads/main", before)
    kept.clone.git("fetch", "--quiet", "--force", "origin", "+main:refs/remotes/origin/main")
    kept.jobs.second["GITHUB_SHA"] = before


def test_a_protected_branch_is_never_written(kept: Kept) -> None:
    kept.fresh()
    kept.jobs.project.forge.protected.add(BRANCH)
    sha = kept.jobs.project.origin.git("rev-parse", "main")
    kept.jobs.project.origin.git("branch", BRANCH, sha)
    done = kept.jobs.publish()
    assert done.exit_code == 2, done.log
    assert "is protected, so it is not one to work on" in kept.jobs.comment()
    assert kept.jobs.project.origin.git("rev-parse", BRANCH) == sha
    kept.jobs.project.origin.git("branch", "-D", BRANCH)
    kept.jobs.project.forge.protected.clear()


def test_the_untouched_bundle_is_published(kept: Kept) -> None:
    """The control of all of the above."""
    kept.fresh()
    assert GITHUB_TOKEN in kept.jobs.second.values()
    done = kept.jobs.publish()
    assert done.exit_code == 0, done.log
    assert kept.jobs.branches().split() == [BRANCH, "main"]
    [request] = kept.jobs.project.merge_requests()
    assert not request["draft"]
