"""What a CI makes of a job's log: the commands that GitHub's runner carries out, the sections that GitLab sees.

The rules are those of actions/runner (src/Runner.Common/ActionCommand.cs and src/Runner.Worker/
ActionCommandManager.cs) and of GitLab (lib/gitlab/regex.rb, build_trace_section_regex).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

NAMES = {
    "add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "internal-set-repo-path",
    "notice", "remove-matcher", "save-state", "set-env", "set-output", "stop-commands", "warning",
}  # fmt: skip
BORDER = re.compile(r"section_(start|end):(\d+):([a-zA-Z0-9_.-]+)(\[[^\]\r]*\])?\r\x1b\[0K")


@dataclass(frozen=True)
class Command:
    name: str
    data: str
    properties: dict[str, str] = field(default_factory=dict)


def lines(log: str) -> list[str]:
    """The lines of a log as the runner reads them from the process."""
    return re.split(r"\r\n|\r|\n", log)


def parsed(line: str, names: set[str]) -> Command | None:
    """The command in a line; None: it is text. The runner compares names without regard to case."""
    return _with_colons(line, names) or _with_hashes(line, names)


def carried_out(log: str) -> list[Command]:
    """The commands that the runner carries out: those in between `stop-commands` and its end are text."""
    names, token, done = set(NAMES), "", []
    for line in lines(log):
        command = parsed(line, names)
        if command is None:
            continue
        if token:
            if command.name.lower() == token.lower():
                names.discard(token)
                token = ""
        elif command.name.lower() == "stop-commands":
            token = command.data
            names.add(token)
        else:
            done.append(command)
    return done


def _with_colons(line: str, names: set[str]) -> Command | None:
    line = line.lstrip()
    end = line.find("::", 2)
    if not line.startswith("::") or end < 0:
        return None
    name, _, given = line[2:end].partition(" ")
    if name.lower() not in {known.lower() for known in names}:
        return None
    pairs = (pair.split("=", 1) for pair in given.strip().split(",") if "=" in pair)
    properties = {key: _unescaped(value, {"%3A": ":", "%2C": ","}) for key, value in pairs if value}
    return Command(name, _unescaped(line[end + 2 :], {}), properties)


def _with_hashes(line: str, names: set[str]) -> Command | None:
    start = line.find("##[")
    end = line.find("]", start) if start >= 0 else -1
    if end < 0:
        return None
    name = line[start + 3 : end].partition(" ")[0]
    return Command(name, line[end + 1 :]) if name.lower() in {known.lower() for known in names} else None


def _unescaped(text: str, more: dict[str, str]) -> str:
    for written, meant in ({"%0D": "\r", "%0A": "\n"} | more | {"%25": "%"}).items():
        text = text.replace(written, meant)
    return text
