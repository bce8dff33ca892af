"""The context of one model: what it sees next, how long that is, and how it is made shorter when it must be.

It only grows, by `append`, the one place that adds to it; nothing in it is ever changed. A compaction takes its place as
a whole: then it grows again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from ci_agent.agent import compaction
from ci_agent.agent.allowance import Allowance
from ci_agent.agent.compaction import Plan
from ci_agent.journal import Journal
from ci_agent.journal.events import Compacted, Warned
from ci_agent.models import Message, Model, ModelError, Reply, ToolSchema
from ci_agent.task import Ending, Usage

_NO_LIMIT = 1_000_000_000  # tokens
_ROOM = 0.75  # of the limit: what is longer than that is shortened harder at once, or it would be so at every step


class Conversation:
    """One conversation with `model`, from `opening` on. It is shortened when it is longer than `compact_at` tokens
    (0: only when it must be) or than half of what the model can read. `diff` gives the change so far, for a summary;
    `shortened` is called whenever results that the model had seen are gone.
    """

    def __init__(
        self,
        opening: Sequence[Message],
        model: Model,
        schemas: Sequence[ToolSchema],
        allowance: Allowance,
        journal: Journal,
        *,
        compact_at: int,
        diff: Callable[[], str],
        shortened: Callable[[], None],
    ) -> None:
        self._messages: list[Message] = []
        self._model = model
        self._schemas = schemas
        self._allowance = allowance
        self._journal = journal
        self._compact_at = compact_at
        self._diff = diff
        self._shortened = shortened
        self._known = 0  # tokens up to and with the last reply, as the endpoint counts them
        self._counted = 0  # messages that are in `_known`
        self._limit: int | None = None  # tokens; looked up when there is something to compare
        for message in opening:
            self.append(message)

    @property
    def messages(self) -> Sequence[Message]:
        """All of it, oldest first."""
        return self._messages

    def append(self, message: Message) -> None:
        """Add what the model sees next."""
        self._messages.append(sendable(message))

    def reply(self) -> Reply:
        """What the model says next, which is not yet part of the conversation. When the endpoint refuses it as too long,
        it is shortened, and once more, harder. Raises `ModelError`, also for a limit of the session."""
        for plan in compaction.PLANS[1:]:
            try:
                return self._ask()
            except ModelError as error:
                if error.ending is not Ending.CONTEXT:
                    raise
                self._shorten(plan)
        return self._ask()

    def make_room(self) -> None:
        """Shorten it if it has become too long. That may cost a request."""
        if self._is_long():
            self._shorten(compaction.PLANS[0])

    def _ask(self) -> Reply:
        exceeded = self._allowance.exceeded()  # a summary may have taken what was left
        if exceeded is not None:
            raise ModelError(*exceeded)
        return self._model.reply(self._messages, self._schemas, self._allowance.deadline)

    def take(self, reply: Reply) -> None:
        """Add the model's reply."""
        self.append(reply.message)
        told = reply.usage.prompt + reply.usage.completion
        self._known = told or self._known + compaction.estimated(self._messages[self._counted :])
        self._counted = len(self._messages)

    def _is_long(self) -> bool:
        if not self._counted:  # no reply yet: the opening is as short as it can be
            return False
        if self._limit is None:
            self._limit = compaction.limit(self._model.window, self._compact_at) or _NO_LIMIT
        return compaction.needed(self._known, self._messages[self._counted :], self._limit)

    def _shorten(self, plan: Plan) -> None:
        before = compaction.estimated(self._messages)
        refused = plan is not compaction.PLANS[0]
        short = compaction.compact(self._messages, plan)
        for harder in compaction.PLANS[compaction.PLANS.index(plan) + 1 :]:
            if self._limit is None or compaction.estimated(short.messages) <= self._limit * _ROOM:
                break
            plan, short = harder, compaction.compact(self._messages, harder)
        messages, said = short.messages, None
        if not short.is_enough:
            # Of a conversation that was refused as too long, only what is left of it can be summed up.
            said = self._summary(messages if refused else self._messages)
            if refused or (said and said.text.strip()):  # without a word of it, what was found would be lost
                messages = compaction.restarted(self._messages, said.text if said else "", self._diff(), plan)
        after = compaction.estimated(messages)
        self._journal.append(
            Compacted(
                step=self._allowance.steps,
                before=before,
                after=after,
                left_out=short.left_out,
                summary=said.text if said else "",
                usage=said.usage if said else Usage(),
                cost=said.cost if said else 0.0,
            )
        )
        if said:
            self._spend(said)
        self._messages, self._known, self._counted = messages, after, len(messages)
        if self._limit is not None:
            self._limit = compaction.next_limit(after, self._limit)
        self._shortened()

    def _summary(self, messages: Sequence[Message]) -> Reply | None:
        """The model's own, on the same prefix, so that the cache serves it. None: there is none."""
        if self._allowance.exceeded():
            return None
        try:
            said = self._model.reply(
                compaction.summary_request(messages), self._schemas, self._allowance.deadline
            )
        except ModelError as error:
            self._journal.append(Warned(f"The conversation could not be summed up: {error}"))
            return None
        return said

    def _spend(self, said: Reply) -> None:
        warning = self._allowance.spend(said.usage, said.cost, self._model.name, step=False)
        if warning:
            self._journal.append(Warned(warning))


def sendable(message: Message) -> Message:
    """A reply as it may go back to the model: some endpoints refuse a history with arguments that are no JSON."""
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
