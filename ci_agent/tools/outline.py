"""What a source file defines at which lines, so that one can go there. Python by its parser, others by the words
that definitions begin with; of text in Markdown, the headings.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from pathlib import PurePath

_LINES = 180  # of an outline
_LINE = 110  # characters that are shown of one
_CHARACTERS = 6_000  # of an outline

_MODIFIERS = (
    r"(?:(?:export|default|public|private|protected|internal|static|abstract|final|async|pub(?:\([\w: ]+\))?|unsafe|"
    r"extern(?: \"C\")?|override|virtual|inline|sealed|partial|open|data|suspend|declare|const|local)\s+)*"
)
_DEFINITION = re.compile(
    rf"\s*{_MODIFIERS}(?:def|class|function|func|fun|fn|type|struct|interface|enum|trait|impl|module|namespace|mod|"
    r"record|protocol|object)\b\*?\s*[\w(<]"
    r"|\s*export\s+(?:default\b|(?:const|let|var)\s+\w)"
    r"|(?:const|let|var)\s+\w+\s*=\s*(?:async\s*)?(?:function\b|\([^)]*\)\s*=>|\w+\s*=>)"
    r"|\s*(?:public|private|protected)\b[^=;]*\([^;]*$"  # methods, in Java and C#
    r"|[A-Za-z_][\w:<>*&\s]*\([^;]*\)\s*(?:const\s*)?\{?\s*$"  # functions, in C and C++
)
_HEADING = re.compile(r"#{1,4}\s+\S")
_SUFFIXES = {
    **dict.fromkeys(
        (".py", ".pyi", ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".go", ".rs", ".rb"), _DEFINITION
    ),
    **dict.fromkeys((".java", ".kt", ".scala", ".swift", ".cs", ".php", ".lua", ".ex", ".exs"), _DEFINITION),
    **dict.fromkeys((".c", ".h", ".cc", ".cpp", ".hpp", ".vue", ".svelte", ".dart", ".zig"), _DEFINITION),
    **dict.fromkeys((".md", ".markdown"), _HEADING),
}


def outline(path: str, text: str) -> str:
    """The lines that define something, with their numbers; of too many the outer ones. "" where none are known."""
    lines = text.split("\n")
    numbers = definitions(path, text)
    kept = _outer(lines, numbers)
    shown: list[str] = []
    room = _CHARACTERS
    for number in kept:
        line = f"{number}\t{lines[number - 1].rstrip()[:_LINE]}"
        room -= len(line) + 1
        if room < 0:
            break
        shown.append(line)
    if not shown:
        return ""
    left = len(numbers) - len(shown)
    more = f" ({left:,} more are left out)" if left else ""
    return "\n".join([f"[its definitions{more}; see them with start and end:]", *shown])


def definitions(path: str, text: str) -> list[int]:
    """The numbers of the lines that define something; none where that is not known."""
    suffix = PurePath(path).suffix
    begins = _SUFFIXES.get(suffix)
    if begins is None:
        return []
    tree = parsed(text) if suffix in {".py", ".pyi"} else None
    if tree is None:
        return [number for number, line in enumerate(text.split("\n"), 1) if begins.match(line[:_LINE])]
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return sorted({node.lineno for node in ast.walk(tree) if isinstance(node, kinds)})


def parsed(text: str) -> ast.Module | None:
    """The tree of a Python file. None: it can't be parsed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _outer(lines: Sequence[str], numbers: Sequence[int]) -> Sequence[int]:
    """As many as an outline has, those that are indented most left out first."""
    kept = numbers
    while len(kept) > _LINES:
        depths = {number: len(lines[number - 1]) - len(lines[number - 1].lstrip()) for number in kept}
        deepest = max(depths.values())
        if not deepest:
            return kept[:_LINES]
        kept = [number for number in kept if depths[number] < deepest]
    return kept
