"""What a replay has to know of a recorded session: where it began, how it was prepared, and its calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ci_agent.errors import UsageError
from ci_agent.journal import Event
from ci_agent.journal.events import (
    Committed,
    Compacted,
    ModelChosen,
    ModelReplied,
    PlanProposed,
    QuestionAsked,
    SessionStarted,
    SetupChosen,
    Submitted,
    TestsChosen,
    ToolAnswered,
    ToolCalled,
    TurnEnd,
    WorkspaceReady,
)

_OBJECT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")  # a name that git gives: nothing else may get to git


@dataclass(slots=True)
class Recording:
    """The frame of a session. None: nothing says so."""

    ready: WorkspaceReady
    repository: str = ""  # as the session named it, a path or an address
    setup: SetupChosen | None = (
        None  # the first choice, as for the tests: what the checkout was prepared with
    )
    tests: TestsChosen | None = None
    committed: Committed | None = None
    calls: int = 0
    ran_tests: bool = False  # the model ran the project's tests


def frame(events: Iterable[Event]) -> Recording:
    """The frame of the session that `events` tell. Raises `UsageError` where it can't be replayed."""
    found: Recording | None = None
    repository = ""
    for event in events:
        match event.fact:
            case SessionStarted() as fact:
                repository = fact.repository
            case WorkspaceReady() as fact:
                if found:
                    raise UsageError("more than one job wrote this journal; only one can be replayed")
                found = Recording(fact, repository)
        if found:
            _take(found, event)
    if found is None or not found.calls:
        raise UsageError("there is nothing to replay in this journal: no call of a tool on a checkout")
    ready, committed = found.ready, found.committed
    for name in (ready.base_sha, ready.head_sha, *([committed.tree] if committed else [])):
        if not _OBJECT.fullmatch(name):
            raise UsageError(f"the journal was changed: {name[:80]!r} is no name of a commit or a tree")
    return found


def _take(found: Recording, event: Event) -> None:
    match event.fact:
        case SetupChosen() as fact:
            found.setup = found.setup or fact
        case TestsChosen() as fact:
            found.tests = found.tests or fact
        case Committed() as fact:
            found.committed = fact
        case ToolCalled() as fact:
            found.calls += 1
            found.ran_tests = found.ran_tests or (fact.tool or fact.name) == "run_tests"


@dataclass(frozen=True, slots=True)
class Call:
    """One recorded call: the how-manieth of its step, from 1, and what came of it: an answer, the end of the turn, or
    nothing, because it was interrupted."""

    number: int
    called: ToolCalled
    then: ToolAnswered | TurnEnd | None


def played(events: Iterable[Event]) -> Iterator[Call | ModelChosen | Compacted]:
    """The calls in order, and between them what changes what the tools need not say again."""
    number = 0
    open_call: ToolCalled | None = None
    for event in events:
        fact = event.fact
        if open_call and isinstance(fact, ModelReplied | ToolCalled):
            yield Call(number, open_call, None)
            open_call = None
        match fact:
            case ModelChosen() | Compacted():
                yield fact
            case ModelReplied():
                number = 0
            case ToolCalled():
                number, open_call = number + 1, fact
            case Submitted() | QuestionAsked() | PlanProposed() if open_call:
                yield Call(number, open_call, fact)
                open_call = None
            case ToolAnswered() if open_call and fact.call == open_call.call:
                yield Call(number, open_call, fact)
                open_call = None
    if open_call:
        yield Call(number, open_call, None)
