"""From a label to a merge request, and from a comment to the next attempt, on both platforms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.jobs import BREAK, FIX, SUBMIT
from tests.support.model_server import ModelServer, Say
from tests.support.pipelines import Pipeline, pipeline

SOLVE = [Say(calls=[FIX]), Say(calls=[SUBMIT])]


@pytest.fixture(params=["github", "gitlab"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pipeline]:
    with ModelServer(SOLVE) as model, pipeline(request.param, tmp_path, model) as made:
        yield made


def labelled(project: Pipeline, number: int, by: str = "dana") -> tuple[str, dict[str, object]]:
    """The event of a label that is added."""
    payload = project.forge.label(number, "ai-task", by=by)
    return ("issues" if project.platform == "github" else "trigger"), payload


def commented(project: Pipeline, number: int, text: str, by: str = "dana") -> tuple[str, dict[str, object]]:
    """The event of a comment."""
    payload = project.forge.say(number, text, by=by)
    return ("issue_comment" if project.platform == "github" else "trigger"), payload


def test_a_label_becomes_a_merge_request(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "`add(1, 2)` gives -1.", by="guest")
    done = project.run(*labelled(project, number))
    assert done.exit_code == 0, done.log
    [(who, comment)] = project.said(number)
    [request] = project.merge_requests()
    assert "**Done: " in comment
    assert project.labels(number) == ["ai-review"]
    assert (request["branch"], request["draft"], request["open"]) == ("feat/ai-task-1", False, True)
    assert request["text"].startswith("Closes #1 · reported by guest · started by @dana")
    assert project.origin.show("feat/ai-task-1", "calculator.py").startswith("def add(a, b):\n    return a + b")
    print(done.log, comment, request["text"], len(project.server.requests), who)
