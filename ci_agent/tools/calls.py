"""From what a model wrote to what a tool did: arguments are read leniently, and every call gets an answer.

Nothing a model writes raises here. What can be understood is taken as meant and said in a note; what can't is
answered with the name of the field, what came, what is wanted, and a call that would be right.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ci_agent.tools.text import cut
from ci_agent.tools.tool import Answer, Parameter, Tool, ToolError, World

_LONGEST = 20_000  # characters of an answer; the tools keep theirs shorter where they can say what is missing


def call(name: str, arguments_text: str, tools: Sequence[Tool], world: World) -> Answer:
    """Do what a model asked for, as far as it can be understood, and give the answer it reads."""
    tool = next((tool for tool in tools if tool.name == name), None)
    if tool is None:
        return Answer(_unknown_tool(_clean(name), tools), ok=False)
    try:
        arguments, notes = _checked(_parsed(_clean(arguments_text)), tool)
    except ToolError as error:
        return Answer(f"{name} was not run: {error}\n{_right_call(tool)}", ok=False)
    except RecursionError:
        return Answer(
            f"{name} was not run: the arguments are nested too deeply.\n{_right_call(tool)}", ok=False
        )
    try:
        answer = tool.run(arguments, world)
    except ToolError as error:
        answer = Answer(str(error), ok=False)
    except OSError as error:
        answer = Answer(f"{name} failed: {error.strerror or error}", ok=False)
    except (RecursionError, MemoryError):
        answer = Answer(f"{name} failed: what it met there is too deep or too large for it.", ok=False)
    text = "\n".join([answer.text, *(f"[{note}]" for note in notes)])
    return replace(answer, text=cut(_clean(text), _LONGEST))  # names of files need not be text


def schema(tool: Tool) -> dict[str, Any]:
    """The tool as OpenAI's chat completions describe functions."""
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": {
                "type": "object",
                "properties": {parameter.name: _property(parameter) for parameter in tool.parameters},
                "required": [parameter.name for parameter in tool.parameters if parameter.required],
            },
        },
    }


def _property(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {"type": parameter.kind}
    if parameter.description:
        described["description"] = parameter.description
    if parameter.kind == "array":
        described["items"] = dict(parameter.items or {"type": "string"})
    if parameter.minimum is not None:
        described["minimum"] = parameter.minimum
    if parameter.maximum is not None:
        described["maximum"] = parameter.maximum
    return described


# Names of tools that models know from elsewhere.
_ELSEWHERE: Mapping[str, str] = {
    "shell": "bash",
    "execute_bash": "bash",
    "run_command": "bash",
    "view": "read_file",
    "open": "read_file",
    "cat": "read_file",
    "create_file": "write_file",
    "apply_patch": "edit_file",
    "str_replace_editor": "edit_file",
    "str_replace": "edit_file",
    "grep": "search",
    "finish": "submit",
    "todo_write": "update_plan",
}


def _unknown_tool(name: str, tools: Sequence[Tool]) -> str:
    names = [tool.name for tool in tools]
    near = difflib.get_close_matches(name.lower(), [*names, *_ELSEWHERE], 1)
    meant = next((tool for tool in tools if near and tool.name == _ELSEWHERE.get(near[0], near[0])), None)
    hint = f" Did you mean {meant.name}?\n{_right_call(meant)}" if meant else ""
    return f"There is no tool {_brief(name)}.{hint}\nThe tools are: {', '.join(names)}."


def _right_call(tool: Tool) -> str:
    example = {p.name: p.example for p in tool.parameters if p.required}
    return f"A right call: {tool.name} {json.dumps(example, ensure_ascii=False)}"


# --- reading -----------------------------------------------------------------------------------------------


def _parsed(text: str) -> dict[str, Any]:
    """The arguments in `text`. Raises `ToolError` when they are no JSON object, however leniently read, and
    `RecursionError` when they are nested too deeply."""
    value: Any = text
    for _ in range(3):  # JSON, or a string that holds JSON, or one more of that
        if isinstance(value, str):
            value = _json(value)
    if not isinstance(value, dict):
        raise ToolError(f"the arguments must be one JSON object, not {_kind(value)}.")
    return {_clean(key): _clean(item) for key, item in value.items()}


def _json(text: str) -> Any:
    text = re.sub(r"\A\s*```\w*\s*|\s*```\s*\Z", "", text).strip()
    if not text:
        return {}
    decoder = json.JSONDecoder(strict=False)  # line ends inside strings are no reason to fail
    try:
        value, end = decoder.raw_decode(text)
    except ValueError as error:
        without_comma = re.sub(r",\s*\}\Z", "}", text)
        if without_comma != text:
            return _json(without_comma)
        raise ToolError(f"the arguments are not valid JSON: {error}.") from None
    if text[end:].strip(" \t\r\n,}]"):
        raise ToolError(f"the arguments go on after their end: {_brief(text[end:])}.")
    return value


def _clean(value: Any) -> Any:
    """`value` without half surrogate pairs, which JSON can hold and no file or command can."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value


# --- checking ----------------------------------------------------------------------------------------------


def _checked(given: Mapping[str, Any], tool: Tool) -> tuple[dict[str, Any], list[str]]:
    """The arguments as the tool wants them, and notes on what was bent. Raises `ToolError` naming all faults."""
    given = {name: value for name, value in given.items() if value is not None}
    given, notes = _renamed(given, tool)
    arguments: dict[str, Any] = {}
    faults: list[str] = []
    for parameter in tool.parameters:
        if parameter.name not in given:
            arguments[parameter.name] = parameter.default
            if parameter.required:
                faults.append(f"`{parameter.name}` is missing: {_wanted(parameter)}.")
            continue
        try:
            value = _fitting(given[parameter.name], parameter)
        except (ValueError, RecursionError):
            came = f"{_kind(given[parameter.name])} {_brief(given[parameter.name])}"
            faults.append(f"`{parameter.name}` is {came}, wanted: {_wanted(parameter)}.")
            continue
        arguments[parameter.name] = _clamped(value, parameter)
        if arguments[parameter.name] != value:
            notes.append(f"`{parameter.name}` was set to {arguments[parameter.name]}, the nearest it can be")
    known = {parameter.name for parameter in tool.parameters}
    notes += _left_out([name for name in given if name not in known], tool)
    if faults:
        raise ToolError(" ".join([*faults, *(f"[{note}]" for note in notes)]))
    return arguments, notes


def _renamed(given: Mapping[str, Any], tool: Tool) -> tuple[dict[str, Any], list[str]]:
    """What is missing under its name and there under a longer one, as `file_path` for `path`, is taken."""
    given = dict(given)
    notes = []
    known = {parameter.name for parameter in tool.parameters}
    for parameter in tool.parameters:
        if parameter.name in given or not parameter.required:
            continue
        same = [name for name in given if name not in known and parameter.name in name.lower().split("_")]
        if len(same) == 1:
            given[parameter.name] = given.pop(same[0])
            notes.append(f"`{same[0]}` was taken as `{parameter.name}`")
    return given, notes


def _fitting(value: Any, parameter: Parameter) -> Any:
    """`value` as the parameter's kind. Raises `ValueError` when it can't be taken as that."""
    match parameter.kind:
        case "string":
            return _string(value)
        case "integer":
            return _integer(value)
        case "boolean":
            return _boolean(value)
        case "array":
            members = _opened(value, list)
            members = members if isinstance(members, list) else [members]
            return members if parameter.items else [_string(member) for member in members]
    if isinstance(opened := _opened(value, dict), dict):
        return opened
    raise ValueError


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return json.dumps(value)
    raise ValueError


def _integer(value: Any) -> int:
    if isinstance(value, str):
        value = float(value) if "." in value else int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError


def _boolean(value: Any) -> bool:
    word = str(value).strip().lower()
    if word in {"true", "yes", "1"}:
        return True
    if word in {"false", "no", "0", ""}:
        return False
    raise ValueError


def _opened(value: Any, kind: type) -> Any:
    """The list or object that a string holds as JSON, else `value` itself."""
    if isinstance(value, str):
        try:
            inner = json.loads(value)
        except ValueError:
            return value
        return _clean(inner) if isinstance(inner, kind) else value
    return value


def _clamped(value: Any, parameter: Parameter) -> Any:
    if parameter.minimum is not None:
        value = max(value, parameter.minimum)
    if parameter.maximum is not None:
        value = min(value, parameter.maximum)
    return value


# --- wording -----------------------------------------------------------------------------------------------


def _left_out(names: Sequence[str], tool: Tool) -> list[str]:
    if not names:
        return []
    quoted = ", ".join("`" + _brief(name).strip('"') + "`" for name in names[:10])
    is_no = "is not an argument" if len(names) == 1 else "are not arguments"
    was = "was" if len(names) == 1 else "were"
    return [f"{quoted} {is_no} of {tool.name} and {was} left out"]


def _wanted(parameter: Parameter) -> str:
    return f"{_ARTICLES.get(parameter.kind, 'a')} {parameter.kind} ({parameter.description})"


_ARTICLES = {"integer": "an", "array": "an", "object": "an"}


def _kind(value: Any) -> str:
    kinds = {str: "a string", bool: "a boolean", int: "a number", float: "a number", list: "an array"}
    return kinds.get(type(value), "an object" if isinstance(value, dict) else "null")


def _brief(value: Any) -> str:
    """The value as JSON, cut so that an answer stays an answer."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:80]}…"  # noqa: PLR2004 - about a line
