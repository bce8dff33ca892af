"""The arguments of a call: read leniently from what a model wrote, and brought into the shape a tool wants.

What can be understood is taken as meant and said in a note. What can't raises `ToolError` with the name of the
field, what came and what is wanted.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ci_agent.tools.aliases import SYNONYMS
from ci_agent.tools.tool import Parameter, Tool, ToolError


def parsed(text: str) -> dict[str, Any]:
    """The arguments in `text`. Raises `ToolError` when they are no JSON object, however leniently read, and
    `RecursionError` when they are nested too deeply."""
    value: Any = text
    for _ in range(3):  # JSON, or a string that holds JSON, or one more of that
        if isinstance(value, str):
            value = _json(value)
    if not isinstance(value, dict):
        raise ToolError(f"the arguments must be one JSON object, not {_kind(value)}.")
    return {clean_text(key): clean_text(item) for key, item in value.items()}


def _json(text: str) -> Any:
    text = re.sub(r"\A```\w*", "", text.strip()).removesuffix("```").strip()
    if not text:
        return {}
    try:
        value, end = _DECODER.raw_decode(text)
    except ValueError as error:
        repaired = _repaired(text)
        if repaired is None:
            raise ToolError(f"the arguments are not valid JSON: {error}.") from None
        return repaired
    if text[end:].strip(" \t\r\n,}]"):
        raise ToolError(f"the arguments go on after their end: {brief(text[end:])}.")
    return value


def _whole(digits: str) -> int:
    """Raises `ValueError` for what is no number, and for one so long that it can't be calculated with or shown."""
    if len(digits) > _DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits is too long")
    return int(digits)


_DIGITS = 300  # a float has at most 308, a text made of an int at most 4,300
_TOO_LARGE: int = 10**_DIGITS
# Line ends inside strings are no reason to fail.
_DECODER = json.JSONDecoder(strict=False, parse_int=_whole)


def _repaired(text: str) -> Any:
    """The value of what is nearly JSON: a comma at the end, a `\\d` or `\\.` that should have its backslash twice, the
    dictionary of a Python program. None where it is none of that."""
    candidate = re.sub(r",\s*\}\Z", "}", text)
    for mended in (candidate, _ESCAPES.sub(lambda found: found[1] or r"\\", candidate)):
        try:
            value, end = _DECODER.raw_decode(mended)
        except ValueError:
            continue
        if not mended[end:].strip(" \t\r\n,}]"):
            return value
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError):
        return None
    return value if isinstance(value, dict) and _is_json(value) else None


def _is_json(value: Any) -> bool:
    """Whether JSON has such a value, too: Python also writes bytes, sets and complex numbers."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_json(member) for name, member in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_json, value))
    if isinstance(value, int):
        return -_TOO_LARGE < value < _TOO_LARGE
    return value is None or isinstance(value, (str, float))


_ESCAPES = re.compile(r'(\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))|\\')  # good ones, and backslashes that are none


def clean_text(value: Any) -> Any:
    """`value` without half surrogate pairs, which JSON can hold and no file or command can."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [clean_text(item) for item in value]
    if isinstance(value, dict):
        return {clean_text(key): clean_text(item) for key, item in value.items()}
    return value


# --- checking ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checked:
    """The arguments as the tool wants them, and notes: on values that were bent, and on names that were taken for
    others or are none, which need no saying twice."""

    arguments: dict[str, Any]
    notes: list[str]
    names: list[str]


def checked(given: Mapping[str, Any], tool: Tool) -> Checked:
    """What `tool` can be run with. Raises `ToolError` naming all faults."""
    given, names = _renamed({name: value for name, value in given.items() if value is not None}, tool)
    notes: list[str] = []
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
            came = f"{_kind(given[parameter.name])} {brief(given[parameter.name])}"
            faults.append(f"`{parameter.name}` is {came}, wanted: {_wanted(parameter)}.")
            continue
        arguments[parameter.name] = _clamped(value, parameter)
        if arguments[parameter.name] != value:
            notes.append(f"`{parameter.name}` was set to {arguments[parameter.name]}, the nearest it can be")
    known = {parameter.name for parameter in tool.parameters}
    names += _left_out([name for name in given if name not in known], tool)
    if faults:
        raise ToolError(" ".join([*faults, *(f"[{note}]" for note in [*names, *notes])]))
    return Checked(arguments, notes, names)


def _renamed(given: Mapping[str, Any], tool: Tool) -> tuple[dict[str, Any], list[str]]:
    """What is missing under its name and there under another one that is known for it, or under a longer one that
    holds it, is taken."""
    given = dict(given)
    notes = []
    known = {parameter.name for parameter in tool.parameters}
    for parameter in tool.parameters:
        if parameter.name in given:
            continue
        names = [name for name in SYNONYMS.get(parameter.name, ()) if name in given and name not in known]
        if not names and parameter.required:
            names = [
                name for name in given if name not in known and parameter.name in name.lower().split("_")
            ]
            names = names if len(names) == 1 else []
        if names:
            given[parameter.name] = given.pop(names[0])
            notes.append(f"`{brief(names[0])[1:-1]}` was taken as `{parameter.name}`")
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
        value = float(value) if "." in value else _whole(value)
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
            inner = _DECODER.decode(value)
        except ValueError:
            return value
        return clean_text(inner) if isinstance(inner, kind) else value
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
    quoted = ", ".join("`" + brief(name).strip('"') + "`" for name in names[:10])
    is_no = "is not an argument" if len(names) == 1 else "are not arguments"
    was = "was" if len(names) == 1 else "were"
    return [f"{quoted} {is_no} of {tool.name} and {was} left out"]


def _wanted(parameter: Parameter) -> str:
    return f"{_ARTICLES.get(parameter.kind, 'a')} {parameter.kind} ({parameter.description})"


_ARTICLES = {"integer": "an", "array": "an", "object": "an"}


def _kind(value: Any) -> str:
    kinds = {str: "a string", bool: "a boolean", int: "a number", float: "a number", list: "an array"}
    return kinds.get(type(value), "an object" if isinstance(value, dict) else "null")


def brief(value: Any) -> str:
    """The value, which JSON must have, as JSON, cut so that an answer stays an answer."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:80]}…"  # noqa: PLR2004 - about a line
