"""Where what an issue names is defined, so that the model can begin by reading and not by searching. Pure text.

The names are a stranger's: they are plain identifiers and can't carry anything into a pattern.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from ci_agent.agent.kinds import SHARES, SOURCE

_MOST_TEXT = 20_000  # characters of an issue that are looked at
_NAMES = 12  # that are looked for
_SHORTEST = 3  # letters of a name
_COMMON = 5  # definitions of one name; more tell nothing
_SHOWN = 10
_LINE = 100  # characters of a definition

_BLOCK = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_INLINE = re.compile(
    r"`([A-Za-z_][\w.]*)(?:\([^`\n]*\))?`", re.ASCII
)  # a name between backticks, perhaps called
# What only code writes so: called, an attribute, with underscores or in camel case.
_USED = re.compile(
    r"\b[A-Za-z_]\w*(?=\()|(?<=\w\.)[A-Za-z_]\w*|\b[a-z]+(?:_[a-z0-9]+)+\b|\b[A-Za-z]*[a-z][A-Z]\w*",
    re.ASCII,
)
_KEYWORDS = frozenset(
    [
        "assert",
        "class",
        "console",
        "def",
        "dict",
        "elif",
        "else",
        "for",
        "foo",
        "bar",
        "function",
        "if",
        "import",
        "int",
        "len",
        "list",
        "log",
        "main",
        "map",
        "open",
        "print",
        "range",
        "repr",
        "return",
        "self",
        "set",
        "str",
        "sum",
        "sorted",
        "super",
        "test",
        "tuple",
        "type",
        "while",
        "with",
    ]
)
_BEFORE = (
    r"((export|default|pub([(]crate[)])?|async|static|public|private|protected|internal|abstract|declare|final|override|"
    r"inline|unsafe|extern|sealed|partial)[[:space:]]+)*"
)
_DEFINES = "class|def|defp|enum|fn|func|function[*]?|interface|macro_rules!|record|struct|trait|type"


def mentioned(text: str) -> list[str]:
    """The names of code in `text`, those between backticks first, at most twelve."""
    text = text[:_MOST_TEXT]
    names = [part for name in _INLINE.findall(text) for part in name.split(".")]
    names += _USED.findall(_BLOCK.sub(" ", text))
    names += [name for block in _BLOCK.findall(text) for name in _USED.findall(block)]
    telling = (name for name in names if len(name) >= _SHORTEST and name.lower() not in _KEYWORDS)
    return list(dict.fromkeys(telling))[:_NAMES]


def pattern(names: Iterable[str]) -> str:
    """An extended regular expression for lines that define one of `names`, in the languages that say so by a word."""
    receiver = "([(][^)]*[)][[:space:]]*)?"  # of a method in Go
    inside = rf"[[:space:]]*{_BEFORE}({_DEFINES})[[:space:]]+{receiver}"
    outermost = "(export[[:space:]]+)?const[[:space:]]+"  # inside, a constant is just a variable
    return rf"^({inside}|{outermost})({'|'.join(names)})([^[:alnum:]_]|$)"


def told(lines: Iterable[str], names: Iterable[str]) -> str:
    """The definitions among `lines`, each `path:number:text`, of names that are not defined all over the place."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        path, _, rest = line.partition(":")
        number, _, text = rest.partition(":")
        name = next((name for name in names if re.search(rf"(?<!\w){name}(?!\w)", text)), "")
        if name and number.isdigit() and not _is_beside(path):
            found[name].append(f"{path}:{number}: {text.strip()[:_LINE]}")
    shown = [line for alike in found.values() if len(alike) <= _COMMON for line in alike]
    return "\n".join(shown[:_SHOWN])


def _is_beside(path: str) -> bool:
    """Whether the file is no source of the project's own."""
    *folders, title = path.lower().split("/")
    kind = title[title.rfind(".") :]
    return kind not in SOURCE or any(SHARES.get(folder, 1.0) < 1 for folder in folders)
