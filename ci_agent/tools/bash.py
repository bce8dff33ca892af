"""`bash`: a command in a fresh shell, its output as a person would read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ci_agent.sandbox import TOO_MUCH, Command, Completed
from ci_agent.tools.outputs import VARIABLE, excerpt, fresh
from ci_agent.tools.scripts import patches
from ci_agent.tools.tool import Answer, Parameter, ToolError, World

# `npx` of something that is not installed would fetch and run it from the registry, without a word.
_QUIET = {"npm_config_yes": "false"}
_SHOWN = 16_000  # characters of output in an answer
_LONGEST = 600  # seconds a command may be given
_ONLY_CD = re.compile(r"cd(?:\s+([^\s;&|]{1,200}))?\s*;?")


class Bash:
    name = "bash"
    description = (
        "Run a command in the repository's root, in a fresh shell: cd and variables don't carry over, nothing "
        "stays running (start, use and stop a server in one command). Join steps with &&. Of long output you see "
        "both ends and the file that has it all."
    )
    parameters: tuple[Parameter, ...] = (
        Parameter("command", "string", "e.g. python -m pytest -q tests/test_core.py", example="ls -la"),
        Parameter("timeout", "integer", "seconds", required=False, minimum=1, maximum=_LONGEST),
    )

    def run(self, arguments: Mapping[str, Any], world: World) -> Answer:
        script = arguments["command"]
        if not script.strip():
            raise ToolError("There is no command to run. Give one in `command`.")
        if folder := _ONLY_CD.fullmatch(script.strip()):
            raise ToolError(
                "Each command starts in the repository's root, so this alone changes nothing. Put it before what is to "
                f"be done there: cd {folder[1] or '.'} && ls"
            )
        if patches(script):
            raise ToolError(
                "apply_patch is no program here, so nothing was run. Give the patch alone, as `patch` of the tool "
                "apply_patch or in a command that does nothing else, and the other commands in a call of their own."
            )
        remaining = world.remaining()
        if remaining <= 0:
            raise ToolError("The session's time is used up, nothing is run any more. Call submit.")
        wanted = arguments["timeout"] or world.command_timeout
        with fresh(world.outputs) as output:
            completed = world.sandbox.run(
                Command(
                    words=world.sandbox.shell(script),
                    cwd=world.root,
                    timeout=min(wanted, remaining),
                    output=output.path,
                    environment={VARIABLE: str(world.outputs), **_QUIET},
                    readable=(world.outputs,),
                )
            )
            text, shortened = excerpt(output, _SHOWN)
            if not shortened:
                output.remove()
        lines = [text.rstrip("\n")] if text.strip() else []
        return Answer(
            "\n".join([*lines, *_ends(completed, wanted, short_of_time=remaining < wanted)]),
            ok=not completed.ended,
            output=output.path.name if shortened else "",
        )


def _ends(completed: Completed, wanted: int, *, short_of_time: bool) -> list[str]:
    """How the command ended, one line for each thing to know."""
    if completed.timed_out:
        if short_of_time:
            return [f"[ended after {completed.seconds:.0f} s: time-out, all the session had left]"]
        longer = f"give a longer `timeout` (up to {_LONGEST}), or " if wanted < _LONGEST else ""
        return [f"[ended after {completed.seconds:.0f} s: time-out; {longer}run less at once]"]
    if completed.ended:
        return [f"[ended after {completed.seconds:.1f} s: it {TOO_MUCH[completed.ended]}]"]
    code = completed.exit_code
    ends = [f"[exit {code}, {completed.seconds:.1f}s]"]
    if code in _EXIT_CODES:
        ends.append(f"[{code}: {_EXIT_CODES[code]}]")
    if completed.left_behind:
        ends.append("[processes it left running were ended; use them within the command that starts them]")
    return ends


# As bash(1) and signal(7) have them.
_EXIT_CODES: Mapping[int | None, str] = {
    126: "it is there, but can't be executed",
    127: "a command was not found",
    134: "aborted, SIGABRT",
    137: "killed, SIGKILL; often memory ran out",
    139: "segmentation fault, SIGSEGV",
    143: "ended by SIGTERM",
}
