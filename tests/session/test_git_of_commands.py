"""What the model's own git shows it of the project: its history and its changes, of which nothing is the harness's."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_agent.journal.events import ToolAnswered
from tests.support.jobs import FIX, SUBMIT, Runner, calculator
from tests.support.model_server import ModelServer, Say

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("git log --oneline", "First commit"),
        ("git show --stat HEAD", "calculator.py"),
        ("echo >> calculator.py; git diff --stat; git checkout calculator.py", "1 file changed"),
        ("git stash list && git blame calculator.py", "def add"),
    ],
)
def test_history_and_changes_can_be_looked_at(tmp_path: Path, command: str, shown: str) -> None:
    repository = calculator(tmp_path)
    with ModelServer([Say(calls=[("bash", {"command": command}), FIX]), Say(calls=[SUBMIT])]) as server:
        job = Runner(tmp_path).run(repository.path, server=server)
    answers = [answer.text for answer in job.facts(ToolAnswered) if answer.name == "bash"]
    assert shown in answers[0]
    assert "[exit 0" in answers[0]
    assert "denied" not in answers[0]
