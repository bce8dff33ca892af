"""`bash`: a command in a fresh shell, its output as a person would read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ci_agent.sandbox import Command, Completed
from ci_agent.tools.outputs import VARIABLE, excerpt, fresh
from ci_agent.tools.tool import Answer, Parameter, ToolError, World

_SHOWN = 16_000  # characters of output in an answer


class Bash:
    name = "bash"
    description = (
        "Run a command in the repository's root, in a fresh shell: cd and variables don't carry over, nothing "
        "stays running. Join steps with &&. Of long output you see both ends and the file that has it all."
    )
    parameters: tuple[Parameter, ...] = (
        Parameter("command", "string", "e.g. python -m pytest -q tests/test_core.py", example="ls -la"),
        Parameter("timeout", "integer", "seconds", required=False, minimum=1, maximum=600),
    )

    def run(self, arguments: Mapping[str, Any], world: World) -> Answer:
        script = arguments["command"]
        if not script.strip():
            raise ToolError("There is no command to run. Give one in `command`.")
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
                    environment={VARIABLE: str(world.outputs)},
                )
            )
            text, shortened = excerpt(output, _SHOWN)
            if not shortened:
                output.remove()
        lines = [text.rstrip("\n")] if text.strip() else []
        return Answer(
            "\n".join([*lines, *_ends(completed, short_of_time=remaining < wanted)]),
            ok=not completed.timed_out and not completed.flooded,
            output=output.path.name if shortened else "",
        )


def _ends(completed: Completed, *, short_of_time: bool) -> list[str]:
    """How the command ended, one line for each thing to know."""
    if completed.timed_out:
        why = ", all the session had left" if short_of_time else ""
        return [f"[ended after {completed.seconds:.0f} s: time-out{why}]"]
    if completed.flooded:
        return [f"[ended after {completed.seconds:.1f} s: too much output]"]
    end = f"[exit {completed.exit_code}, {completed.seconds:.1f}s]"
    return [end, "[processes it left running were ended]"] if completed.left_behind else [end]
