"""A look with fresh eyes, with a real client over HTTP."""

from __future__ import annotations

import time

import pytest

from ci_agent.agent import Review, review
from ci_agent.agent.review import _defects
from ci_agent.models import ModelSettings, open_model
from tests.agent.test_choice import TASK
from tests.support.model_server import ModelServer, Say


def _review(answer: str, diff: str = "+x") -> tuple[Review, ModelServer]:
    with ModelServer([Say(answer)]) as server:
        model = open_model("m", ModelSettings(base_url=server.base_url, api_key=server.key), lambda _: None)
        return review(model, TASK, diff, "1 test fixed", time.monotonic() + 30), server


@pytest.mark.parametrize(
    ("answer", "defects", "understood"),
    [
        ("OK", (), True),
        ("**OK**, I would merge it.", (), True),
        ("No defects.", (), True),
        ("DEFECT: a.py:3: empty input fails", ("a.py:3: empty input fails",), True),
        (
            "1. **DEFECT:** a.py:3: one\n   and more of it\n\n- defect: two\nDEFECT: three\nDEFECT: four",
            ("a.py:3: one and more of it", "two", "three"),
            True,
        ),
        ("OK but\nDEFECT: b", ("b",), True),
        ("I can't say.", (), False),
        ("", (), False),
    ],
)
def test_the_answer_is_read_leniently(answer: str, defects: tuple[str, ...], understood: bool) -> None:
    said, _ = _review(answer)
    assert said.defects == defects
    assert said.understood is understood


def test_it_sees_the_issue_the_change_and_the_tests_and_has_no_tools() -> None:
    _, server = _review("OK", "+" + "x" * 100_000)
    [request] = server.requests
    assert "tools" not in request.body
    system, user = (message["content"] for message in request.body["messages"])
    assert system.startswith("You review a change")
    for part in (
        "# The issue: slug() makes double dashes",
        "1 test fixed",
        '<diff id="',
        "40,001 characters left out",
    ):
        assert part in user


def test_of_an_endless_answer_only_the_beginning_is_read() -> None:
    began = time.process_time()
    assert _defects("DEFECT: a\n" + "x\n" * 2_000_000)[0].startswith("a x x")
    assert time.process_time() - began < 2
    assert _defects("x\n" * 20_000 + "DEFECT: late") == []
