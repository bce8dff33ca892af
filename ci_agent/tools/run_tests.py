"""`run_tests`: the project's tests, run and counted by the harness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ci_agent.tools.tool import Answer, Parameter, ToolError, World

NOT_RUN_AGAIN = (
    "\n\n[Not run again: nothing that git would commit has changed since this result. To run them all the same, ask once "
    "more.]"
)


class RunTests:
    name = "run_tests"
    description = (
        "Run the project's tests as they stand here; counted, and failures shown. Of an unchanged tree the earlier "
        "result is given."
    )
    parameters: tuple[Parameter, ...] = (
        Parameter(
            "selector",
            "string",
            "what the runner takes: tests/test_core.py -k slug, tests/a.test.js -t name, ./pkg/... -run TestX; "
            "empty: all",
            required=False,
            default="",
        ),
    )

    def run(self, arguments: Mapping[str, Any], world: World) -> Answer:
        selector = arguments["selector"].strip()
        if "\0" in selector:
            raise ToolError("`selector` can't hold a NUL byte.")
        text = world.run_tests(selector)
        told = text.removesuffix(NOT_RUN_AGAIN)
        return Answer(text, unchanged=told if told != text else "")
