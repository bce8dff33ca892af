"""Who begins, and who takes over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ci_agent.agent import Choice, Models, Role, choose
from ci_agent.models import Message, Reply, ToolSchema
from ci_agent.task import Task

TASK = Task(
    issue="1",
    reference="#1",
    title="slug() makes double dashes",
    text="",
    author="dana",
    url="",
    repository="",
    base="main",
    base_sha="0" * 40,
    branch="b",
    requester="dana",
)


class _Named:
    """A model that is never asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.window: int | None = None

    def reply(self, messages: Sequence[Message], tools: Sequence[ToolSchema], deadline: float) -> Reply:
        raise NotImplementedError


ONE = Models(_Named("m"))
ALL = Models(_Named("m"), strong=_Named("s"), cheap=_Named("c"))


@pytest.mark.parametrize(
    ("models", "role", "better"),
    [
        (ONE, Role.DEFAULT, None),
        (ALL, Role.DEFAULT, Role.STRONG),
        (ALL, Role.STRONG, None),
        (Models(_Named("m"), strong=_Named("m")), Role.DEFAULT, None),
        (Models(_Named("m"), strong=_Named("s"), cheap=_Named("m")), Role.CHEAP, Role.STRONG),
        (ALL, Role.CHEAP, Role.DEFAULT),
        (Models(_Named("m"), cheap=_Named("c")), Role.CHEAP, Role.DEFAULT),
        (Models(_Named("m"), cheap=_Named("c")), Role.DEFAULT, None),
    ],
)
def test_a_better_one_takes_over_where_there_is_one(models: Models, role: Role, better: Role | None) -> None:
    assert models.above(role) is better


def test_with_one_model_there_is_nothing_to_choose() -> None:
    assert choose(replace(TASK, title="Fix a typo in README.md"), ONE) == Choice(Role.DEFAULT, "")


def test_what_is_asked_for_counts_more_than_labels_and_these_more_than_the_text() -> None:
    typo = replace(TASK, title="Fix a typo in README.md")
    assert choose(typo, ALL) == Choice(Role.CHEAP, "the issue looks small")
    labelled = replace(typo, labels=("bug", "ai-strong"))
    assert choose(labelled, ALL) == Choice(Role.STRONG, "the label ai-strong asks for it")
    assert choose(labelled, replace(ALL, use=Role.DEFAULT)) == Choice(Role.DEFAULT, "it was asked for")


def test_a_label_for_a_model_that_is_not_there_is_told() -> None:
    chosen = choose(replace(TASK, labels=("ai-cheap",)), ONE)
    assert chosen == Choice(Role.DEFAULT, "the label ai-cheap asks for a cheap model, and none is configured")


@pytest.mark.parametrize(
    "task",
    [
        replace(TASK, title="Bump the version to 2.1"),
        replace(TASK, title="Wording", text="The error message says `wiht`."),
        replace(TASK, title="Docstring of slug() is outdated", text="See slugs/core.py."),
    ],
)
def test_words_and_versions_look_small(task: Task) -> None:
    assert choose(task, ALL).role is Role.CHEAP


@pytest.mark.parametrize(
    "task",
    [
        TASK,  # a defect, in few words
        replace(TASK, title="Typo", text="x " * 400),
        replace(TASK, title="Docs", text="```\nTraceback\n```"),
        replace(TASK, title="Docs crash the parser"),
        replace(TASK, title="Update docs", text="In a.md, b.md and c.py."),
        replace(TASK, title="Fix docs", hint="and rewrite the parser"),
    ],
)
def test_everything_else_does_not(task: Task) -> None:
    assert choose(task, ALL).role is Role.DEFAULT
