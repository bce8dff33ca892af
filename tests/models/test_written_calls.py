"""Tool calls in what a model wrote, in the words of many models."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.models.written_calls import any_calls, tagged_calls

NAMES = {"bash", "edit_file", "write_file"}
LS = ("bash", {"command": "ls -la"})


def found(text: str) -> list[tuple[str, Any]]:
    return [(call.name, json.loads(call.arguments)) for call in any_calls(text, NAMES)]


@pytest.mark.parametrize(
    "text",
    [
        '<call name="bash">\n<arg name="command">ls -la</arg>\n</call>',
        '<call name="bash"><arg name="command">\nls -la\n</arg></call>',
        "<call name='bash'><arg name=command>ls -la</arg></call>",
        '```xml\n<call name="bash">\n<arg name="command">ls -la</arg>\n</call>\n```',
        '<call name="bash"><arg name="command">ls -la</arg>',  # stopped early
        '<call name="bash"><arg name="command">ls -la</call>',  # one end forgotten
        (
            '<think>maybe <call name="bash"><arg name="command">rm -r .</arg></call></think>\n'
            '<call name="bash"><arg name="command">ls -la</arg></call>'
        ),
        '<invoke name="bash"><parameter name="command">ls -la</parameter></invoke>',
        (
            '<minimax:tool_call>\n<invoke name="bash">\n<parameter name="command">ls -la</parameter>\n</invoke>\n'
            "</minimax:tool_call>"
        ),
        (
            '<\uff5cDSML\uff5cfunction_calls><\uff5cDSML\uff5cinvoke name="bash"><\uff5cDSML\uff5cparameter name="command" string="true">ls -la'
            "</\uff5cDSML\uff5cparameter></\uff5cDSML\uff5cinvoke></\uff5cDSML\uff5cfunction_calls>"
        ),
        "<tool_call>\n<function=bash>\n<parameter=command>\nls -la\n</parameter>\n</function>\n</tool_call>",
        '<function=bash>{"command": "ls -la"}</function>',
        '<tool_call>\n{"name": "bash", "arguments": {"command": "ls -la"}}\n</tool_call>',
        '<tool_call>{"name": "bash", "arguments": "{\\"command\\": \\"ls -la\\"}"}',
        '<|python_tag|>{"name": "bash", "parameters": {"command": "ls -la"}}<|eom_id|>',
        '{"name": "bash", "parameters": {"command": "ls -la"}}',
        '<think>so</think>\n\n{"name": "bash", "parameters": {"command": "ls -la"}}',
        'I look.\n```json\n{"name": "bash", "arguments": {"command": "ls -la"}}\n```\n',
        '```\n{"type": "function", "function": {"name": "bash", "arguments": {"command": "ls -la"}}}\n```',
        '[TOOL_CALLS][{"name": "bash", "arguments": {"command": "ls -la"}}]',
        '[TOOL_CALLS]bash[ARGS]{"command": "ls -la"}',
        (
            "<\uff5ctool▁calls▁begin\uff5c><\uff5ctool▁call▁begin\uff5c>function<\uff5ctool▁sep\uff5c>bash\n```json\n"
            '{"command": "ls -la"}\n```<\uff5ctool▁call▁end\uff5c><\uff5ctool▁calls▁end\uff5c>'
        ),
        '<\uff5ctool▁call▁begin\uff5c>bash<\uff5ctool▁sep\uff5c>{"command": "ls -la"}<\uff5ctool▁call▁end\uff5c>',
        (
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.bash:0<|tool_call_argument_begin|>"
            '{"command": "ls -la"}<|tool_call_end|>'
        ),
    ],
)
def test_a_call_is_found_in_the_words_of_many_models(text: str) -> None:
    assert found(text) == [LS]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I would call bash with ls.",
        '<call name="fly"><arg name="to">moon</arg></call>',
        'Use <call name="bash"> to run things.',
        '<call name="write_file"><arg name="path">a.py</arg><arg name="content">\nimport',  # cut off
        '{"name": "bash"}',
        '{"name": "bash", "arguments": {"command": "ls',
        '{"name": ["bash"], "arguments": {}}',
        '<tool_call>{"name": "fly", "arguments": {}}</tool_call>',
        '{"scripts": {"name": "bash", "arguments": {}}}',
        '<think><call name="bash"><arg name="command">ls</arg></call></think>I am done.',
    ],
)
def test_what_is_no_call_of_a_tool_is_none(text: str) -> None:
    assert found(text) == []


def test_several_calls_are_found_in_order() -> None:
    tagged = '<call name="bash"><arg name="command">{}</arg></call>\nand\n'
    assert found(tagged.format("a") + tagged.format("b")) == [
        ("bash", {"command": "a"}),
        ("bash", {"command": "b"}),
    ]
    hermes = '<tool_call>{{"name": "bash", "arguments": {{"command": "{}"}}}}</tool_call>\n'
    assert found(hermes.format("a") + hermes.format("b")) == [
        ("bash", {"command": "a"}),
        ("bash", {"command": "b"}),
    ]
    mistral = '[TOOL_CALLS][{"name": "bash", "arguments": {}}, {"name": "edit_file", "arguments": {}}]'
    assert found(mistral) == [("bash", {}), ("edit_file", {})]


def test_code_stands_as_it_is() -> None:
    code = 'if a < b && c:\n    print("\\n", \'<arg name="x">y</arg>z\')\n\n\tpass'
    text = f'<call name="edit_file"><arg name="path">a.py</arg><arg name="new">\n{code}\n</arg></call>'
    assert found(text) == [("edit_file", {"path": "a.py", "new": code})]


def test_a_whole_file_keeps_its_last_line_break() -> None:
    text = '<call name="write_file"><arg name="path">\na.py\n</arg><arg name="content">\nx = 1\n</arg></call>'
    assert found(text) == [("write_file", {"path": "a.py", "content": "x = 1\n"})]


def test_calls_after_a_made_up_result_do_not_count() -> None:
    call = '<call name="bash"><arg name="command">ls</arg></call>\n'
    text = f'{call}{call}<result name="bash">\na.py\n</result>\n{call}'
    assert len(found(text)) == 2


def test_where_a_call_stands_is_told() -> None:
    text = 'First:\n<call name="bash"><arg name="command">ls</arg></call>\nThen.'
    [call] = tagged_calls(text)
    assert text[: call.start] == "First:\n"
    assert text[call.end :] == "\nThen."


def test_tags_are_a_call_even_of_an_unknown_tool_where_they_were_asked_for() -> None:
    assert [call.name for call in tagged_calls('<call name="fly"><arg name="to">moon</arg></call>')] == [
        "fly"
    ]


PIECES = st.sampled_from(
    [
        *(
            '<call name="bash">',
            '<arg name="command">',
            "</arg>",
            "</call>",
            "<result>",
            "</think>",
            "<think>",
        ),
        *(
            "<function=bash>",
            "<parameter=x>",
            "</parameter>",
            "</function>",
            "<tool_call>",
            "```json\n",
            "```",
        ),
        *(
            "[TOOL_CALLS]",
            "bash",
            "[ARGS]",
            '{"name": "bash", "arguments": ',
            '{"a": 1}',
            "}",
            "[",
            "{",
            "\n",
            " ",
        ),
        *("<|tool_call_begin|>functions.bash:0", "<|tool_call_argument_begin|>", "<invoke name=bash>"),
    ]
)


@given(st.lists(PIECES | st.text(max_size=4), max_size=25).map("".join))
def test_any_text_is_read(text: str) -> None:
    for calls in (any_calls(text, {"bash"}), tagged_calls(text)):
        for call in calls:
            json.loads(call.arguments)
            assert 0 <= call.start < call.end <= len(text)


@pytest.mark.parametrize(
    "text",
    [
        '<call name="bash">' * 50_000,
        '<call name="bash"><arg name="command">' * 50_000,
        '<function=bash>{"a":"' * 50_000,
        "[TOOL_CALLS]a" + " " * 1_000_000,
        "<call=" + "a" * 1_000_000,
        "<tool_call>" + "[" * 1_000_000,
        '<call name="bash"><arg name="command">' + ("</arg>" + " " * 100 + "x") * 10_000,
    ],
    ids=lambda text: text[:30],
)
def test_a_text_made_to_be_slow_is_read_fast(text: str) -> None:
    start = time.process_time()
    any_calls(text, NAMES)
    assert time.process_time() - start < 2
