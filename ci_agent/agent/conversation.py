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
        """What the model says next, which is not yet part of the conversation. One that became too long is shortened
        before, and once more, harder, when the endpoint refuses it all the same. Raises `ModelError`."""
        if self._is_long():
            self._shorten(compaction.PLANS[0])
        for plan in compaction.PLANS[1:]:
            try:
                return self._model.reply(self._messages, self._schemas, self._allowance.deadline)
            except ModelError as error:
                if error.ending is not Ending.CONTEXT:
                    raise
                self._shorten(plan)
        return self._model.reply(self._messages, self._schemas, self._allowance.deadline)

    def take(self, reply: Reply) -> None:
        """Add the model's reply."""
        self.append(reply.message)
        self._counted = len(self._messages)
        self._known = reply.usage.prompt + reply.usage.completion or compaction.estimated(self._messages)

    def _is_long(self) -> bool:
        if not self._counted:  # no reply yet: the opening is as short as it can be
            return False
        if self._limit is None:
            self._limit = compaction.limit(self._model.window, self._compact_at) or _NO_LIMIT
        return compaction.needed(self._known, self._messages[self._counted :], self._limit)

    def _shorten(self, plan: Plan) -> None:
        before = compaction.estimated(self._messages)
        short = compaction.compact(self._messages, plan)
        messages, said = short.messages, None
        if not short.is_enough:
            refused = plan is not compaction.PLANS[0]
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
        self._messages, self._known, self._counted = messages, after, len(messages)
        if self._limit is not None:
            self._limit = compaction.next_limit(after, self._limit)
        self._shortened()

    def _summary(self, messages: Sequence[Message]) -> Reply | None:
        """The model's own, on the same prefix, so that the cache serves it. None: there is none."""
        try:
            said = self._model.reply(
                compaction.summary_request(messages), self._schemas, self._allowance.deadline
            )
        except ModelError as error:
            self._journal.append(Warned(f"The conversation could not be summed up: {error}"))
            return None
        self._allowance.spend(said.usage, said.cost, step=False)
        return said


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
