"""Events of every kind, made from what their classes say of their fields."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable
from dataclasses import is_dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from ci_agent.journal import Event, Fact
from ci_agent.journal.events import ModelReplied, ToolAnswered, ToolCalled

texts = st.text(max_size=20) | st.builds(str.__mul__, st.text(min_size=1, max_size=20), st.integers(20, 400))
_integers = st.integers(-(2**63), 2**63)
_floats = st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | _integers | _floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
arguments = (
    texts | values.map(json.dumps) | values.map(lambda value: json.dumps(value, indent=2, ensure_ascii=False))
)

_calls = st.fixed_dictionaries(
    {"id": texts, "function": st.fixed_dictionaries({"name": texts, "arguments": arguments})}
)
_blocks = st.fixed_dictionaries({"type": st.just("text"), "text": texts}) | st.fixed_dictionaries(
    {"type": st.just("tool_use"), "input": st.dictionaries(texts, values, max_size=2)}
)
_items = st.fixed_dictionaries({"type": st.just("function_call"), "arguments": arguments})
messages = st.fixed_dictionaries(
    {"content": st.none() | texts},
    optional={
        "tool_calls": st.lists(_calls, max_size=3),
        "anthropic": st.fixed_dictionaries({"content": st.lists(_blocks, max_size=3)}),
        "responses": st.lists(_items, max_size=3),
        "more": values,
    },
)


@cache
def _of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    if is_dataclass(kind) and isinstance(kind, type):
        return st.builds(kind, **{name: _of(hint) for name, hint in get_type_hints(kind).items()})
    if get_origin(kind) in {Union, types.UnionType}:
        return st.one_of(*map(_of, get_args(kind)))
    if get_origin(kind) is tuple:
        return st.lists(_of(get_args(kind)[0]), max_size=2).map(tuple)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    plain = {
        str: texts,
        int: _integers,
        float: _floats,
        bool: st.booleans(),
        types.NoneType: st.none(),
        datetime: st.datetimes(timezones=st.just(UTC)),
    }
    return plain.get(kind, messages)


def numbered(facts: Iterable[Fact]) -> list[Event]:
    """The events of a journal with these facts."""
    return [Event(n, datetime(2026, 3, 4, 5, 6, 7, n, tzinfo=UTC), fact) for n, fact in enumerate(facts, 1)]


def _told(answer: ToolAnswered) -> ToolAnswered:
    """The answer with what the harness added at its end."""
    return replace(answer, text=answer.text + answer.added)


_kinds = st.sampled_from((*get_args(Fact), *[ToolAnswered, ToolCalled, ModelReplied] * 20))
facts = _kinds.flatmap(_of).map(lambda fact: _told(fact) if isinstance(fact, ToolAnswered) else fact)
journals = st.lists(facts, max_size=12).map(numbered)
