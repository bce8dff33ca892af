"""The loop: ask the model, do what it asks, tell it what came of it, until it hands the turn back.

Synchronous and append-only: `_append` is the only place that adds to the context, nothing is ever changed in
it. Every tool call gets a result. The loop knows no git, no platform and no verdict; it ends with a `Stop`,
and whoever called it decides what that is worth.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ci_agent.agent.allowance import Allowance
from ci_agent.agent.novelty import Novelty
from ci_agent.agent.repetition import Repetition
from ci_agent.journal import Journal
from ci_agent.journal.events import (
    HarnessSaid,
    ModelReplied,
    PlanUpdated,
    QuestionAsked,
    Submitted,
    ToolAnswered,
    ToolCalled,
    Warned,
)
from ci_agent.models import Message, Model, ModelError, Reply, ToolCall
from ci_agent.task import Ending
from ci_agent.tools import Answer, Tool, World, call, schema

_AFTER_FAILURE = (
    "Not handed in: an earlier call of the same reply failed. Look at it first, then submit again."
)
_CUT_OFF = (
    "Not run: your reply was cut off at its length limit, so this call may not be whole. Make it shorter: several "
    "edits instead of one, a part of a file instead of all of it."
)
_MAX_BAD_TURNS = 4  # replies in a row without a tool call
_UNCHANGED_SHARE = 0.6  # of the steps, after which something should have changed


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the agent handed the turn back."""

    ending: Ending
    detail: str  # a sentence for people, never the model's words


class Agent:
    """One conversation with one model about one task. `messages` is where it starts. `changed` says whether any
    file differs from what the work began with; `replaceable`, whether a better model stands by."""

    def __init__(
        self,
        model: Model,
        tools: Sequence[Tool],
        world: World,
        allowance: Allowance,
        journal: Journal,
        messages: Sequence[Message],
        *,
        changed: Callable[[], bool] = lambda: True,
        replaceable: bool = False,
    ) -> None:
        self._model = model
        self._tools = tools
        self._schemas = [schema(tool) for tool in tools]
        self._world = world
        self._allowance = allowance
        self._journal = journal
        self._changed = changed
        self._replaceable = replaceable
        self._messages: list[Message] = []
        self._repetition = Repetition()
        self._novelty = Novelty()
        self._bad_turns = 0
        self._first_step = allowance.steps
        self._pending: ToolCall | None = None  # the call that handed the turn back, still without a result
        for message in messages:
            self._append(message)

    def work(self) -> Stop:
        """Go on until the turn is handed back, a limit is hit, or the model can't go on."""
        while True:
            stop = self._step()
            if stop is not None:
                return stop

    def answer(self, text: str) -> None:
        """Answer the call that handed the turn back; the next `work` goes on from there."""
        if self._pending is None:
            raise RuntimeError("there is no call to answer")
        pending, self._pending = self._pending, None
        self._tell(pending, Answer(text, ok=False), 0.0)

    def _step(self) -> Stop | None:
        exceeded = self._allowance.exceeded()
        if exceeded is not None:
            return Stop(*exceeded)
        try:
            reply = self._model.reply(self._messages, self._schemas, self._allowance.deadline)
        except ModelError as error:
            return Stop(error.ending, str(error))
        self._book(reply)
        if not reply.calls:
            return self._nudge(reply)
        self._bad_turns = 0
        return self._do(reply) or self._circling()

    def _book(self, reply: Reply) -> None:
        if reply.cost is None and self._allowance.steps == 0:
            self._journal.append(
                Warned(
                    f"The limit of money does not hold: no price is known for {self._model.name} (set `model.prices`)."
                )
            )
        self._allowance.spend(reply.usage, reply.cost)
        self._journal.append(
            ModelReplied(
                step=self._allowance.steps,
                model=self._model.name,
                message=reply.message,
                finish_reason=reply.finish_reason,
                usage=reply.usage,
                cost=reply.cost,
                seconds=reply.seconds,
            )
        )
        self._append(_sendable(reply.message))

    def _nudge(self, reply: Reply) -> Stop | None:
        self._bad_turns += 1
        if self._bad_turns >= _MAX_BAD_TURNS:
            detail = f"The model answered {_MAX_BAD_TURNS} times in a row without calling a tool."
            return Stop(Ending.FORMAT, detail)
        if reply.finish_reason == "length":
            text = "Your reply was cut off at its length limit. Make it shorter, and call a tool."
        elif reply.text.strip():
            text = (
                "Go on by calling a tool. When the work is done, call `submit`; nobody reads plain replies."
            )
        else:
            text = "Your reply was empty. Go on by calling a tool, or call `submit` when the work is done."
        self._journal.append(HarnessSaid(text))
        self._append({"role": "user", "content": text})
        return None

    def _do(self, reply: Reply) -> Stop | None:
        """Run every call in order. One that ends the turn stays unanswered until `answer`."""
        ends: Submitted | QuestionAsked | None = None
        failed = False
        for number, wanted in enumerate(reply.calls, start=1):
            last = number == len(reply.calls)
            self._journal.append(ToolCalled(self._allowance.steps, wanted.id, wanted.name, wanted.arguments))
            began = time.monotonic()
            if last and reply.finish_reason == "length":
                answer = Answer(_CUT_OFF, ok=False)
            else:
                answer = call(wanted.name, wanted.arguments, self._tools, self._world)
            seconds = time.monotonic() - began
            if answer.plan is not None:
                self._journal.append(PlanUpdated(answer.plan))
            if isinstance(answer.ends, Submitted) and failed:
                answer = Answer(_AFTER_FAILURE, ok=False)
            if answer.ends is not None and ends is None:
                ends, self._pending = answer.ends, wanted
                self._journal.append(ends)
                continue
            if answer.ends is not None:
                answer = Answer("Not done: another call of the same reply already ended the turn.", ok=False)
            failed = failed or not answer.ok
            self._repetition.add(wanted.name, wanted.arguments, answer.text)
            self._novelty.add(wanted.name, answer.text)
            self._tell(wanted, answer, seconds, self._remarks() if last else self._repeated())
        return _stop_for(ends) if ends is not None else None

    def _remarks(self) -> list[str]:
        """What the harness has to add to the last answer of a step: there, so that the prefix stays the same."""
        self._novelty.next_step()
        remarks = self._repeated()
        if self._novelty.warn:
            remarks.append(
                f"[Your last {self._novelty.stale} steps brought nothing that you had not seen before. Say to yourself "
                "what you know and what you still need, then change something or submit.]"
            )
        if self._overdue() and not self._replaceable:
            remarks.append(
                "[More than half of the steps are used and no file has changed yet. Make the smallest change that could "
                "be right now, and test it.]"
            )
        return [*remarks, *filter(None, [self._allowance.notice()])]

    def _repeated(self) -> list[str]:
        if not self._repetition.warn:
            return []
        return ["[The same call gave the same result three times. Try something else.]"]

    def _circling(self) -> Stop | None:
        """The end of a conversation that comes to nothing."""
        if self._repetition.stuck:
            said = "The model repeated the same calls with the same results and was stopped."
            return Stop(Ending.STUCK, said)
        if self._novelty.stuck:
            said = f"The model learned nothing new in {self._novelty.stale} steps and was stopped."
            return Stop(Ending.STUCK, said)
        if self._replaceable and self._overdue():
            said = f"The model had changed nothing after {_UNCHANGED_SHARE:.0%} of the steps."
            return Stop(Ending.STUCK, said)
        return None

    def _overdue(self) -> bool:
        """Whether in this very step something should have changed by now and has not."""
        due = int(self._allowance.limits.iterations * _UNCHANGED_SHARE)
        return self._allowance.steps == max(due, self._first_step + 1) and not self._changed()

    def _tell(self, wanted: ToolCall, answer: Answer, seconds: float, remarks: Sequence[str] = ()) -> None:
        added = "".join(f"\n\n{remark}" for remark in remarks)
        self._journal.append(
            ToolAnswered(
                step=self._allowance.steps,
                call=wanted.id,
                name=wanted.name,
                ok=answer.ok,
                text=answer.text + added,
                seconds=seconds,
                output=answer.output,
                added=added,
            )
        )
        self._append({"role": "tool", "tool_call_id": wanted.id, "content": answer.text + added})

    def _append(self, message: Message) -> None:
        self._messages.append(message)


def _sendable(message: Message) -> Message:
    """The reply as it may go back to the model: some endpoints refuse a history with arguments that are no JSON."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list) or all(_is_json(one["function"]["arguments"]) for one in calls):
        return message
    mended = [
        one
        if _is_json(one["function"]["arguments"])
        else one
        | {"function": one["function"] | {"arguments": json.dumps({"invalid": one["function"]["arguments"]})}}
        for one in calls
    ]
    return message | {"tool_calls": mended}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _stop_for(ends: Submitted | QuestionAsked) -> Stop:
    if isinstance(ends, Submitted):
        return Stop(Ending.SUBMITTED, "The model handed in its work.")
    return Stop(Ending.NEEDS_INPUT, "The model asked a question that a person has to answer.")
