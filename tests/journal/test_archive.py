"""The journal survives a checkpoint word for word; where that is too large, what is left out is old, named and no decision."""

from __future__ import annotations

import gzip
import json
import random
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.errors import JournalError
from ci_agent.journal import Event, Fact, encode
from ci_agent.journal.archive import INFLATED, MOST, Packed, packed, unpacked
from ci_agent.journal.events import HarnessSaid, ModelReplied, ToolAnswered, ToolCalled, Warned
from ci_agent.task import Usage
from tests.journal.any_events import journals, numbered

_NOISE = random.Random(1)


def noise(length: int) -> str:
    """A text that compresses to about half of its length."""
    return _NOISE.randbytes(length // 2).hex()


def reply(message: dict[str, Any]) -> ModelReplied:
    return ModelReplied(1, "m", message, "tool_calls", Usage(), None, 0.5)


def answer(text: str, added: str = "") -> ToolAnswered:
    return ToolAnswered(1, "c", "bash", True, text + added, 0.1, added=added)


def step(written: str, answered: str) -> list[Fact]:
    """A reply with a call that is given a long text, and its answer."""
    arguments = json.dumps({"path": "a.py", "content": written})
    message = {
        "content": "I write.",
        "tool_calls": [{"id": "c", "function": {"name": "w", "arguments": arguments}}],
    }
    return [reply(message), ToolCalled(1, "c", "w", arguments, "write_file", "a.py"), answer(answered)]


def mark(text: str) -> str:
    return f"[left out of the checkpoint: {len(text):,} characters]"


def as_small_as_can_be(events: Sequence[Event]) -> tuple[Event, ...]:
    """The events without all that can be left out."""
    low, high = 0, len(packed(events).content)
    while low < high:
        middle = (low + high) // 2
        try:
            high = min(middle, len(packed(events, middle).content))
        except JournalError:
            low = middle + 1
    return unpacked(packed(events, high).content)


# --- nothing is left out -----------------------------------------------------------------------------------


@given(journals)
def test_it_is_a_gzip_file_of_the_journals_lines_and_is_unpacked_to_the_events(events: list[Event]) -> None:
    found = packed(events)
    assert gzip.decompress(found.content).decode() == "".join(f"{encode(event)}\n" for event in events)
    assert unpacked(found.content) == tuple(events)
    assert found.left_out == 0


def test_the_same_events_give_the_same_bytes() -> None:
    content = packed(numbered([Warned("x")])).content
    assert content == packed(numbered([Warned("x")])).content
    assert content[4:8] == bytes(4)  # the time of a gzip file, RFC 1952, section 2.3.1


def test_no_events_are_a_file_too() -> None:
    found = packed([])
    assert found.content.startswith(b"\x1f\x8b")
    assert unpacked(found.content) == ()


def test_a_long_one_is_one_file_too() -> None:
    events = numbered(answer(noise(30_000)) for _ in range(50))
    found = packed(events)
    assert unpacked(found.content) == tuple(events)
    lines = "".join(f"{encode(event)}\n" for event in events).encode()
    assert gzip.decompress(found.content) == lines
    assert len(found.content) < 1.02 * len(gzip.compress(lines, 6))


# --- what is left out --------------------------------------------------------------------------------------


@given(journals, st.integers(0, 100))
def test_it_is_as_small_as_asked_for_and_only_texts_of_calls_are_left_out(
    events: list[Event], percent: int
) -> None:
    most = len(packed(events).content) * percent // 100
    try:
        found = packed(events, most)
    except JournalError as error:
        assert "too large for a checkpoint" in str(error)
        return
    assert len(found.content) <= most
    after = unpacked(found.content)
    assert len(after) == len(events)
    for old, new in zip(events, after, strict=True):
        assert replace(new, fact=old.fact) == old
        check_only_texts_of_calls_differ(old.fact, new.fact)
    assert found.left_out == sum(old != new for old, new in zip(events, after, strict=True))


def check_only_texts_of_calls_differ(old: Fact, new: Fact) -> None:
    if isinstance(old, ToolAnswered) and old != new:
        said = old.text.removesuffix(old.added)
        assert len(said) >= 200
        assert new == replace(old, text=mark(said) + (old.added if said != old.text else ""))
    elif isinstance(old, ToolCalled) and old != new:
        assert isinstance(new, ToolCalled)
        assert replace(new, arguments=old.arguments) == old
        assert same_but_marks(json.loads(old.arguments), json.loads(new.arguments))
    elif isinstance(old, ModelReplied) and old != new:
        assert isinstance(new, ModelReplied)
        assert replace(new, message=old.message) == old
        assert new.message["content"] == old.message["content"]
        assert same_but_marks(with_arguments_read(old.message), with_arguments_read(new.message))
    else:
        assert new == old


def same_but_marks(old: Any, new: Any) -> bool:
    if isinstance(old, str) and len(old) >= 200 and new == mark(old):
        return True
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(same_but_marks(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(same_but_marks, old, new))
    return bool(old == new)


def with_arguments_read(value: Any) -> Any:
    if isinstance(value, list):
        return [with_arguments_read(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: read_json(item) if key == "arguments" else with_arguments_read(item)
        for key, item in value.items()
    }


def read_json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def test_the_oldest_goes_first_and_arguments_after_all_answers() -> None:
    facts = [fact for _ in range(6) for fact in (*step(noise(3_000), noise(100_000)), Warned(noise(50)))]
    events = numbered(facts)
    order = [
        *(event.sequence for event in events if isinstance(event.fact, ToolAnswered)),
        *(event.sequence for event in events if isinstance(event.fact, ModelReplied | ToolCalled)),
    ]
    most, counts = len(packed(events).content), set()
    while True:
        try:
            found = packed(events, most)
        except JournalError:
            break
        after = unpacked(found.content)
        gone = {old.sequence for old, new in zip(events, after, strict=True) if old != new}
        assert gone == set(order[: found.left_out])
        counts.add(found.left_out)
        most = len(found.content) - 1
    # A call repeats what stood in the reply before it, which deflate sees: leaving out one of the two frees next to nothing.
    assert counts >= {*range(6), *range(6, 18, 2)}


def test_what_the_harness_added_to_an_answer_stays_and_one_that_is_all_its_own() -> None:
    events = numbered(
        [answer(noise(5_000), f"\n\n{'y' * 300}"), answer("", "z" * 300), HarnessSaid(noise(1_000))]
    )
    first, second, third = as_small_as_can_be(events)
    assert isinstance(first.fact, ToolAnswered)
    assert first.fact.text == f"[left out of the checkpoint: 5,000 characters]\n\n{'y' * 300}"
    assert first.fact.text.endswith(first.fact.added)
    assert (second, third) == tuple(events[1:])


@pytest.mark.parametrize(
    ("form", "left"),
    [
        ('{"path": "a", "content": "TEXT"}', '{"path": "a", "content": "MARK"}'),
        ('{ "a":["TEXT" , {"b" : "TEXT"}],"n":1e2 }', '{ "a":["MARK" , {"b" : "MARK"}],"n":1e2 }'),
        ('{"KEY" : "TEXT", "a": 1, "a": 2}', '{"KEY" : "MARK", "a": 1, "a": 2}'),
        ('"TEXT"', '"MARK"'),
        ('{"content": "TEXT', '{"content": "TEXT'),
        ("TEXT", "TEXT"),
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        noise(1_000),
        json.dumps("".join(_NOISE.choices('":\\\nü,{}[]', k=1_000)))[1:-1],
        json.dumps("".join(_NOISE.choices('":\\\nü,{}[]', k=1_000)), ensure_ascii=False)[1:-1],
        "".join(_NOISE.choices("a\nü🙂: {}[],", k=1_000)),  # as some models write it
    ],
)
def test_arguments_keep_their_form(form: str, left: str, text: str) -> None:
    key = f'{noise(300)}\\": \\"'
    form, left = (each.replace("KEY", key).replace("TEXT", text) for each in (form, left))
    [found] = as_small_as_can_be(numbered([ToolCalled(1, "c", "w", form)]))
    short = left.replace("MARK", "[left out of the checkpoint: 1,000 characters]")
    assert found.fact == ToolCalled(1, "c", "w", short)


def test_what_has_less_than_200_characters_stays() -> None:
    texts = [noise(200) for _ in range(4)]
    facts: list[Fact] = [
        answer(texts[0][1:]),
        answer(texts[1]),
        ToolCalled(1, "c", "w", json.dumps([texts[2][1:], texts[3]])),
        ToolCalled(1, "c", "w", '"' + "\\/" * 199 + '"'),  # written with more
    ]
    found = [event.fact for event in as_small_as_can_be(numbered(facts))]
    short = ToolCalled(1, "c", "w", json.dumps([texts[2][1:], mark(texts[3])]))
    assert found == [facts[0], answer(mark(texts[1])), short, facts[3]]


def test_what_is_nested_too_deeply_to_look_into_stays() -> None:
    message: dict[str, Any] = {}
    for _ in range(480):  # deeper than Python 3.11 follows, and not deeper than can be written down
        message = {"x": message}
    facts = [ToolCalled(1, "c", "w", "[" * 100_000), reply(message), *step(noise(1_000), noise(1_000))]
    first, second, *others = as_small_as_can_be(numbered(facts))
    assert [first.fact, second.fact] == facts[:2]
    assert all(mark("x" * 1_000) in encode(event) for event in others)


def test_arguments_are_found_in_the_messages_of_every_api_and_the_models_own_words_stay() -> None:
    long = noise(2_000)
    call = {"type": "function_call", "arguments": json.dumps({"content": long})}
    message = {
        "content": long,
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "w", "arguments": call["arguments"]}}
        ],
        "responses": [{"type": "reasoning", "encrypted_content": long}, call],
        "anthropic": {
            "content": [
                {"type": "thinking", "thinking": long, "signature": long},
                {"type": "text", "text": long},
                {"type": "tool_use", "id": "c", "input": {"content": long, "deep": [{"x": long}]}},
            ]
        },
    }
    [found] = as_small_as_can_be(numbered([reply(message)]))
    short = mark(long)
    left = {"type": "function_call", "arguments": json.dumps({"content": short})}
    assert found.fact == reply(
        {
            "content": long,
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "w", "arguments": left["arguments"]}}
            ],
            "responses": [{"type": "reasoning", "encrypted_content": long}, left],
            "anthropic": {
                "content": [
                    {"type": "thinking", "thinking": long, "signature": long},
                    {"type": "text", "text": long},
                    {"type": "tool_use", "id": "c", "input": {"content": short, "deep": [{"x": short}]}},
                ]
            },
        }
    )


def test_what_was_left_out_once_is_not_left_out_again() -> None:
    once = as_small_as_can_be(numbered(step(noise(3_000), noise(30_000))))
    assert as_small_as_can_be(once) == once


def test_what_may_not_be_left_out_may_not_be_too_large() -> None:
    with pytest.raises(
        JournalError, match=r"too large for a checkpoint: without its old texts it has 40,\d+ bytes"
    ):
        packed(numbered([answer(noise(10_000)), HarnessSaid(noise(40_000))]), 10_000)


def test_one_that_compresses_too_well_is_made_smaller_all_the_same() -> None:
    events = numbered([answer("x" * 100_000)] * (INFLATED // 100_000))
    found = packed(events)
    after = unpacked(found.content)
    assert found.left_out == sum(old != new for old, new in zip(events, after, strict=True)) < 10


@pytest.mark.parametrize("most", [MOST, 300_000])
def test_it_takes_no_time(most: int) -> None:
    long = numbered([fact for _ in range(150) for fact in step(noise(2_000), noise(2_000) * 15)])
    many = numbered([fact for _ in range(6_667) for fact in step("x", noise(200))])
    for events in (long, many):
        assert time_of(events, most) < 2


def time_of(events: Sequence[Event], most: int) -> float:
    began = time.process_time()
    try:
        assert isinstance(packed(events, most), Packed)
    except JournalError:
        assert most < MOST
    return time.process_time() - began


# --- what a stranger wrote ---------------------------------------------------------------------------------


def taken(content: bytes) -> tuple[Event, ...]:
    """What is unpacked, or nothing where it is refused as it has to be."""
    try:
        events = unpacked(content)
    except JournalError as error:
        assert str(error).startswith("the checkpoint's journal, line ")
        return ()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    return events


@given(st.binary(max_size=300))
def test_any_bytes_are_unpacked_or_refused_cleanly(content: bytes) -> None:
    taken(content)
    taken(gzip.compress(content))
    taken(packed(numbered([Warned("x")])).content + content)


@given(journals, st.integers(0), st.integers(1, 255))
def test_changed_bytes_are_unpacked_or_refused_cleanly(events: list[Event], at: int, bits: int) -> None:
    whole = packed(events).content
    for content, wrap in ((whole, bytes), (gzip.decompress(whole), gzip.compress)):
        changed = bytearray(content or b"x")
        changed[at % len(changed)] ^= bits
        taken(wrap(bytes(changed)))
        taken(wrap(content[: at % len(changed)]))


_LINES = [f"{encode(event)}\n".encode() for event in numbered([Warned("a"), Warned("b"), Warned("c")])]


@pytest.mark.parametrize(
    ("lines", "line", "why"),
    [
        ([_LINES[1]], 1, "not the whole next event"),
        ([_LINES[0], _LINES[2]], 2, "not the whole next event"),
        ([_LINES[0], _LINES[0]], 2, "not the whole next event"),
        ([_LINES[0], _LINES[1].rstrip()], 2, "not the whole next event"),
        ([_LINES[0], _LINES[1][:20]], 2, "not an event of a session"),
        ([*_LINES, b"\n"], 4, "not an event of a session"),
        ([_LINES[0], b'{"v":1,"sequence":2,"at":"2026-01-01T00:00:00Z","kind":"ModelReplied","fact":' + b"[" * 100_000], 2,
         "nested too deeply"),
    ],
)  # fmt: skip
def test_a_line_that_is_not_the_next_event_is_named(lines: list[bytes], line: int, why: str) -> None:
    with pytest.raises(JournalError, match=f"^the checkpoint's journal, line {line}: .*{why}"):
        unpacked(gzip.compress(b"".join(lines)))


def test_a_file_that_breaks_off_is_refused() -> None:
    content = packed(numbered([Warned(noise(100))])).content
    with pytest.raises(JournalError, match="line 1: this can't be unpacked: "):
        unpacked(content[:-20])
    with pytest.raises(JournalError, match="line 2: this can't be unpacked: "):
        unpacked(content[:-4] + b"\xff" * 4)


@pytest.mark.parametrize("kind", ["one line", "many lines"])
def test_a_small_file_does_not_fill_the_memory(kind: str) -> None:
    lines = b"".join(f"{encode(event)}\n".encode() for event in numbered([answer("x" * 1_000_000)] * 65))
    bomb = gzip.compress(b"x" * 10_000_000) * 40 if kind == "one line" else gzip.compress(lines, 1)
    tracemalloc.start()
    try:
        with pytest.raises(JournalError, match="here it becomes larger than 64,000,000 bytes"):
            unpacked(bomb)
        assert tracemalloc.get_traced_memory()[1] < 3 * INFLATED
    finally:
        tracemalloc.stop()
