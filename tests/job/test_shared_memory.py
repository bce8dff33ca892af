"""A change whose tests only pass with what a command left in shared memory, beside the commit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from ci_agent.journal.events import Grade, Judged, Warned
from tests.job.conftest import labelled
from tests.support.jobs import SUBMIT
from tests.support.model_server import ModelServer, Say
from tests.support.namespaces import lacking, with_memory
from tests.support.pipelines import Done, pipeline

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(lacking() is not None, reason=lacking() or ""),
]

LEAVE = ("bash", {"command": "echo 'def add(a, b): return a + b' > /dev/shm/solution.py"})
CHANGED = """\
import sys

sys.path.insert(0, "/dev/shm")
from solution import add


def double(a):
    return a * 2
"""
USE = ("write_file", {"path": "calculator.py", "content": CHANGED})
# A job beside which there is another session of its user.
_BESIDE = """
import subprocess, sys
from ci_agent.sandbox.presence import Presence
other = Presence()
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""


def work(folder: Path, *before: str) -> Done:
    """A job on a machine whose shared memory is empty, with these words before it."""
    with (
        ModelServer([Say(calls=[LEAVE]), Say(calls=[USE]), Say(calls=[SUBMIT])]) as model,
        pipeline("gitlab", folder, model) as project,
    ):
        environment = project.environment(
            *labelled(project, project.forge.write_issue("add() subtracts", ""))
        )
        done = subprocess.run(
            [*with_memory(), *before, sys.executable, "-m", "ci_agent", "job"],
            env=environment,
            cwd=project.place(environment),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        return project.done(environment, done.returncode, done.stdout + done.stderr)


def grades(done: Done) -> Sequence[Grade]:
    return [event.fact.grade for event in done.events if isinstance(event.fact, Judged)]


def told(done: Done) -> Sequence[str]:
    texts = [event.fact.text for event in done.events if isinstance(event.fact, Warned)]
    return [text for text in texts if "shared memory" in text]


def test_beside_another_session_it_is_verified_and_people_are_told(tmp_path: Path) -> None:
    done = work(tmp_path, sys.executable, "-c", _BESIDE)
    assert (grades(done), done.exit_code) == ([Grade.VERIFIED], 0), done.log
    [sentence] = told(done)
    assert sentence == (
        "Since this work began, /dev/shm/solution.py came to be or changed in shared memory, perhaps by its commands; the "
        "tests may have seen it."
    )


def test_alone_in_a_job_it_is_not_verified(tmp_path: Path) -> None:
    done = work(tmp_path)
    assert set(grades(done)) == {Grade.BROKEN}, done.log
    assert done.exit_code != 0
    assert told(done) == []
