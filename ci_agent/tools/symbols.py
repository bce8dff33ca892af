"""Where in a source file something is defined, from its first line to its last. Python by its parser, others by how
definitions begin and by the indentation of what follows.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ci_agent.tools.outline import definitions, parsed

_CLOSES = re.compile(r"\s*(?:[}\])]|end\b)")
_NAMED = 5  # other names in an answer
_LOOKED_AT = 500  # characters of a line that are looked at for a name


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition. `name` has those around it in front: `Shop.add`."""

    name: str
    first: int  # line, from 1
    last: int


def symbols(path: str, text: str) -> list[Symbol]:
    """The definitions of a file, in their order; none where they are not known."""
    tree = parsed(text) if path.endswith((".py", ".pyi")) else None
    if tree is not None:
        return list(_of_python(tree, ""))
    return _by_indentation(text.split("\n"), definitions(path, text))


def find(found: Sequence[Symbol], wanted: str) -> list[Symbol]:
    """Those called `wanted`: `add`, `Shop.add`, `Shop::add` or `Shop#add`."""
    name = re.sub(r"::|#", ".", wanted).removesuffix("()")
    return [one for one in found if one.name == name or one.name.endswith(f".{name}")]


def alike(found: Sequence[Symbol], wanted: str) -> list[str]:
    """Names that may have been meant."""
    last = re.split(r"::|[.#]", wanted)[-1]
    by_last = {one.name.rpartition(".")[2]: one.name for one in found}
    near = difflib.get_close_matches(last, by_last, _NAMED, 0.5)
    return [by_last[name] for name in near] or [one.name for one in found[:_NAMED]]


def _of_python(node: ast.AST, around: str) -> Iterator[Symbol]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
            yield Symbol(f"{around}{child.name}", first, child.end_lineno or child.lineno)
            yield from _of_python(child, f"{around}{child.name}.")
        else:
            yield from _of_python(child, around)


def _by_indentation(lines: Sequence[str], numbers: Sequence[int]) -> list[Symbol]:
    found: list[Symbol] = []
    around: list[Symbol] = []  # those that have not ended, the innermost last
    depths = [_depth(line) for line in lines]
    for number in numbers:
        while around and around[-1].last < number:
            around.pop()
        if name := _name(lines[number - 1][:_LOOKED_AT]):
            inside = f"{around[-1].name}." if around else ""
            around.append(Symbol(f"{inside}{name}", number, _end(lines, depths, number)))
            found.append(around[-1])
    return found


_KEYWORDS = (
    r"def(?:p|module)?|class|function|func|fun|fn|type|struct|interface|enum|trait|impl|module|namespace|mod|record|protocol|"
    r"object|const|let|var"
)
# The name behind the word that defines (behind the receiver, in Go), else what stands before the first bracket.
_DEFINED = re.compile(
    rf"\b(?:{_KEYWORDS})\b\*?\s*(?:\([^)]*\)\s*)?(?:self\.)?(?:<[^>]*>\s*)?([A-Za-z_$][\w$]*)"
)
_CALLED = re.compile(r"([A-Za-z_$~][\w$]*)\s*\(")


def _name(line: str) -> str:
    match = _DEFINED.search(line) or _CALLED.search(line)
    return match[1] if match else ""


def _end(lines: Sequence[str], depths: Sequence[int], first: int) -> int:
    """The last line of what begins in line `first`: all that is indented more, and the line that closes it."""
    depth = depths[first - 1]
    last = first
    for number in range(first + 1, len(lines) + 1):
        line = lines[number - 1]
        if not line or line.isspace():
            continue
        if depths[number - 1] > depth:
            last = number
        elif _CLOSES.match(line):  # `)` may be followed by more: `) -> Self {`
            last = number
            if not line.rstrip().endswith(("{", "(", "[", ",", "=>")):
                break
        elif number == first + 1 and line.strip() in {"{", "("}:  # opened on a line of its own
            last = number
        else:
            break
    return last


def _depth(line: str) -> int:
    expanded = line.expandtabs(4)
    return len(expanded) - len(expanded.lstrip())
