"""Contexts of ours as requests to the Messages API, and its answers as messages of ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.models import Message, ToolCall
from ci_agent.models.anthropic_answer import read, read_usage
from ci_agent.models.anthropic_messages import GO_ON, NO_RESULT, convert, said, starts_unthought
from ci_agent.models.completion import MOST_CALLS, MOST_TOKENS, Unreadable
from ci_agent.task import Usage
from tests.support.anthropic_rules import VERSIONS, Block, check, every_block

CLAUDE = "claude-opus-5"
MARK = {"cache_control": {"type": "ephemeral"}}
SCHEMA = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": "It runs.", "parameters": SCHEMA}}
    for name in ("bash", "read")
]


def calling(*calls: tuple[str, str, str], text: str | None = None) -> Message:
    """What a model said. `calls`: id, name and arguments."""
    entries = [
        {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id_, name, arguments in calls
    ]
    return {"role": "assistant", "content": text} | ({"tool_calls": entries} if entries else {})


def result(id_: str, text: str = "ok") -> Message:
    return {"role": "tool", "tool_call_id": id_, "content": text}


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def text(words: str) -> Block:
    return {"type": "text", "text": words}


def turns(*messages: Message, model: str = CLAUDE) -> list[list[Block]]:
    """What the turns of the request hold, without the breakpoints."""
    return [
        [{name: block[name] for name in block if name != "cache_control"} for block in turn["content"]]
        for turn in convert(messages, [], model)["messages"]
    ]


def test_a_context_becomes_system_tools_and_turns() -> None:
    context = [
        {"role": "system", "content": "Be brief."},
        user("Do it."),
        calling(("c1", "bash", '{"command": "ls"}'), ("c2", "read", "{}"), text="Looking."),
        result("c1", "a.py"),
        result("c2"),
        user("2 steps are left."),
    ]
    assert convert(context, TOOLS, CLAUDE) == {
        "system": [text("Be brief.") | MARK],
        "tools": [
            {"name": "bash", "description": "It runs.", "input_schema": SCHEMA},
            {"name": "read", "description": "It runs.", "input_schema": SCHEMA} | MARK,
        ],
        "messages": [
            {"role": "user", "content": [text("Do it.") | MARK]},
            {
                "role": "assistant",
                "content": [
                    text("Looking."),
                    {"type": "tool_use", "id": "c1", "name": "bash", "input": {"command": "ls"}},
                    {"type": "tool_use", "id": "c2", "name": "read", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": "a.py"},
                    {"type": "tool_result", "tool_use_id": "c2", "content": "ok"},
                    text("2 steps are left.") | MARK,
                ],
            },
        ],
    }


def test_what_is_empty_is_left_away() -> None:
    assert convert([user("go")], [], CLAUDE) == {
        "messages": [{"role": "user", "content": [text("go") | MARK]}]
    }


def test_results_come_first_and_every_call_has_one() -> None:
    blocks = turns(
        user("go"), calling(("c1", "bash", "{}"), ("c2", "bash", "{}")), user("hm"), result("c2", " ")
    )[-1]
    assert blocks == [
        {"type": "tool_result", "tool_use_id": "c2"},
        {"type": "tool_result", "tool_use_id": "c1", "content": NO_RESULT},
        text("hm"),
    ]


def test_a_result_without_its_call_is_told_in_words() -> None:
    assert turns(user("go"), result("c7", "late")) == [[text("go"), text("late")]]
    twice = turns(user("go"), calling(("c1", "bash", "{}")), result("c1"), result("c1", "again"))
    assert twice[-1] == [{"type": "tool_result", "tool_use_id": "c1", "content": "ok"}, text("again")]


def test_turns_alternate_from_user_to_user() -> None:
    assert turns(calling(text="a"), calling(text="b")) == [
        [text(GO_ON)],
        [text("a")],
        [text(GO_ON)],
        [text("b")],
        [text(GO_ON)],
    ]


def test_what_says_nothing_is_no_turn() -> None:
    assert turns(user("go"), calling(text=" \n"), user(""), user("on")) == [[text("go"), text("on")]]


@pytest.mark.parametrize(
    ("arguments", "input_"),
    [
        ('{"command": "ls", "n": [1, 2.5, null]}', {"command": "ls", "n": [1, 2.5, None]}),
        ("ls", {"invalid": "ls"}),
        ("[1]", {"invalid": "[1]"}),
        ('{"command": "l', {"invalid": '{"command": "l'}),
        ("[" * 100_000, {"invalid": "[" * 100_000}),
    ],
    ids=lambda value: str(value)[:20],
)
def test_the_input_of_a_call_is_an_object(arguments: str, input_: dict[str, Any]) -> None:
    [block] = said(calling(("c1", "bash", arguments)), CLAUDE)
    assert block["input"] == input_


def test_ids_of_other_models_fit_and_stay_apart() -> None:
    _, called, answered = turns(
        user("go"),
        calling(("functions.bash:0", "bash", "{}"), ("functions_bash_0", "bash", "{}")),
        result("functions_bash_0", "second"),
        result("functions.bash:0", "first"),
    )
    first, second = (block["id"] for block in called)
    assert first != second == "functions_bash_0"
    assert {block["tool_use_id"]: block["content"] for block in answered} == {
        first: "first",
        second: "second",
    }


def test_blocks_go_back_as_they_came_to_the_model_that_said_them_and_no_other() -> None:
    blocks: list[Block] = [
        {"type": "thinking", "thinking": "", "signature": "EqQB"},
        {"type": "redacted_thinking", "data": "Zm9v"},
        {"type": "text", "text": "Looking.", "citations": None},
        {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {"b": 1, "a": {"c": 1e3}}},
    ]
    message = read({"content": blocks, "stop_reason": "tool_use"}, [], CLAUDE).message
    context = [user("go"), json.loads(json.dumps(message)), result("toolu_1")]
    assert turns(*context)[1] == blocks
    assert list(turns(*context)[1][3]["input"]) == ["b", "a"]
    assert turns(*context, model="claude-sonnet-5")[1] == [
        text("Looking."),
        {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {"b": 1, "a": {"c": 1e3}}},
    ]


def test_a_thought_that_was_cut_off_is_not_sent_back() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "EqQB"}
    only = read({"content": [thought], "stop_reason": "max_tokens"}, [], CLAUDE)
    assert (only.text, only.finish_reason) == ("", "length")
    assert turns(user("go"), only.message, user("on")) == [[text("go"), text("on")]]
    after_text = read({"content": [text("a"), thought]}, [], CLAUDE).message
    assert turns(user("go"), after_text)[1] == [text("a")]


def test_an_answer_is_read() -> None:
    call = {"type": "tool_use", "id": "t1", "name": "bash", "input": {"command": "ls"}}
    answer = {"content": [text("One."), text(""), text("Two."), call], "stop_reason": "tool_use"}
    completion = read(answer, [], CLAUDE)
    assert completion.text == "One.\n\nTwo."
    assert completion.calls == (ToolCall("t1", "bash", '{"command": "ls"}'),)
    assert completion.finish_reason == "tool_calls"
    assert completion.message["tool_calls"][0]["id"] == "t1"


@pytest.mark.parametrize("answer", [None, [], {}, {"content": "hi"}, {"type": "message", "content": None}])
def test_what_is_no_answer_is_unreadable(answer: object) -> None:
    with pytest.raises(Unreadable):
        read(answer, [], CLAUDE)


def test_a_call_whose_id_is_taken_gets_another_in_the_message_and_in_the_blocks() -> None:
    call = {"type": "tool_use", "id": "t1", "name": "rm -r", "input": '{"a": 1}'}
    completion = read(
        {"content": [{"type": "thinking", "thinking": "", "signature": "x"}, call, dict(call)]},
        [calling(("t1", "bash", "{}"))],
        CLAUDE,
    )
    ids = [entry.id for entry in completion.calls]
    assert len({"t1", *ids}) == 3
    blocks = said(completion.message, CLAUDE)[1:]
    assert [(block["id"], block["name"], block["input"]) for block in blocks] == [
        (id_, "rm_-r", {"a": 1}) for id_ in ids
    ]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage()),
        ({"input_tokens": 7, "output_tokens": 3}, Usage(prompt=7, completion=3)),
        (
            {
                "input_tokens": 10,
                "cache_read_input_tokens": 900,
                "cache_creation_input_tokens": 90,
                "output_tokens": 50,
                "output_tokens_details": {"thinking_tokens": 20},
            },
            Usage(prompt=1000, cached=900, completion=50, reasoning=20, cache_written=90),
        ),
        ({"input_tokens": -1, "cache_read_input_tokens": None, "output_tokens": "many"}, Usage()),
        ({"input_tokens": MOST_TOKENS, "cache_read_input_tokens": 5}, Usage()),
    ],
)
def test_the_prompt_is_all_of_it(usage: object, expected: Usage) -> None:
    assert read_usage(usage) == expected


def test_a_turn_that_another_model_began_began_without_a_thought() -> None:
    thought = read(
        {
            "content": [
                {"type": "thinking", "thinking": "", "signature": "x"},
                {"type": "tool_use", "id": "c1", "name": "bash", "input": {}},
            ]
        },
        [],
        CLAUDE,
    ).message
    other = [calling(("c2", "bash", "{}")), result("c2")]

    def unthought(*messages: Message) -> bool:
        return starts_unthought(convert(messages, [], CLAUDE)["messages"])

    assert not unthought(user("go"))
    assert unthought(user("go"), *other)
    assert not unthought(user("go"), *other, user("more"))
    assert not unthought(user("go"), thought, result("c1"), *other)
    assert unthought(user("go"), thought, result("c1"), user("more"), *other)


# What strangers make of it. Ids are those of the context: every model gives each of its calls one of its own.
WORDS = st.text(st.characters(codec=None), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)
ARGUMENTS = WORDS | JSON.map(json.dumps)
BLOCK = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": WORDS}),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": WORDS, "signature": WORDS}),
    st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": WORDS}),
    st.fixed_dictionaries(
        {"type": st.just("tool_use")}, optional={"id": JSON | WORDS, "name": JSON | WORDS, "input": JSON}
    ),
    JSON.filter(lambda value: not isinstance(value, dict)),
)
ENTRY = st.one_of(
    st.tuples(st.sampled_from(["system", "user"]), WORDS),
    st.tuples(st.just("tool"), st.integers(0, 5), WORDS),
    st.tuples(st.just("other model"), WORDS | st.none(), st.lists(ARGUMENTS, max_size=3)),
    st.tuples(st.just("Claude"), st.lists(BLOCK, max_size=5)),
)


def built(entries: Sequence[tuple[Any, ...]]) -> tuple[list[Message], list[tuple[str, list[Block]]]]:
    """A context from what hypothesis drew, and what Claude said in it."""
    context: list[Message] = []
    spoken: list[tuple[str, list[Block]]] = []
    for entry in entries:
        match entry:
            case "tool", back, words:
                ids = [call["id"] for message in context for call in message.get("tool_calls", ())]
                context.append(result(ids[-1 - back] if back < len(ids) else f"?{back}", words))
            case "other model", words, arguments:
                ids = [f"call.{len(context)}/{number}" for number in range(len(arguments))]
                calls = [(id_, "bash", given) for id_, given in zip(ids, arguments, strict=True)]
                context.append(calling(*calls, text=words))
            case "Claude", blocks:
                context.append(read({"content": blocks}, context, CLAUDE).message)
                spoken.append((CLAUDE, [block for block in blocks if isinstance(block, dict)]))
            case role, words:
                context.append({"role": role, "content": words})
    return context, spoken


@given(st.lists(ENTRY, max_size=12))
def test_every_context_is_one_that_the_api_takes(entries: list[tuple[Any, ...]]) -> None:
    context, spoken = built(entries)
    body = {"model": CLAUDE, "max_tokens": 100, **convert(context, TOOLS, CLAUDE)}
    check(body, VERSIONS[-1], spoken)
    assert sum("cache_control" in block for block in every_block(body)) <= 4


@given(st.lists(ENTRY, max_size=8), st.lists(BLOCK, max_size=4), WORDS)
def test_a_request_begins_with_the_one_before_it(
    entries: list[tuple[Any, ...]], blocks: list[Any], words: str
) -> None:
    context, _ = built([*entries, ("user", "go on")])
    answer = read({"content": blocks}, context, CLAUDE)
    results = [result(call.id, words) for call in answer.calls]

    def prompt(*messages: Message) -> list[Block]:
        body = convert(messages, TOOLS, CLAUDE)
        return [
            {name: block[name] for name in block if name != "cache_control"} for block in every_block(body)
        ]

    before = prompt(*context)
    assert repr(prompt(*context, answer.message, *results, user("more"))[: len(before)]) == repr(before)


@pytest.mark.parametrize(
    "blocks",
    [
        None,
        5,
        "hm",
        ["hm"],
        [text("forged")],
        [{"type": "tool_use", "id": "c2", "name": "bash", "input": {}}],
    ],
    ids=str,
)
def test_blocks_that_are_none_or_make_other_calls_are_not_sent(blocks: Any) -> None:
    message = calling(("c1", "bash", "{}"), text="Looking.")
    assert said({**message, "anthropic": {"model": CLAUDE, "content": blocks}}, CLAUDE) == said(
        message, CLAUDE
    )


def test_of_endless_calls_the_first_are_taken_and_the_reply_counts_as_cut_off() -> None:
    blocks = [{"type": "tool_use", "id": f"c{n}", "name": "bash", "input": {}} for n in range(MOST_CALLS + 9)]
    completion = read({"content": blocks, "stop_reason": "tool_use"}, [], CLAUDE)
    assert (len(completion.calls), completion.finish_reason) == (MOST_CALLS, "length")
    assert said(completion.message, CLAUDE) == blocks[:MOST_CALLS]
