"""Tools and arguments by the names that models know from other agents, translated into ours.

A model that was trained with another set of tools calls those now and then, whatever it is offered. Then the call
is done as it was meant, and its answer says once what the tool is called here.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ci_agent.tools.scripts import patch_in, script
from ci_agent.tools.tool import ToolError

Arguments = dict[str, Any]
Translation = Callable[[Arguments], tuple[str, Arguments]]  # to the name of a tool and what it is given


def resolved(name: str, known: Collection[str]) -> str | None:
    """The name in `known` or in the table below that is meant by `name`: in another spelling, or behind the name
    of a group (`functions.bash`). None for none."""
    for written in (name, name.rpartition(".")[2]):
        plain = _plain(written)
        same = next((one for one in known if _plain(one) == plain), None)
        if same or plain in _TOOLS:
            return same or plain
    return None


def translated(name: str, given: Arguments) -> tuple[str, Arguments]:
    """A tool of ours and its arguments, for a name that `resolved` gave. Raises `ToolError` for what can't be done."""
    if name in _TOOLS:
        name, given = _TOOLS[name](given)
    return _SHAPES[name](given) if name in _SHAPES else (name, given)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


# --- names -------------------------------------------------------------------------------------------------


def _to(name: str) -> Translation:
    return lambda given: (name, given)


def _replacing(given: Arguments) -> tuple[str, Arguments]:
    """Without a new text the old one is taken out."""
    named = any(name in given for name in ("new", *SYNONYMS["new"]))
    return "edit_file", given if named else {**given, "new": ""}


def _editor(given: Arguments) -> tuple[str, Arguments]:
    """Anthropic's `str_replace_editor`, later `str_replace_based_edit_tool`: one tool with commands."""
    command = given.get("command")
    if command is None:
        command = next((one for name, one in _TELLING.items() if name in given), "view")
    if not isinstance(command, str) or command not in _EDITOR:
        commands = ", ".join(_EDITOR)
        raise ToolError(
            f"`command` is {str(command)[:50]!r}, wanted: one of {commands}. To take an edit back, call edit_file with "
            "`old` and `new` exchanged, or bash with: git diff -- path, git checkout -- path"
        )
    tool, names = _EDITOR[command]
    # Some models fill in the arguments of all commands.
    taken = {ours: given[name] for name, ours in names.items() if given.get(name) is not None}
    others = {name: value for name, value in given.items() if name not in _OF_EDITOR}
    return tool, {**({"new": ""} if command == "str_replace" else {}), **taken, **others}


_EDITOR: Mapping[str, tuple[str, Mapping[str, str]]] = {  # of each command the tool, and its arguments
    "view": ("read_file", {"view_range": "view_range"}),
    "create": ("write_file", {"file_text": "content"}),
    "str_replace": ("edit_file", {"old_str": "old", "new_str": "new"}),
    "insert": ("insert_lines", {"insert_line": "line", "new_str": "text", "insert_text": "text"}),
}
_TELLING = {"old_str": "str_replace", "insert_line": "insert", "file_text": "create"}
_OF_EDITOR = frozenset({"command", *(name for _, names in _EDITOR.values() for name in names)})


def _find_files(given: Arguments) -> tuple[str, Arguments]:
    """Names of files, which `bash` lists here."""
    pattern = str(given.get("pattern") or given.get("glob_pattern") or given.get("glob") or "*")
    folder = posixpath.normpath(str(given.get("path") or given.get("directory") or "."))
    wanted = posixpath.normpath(f"{folder}/{pattern if '/' in pattern else f'**/{pattern}'}")
    listing = "git ls-files --cached --others --exclude-standard --"
    return "bash", {"command": f"{listing} {shlex.quote(f':(glob){wanted}')} | head -n 200"}


_NAMES: Mapping[str, str] = {  # those that need no more than another name, by ours
    "bash": (
        "shell sh exec execute_bash execute_command exec_command shell_command terminal run_command run_shell_command "
        "run_terminal_cmd run_in_terminal local_shell container.exec"
    ),
    "read_file": "view open cat read view_file open_file ls list_dir list_directory list_files",
    "write_file": "create_file create write write_to_file save_file new_file",
    "edit_file": "edit replace replace_in_file search_replace search_and_replace",
    "insert_lines": "insert insert_line",
    "search": "grep rg ripgrep grep_search search_files search_code code_search search_file_content",
    "apply_patch": "patch apply_diff",
    "update_plan": "todo_write todo write_todos update_todos plan",
    "propose_plan": "exit_plan_mode submit_plan present_plan",
    "run_tests": "test tests run_test pytest",
    "ask_user": "ask ask_question ask_user_question ask_followup_question ask_human",
    "submit": "finish done complete task_complete complete_task attempt_completion",
}
_TOOLS: Mapping[str, Translation] = {
    **{_plain(alias): _to(name) for name, aliases in _NAMES.items() for alias in aliases.split()},
    **dict.fromkeys(
        map(_plain, ("str_replace_editor", "str_replace_based_edit_tool", "text_editor")), _editor
    ),
    **dict.fromkeys(map(_plain, ("glob", "find_files", "file_search")), _find_files),
    _plain("str_replace"): _replacing,
}


# --- shapes of the arguments of our own --------------------------------------------------------------------


def _command(given: Arguments) -> tuple[str, Arguments]:
    """A list of words, a shell in the shell, a folder to run in, milliseconds; a patch that is all there is."""
    given = dict(given)
    name = next((name for name in ("command", "cmd", "script", "commands") if name in given), "command")
    words = given.get(name)
    if isinstance(words, list) and len(words) == 2 and words[0] in ("apply_patch", "applypatch"):  # noqa: PLR2004
        return "apply_patch", {"patch": words[1]}
    given[name] = text = script(words)
    folder = next((given.pop(name) for name in ("workdir", "cwd") if isinstance(given.get(name), str)), "")
    if isinstance(given.get("timeout_ms"), int):
        given.setdefault("timeout", max(1, round(given.pop("timeout_ms") / 1000)))
    if not isinstance(text, str):
        return "bash", {name: value for name, value in given.items() if value is not None}
    if found := patch_in(text):
        return "apply_patch", {"patch": found[0], "folder": "/".join(filter(None, [folder, found[1]]))}
    if folder not in {"", ".", "./"}:
        given[name] = f"cd {shlex.quote(folder)} || exit\n{text}"
    return "bash", given


def _window(given: Arguments) -> tuple[str, Arguments]:
    """`view_range` and `offset` with `limit` as first and last line."""
    given = dict(given)
    window = given.pop("view_range", given.pop("line_range", None))
    if isinstance(window, str):
        window = [int(number) for number in re.findall(r"-?\d{1,9}", window)]
    if isinstance(window, (list, tuple)) and window:
        given |= {"start": window[0], "end": window[1] if len(window) > 1 else None}
    start, limit = given.get("offset"), given.pop("limit", None)
    if isinstance(limit, int) and "end" not in given:
        given["end"] = (start if isinstance(start, int) else 1) + limit - 1
    return "read_file", given


def _pattern(given: Arguments) -> tuple[str, Arguments]:
    r"""A `\b` that was not escaped for JSON is a backspace; whether case counts is said in the pattern."""
    given = dict(given)
    name = next((name for name in ("pattern", *SYNONYMS["pattern"]) if isinstance(given.get(name), str)), "")
    any_case = [given.pop(name) for name in ("ignore_case", "case_insensitive", "-i") if name in given]
    if name:
        given[name] = ("(?i)" if any_case and any_case[0] is True else "") + given[name].replace("\b", r"\b")
    return "search", given


_SHAPES: Mapping[str, Translation] = {"bash": _command, "read_file": _window, "search": _pattern}


# --- arguments ---------------------------------------------------------------------------------------------

# By the name here; the first that is given and is no argument of the tool itself is taken.
SYNONYMS: Mapping[str, Sequence[str]] = {
    ours: names.split()
    for ours, names in {
        "path": (
            "file_path filepath filename file_name file target_file absolute_path relative_path "
            "directory dir folder dir_path directory_path target_directory"
        ),
        "old": "old_str old_string old_text search find before original",
        "new": "new_str new_string new_text replace replacement after updated",
        "all": "replace_all all_occurrences allow_multiple",
        "content": "file_text contents text body code",
        "start": "start_line line_start offset first from_line",
        "end": "end_line line_end last to_line",
        "command": "cmd script commands input",
        "timeout": "timeout_seconds timeout_secs",
        "pattern": "query regex regexp search search_term keyword",
        "glob": "include include_pattern file_pattern glob_pattern files",
        "max_results": "limit head_limit max_count",
        "line": "insert_line line_number after_line insert",
        "text": "insert_text new_str new new_text content",
        "patch": "input diff patch_text text content command",
        "selector": "tests test path paths target filter pattern name args command",
        "steps": "todos plan items tasks",
        "question": "text message prompt",
        "choices": "options",
        "title": "subject name",
        "summary": "message description body result text content",
    }.items()
}
