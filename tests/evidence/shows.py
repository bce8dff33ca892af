"""What `ci-agent verify` says of real projects, and the table of it in docs/verification.md.

`python -m tests.evidence.shows` runs everything and writes the table; `make test-tools` has to have run before.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_agent.journal import read
from ci_agent.journal.events import Fact, Judged
from tests.evidence.stories import STORIES, Kind, Story
from tests.support import real_projects

PAGE = Path(__file__).parents[2] / "docs" / "verification.md"
HEADING = "## Seen on real projects\n"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run of `ci-agent verify` came to."""

    kind: Kind
    exit_code: int
    said: str  # on its standard output and error
    facts: tuple[Fact, ...]

    @property
    def judged(self) -> Judged:
        """Raises `ValueError` with what it said, where there is no verdict."""
        found = [fact for fact in self.facts if isinstance(fact, Judged)]
        if len(found) != 1:
            raise ValueError(self.said)
        return found[0]


# --- running ----------------------------------------------------------------------------------------------


def seen(story: Story, folder: Path) -> list[Seen]:
    """All four changes of the story, one after the other, in the empty `folder`."""
    return [_verified(story, kind, folder) for kind in Kind]


def _verified(story: Story, kind: Kind, folder: Path) -> Seen:
    """In a repository of its own. The runs on the same base are remembered from one to the next."""
    repository, report = folder / kind / story.project.name, folder / kind / "report"
    shared = folder / kind / "shared"
    shared.mkdir(parents=True)
    _commits(story, kind, repository, shared / "runs")
    words = ["verify", "--repo", str(repository), "--base", "main", "--head", "change"]
    places = ["--output-dir", str(report), "--state-dir", str(folder / "state")]
    done = subprocess.run(
        [sys.executable, "-m", "ci_agent", *words, *places],
        env=real_projects.offline() | {"CI_AGENT_SANDBOX_WRITABLE": str(shared)},
        cwd=Path(__file__).parents[2],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    journal = report / "session.jsonl"
    facts = tuple(event.fact for event in read(journal)) if journal.exists() else ()
    return Seen(kind, done.returncode, done.stdout, facts)


def _commits(story: Story, kind: Kind, repository: Path, runs: Path) -> None:
    real_projects.lay_out(story.project, repository)
    _git(repository, "init", "--quiet", "--initial-branch", "main")
    for edits, message in ((story.base(kind), "Base"), (story.change(kind), str(kind).capitalize())):
        for edit in edits:
            edit.make(repository, runs)
        _git(repository, "add", "--all")
        _git(repository, "commit", "--quiet", "--message", message)
        if message == "Base":
            _git(repository, "switch", "--quiet", "--create", "change")


def _git(repository: Path, *words: str) -> None:
    name = {"GIT_AUTHOR_NAME": "Dana", "GIT_AUTHOR_EMAIL": "dana@example.org"}
    name |= {key.replace("AUTHOR", "COMMITTER"): text for key, text in name.items()}
    alone = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    subprocess.run(["git", *words], cwd=repository, env=real_projects.offline() | name | alone, check=True)


# --- the table --------------------------------------------------------------------------------------------


def rows(story: Story, found: Sequence[Seen]) -> list[str]:
    """The story's rows of the table. What it says is the reason that weighs most, and what to know beside."""
    project = f"{story.project.language}: {story.project.name} {story.project.version.removeprefix('v')}"
    return [
        f"| {project if number == 0 else ''} | {each.kind} | **{each.judged.grade}**, exit code {each.exit_code} "
        f"| {_cell(' '.join((*each.judged.reasons, *each.judged.remarks)))} |"
        for number, each in enumerate(found)
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def section(table: Sequence[str]) -> str:
    """The section of the page, without its heading."""
    return "\n".join(("", _INTRODUCTION, _HEAD, *table, ""))


_INTRODUCTION = """\
Projects as their authors published them, tests and all. (The lock file of object-path and the `pom.xml` of commons-cli
are ours: the one is not published, the other is made for releases.) Into each a small bug is put that one of its own
tests sees; that is the base. The *good* change mends it and adds a test. The *breaking* one breaks something else. The
*flaky* one is the good one, on a base with a test that fails on each third run. The *cheating* one deletes or skips the
test that sees the bug. ci-agent is told nothing of all that, and nothing is configured.

`make test-tools && .venv/bin/python -m tests.evidence.shows` makes the table anew; a test compares it with the runs.
"""
_HEAD = "| project | change | verdict | what it says |\n|---|---|---|---|"


def main() -> int:
    """Run it all and write the section. It is the last one of the page."""
    table: list[str] = []
    for story in STORIES:
        with tempfile.TemporaryDirectory() as folder:
            table += rows(story, seen(story, Path(folder)))
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page.partition(HEADING)[0] + HEADING + section(table), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
