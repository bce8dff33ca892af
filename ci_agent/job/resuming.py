"""Whether a job goes on with the session that an earlier one left, and from where."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ci_agent import session
from ci_agent.agent.hidden import as_seen
from ci_agent.errors import CheckpointError, CiAgentError
from ci_agent.job.case import Case
from ci_agent.job.checkpoints import Kept
from ci_agent.journal import Event, write
from ci_agent.journal.archive import unpacked
from ci_agent.reporting.summary import Summary
from ci_agent.session import Resumption, conversation
from ci_agent.session.checkpoint import CONVERSATION, JOURNAL, State
from ci_agent.session.conversation import Conversation
from ci_agent.task import Ending, Limits, Status
from ci_agent.triggers import Command, Kind, Trigger, Verb
from ci_agent.workspace import Source, Store, carried

# Ends after which the same conversation would lead to the same again: a person who asks once more gets fresh eyes, on the
# branch as it is.
_SPENT: Final = frozenset(
    {
        Ending.STUCK,
        Ending.FORMAT,
        Ending.CONTEXT,
        Ending.LIMIT_STEPS,
        Ending.LIMIT_COST,
        Ending.LIMIT_TOKENS,
        Ending.WITHHELD,
        Ending.LLM_POLICY,
    }
)
_SAID: Final = {Verb.ANSWER: "answered", Verb.APPROVE: "approved it", Verb.REJECT: "rejected it"}
_ENOUGH = 0.9  # of a limit that is used up: what is left would be over before anything is done
_ENOUGH_TIME = 0.6  # the same where the time was over: up to a quarter of it is for tests after the work


@dataclass(frozen=True, slots=True)
class Earlier:
    """A session that goes on, as it was left."""

    state: State
    events: tuple[Event, ...]
    seen: Conversation | None  # by its model; None: that can't be had


@dataclass(frozen=True, slots=True)
class Before:
    """What there was of an issue when a job came to it."""

    last: Kept | None = None  # what is kept of its last session; None: sessions are not kept
    earlier: Earlier | None = None  # that session, where this job goes on with it
    question: str = ""  # of the issue's comments, that waits for an answer


def goes_on(state: State, command: Command, limits: Limits) -> str:
    """Why the session with this state is not gone on with, as a clause; empty: it is."""
    if command.fresh:
        return "it was asked to begin anew"
    if command.base not in (None, state.base):
        return f"it started from {state.base}"
    if state.status is Status.COMPLETED:
        return "it was done"
    if not state.over:
        return ""
    if state.ending in _SPENT:
        return f"going on where it ended ({state.ending}) would lead there again"
    used = {
        "time": state.seconds / (limits.minutes * 60),
        "steps": state.steps / limits.iterations,
        "money": 0.0 if command.budget else state.cost / limits.cost,
    }
    enough = {"time": _ENOUGH_TIME} if state.ending == Ending.LIMIT_WALL else {}
    spent = [name for name, share in used.items() if share >= enough.get(name, _ENOUGH)]
    return (
        f"its {' and '.join(spent)} {'are' if spent[-1] == 'steps' or len(spent) > 1 else 'is'} used up"
        if spent
        else ""
    )


def earlier_of(case: Case, kept: Kept, limits: Limits) -> Earlier | None:
    """The session that this job goes on with; None: it begins one. The log says why it does not go on with one that is
    there."""
    if kept.state is None:
        return None
    problem = goes_on(kept.state, case.trigger.command, limits)
    if not problem and case.forge.branch(kept.state.base) is None:
        problem = f"the branch {kept.state.base} that it started from is gone"
    if not problem:
        try:
            return Earlier(kept.state, unpacked(kept.files.get(JOURNAL, b"")), _seen(case, kept.files))
        except CiAgentError as error:
            problem = str(error)
    print(f"The session before is not gone on with: {problem}.", file=case.host.output.log, flush=True)
    return None


def _seen(case: Case, files: Mapping[str, bytes]) -> Conversation | None:
    """Without it the work still goes on."""
    if CONVERSATION not in files:
        return None
    try:
        return conversation.unpacked(files[CONVERSATION])
    except CheckpointError as error:
        print(f"The model begins anew on the work so far: {error}.", file=case.host.output.log, flush=True)
        return None


def places_of(case: Case, issue: str, earlier: Earlier | None) -> tuple[Case, str]:
    """The case with the base branch to start from, and the work branch: a session that goes on keeps both, whatever the
    settings and the options of the command are now."""
    if earlier is None:
        return case, case.settings.git.branch.replace("{issue}", issue)
    settings = replace(case.settings, git=replace(case.settings.git, base=earlier.state.base))
    return replace(case, settings=settings), earlier.state.branch


def resumption(case: Case, source: Source, branch: str, earlier: Earlier, kept: Kept) -> Resumption:
    """From where the session goes on in `source`. Raises `CiAgentError` where its work can't be had."""
    state = earlier.state
    work = ""
    if state.work:
        stored = Store(source.git_dir, source.remote).read(state.issue)
        if stored is None or stored.commit != kept.commit:
            raise CheckpointError(
                f"the session of issue {state.issue} was moved on by somebody else meanwhile"
            )
        work = state.work
    began = state.began or source.base_sha
    put = carried(source, branch, work, began)
    if began == state.base_sha and put.source.base_sha != state.base_sha:
        began = put.source.base_sha
    elif not source.has(began):  # the branch was rewritten
        began = put.head
    actor = case.trigger.actor
    return Resumption(
        events=len(earlier.events),
        job=state.jobs + 1,
        why=why(state, case.trigger),
        began=began,
        carried=put,
        conversation=earlier.seen,
        over=state.over,
        said=""
        if case.trigger.kind is Kind.POLL or _is_known(case.trigger, earlier)
        else _words(case.trigger),
        by=actor.login if actor else "",
        approves={Verb.APPROVE: True, Verb.REJECT: False}.get(case.trigger.command.verb),
    )


def _words(trigger: Trigger) -> str:
    return as_seen(trigger.command.text).text.strip()


def _is_known(trigger: Trigger, earlier: Earlier) -> bool:
    """Whether the model was told already what this trigger asks for: the CI runs the same job again."""
    if trigger.at is None or earlier.seen is None:
        return False
    begun = Summary.of(earlier.events[: earlier.seen.events]).started
    return begun is not None and begun.asked_at is not None and trigger.at <= begun.asked_at


def why(state: State, trigger: Trigger) -> str:
    """Why it goes on, as a clause for people."""
    who = trigger.actor.login if trigger.actor else ""
    if trigger.command.verb in _SAID and who:
        return f"{who} {_SAID[trigger.command.verb]}"
    if trigger.kind is Kind.POLL or not who:
        return "the schedule found it" if state.over else "the job before was lost, and the schedule found it"
    if state.over or state.status is Status.SUSPENDED:
        return f"{who} asked for it"
    return f"the job before was lost, and {who} asked for it"


def begun(earlier: Earlier, folder: Path) -> float:
    """Begin the journal in `folder` with what the session was so far. Gives when it would have begun on the clock of
    `time.monotonic` if all of it had been worked in one go. Raises `JournalError`."""
    write(folder / session.JOURNAL, earlier.events)
    return time.monotonic() - earlier.state.seconds


def limits_of(limits: Limits, earlier: Earlier, command: Command) -> Limits:
    """What the session may use over all its jobs. Money that a person grants now comes on top of what is spent; what one
    granted before counts until the session has ended."""
    if command.budget:
        return replace(limits, cost=earlier.state.cost + command.budget)
    before = Summary.of(earlier.events).started
    return replace(limits, cost=before.limits.cost) if before and _is_granted(earlier) else limits


def granted(earlier: Earlier | None, command: Command) -> bool:
    """Whether the limit of money is what a person said."""
    return command.budget is not None or (earlier is not None and _is_granted(earlier))


def _is_granted(earlier: Earlier) -> bool:
    before = Summary.of(earlier.events).started
    return before is not None and before.granted and not earlier.state.over
