"""`ask_user`: a question only a person can answer; it ends the turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ci_agent.journal.events import QuestionAsked
from ci_agent.tools.tool import Answer, Parameter, ToolError, World


class AskUser:
    name = "ask_user"
    description = (
        "Ask the issue's author and stop until the answer, which can take days. Only where readings of the "
        "issue differ and the wrong one would do harm; else state what you assumed."
    )
    parameters: tuple[Parameter, ...] = (
        Parameter("question", "string", "one question", example="Should tabs count as white space?"),
        Parameter("choices", "array", "likely answers", required=False, default=()),
    )

    def run(self, arguments: Mapping[str, Any], world: World) -> Answer:  # noqa: ARG002 - what every tool gets
        question = arguments["question"].strip()
        if not question:
            raise ToolError("`question` is empty. Say what you want to know.")
        choices = tuple(choice.strip() for choice in arguments["choices"] if choice.strip())
        return Answer("The question was asked.", ends=QuestionAsked(question, choices))
