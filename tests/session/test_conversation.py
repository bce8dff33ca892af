"""What the model at work saw, as a file of a checkpoint."""

from __future__ import annotations

import gzip

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.errors import CheckpointError
from ci_agent.guard import Guard, Secret
from ci_agent.models import Message
from ci_agent.session import conversation
from ci_agent.session.conversation import Conversation, packed, unpacked, written

SECRET = "dpl-7Qx2Lm9Zr4Tb8Wc1Yd6Ke3Vn"
NOTHING = Guard([])
OPENING = ({"role": "system", "content": "Work."}, {"role": "user", "content": "Mend it."})

TEXTS = st.text(st.characters(codec=None, exclude_categories=()))  # with halves of surrogate pairs
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def of(*messages: Message) -> Conversation:
    return Conversation("m", (*OPENING, *messages), 7)


def test_it_comes_back_as_it_was() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
    kept = {"model": "m", "content": [{"type": "thinking", "thinking": "so", "signature": "x"}]}
    seen = of({"role": "assistant", "content": None, "tool_calls": [call], "anthropic": kept})
    assert unpacked(packed(written(seen, NOTHING))) == seen


def test_a_secret_in_it_does_not_leave() -> None:
    content = written(of({"role": "tool", "content": f"key={SECRET}"}), Guard([Secret("KEY", SECRET)]))
    assert SECRET.encode() not in content
    assert unpacked(packed(content)).messages[-1]["content"] == "key=***"


@given(VALUES)
def test_whatever_a_model_says_can_be_written_down_and_read(value: object) -> None:
    content = packed(written(of({"role": "assistant", "content": "", "more": value}), NOTHING))
    assert unpacked(content).messages[:2] == OPENING


def test_what_is_nested_too_deeply_is_begun_anew() -> None:
    deep: object = "x"
    for _ in range(100_000):
        deep = [deep]
    assert written(of({"role": "assistant", "content": deep}), NOTHING) == b""
    assert packed(b"") == b""


def test_what_is_too_large_is_begun_anew() -> None:
    assert packed(bytes(conversation.INFLATED + 1)) == b""


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b" " * (conversation.INFLATED + 1) + msgspec.json.encode(of()))
    with pytest.raises(CheckpointError):
        unpacked(bomb)


@given(st.binary() | st.binary().map(lambda content: gzip.compress(content, mtime=0)))
def test_any_bytes_are_a_conversation_or_an_error(content: bytes) -> None:
    with pytest.raises(CheckpointError):
        unpacked(content)


@pytest.mark.parametrize(
    "changed",
    [
        {"messages": []},
        {"messages": [{"role": "user", "content": "x"}]},
        {"messages": [*OPENING, {"role": "developer", "content": "x"}]},
        {"messages": [*OPENING, {"content": "x"}]},
        {"events": 0},
        {"newer": 1},
    ],
    ids=[
        "empty",
        "no task",
        "unknown role",
        "no role",
        "before the first event",
        "a field of another version",
    ],
)
def test_what_is_no_conversation_is_refused(changed: dict[str, object]) -> None:
    content = msgspec.json.encode(msgspec.to_builtins(of()) | changed)
    assert unpacked(gzip.compress(msgspec.json.encode(of())))
    with pytest.raises(CheckpointError):
        unpacked(gzip.compress(content))
