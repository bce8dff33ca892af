"""Errors of syntax that a change brought into a file, by parsers that are at hand. Nothing of the file is run."""

from __future__ import annotations

import ast
import json
import platform
import re
import tomllib
import warnings
from collections.abc import Callable, Mapping
from pathlib import PurePath

from ci_agent.sandbox import Command
from ci_agent.tools.outputs import VARIABLE, fresh
from ci_agent.tools.tool import World

_LARGEST = 500_000  # characters; a larger file is data, and slow to parse
_NODE_SECONDS = 3
_COMMENTED = re.compile(r"(ts|js)config.*\.json|.*\.code-workspace|devcontainer\.json|\.eslintrc\.json")


def new_error(shown: str, before: str | None, after: str, world: World) -> list[str]:
    """A line that says what is wrong with the text `after`, where nothing was with `before`. `before` is None
    for a new file."""
    path = PurePath(shown)
    if max(len(after), len(before or "")) > _LARGEST or _COMMENTED.fullmatch(path.name):
        return []
    if path.suffix in {".js", ".mjs", ".cjs"}:
        # A new file may hold what only a compiler takes, as JSX does. An old one that parsed did not.
        name, error = "JavaScript", "" if before is None else _javascript(after, world)
        if error and before is not None and _javascript(before, world):
            return []
    elif path.suffix in _PARSERS:
        name, parser = _PARSERS[path.suffix]
        error = _error(parser, after)
        if error and before is not None and _error(parser, before):
            return []
    else:
        return []
    verb = "does not parse" if before is None else "no longer parses"
    return [f"[it {verb} ({name}): {error}]"] if error else []


def _error(parser: Callable[[str], object], text: str) -> str:
    """What the parser says against the text, "" for nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parser(text)
    except SyntaxError as error:
        return f"{error.msg}, line {error.lineno}"
    except (ValueError, RecursionError, MemoryError) as error:  # a format's own errors, odd and deep texts
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def _yaml(text: str) -> None:
    """Raises `ValueError`."""
    import yaml

    try:
        for _ in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            pass
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise ValueError(f"{problem}, line {mark.line + 1}" if mark else problem) from None


_PARSERS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    ".py": (f"Python {platform.python_version()}", ast.parse),
    ".pyi": (f"Python {platform.python_version()}", ast.parse),
    ".json": ("JSON", json.loads),
    ".toml": ("TOML", tomllib.loads),
    ".yml": ("YAML", _yaml),
    ".yaml": ("YAML", _yaml),
}


def _javascript(text: str, world: World) -> str:
    """What Node.js says against the text as a module, or as a script where it is none; "" for nothing, and where
    there is no Node.js."""
    kind = "--input-type=module " if re.search(r"^\s*(import|export)\b", text, re.MULTILINE) else ""
    with fresh(world.outputs) as source, fresh(world.outputs) as output:
        source.file.write(text.encode())
        source.file.flush()
        try:
            completed = world.sandbox.run(
                Command(
                    words=world.sandbox.shell(
                        f'exec node {kind}--check - < "${VARIABLE}/{source.path.name}"'
                    ),
                    cwd=world.root,
                    timeout=min(_NODE_SECONDS, max(0.0, world.remaining())),
                    output=output.path,
                    environment={VARIABLE: str(world.outputs)},
                    readable=(world.outputs,),
                )
            )
            said = output.file.read(_LARGEST).decode(errors="replace")
        finally:
            source.remove()
            output.remove()
    line, error = (
        re.search(r"^\[stdin\]:(\d+)$", said, re.MULTILINE),
        re.search(r"^SyntaxError: .+", said, re.MULTILINE),
    )
    if not completed.exit_code or not error:
        return ""
    return error[0].removeprefix("SyntaxError: ") + (f", line {line[1]}" if line else "")
