"""A recorded session in the model's place."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ci_agent.journal import Journal
from ci_agent.journal.events import (
    Compacted,
    HarnessSaid,
    ModelChosen,
    ModelReplied,
    ModelRetried,
    Reviewed,
    ToolAnswered,
    ToolCalled,
    Warned,
)
from ci_agent.models import Message, Model, ModelError, ModelSettings, open_model
from ci_agent.task import Ending, Usage

PROMPT: list[Message] = [{"role": "system", "content": "new words"}, {"role": "user", "content": "the task"}]


def quiet(_: ModelRetried) -> None:
    """Nobody listens."""


def said(step: int, *calls: str) -> ModelReplied:
    message: dict[str, Any] = {"role": "assistant", "content": f"step {step}"}
    if calls:
        message["tool_calls"] = [
            {"id": f"c{step}{name}", "type": "function", "function": {"name": name, "arguments": "{}"}}
            for name in calls
        ]
    return ModelReplied(
        step, "gpt-5", message, "tool_calls" if calls else "stop", Usage(100, 90, 5, 1), 0.25, 3.0
    )


def answered(text: str, name: str = "bash") -> ToolAnswered:
    return ToolAnswered(1, "c1", name, ok=True, text=text, seconds=0.1)


def recording(path: Path, *facts: Any) -> Model:
    journal = Journal(path / "session.jsonl")
    for fact in facts:
        journal.append(fact)
    journal.close()
    return open_model(f"replay:{journal.path}", ModelSettings(), quiet)


def two_steps(path: Path, text: str) -> Model:
    return recording(path, said(1, "bash"), answered(text), said(2))


def go_on(model: Model, tools: Sequence[str], harness: Sequence[str] = ()) -> str:
    """The text of the second reply, when these were the answers to the first."""
    first = model.reply(PROMPT, [], time.monotonic())
    told = [{"role": "tool", "tool_call_id": "c", "content": text} for text in tools]
    notes = [{"role": "user", "content": text} for text in harness]
    return model.reply([*PROMPT, first.message, *told, *notes], [], time.monotonic()).text


def departure(model: Model, tools: Sequence[str], harness: Sequence[str] = ()) -> str:
    with pytest.raises(ModelError) as caught:
        go_on(model, tools, harness)
    assert caught.value.ending is Ending.LLM_REPLAY
    return str(caught.value)


def test_the_recorded_replies_come_back_in_order(tmp_path: Path) -> None:
    model = recording(
        tmp_path,
        Warned("x"),
        said(1, "bash", "search"),
        ToolCalled(1, "c", "bash", "{}"),
        answered("a"),
        said(2),
    )
    first = model.reply(PROMPT, [], time.monotonic())
    assert first.text == "step 1"
    assert [(call.id, call.name, call.arguments) for call in first.calls] == [
        ("c1bash", "bash", "{}"),
        ("c1search", "search", "{}"),
    ]
    assert first.message == said(1, "bash", "search").message
    assert first.finish_reason == "tool_calls"
    second = model.reply([*PROMPT, first.message, {"role": "tool", "content": "a"}], [], time.monotonic())
    assert (second.text, second.calls) == ("step 2", ())


def test_a_replay_reports_the_recorded_tokens_and_costs_nothing(tmp_path: Path) -> None:
    model = recording(tmp_path, said(1))
    reply = model.reply(PROMPT, [], time.monotonic())
    assert model.name == "replay:session.jsonl"
    assert (reply.usage, reply.cost, reply.seconds) == (Usage(100, 90, 5, 1), 0.0, 0.0)


@pytest.mark.parametrize(
    ("recorded", "reported"),
    [
        (Usage(-(10**15), -5, -1, -1), Usage()),
        (Usage(10**15, 7, 5, 9), Usage(0, 0, 5, 5)),
        (Usage(10, 11, 10**10, 3), Usage(10, 10, 0, 0)),
    ],
)
def test_tokens_no_reply_can_have_are_not_reported(tmp_path: Path, recorded: Usage, reported: Usage) -> None:
    model = recording(tmp_path, dataclasses.replace(said(1), usage=recorded))
    assert model.reply(PROMPT, [], time.monotonic()).usage == reported


@pytest.mark.parametrize("name", ["~nobody-of-this-name/x.jsonl", "a\0b"])
def test_a_path_that_can_not_be_one_is_told(name: str) -> None:
    with pytest.raises(ModelError, match="can't be read") as caught:
        open_model(f"replay:{name}", ModelSettings(), quiet)
    assert caught.value.ending is Ending.LLM_REPLAY


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("1 passed in 0.05s", "1 passed in 12.30s"),
        ("===== 1 passed in 0.05s =====", "==== 1 passed in 12.30s ===="),
        ("[exit 0, 1.2s]", "[exit 0, 0.9s]"),
        ("real\t0m0.183s", "real\t1m2.5s"),
        ("ok  example.com/pkg  0.003s", "ok  example.com/pkg  0.104s"),
        ("  ✓ adds (12ms)\n# duration_ms 71.2", "  ✓ adds (8 ms)\n# duration_ms 1"),
        ("[feat/x 3f2c1aa] fix", "[feat/x b2c4f06] fix"),
        ("index 1234567..abcdef0 100644", "index 7654321..0fedcba 100644"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id 00000000-0000-4000-8000-00000000abcd"),
        ("<Foo object at 0x7f3b2c>", "<Foo object at 0xDEAD>"),
        ("/tmp/tmpab_12x/slugs/core.py:3: oops", "/tmp/tmp.Zz9/slugs/core.py:3: oops"),
        ("/tmp/abc", "/var/folders/zz/yyy/T/def"),
        ("rootdir: /tmp/a/b", "rootdir: /home/me/c"),
        ('File "/usr/lib/python3.11/json/decoder.py"', 'File "/opt/py/3.13/json/decoder.py"'),
        ("cd /home/a/work && ls", "cd /builds/group/work && ls"),
        ("Date:   Thu Nov 20 22:56:01 2025 +0000", "Date:   Fri Dec 5 01:02:03 2025 +0000"),
        ("2025-11-20T22:56:01.123Z start", "2026-01-02T03:04:05Z start"),
        ("-rw-r--r-- 1 me me 12 Nov 20 22:56 a.py", "-rw-r--r-- 1 me me 12 Feb  3 01:02 a.py"),
        ("platform linux -- Python 3.11.7, pytest-9.0.1", "platform darwin -- Python 3.13.0, pytest-8.4.0"),
        ("    f(x)\n    ~^^^\nKeyError", "    f(x)\nKeyError"),
        ("a\n\nb\n", "a\nb"),
        ("caf\udce9", "caf?"),
    ],
)
def test_what_honestly_differs_between_runs_is_no_departure(tmp_path: Path, then: str, now: str) -> None:
    assert go_on(two_steps(tmp_path, then), [now]) == "step 2"


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("1 passed in 0.05s", "1 failed in 0.05s"),
        ("[exit 0, 1.2s]", "[exit 1, 1.2s]"),
        ("a.py", "b.py"),
        ("/tmp/x/core.py", "/tmp/x/other.py"),
        ("src/a/core.py", "src/b/core.py"),
        ("one\ntwo", "one"),
        ("one", "one\ntwo"),
        ("  indented", "indented"),
        ("count 123456", "count 123457"),
        ("a == b", "a != b"),
    ],
)
def test_what_differs_otherwise_is_a_departure(tmp_path: Path, then: str, now: str) -> None:
    assert "before step 2, answer of a tool 1" in departure(two_steps(tmp_path, then), [now])


def test_a_departure_shows_the_first_line_that_differs(tmp_path: Path) -> None:
    model = two_steps(tmp_path, "ran in 1.0s\n2 passed" + "." * 500 + "\nthe end")
    text = departure(model, ["ran in 2.0s\n1 failed\nlater"])
    assert "recorded: 2 passed....." in text
    assert "now:      1 failed\n" in text
    assert "the end" not in text
    assert "later" not in text
    assert len(text) < 700


def test_answers_that_are_missing_or_too_many_are_departures(tmp_path: Path) -> None:
    assert "is missing. Recorded: a" in departure(two_steps(tmp_path / "1", "a"), [])
    assert "was not there. Now: b" in departure(two_steps(tmp_path / "2", "a"), ["a", "b"])


def test_the_order_of_the_answers_counts(tmp_path: Path) -> None:
    model = recording(tmp_path, said(1, "bash", "bash"), answered("a"), answered("b"), said(2))
    assert "recorded: a" in departure(model, ["b", "a"])


def test_messages_of_the_harness_are_compared_too(tmp_path: Path) -> None:
    facts = (said(1), HarnessSaid("call submit when done"), said(2))
    assert go_on(recording(tmp_path / "1", *facts), [], ["call submit when done"]) == "step 2"
    assert "message of the harness 1" in departure(recording(tmp_path / "2", *facts), [], ["other words"])
    assert "is missing" in departure(recording(tmp_path / "3", *facts), [])


def test_what_the_model_was_told_first_is_not_compared(tmp_path: Path) -> None:
    model = recording(tmp_path, HarnessSaid("old prompt"), said(1))
    assert model.reply(PROMPT, [], time.monotonic()).text == "step 1"


def test_a_summary_and_a_review_are_answered_as_they_were(tmp_path: Path) -> None:
    model = recording(
        tmp_path,
        said(1, "bash"),
        answered("a"),
        Compacted(step=1, before=9, after=5, left_out=1, summary="## Goal"),
        said(2, "submit"),
        Reviewed("m", ("a.py:1: wrong",), "DEFECT: a.py:1: wrong", True, Usage(), 0.0, 1.0),
        answered("given back", "submit"),
        said(3),
    )
    first = model.reply(PROMPT, [], time.monotonic())
    asked = {"role": "user", "content": "sum it up"}
    summary = model.reply([*PROMPT, first.message, asked], [], time.monotonic())
    assert summary.text == "## Goal"
    second = model.reply([*PROMPT, {"role": "user", "content": "it goes on here"}], [], time.monotonic())
    assert second.text == "step 2"
    assert model.reply(PROMPT, [], time.monotonic()).text == "DEFECT: a.py:1: wrong"
    told = {"role": "tool", "tool_call_id": "c", "content": "given back"}
    assert model.reply([*PROMPT, second.message, told], [], time.monotonic()).text == "step 3"


def test_another_model_begins_anew(tmp_path: Path) -> None:
    model = recording(
        tmp_path, said(1), HarnessSaid("go on"), ModelChosen("strong", "s", "why", "m"), said(2)
    )
    model.reply(PROMPT, [], time.monotonic())
    assert model.reply(PROMPT, [], time.monotonic()).text == "step 2"


def test_a_run_that_goes_on_after_the_recording_is_told_so(tmp_path: Path) -> None:
    model = recording(tmp_path, said(1))
    assert "ends after step 1" in departure(model, [])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no model replies"),
        (b"not a journal\n", "not an event"),
        (b"\x00\xff\n", "not an event"),
        (b'{"sequence": 1}\n', "not an event"),
    ],
)
def test_a_file_that_is_no_recording_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=words) as caught:
        open_model(f"replay:{path}", ModelSettings(), quiet)
    assert caught.value.ending is Ending.LLM_REPLAY
    assert "x.jsonl" in str(caught.value)


def test_a_recording_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        open_model(f"replay:{tmp_path / 'none.jsonl'}", ModelSettings(), quiet)
    with pytest.raises(ModelError, match="Is a directory"):
        open_model(f"replay:{tmp_path}", ModelSettings(), quiet)
