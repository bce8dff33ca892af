"""A trigger on its way from the routing job to the job that works."""

from __future__ import annotations

import base64
import json
import string
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.task import Account, Thread
from ci_agent.triggers import Command, Ignored, Kind, Snapshot, Trigger, Verb, commands
from ci_agent.triggers.travel import packed, unpacked

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
PLAIN = Trigger(
    Kind.COMMAND, Thread("12"), Account("dana", "7"), NOW, Command(Verb.RETRY, "", "m", 1.5, "main"), "99"
)

FIRST, LAST = datetime(2000, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001 - see timezones below
words = st.text(st.characters(codec="utf-8"), max_size=50)
numbers = st.integers(1, 10**15 - 1).map(str)
options = st.builds(
    Command,
    verb=st.sampled_from(Verb),
    text=words,
    model=st.none()
    | st.from_regex(r"[a-z][a-z0-9./:-]{0,20}", fullmatch=True).filter(lambda m: "replay" not in m),
    budget=st.none() | st.floats(0.01, 10_000),
    base=st.none() | st.from_regex(r"[a-z]{1,9}(/[a-z]{1,9}x)?", fullmatch=True),
    fresh=st.booleans(),
    problem=words,
)
anything = st.builds(
    Trigger,
    kind=st.sampled_from(Kind),
    thread=st.none() | st.builds(Thread, numbers, st.booleans()),
    actor=st.none() | st.builds(Account, words, words, st.booleans()),
    at=st.datetimes(min_value=FIRST, max_value=LAST, timezones=st.timezones(), allow_imaginary=False),
    command=options,
    comment=st.just("") | numbers,
    issue=st.none() | st.builds(Snapshot, words, words),
)


@given(anything)
def test_what_was_packed_is_unpacked_but_for_words_that_are_read_again(trigger: Trigger) -> None:
    text = "" if trigger.comment else trigger.command.text
    same = replace(trigger, issue=None, command=replace(trigger.command, text=text))
    assert unpacked(packed(trigger)) == same


@given(anything)
def test_it_is_one_plain_word_in_yaml_and_in_a_variable(trigger: Trigger) -> None:
    word = packed(trigger)
    assert set(word) <= set(string.ascii_letters + string.digits + "-_=")
    assert yaml.safe_load(f"variables:\n  CI_AGENT_TRIGGER: {word}\n") == {
        "variables": {"CI_AGENT_TRIGGER": word}
    }


def test_what_strangers_wrote_does_not_travel() -> None:
    trigger = replace(PLAIN, issue=Snapshot("Title", "Text"), command=Command(Verb.RUN, "the hint"))
    opened = zlib.decompress(base64.urlsafe_b64decode(packed(trigger))).decode()
    assert not [word for word in ("Title", "Text", "hint") if word in opened]
    assert len(packed(PLAIN)) < 400


@pytest.mark.parametrize("letter", ["x", "\U0001f600", "\x01", '"', "\ud83d"])
def test_the_longest_intent_travels_whole_in_one_variable(letter: str) -> None:
    command = Command(Verb.RUN, commands.kept(letter * 2 * commands.HINT))
    word = packed(replace(PLAIN, command=command, comment=""))
    assert len(word) < 131_072 - len("CI_AGENT_TRIGGER=")
    found = unpacked(word)
    assert isinstance(found, Trigger)
    assert len(found.command.text) == len(command.text)


def test_an_intent_that_can_hardly_be_packed_still_fits_a_variable() -> None:
    # Every character of four bytes, in an order that repeats nothing.
    text = "".join(chr(0x10000 + (number * 7919) % 0x30000) for number in range(commands.HINT))
    word = packed(replace(PLAIN, command=Command(Verb.RUN, text), comment=""))
    assert len(word) < 131_072 - len("CI_AGENT_TRIGGER=")
    assert unpacked(word) == replace(PLAIN, command=Command(Verb.RUN, text), comment="")


def forged(**changes: Any) -> str:
    content = json.loads(zlib.decompress(base64.urlsafe_b64decode(packed(PLAIN))))
    for path, value in changes.items():
        place = content
        *outer, last = path.split("__")
        for name in outer:
            place = place[name]
        place[last] = value
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(content).encode())).decode()


def test_a_forgery_that_says_the_same_is_read() -> None:
    assert unpacked(forged()) == PLAIN


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "command "},
        {"kind": ["command"]},
        {"thread": []},
        {"thread__number": "1; rm -rf /"},
        {"thread__number": 12},
        {"thread__number": "0"},
        {"thread__number": "012"},
        {"thread__merge_request": "no"},
        {"actor": "dana"},
        {"actor__login": None},
        {"actor__bot": 0},
        {"at": "2026-05-04T03:02:01"},
        {"at": "yesterday"},
        {"at": "0001-01-01T00:00:00+23:59"},
        {"comment": "-1"},
        {"comment": None},
        {"command": None},
        {"command__verb": "sudo"},
        {"command__text": 1},
        {"command__model": "replay:/etc/passwd"},
        {"command__budget": "1.5"},
        {"command__budget": True},
        {"command__budget": float("nan")},
        {"command__budget": float("inf")},
        {"command__budget": -1.0},
        {"command__base": "--upload-pack=x"},
        {"command__base": "a..b"},
    ],
)
def test_what_no_routing_job_of_ours_wrote_is_ignored(changes: dict[str, Any]) -> None:
    assert unpacked(forged(**changes)) == Ignored("what the routing job handed on can't be read")


@pytest.mark.parametrize(
    "word",
    [
        "",
        "{}",
        "ü",
        packed(PLAIN)[:-4],
        packed(PLAIN)[4:],
        base64.urlsafe_b64encode(zlib.compress(b"[" * 100_000)).decode(),
        base64.urlsafe_b64encode(zlib.compress(b" " * 50_000_000)).decode(),
        base64.urlsafe_b64encode(zlib.compress(b"\xff")).decode(),
        base64.urlsafe_b64encode(base64.urlsafe_b64decode(packed(PLAIN)) + b"more").decode(),
    ],
    ids=["nothing", "json", "letters", "cut", "headless", "deep", "bomb", "bytes", "more"],
)
def test_what_is_no_trigger_at_all_is_ignored(word: str) -> None:
    assert unpacked(word) == Ignored("what the routing job handed on can't be read")


@given(st.text(max_size=200))
def test_no_word_breaks_anything(word: str) -> None:
    assert isinstance(unpacked(word), Ignored)
