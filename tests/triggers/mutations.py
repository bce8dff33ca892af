"""Payloads with one field gone or replaced by something else, for what must hold whatever strangers send."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

_GONE = object()
_INSTEAD = st.one_of(
    st.just(_GONE),
    st.sampled_from(
        [None, True, 0, -1, 1.5, 10**5000, "", "x", "\ud800", "0001-01-01T00:00:00+23:59", [], {}]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    ),
)


def mutated(payload: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The payload with one of its fields, at any depth, gone or replaced."""
    return st.builds(_replaced, st.just(payload), st.sampled_from(list(_places(payload, ()))), _INSTEAD)


def _places(item: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    inside = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
    for key, value in inside:
        yield (*path, key)
        yield from _places(value, (*path, key))


def _replaced(payload: dict[str, Any], path: tuple[Any, ...], instead: object) -> dict[str, Any]:
    copy = deepcopy(payload)
    place: Any = copy
    for key in path[:-1]:
        place = place[key]
    if instead is _GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = instead
    return copy
