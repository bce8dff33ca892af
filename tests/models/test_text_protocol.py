"""How a conversation with tools looks to a model that can only write."""

from __future__ import annotations

import copy
import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ci_agent.framing import framed
from ci_agent.models import Message, ToolSchema
from ci_agent.models.completion import read_message
from ci_agent.models.text_protocol import described, sendable, with_calls
from ci_agent.models.written_calls import tagged_calls
from ci_agent.tools import all_tools, schema

TOOLS: list[ToolSchema] = [schema(tool) for tool in all_tools()]
SYSTEM: Message = {"role": "system", "content": "be brief"}
GO: Message = {"role": "user", "content": "go"}


def native(*calls: tuple[str, str, str], text: str = "") -> Message:
    entries = [
        {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id_, name, arguments in calls
    ]
    return {"role": "assistant", "content": text, "tool_calls": entries}


def result(id_: str, text: str) -> Message:
    return {"role": "tool", "tool_call_id": id_, "content": text}


def test_every_tool_and_argument_is_described() -> None:
    text = described(TOOLS)
    for tool in all_tools():
        assert f"## {tool.name}\n{tool.description}" in text
        for parameter in tool.parameters:
            assert f"- {parameter.name} (" in text
    assert "- timeout (integer, optional): seconds" in text


def test_an_argument_with_few_values_names_them() -> None:
    mode = {"type": "string", "enum": ["fast", "slow"]}
    tool = {"type": "function", "function": {"name": "run", "parameters": {"properties": {"mode": mode}}}}
    assert "- mode (string, one of fast slow, optional)" in described([tool])


def test_tools_stand_in_the_system_message_and_nowhere_else() -> None:
    sent = sendable([SYSTEM, GO], TOOLS)
    assert sent == [{"role": "system", "content": f"be brief\n\n{described(TOOLS)}"}, GO]
    assert sendable([GO], TOOLS) == [{"role": "system", "content": described(TOOLS)}, GO]


def test_results_are_one_message_of_the_user() -> None:
    calls = native(("1", "bash", '{"command": "ls"}'), ("2", "run_tests", "{}"))
    context = [SYSTEM, GO, calls, result("1", "a.py"), result("2", "1 passed"), GO]
    [_, _, said, heard] = sendable(context, TOOLS)
    assert said["content"] == (
        '<call name="bash">\n<arg name="command">ls</arg>\n</call>\n\n<call name="run_tests">\n</call>'
    )
    assert heard == {
        "role": "user",
        "content": f"{framed('result', 'a.py', name='bash')}\n\n{framed('result', '1 passed', name='run_tests')}\n\ngo",
    }


def test_what_the_model_wrote_goes_back_as_it_wrote_it_without_what_it_made_up() -> None:
    call = "<call name='bash'>\n<arg name=command> ls </arg></call>"
    text = f"Let me see.\n{call}\n<result>a.py</result>"
    message = with_calls({"role": "assistant", "content": text, "thought": "hm"}, text, tagged_calls(text))
    mended, said, calls = read_message(message, [])
    assert (said, [one.arguments for one in calls]) == ("Let me see.", ['{"command": " ls "}'])
    [_, _, sent] = sendable([SYSTEM, GO, mended], TOOLS)
    assert sent == {"role": "assistant", "content": f"Let me see.\n{call}", "thought": "hm"}


def test_arguments_that_are_no_object_are_shown_all_the_same() -> None:
    [_, said] = sendable([native(("1", "bash", "{broken")), GO][:1], TOOLS)
    assert said["content"] == '<call name="bash">\n<arg name="arguments">{broken</arg>\n</call>'


VALUES = st.text(alphabet="ab \n\t<>&\"'\\{}", max_size=12)
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["bash", "write_file"]),
        st.dictionaries(st.sampled_from(["command", "content", "path"]), VALUES, max_size=3),
    ),
    min_size=1,
    max_size=3,
)


@given(CALLS)
def test_calls_that_were_native_are_read_as_they_were(calls: list[tuple[str, dict[str, Any]]]) -> None:
    message = native(*((str(n), name, json.dumps(arguments)) for n, (name, arguments) in enumerate(calls)))
    text = sendable([SYSTEM, GO, message], TOOLS)[-1]["content"]
    assert [(call.name, json.loads(call.arguments)) for call in tagged_calls(text)] == calls


TURNS = st.lists(
    st.one_of(
        CALLS.map(lambda calls: [native(*((f"c{n}", name, "{}") for n, (name, _) in enumerate(calls)))]),
        st.text(max_size=5).map(lambda text: [{"role": "assistant", "content": text}]),
        st.lists(
            st.one_of(
                st.text(max_size=5).map(lambda text: {"role": "user", "content": text}),
                st.sampled_from(["c0", "c1", "?"]).map(lambda id_: result(id_, "done")),
            ),
            min_size=1,
            max_size=3,
        ),
    ),
    max_size=8,
)


@given(TURNS)
def test_what_was_sent_once_stays_the_beginning_and_the_context_stays_as_it_is(
    turns: list[list[Message]],
) -> None:
    context = [SYSTEM, GO, *(message for turn in turns for message in turn)]
    before = copy.deepcopy(context)
    whole = sendable(context, TOOLS)
    assert context == before
    for end in range(2, len(context)):
        if context[end]["role"] == "assistant":  # that is where a request ended
            part = sendable(context[:end], TOOLS)
            assert whole[: len(part)] == part
    assert not any(a["role"] == b["role"] == "user" for a, b in itertools.pairwise(whole))
    assert all({"role", "content"} == set(message) for message in whole)
