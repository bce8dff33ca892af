"""YAML that strangers wrote, read with line numbers and without surprises.

Only sections, lists and plain values are understood; anchors and aliases are refused, depth and number of
values are bounded, and a key written twice is a problem. `1:30`, `0x1f`, `010`, dates and the like, which
YAML 1.1 turns into something else than was written, are handed on as `Odd`, and so is what carries a tag we
don't know. Nothing is ever constructed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import yaml

MOST_EVENTS = 2000  # far more than any file of ours needs, few enough to answer each with a sentence
MOST_DEPTH = 8

TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Problem:
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Odd:
    """A value that is no text, number, truth value or nothing: its words, or what it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: `text` as it was written, `value` None, bool, int, float, str or `Odd`."""

    line: int
    text: str
    value: object


@dataclass(frozen=True, slots=True)
class List:
    line: int
    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    line: int  # of the key
    value: Tree


@dataclass(frozen=True, slots=True)
class Section:
    line: int
    entries: Mapping[str, Entry] = field(default_factory=dict)


Tree = Scalar | List | Section


def decode(data: bytes) -> str | Problem:
    """The text of a file; a byte order mark is left out. A file that is not UTF-8 is a problem."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The position counts from behind a byte order mark; no line ends in that.
        return Problem(data.count(b"\n", 0, error.start) + 1, "this is not UTF-8; save the file as UTF-8")


def read(text: str, first_line: int = 1) -> tuple[Section, tuple[Problem, ...]]:
    """The section that `text` is, and all that is wrong with it. Lines count from `first_line`.

    Nothing is raised. With a problem that is no duplicate key, the section is empty.
    """
    import yaml

    try:
        problem = _beyond_bounds(text, first_line)
        root = None if problem else yaml.compose(text, yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + first_line
        problem = Problem(line, f"this is not YAML: the character U+{error.character:04X} is not allowed")
    except yaml.MarkedYAMLError as error:
        problem = _syntax_problem(text, error, first_line)
    except (ValueError, OverflowError):  # PyYAML lets the escape "\UFFFFFFFF" and endless versions through
        problem = Problem(first_line, "this is not YAML: a number in an escape or directive is out of range")
    if problem:
        return Section(first_line), (problem,)
    if root is None:
        return Section(first_line), ()
    problems: list[Problem] = []
    tree = _tree(root, first_line, problems)
    if isinstance(tree, Section):
        return tree, tuple(problems)
    if isinstance(tree, Scalar) and tree.value is None:
        return Section(tree.line), ()
    return Section(first_line), (Problem(tree.line, "`key: value` lines are wanted"),)


def number(text: str) -> int | float | None:
    """The number that is written here in decimal digits; None when it is none."""
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else float(text)


_LONGEST_NUMBER = 40
_WHOLE_NUMBER = re.compile(r"[-+]?(?:0|[1-9](?:_?[0-9])*)")
_NUMBER = re.compile(rf"(?:{_WHOLE_NUMBER.pattern}(?:\.[0-9]*)?|[-+]?\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def _beyond_bounds(text: str, first_line: int) -> Problem | None:
    """What makes the document too big or too clever to be composed. It is read event by event, because
    composing recurses into what is nested and shares what is aliased."""
    import yaml

    depth = documents = 0
    for count, event in enumerate(yaml.parse(text, yaml.SafeLoader)):
        line = first_line + (event.start_mark.line if event.start_mark else 0)
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            return Problem(line, "anchors and aliases (`&` and `*`) are not understood; write the value out")
        if documents > 1:
            return Problem(line, "a second document (`---`) is not understood")
        if depth > MOST_DEPTH:
            return Problem(line, f"this is nested deeper than {MOST_DEPTH} levels")
        if count > MOST_EVENTS:
            return Problem(line, f"this has more than {MOST_EVENTS:,} keys and values")
    return None


def _syntax_problem(text: str, error: yaml.MarkedYAMLError, first_line: int) -> Problem:
    mark = error.problem_mark or error.context_mark
    line = mark.line if mark else 0
    lines = text.splitlines()
    tab_in_indent = line < len(lines) and re.match(r" *\t", lines[line])
    hint = "; indent with blanks, not with tabs" if tab_in_indent else ""
    return Problem(line + first_line, f"this is not YAML: {error.problem or error.context}{hint}")


def _tree(node: yaml.Node, first_line: int, problems: list[Problem]) -> Tree:
    import yaml

    line = node.start_mark.line + first_line
    if isinstance(node, yaml.ScalarNode):
        return Scalar(line, node.value, _value(node))
    if isinstance(node, yaml.SequenceNode):
        return List(line, tuple(_tree(item, first_line, problems) for item in node.value))
    entries: dict[str, Entry] = {}
    for key, value in node.value:
        at = key.start_mark.line + first_line
        if not isinstance(key, yaml.ScalarNode):
            problems.append(Problem(at, "a key must be a single word"))
        elif key.value in entries:
            first = entries[key.value].line
            problems.append(
                Problem(at, f"`{key.value:.60}` stands here and in line {first}; keep one of them")
            )
        else:
            entries[key.value] = Entry(at, _tree(value, first_line, problems))
    return Section(line, entries)


def _value(node: yaml.ScalarNode) -> object:
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind == "null":
        return None
    if kind == "bool" and node.value.lower() in TRUTH:
        return TRUTH[node.value.lower()]
    if kind in ("int", "float") or (kind == "str" and node.style is None):
        # YAML 1.1 takes `1e3` for text; people don't.
        read_number = number(node.value)
        if read_number is not None:
            return read_number
    return node.value if kind == "str" else Odd(node.value)
