"""The loop: ask the model, do what it asks, tell it what came of it, until it hands the turn back.

Synchronous and append-only: what the model sees is a `Conversation`, which has one place that adds to it. Every tool
call gets a result. The loop knows no git, no platform and no verdict; it ends with a `Stop`, and whoever called it
decides what that is worth.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ci_agent.agent.allowance import Allowance
from ci_agent.agent.circling import Circling
from ci_agent.agent.conversation import Conversation
from ci_agent.agent.planning import Planning
from ci_agent.agent.resuming import ENDS_TURN, SUBMIT, mended, tool_of
from ci_agent.agent.rules import Reminder
from ci_agent.journal import Journal
from ci_agent.journal.events import (
    HarnessSaid,
    ModelReplied,
    PlanProposed,
    PlanUpdated,
    Submitted,
    ToolAnswered,
    ToolCalled,
    TurnEnd,
    Warned,
)
from ci_agent.models import Message, Model, ModelError, Reply, ToolCall
from ci_agent.task import Ending
from ci_agent.tools import Answer, Meaning, Tool, World, call, meaning, schema

_AFTER_FAILURE = (
    "Not handed in: an earlier call of the same reply failed. Look at it first, then submit again."
)
_CUT_OFF = (
    "Not run: your reply was cut off at its length limit, so this call may not be whole. Make it shorter: several "
    "edits instead of one, a part of a file instead of all of it."
)
_TIME_UP = "Not run: the session's time is up."
_LAST_CALLS = ENDS_TURN  # they still count then
_MAX_BAD_TURNS = 4  # replies in a row without a tool call


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the agent handed the turn back."""

    ending: Ending
    detail: str  # a sentence for people, never the model's words


@dataclass(frozen=True, slots=True)
class Sight:
    """What the loop may know of what is around it."""

    changed: Callable[[], bool]  # whether any differs from what the work began with
    diff: Callable[[], str]  # the change so far
    rules: Reminder  # tells what the project's own rules say of a file, when it is first met
    planning: Planning | None = None  # the plan is still to be approved; None: files may be changed
    heard: Callable[[], str] = str  # what people have said since, for the model; empty: nothing


class Agent:
    """One conversation with one model about one task. `messages` is where it starts, which may be where an earlier job was;
    from `compact_at` tokens on it is shortened. `replaceable`: a better model stands by."""

    def __init__(
        self,
        model: Model,
        tools: Sequence[Tool],
        world: World,
        allowance: Allowance,
        journal: Journal,
        messages: Sequence[Message],
        sight: Sight,
        *,
        compact_at: int,
        replaceable: bool = False,
    ) -> None:
        self._model = model
        self._tools = tools
        self._world = world
        self._allowance = allowance
        self._journal = journal
        self._sight = sight
        self._replaceable = replaceable
        messages, pending = mended(messages)
        self._conversation = Conversation(
            messages,
            model,
            [schema(tool) for tool in tools],
            allowance,
            journal,
            compact_at=compact_at,
            diff=sight.diff,
            shortened=self._forget,
        )
        self._circling = Circling(
            steps=allowance.limits.iterations,
            first=allowance.steps,
            changed=lambda: sight.planning is not None or sight.changed(),
            replaceable=replaceable,
        )
        self._bad_turns = 0
        self._ended = allowance.steps  # the last step that is over
        self._pending = pending  # the call that handed the turn back, still without a result

    def work(self) -> Stop:
        """Go on until the turn is handed back, a limit is hit, or the model can't go on."""
        while True:
            stop = self._step()
            if stop is not None:
                return stop

    @property
    def messages(self) -> Sequence[Message]:
        """The conversation so far, oldest first."""
        return self._conversation.messages

    @property
    def waits(self) -> str:
        """The tool by which the turn was handed back and which waits for an answer; empty: none does."""
        return tool_of(self._pending) if self._pending else ""

    @property
    def handed_in(self) -> bool:
        """What handed the turn back is work, and waits for an answer."""
        return self.waits == SUBMIT

    def answer(self, text: str) -> None:
        """Answer the call that handed the turn back; the next `work` goes on from there. Where no call waits, it is told
        as the harness's own word."""
        if self._pending is None:
            self._say(text)
            return
        answer = Answer(text, ok=not self.handed_in)
        pending, self._pending = self._pending, None
        self._tell(pending, answer, 0.0, self._end_of_step())

    def _step(self) -> Stop | None:
        try:
            if self._allowance.exceeded() is None:
                self._hear()
                self._conversation.make_room()
            reply = self._conversation.reply()
        except ModelError as error:
            return Stop(error.ending, self._allowance.said_of(error.ending, str(error)))
        self._book(reply)
        stop = self._do(reply) if reply.calls else self._nudge(reply)
        circling = self._circling.stop()
        return stop or (Stop(Ending.STUCK, circling) if circling else None)

    def _hear(self) -> None:
        said = self._sight.heard()
        if said:
            self._say(said)

    def _book(self, reply: Reply) -> None:
        self._journal.append(
            ModelReplied(
                step=self._allowance.steps + 1,
                model=self._model.name,
                message=reply.message,
                finish_reason=reply.finish_reason,
                usage=reply.usage,
                cost=reply.cost,
                seconds=reply.seconds,
            )
        )
        warning = self._allowance.spend(reply.usage, reply.cost, self._model.name)
        if warning:
            self._journal.append(Warned(warning))
        self._conversation.take(reply)

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
        self._say("\n\n".join([text, *filter(None, self._end_of_step())]))
        return None

    def _say(self, text: str) -> None:
        self._journal.append(HarnessSaid(text))
        self._conversation.append({"role": "user", "content": text})

    def _do(self, reply: Reply) -> Stop | None:
        """Run every call in order. One that ends the turn stays unanswered until `answer`."""
        self._bad_turns = 0
        ends: TurnEnd | None = None
        failed = False
        for number, wanted in enumerate(reply.calls, start=1):
            last = number == len(reply.calls)
            meant = meaning(wanted.name, wanted.arguments, self._tools)
            self._journal.append(
                ToolCalled(
                    self._allowance.steps, wanted.id, wanted.name, wanted.arguments, meant.tool, meant.about
                )
            )
            began = time.monotonic()
            cut_off = last and reply.finish_reason == "length"
            late = self._allowance.remaining() <= 0 and meant.tool not in _LAST_CALLS
            planning = self._sight.planning
            not_yet = planning.refusal(meant.tool) if planning else ""
            if cut_off or late or not_yet:
                answer = Answer("", ok=False)  # no tool's: it is in the remarks
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
            remarks = [_CUT_OFF] if cut_off else [_TIME_UP] if late else [not_yet]
            remarks += [planning.behind(meant.tool)] if planning else []
            remarks.append(self._circling.add(wanted.name, wanted.arguments, answer.unchanged or answer.text))
            remarks += self._rules_for(meant) if answer.ok else []
            self._tell(wanted, answer, seconds, [*remarks, *(self._end_of_step() if last else [])])
        return _stop_for(ends) if ends is not None else None

    def _rules_for(self, meant: Meaning) -> list[str]:
        return [self._sight.rules.for_path(path.removeprefix(f"{self._world.root}/")) for path in meant.files]

    def _end_of_step(self) -> list[str]:
        """What the harness has to add to the last answer of a step, once: there, so that what was sent before stays."""
        if self._ended == self._allowance.steps:
            return []
        self._ended = self._allowance.steps
        return [*self._circling.end_step(self._ended), self._allowance.notice()]

    def _forget(self) -> None:
        """Results that the model had seen are gone: what they told may be told again."""
        self._world.memory.forget()
        self._sight.rules.forget()

    def _tell(self, wanted: ToolCall, answer: Answer, seconds: float, remarks: Sequence[str] = ()) -> None:
        added = "\n\n".join(remark for remark in remarks if remark)
        if added and answer.text:
            added = f"\n\n{added}"
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
        self._conversation.append({"role": "tool", "tool_call_id": wanted.id, "content": answer.text + added})


def _stop_for(ends: TurnEnd) -> Stop:
    if isinstance(ends, Submitted):
        return Stop(Ending.SUBMITTED, "The model handed in its work.")
    if isinstance(ends, PlanProposed):
        return Stop(Ending.NEEDS_APPROVAL, "The model proposed a plan that a person has to approve.")
    return Stop(Ending.NEEDS_INPUT, "The model asked a question that a person has to answer.")
