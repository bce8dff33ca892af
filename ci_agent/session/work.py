"""The agent's part of a session: let it work until what it hands in holds, with another model where one fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from ci_agent import agent, verification
from ci_agent.agent import Agent, Allowance, Brief, Planning, Role, Sight, Stop, Used
from ci_agent.agent.resuming import told
from ci_agent.agent.rules import Reminder, Rules
from ci_agent.evidence import Round
from ci_agent.journal import Event
from ci_agent.journal.events import (
    ChangeProposed,
    HandInRestored,
    Judged,
    ModelChosen,
    ModelReplied,
    PlanProposed,
    PolicyAction,
    Reviewed,
    Submitted,
)
from ci_agent.models import Message, Model, ModelError
from ci_agent.models.chat import portable
from ci_agent.platforms import Comment
from ci_agent.reporting.policy import for_model
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.wording import GIVEN_BACK, count
from ci_agent.session.approval import agreed, is_approved, needs, strays
from ci_agent.session.brief import brief, news, rules_of
from ci_agent.session.conversation import Conversation
from ci_agent.session.gate import Objections, objections
from ci_agent.session.heard import heard
from ci_agent.session.parts import Parts, Resumption
from ci_agent.session.policy import judged
from ci_agent.session.proof import Proof, not_in_the_commit
from ci_agent.session.voice import Voice
from ci_agent.session.wanted import missing_test
from ci_agent.task import Ending, Status
from ci_agent.tools import World, all_tools

# The tests after the work need about as long as those before; half as much again for added ones.
_RESERVE_FACTOR = 1.5
_RESERVE_MOST = 0.25  # of the session's time

_NAMED = 5  # files in a warning
_REVIEW_CHARACTERS = 8_000  # of a reviewer's answer that are kept
_TRIES_OF_LESSER = 2  # hand-ins that may fail where a better model stands by: a third seldom finds the way
_RETURNED = 2  # times that the same kind of leftover is given back before it is left to people

# Ends at which the tests have said their word, or have none to say.
_ASKED = (Ending.NEEDS_INPUT, Ending.NEEDS_APPROVAL)
_KNOWN_ENDS = (Ending.SUBMITTED, Ending.UNVERIFIED, Ending.NO_CHANGE, *_ASKED)

_STILL_TO_CHECK = Stop(Ending.SUBMITTED, "The model handed in its work, in an earlier job.")

_NOTHING_LEFT = "Of the conversation in which that was done nothing is left."
_SAME_AGAIN = "These are the very files that you handed in before, so the tests were not run again.\n\n"
_SAID_MEANWHILE = (
    "What you handed in holds. Meanwhile somebody has said more, which follows; see to it, then submit again."
)
_SAID_BEFORE = "Not asked yet: somebody has said more before they could read the question. It follows; if it is no answer, ask again."
_NOTHING_CHANGED = (
    "No file that git would commit differs from before your work, so there is nothing to hand in. Make the change "
    "the issue asks for. If none is needed, submit again: your summary will be shown as the reason."
)


def solve(
    parts: Parts, voice: Voice, proof: Proof, head: str, comments: Sequence[Comment]
) -> tuple[Stop, str | None]:
    """Let the agent work on top of `head` until its hand-in holds, or it may not try again. `comments` is what
    people said on the issue.

    Gives the tree that was tested last, which is the one to commit.
    """
    resumed = parts.resumed
    parts.workspace.open_for_agent(head)
    if resumed:
        parts.workspace.take_up(resumed.carried.tree, resumed.began)
    rules = rules_of(parts)
    known = cache(lambda: brief(parts, proof, head, comments, rules))
    work = _Work(parts, voice, proof, head, rules)
    attempt = (work.gone_on(resumed, comments) if resumed else None) or work.begun(known())
    left: tuple[Stop, str | None] | None = None  # what the model before came to
    while True:
        stop, tree = work.go_on(attempt)
        if stop.ending is Ending.NO_CHANGE and left is not None:
            stop, tree = left  # it took back all there was: better a draft than nothing
        better = parts.models.above(attempt.role)
        if better is None or stop.ending not in agent.ESCALATED or work.allowance.exceeded():
            return work.end(stop, tree)
        left = stop, tree
        messages = agent.taken_over(agent.opening(known()), work.handed_on(attempt, stop.detail))
        attempt = work.begin(better, stop.detail, messages, attempt.model)


@dataclass(slots=True)
class _Attempt:
    """One model at work."""

    agent: Agent
    role: Role
    model: str
    replaceable: bool  # a better model stands by
    start: str  # the tree it began with
    empty_handed: bool = False
    returned: int = 0  # hand-ins with leftovers
    given_back: str = ""  # the tree of the last of these
    refused: int = 0  # hand-ins that did not hold
    examined: tuple[str, Round] | None = (
        None  # the last hand-in that was measured: its tree, and what came of it
    )
    submitted: Submitted | None = None  # its last one
    held: _Held | None = None  # one that held, and was given back for more: whatever follows, it is not lost
    waits: bool = False  # a hand-in of an earlier job is still to be looked at
    news: str = ""  # what the model is told with the next answer: it goes on in another job
    known: int = 0  # events of which it was told until then

    def answer(self, text: str) -> None:
        """Give back what was handed in."""
        said, self.news = f"{text}\n\n{self.news}".strip(), ""
        self.agent.answer(said)


@dataclass(frozen=True, slots=True)
class _Held:
    """A hand-in that held."""

    tree: str
    reason: str
    round: int
    submitted: Submitted
    remarks: tuple[str, ...]  # for people


class _Work:
    """The work of one session, by one model after the other."""

    def __init__(self, parts: Parts, voice: Voice, proof: Proof, head: str, rules: Rules) -> None:
        self._parts = parts
        self._voice = voice
        self._proof = proof
        self._head = head
        self._rules = rules
        self._control = parts.workspace.control
        self._base_tree = self._control.tree_of(parts.task.base_sha)
        reserve = min(
            (proof.before.seconds if proof.before else 0.0) * _RESERVE_FACTOR,
            parts.limits.minutes * 60 * _RESERVE_MOST,
        )
        so_far = Summary.of(parts.journal.events)
        used = Used(so_far.step, so_far.usage, so_far.cost)
        self.allowance = Allowance(parts.limits, started=parts.started, reserve=reserve, used=used)
        parts.outputs.mkdir(parents=True, exist_ok=True)
        self._reviewed = so_far.reviewed is not None
        self._planned = needs(parts.config, parts.task.labels).plan

    # --- one model ------------------------------------------------------------------------------------------

    def begun(self, known: Brief) -> _Attempt:
        """The first attempt of this job, by a model that knows nothing yet."""
        parts = self._parts
        choice = agent.choose(parts.task, parts.models)
        role, reason = choice.role, choice.reason
        messages = agent.opening(known)
        if parts.resumed:
            chosen = _at_work(parts.journal.events)
            if chosen and not parts.resumed.over and parts.models.of(Role(chosen[0].role)):
                role, reason = Role(chosen[0].role), chosen[0].reason
            untold = _untold(parts.journal.events, parts.resumed)
            if untold or self._tree() != self._control.tree_of(self._head):
                messages = agent.taken_over(
                    messages, self.handed_on(None, f"{_NOTHING_LEFT} {untold}".strip())
                )
        return self.begin(role, reason, messages)

    def begin(self, role: Role, reason: str, messages: Sequence[Message], instead_of: str = "") -> _Attempt:
        """Give the work to the model with this role."""
        self._voice.status(Status.CODING)
        model = self._parts.models.of(role) or self._parts.models.default
        self._parts.journal.append(ModelChosen(role, model.name, reason, instead_of))
        return self._attempt(role, model, messages)

    def gone_on(self, resumed: Resumption, comments: Sequence[Comment]) -> _Attempt | None:
        """The attempt of an earlier job goes on in its own conversation, which None is left of. `comments` is what people
        said on the issue."""
        events, models, left = self._parts.journal.events, self._parts.models, resumed.conversation
        chosen = _at_work(events)
        if left is None or left.model not in {each.model for each in chosen}:
            return None
        role = Role(chosen[0].role) if models.of(Role(chosen[0].role)) else Role.DEFAULT
        model = models.of(role) or models.default
        messages: Sequence[Message] = left.messages
        if model.name != left.model:
            reason = "the session goes on with another model than it had"
            self._parts.journal.append(ModelChosen(role, model.name, reason, left.model))
            messages = [portable(message) for message in messages]
        attempt = self._attempt(role, model, messages)
        new = news(self._parts, comments, resumed, left, attempt.agent.waits)
        attempt.news, attempt.known = told(new), left.events
        attempt.refused = 0 if resumed.over or resumed.approves is False else _refused(events)
        asked_for = (
            new.said or new.issue or (new.comments if resumed.over else ()) or self._is_to_change(resumed)
        )
        if attempt.agent.handed_in and _handed_in(events[: left.events]) and not asked_for:
            attempt.waits = True
        else:
            attempt.answer("")  # first: what is saved at a change of status has it
            self._voice.status(Status.CODING)
        return attempt

    def _is_to_change(self, resumed: Resumption) -> bool:
        """Whether what was handed in before is to be changed, because a person said so."""
        summary = Summary.of(self._parts.journal.events)
        proposed = isinstance(summary.proposal, ChangeProposed)
        if proposed and summary.decision and not summary.decision.approved:
            return True
        return bool(resumed.said) and (resumed.over or proposed)

    def _attempt(self, role: Role, model: Model, messages: Sequence[Message]) -> _Attempt:
        start = self._control.tree_of(self._parts.workspace.began or self._head)
        planning = None
        if self._planned and agreed(Summary.of(self._parts.journal.events)) is None:
            before = self._tree()
            planning = Planning(lambda: self._parts.workspace.put_back(before))
        replaceable = self._parts.models.above(role) is not None
        worker = Agent(
            model,
            all_tools(planning=self._planned or _has_planned(self._parts)),
            self._world(),
            self.allowance,
            self._parts.journal,
            messages,
            Sight(
                changed=lambda: self._tree() != start,
                diff=self._diff,
                rules=self._reminder(),
                planning=planning,
                heard=lambda: heard(self._parts),
            ),
            compact_at=self._parts.config.context.compact_at,
            replaceable=replaceable,
        )
        attempt = _Attempt(worker, role, model.name, replaceable, start)
        self._parts.context.seen = lambda: self._seen(attempt, model)
        return attempt

    def _seen(self, attempt: _Attempt, model: Model) -> Conversation:
        """The conversation as it stands. `model` has the name of the one in reserve, once that is in charge."""
        events = attempt.known if attempt.news else len(self._parts.journal.events)
        return Conversation(model.name, tuple(attempt.agent.messages), events)

    def _tree(self) -> str:
        return self._parts.workspace.tree()

    def _diff(self) -> str:
        return self._control.diff(self._tree()).decode("utf-8", "replace")

    def _reminder(self) -> Reminder:
        paths = self._control.files(self._parts.task.base_sha)
        return Reminder(self._rules.later, paths, self._parts.workspace.source.file)

    def _world(self) -> World:
        return World(
            root=self._parts.workspace.root,
            outputs=self._parts.outputs,
            sandbox=self._proof.sandbox,
            remaining=self.allowance.remaining,
            run_tests=self._proof.for_agent,
            command_timeout=self._parts.config.sandbox.command_timeout,
            hide=self._parts.guard.masked,
        )

    def go_on(self, attempt: _Attempt) -> tuple[Stop, str | None]:
        """Until a hand-in holds, or this model is at its end."""
        end: tuple[Stop, str | None] | None = None
        while end is None:
            stop = _STILL_TO_CHECK if attempt.waits else attempt.agent.work()
            attempt.waits = False
            if stop.ending is Ending.NEEDS_INPUT and self._told_more():
                attempt.answer(_SAID_BEFORE)
                continue
            tree = self._tree()
            end = self._handed_in(attempt, tree) if stop.ending is Ending.SUBMITTED else (stop, tree)
        stop, last = end
        if attempt.held and stop.ending not in (Ending.SUBMITTED, Ending.CANCELLED, *_ASKED):
            return self._restored(attempt.held, stop)
        return stop, last

    def _handed_in(self, attempt: _Attempt, tree: str) -> tuple[Stop, str | None] | None:
        """The end that a hand-in comes to; None: it was given back."""
        attempt.submitted = _last_hand_in(self._parts)
        if tree == attempt.start and not attempt.empty_handed:
            attempt.empty_handed = True
            so = "this is why there seems to be no change"
            said = not_in_the_commit(self._parts.workspace.left_out(), so)
            attempt.answer(said + _NOTHING_CHANGED)
            return None
        if tree == self._base_tree:
            return Stop(Ending.NO_CHANGE, "The model handed in twice without changing a file."), None
        findings = judged(self._parts, tree).findings
        left_over = objections(self._control.changed_lines(tree), findings, strays(self._parts, tree))
        meant = attempt.given_back == tree and not _never(left_over)  # handed in once more as it was
        meant = meant or is_approved(self._parts, tree)
        if left_over and not meant and attempt.returned < _RETURNED:
            attempt.returned += 1
            attempt.given_back = tree
            attempt.answer(_mend(left_over))
            return None
        return self._verified(attempt, tree, left_over)

    def _verified(
        self, attempt: _Attempt, tree: str, left_over: Objections
    ) -> tuple[Stop, str | None] | None:
        before = attempt.examined
        # One that held is measured anew: it may come back with a reason why there is no test.
        same = before is not None and before[0] == tree and not before[1].judged.ready
        if attempt.examined is None or not same:
            self._voice.status(Status.TESTING)
            attempt.examined = tree, self._proof.verify(tree, attempt.submitted)
        examined = attempt.examined[1]
        judged = examined.judged
        if left_over.fatal:
            return Stop(Ending.UNVERIFIED, left_over.fatal[0]), tree
        if judged.ready:
            stop = Stop(Ending.SUBMITTED, judged.reasons[0])
            wanted = "" if is_approved(self._parts, tree) else self._still_wanted(attempt, examined, tree)
            remarks = (*left_over.doubtful, *self._left_out())
            if not wanted:
                self._tell(remarks)
                return stop, tree
            if attempt.submitted is not None:
                reason = judged.reasons[0]
                attempt.held = _Held(tree, reason, judged.round, attempt.submitted, remarks)
        else:
            attempt.refused += 1
            left = self._hand_ins_left(attempt)
            if left <= 0:
                return Stop(Ending.UNVERIFIED, judged.reasons[0]), tree
            wanted = (_SAME_AGAIN if same else "") + _not_accepted(self._proof, examined, left)
        attempt.answer(wanted)  # first: what is saved at a change of status has it
        self._voice.status(Status.CODING)
        return None

    def _hand_ins_left(self, attempt: _Attempt) -> int:
        most = self._parts.limits.verifications
        return (min(most, _TRIES_OF_LESSER) if attempt.replaceable else most) - attempt.refused

    def _still_wanted(self, attempt: _Attempt, examined: Round, tree: str) -> str:
        """What a hand-in that holds is given back for; each thing once, and only while the limits allow it."""
        if self.allowance.exceeded():
            return ""
        if self._told_more():
            return _SAID_MEANWHILE
        wanted = missing_test(self._parts.task, examined) if attempt.held is None else ""
        if wanted or self._reviewed or not self._parts.config.review:
            return wanted
        self._reviewed = True
        return self._defects(examined, tree)

    def _told_more(self) -> bool:
        """Whether people have said something that the model does not know, and it can still be told."""
        hears = self._parts.hears
        return hears is not None and hears.waits() and not self.allowance.exceeded()

    def _restored(self, held: _Held, stop: Stop) -> tuple[Stop, str]:
        """An earlier hand-in that held, in place of what came after it was given back."""
        self._parts.journal.append(HandInRestored(held.round, held.submitted, stop.detail))
        self._voice.warn(
            f"A hand-in that held was given back for more; that came to no better end: {stop.detail}"
        )
        self._tell(held.remarks)
        return Stop(Ending.SUBMITTED, held.reason), held.tree

    # --- fresh eyes -----------------------------------------------------------------------------------------

    def _defects(self, examined: Round, tree: str) -> str:
        """What a reviewer finds, for the model; empty: nothing, or there was no review."""
        models = self._parts.models
        reviewer = models.strong or models.default
        diff = self._control.diff(tree).decode("utf-8", "replace")
        try:
            said = agent.review(reviewer, self._parts.task, diff, _facts(examined), self.allowance.deadline)
        except ModelError as error:
            self._voice.warn(f"There was no review: {error}")
            return ""
        reply = said.reply
        self._parts.journal.append(
            Reviewed(
                model=reviewer.name,
                defects=said.defects,
                text=reply.text[:_REVIEW_CHARACTERS],
                understood=said.understood,
                usage=reply.usage,
                cost=reply.cost,
                seconds=reply.seconds,
            )
        )
        warning = self.allowance.spend(reply.usage, reply.cost, reviewer.name, step=False)
        if warning:
            self._voice.warn(warning)
        if not said.defects or self.allowance.exceeded():
            return ""
        listed = "\n".join(f"{number}. {defect}" for number, defect in enumerate(said.defects, start=1))
        return (
            "The tests hold. A reviewer who sees only the issue, the change and the tests' results says:\n\n"
            f"{listed}\n\nLook at each. Mend what is right, with a test; where the reviewer is wrong, say so in the "
            "summary. Then submit again."
        )

    # --- the end --------------------------------------------------------------------------------------------

    def handed_on(self, attempt: _Attempt | None, why: str) -> agent.HandOff:
        """What the next model is told of the work so far, by the attempt of this job, or of an earlier one (None)."""
        submitted = attempt.submitted if attempt else _last_hand_in(self._parts)
        changes = self._control.changes(self._tree(), self._head)
        return agent.HandOff(
            why=why,
            base=self._head,
            files=[change.path for change in changes],
            said=f"{submitted.title}\n\n{submitted.summary}" if submitted else self._last_words(),
            tests=_facts(attempt.examined[1]) if attempt and attempt.examined else "",
        )

    def _last_words(self) -> str:
        replies = [
            event.fact.message.get("content")
            for event in self._parts.journal.events
            if isinstance(event.fact, ModelReplied)
        ]
        return next((text for text in reversed(replies) if isinstance(text, str) and text.strip()), "")

    def end(self, stop: Stop, tree: str | None) -> tuple[Stop, str | None]:
        """The last word on the work. Whoever reads the draft of what was not handed in still wants to know what the
        tests say."""
        if stop.ending not in _KNOWN_ENDS and tree not in (None, self._base_tree):
            self._voice.status(Status.TESTING)
            self._proof.verify(str(tree), None)
        return stop, tree

    def _left_out(self) -> tuple[str, ...]:
        left_out = self._proof.left_out
        if not left_out:
            return ()
        names = ", ".join(left_out[:_NAMED]) + (" …" if len(left_out) > _NAMED else "")
        return (f"Not in the commit, because git ignores it; the tests ran without: {names}",)

    def _tell(self, remarks: Sequence[str]) -> None:
        for sentence in remarks:
            self._voice.warn(sentence)


def _mend(left_over: Objections) -> str:
    policy = [for_model(finding) for finding in left_over.policy]
    listed = "\n".join(
        f"- {sentence}"
        for sentence in (*left_over.fatal, *policy, *left_over.doubtful, *filter(None, [left_over.strays]))
    )
    also = "" if _never(left_over) else " If one of these is meant to be so, say that in the summary."
    return f"{GIVEN_BACK}\n{listed}\nMend it and call `submit` again.{also}"


def _never(left_over: Objections) -> bool:
    """Whether something of it can't be let pass, whatever anybody means by it."""
    return bool(left_over.fatal) or any(each.action is PolicyAction.REFUSE for each in left_over.policy)


def _facts(examined: Round) -> str:
    measured, reasons = examined.measured, examined.judged.reasons
    return verification.facts(examined.compared, examined.after, measured.checks, reasons)


def _not_accepted(proof: Proof, examined: Round, left: int) -> str:
    said = not_in_the_commit(proof.left_out, "the tests ran without them")
    return (
        f"Not accepted, nothing was committed. {said}{_facts(examined)}\n\n"
        f"Mend it and call `submit` again; {count(left, 'hand-in')} left."
    )


def _refused(events: Sequence[Event]) -> int:
    """How many hand-ins of the model that was at work last did not hold."""
    refused = 0
    for fact in (event.fact for event in events):
        if isinstance(fact, ModelChosen) and fact.role in set(Role):
            refused = 0
        elif isinstance(fact, Judged):
            refused += not fact.ready
    return refused


def _has_planned(parts: Parts) -> bool:
    """Whether a plan was proposed in the session: what the model saw of its tools then stays as it was."""
    return any(isinstance(event.fact, PlanProposed) for event in parts.journal.events)


def _at_work(events: Sequence[Event]) -> list[ModelChosen]:
    """Who was given the work last, and whoever stood in for it since; none where nobody was yet."""
    chosen: list[ModelChosen] = []
    for fact in (event.fact for event in events):
        if isinstance(fact, ModelChosen):
            chosen = [fact] if fact.role in set(Role) else [*chosen, fact]
    return chosen


def _handed_in(events: Sequence[Event]) -> bool:
    """Whether the model handed in after its last reply: a job can end before it gets to that call."""
    facts = (event.fact for event in reversed(events))
    return isinstance(
        next((fact for fact in facts if isinstance(fact, (Submitted, ModelReplied))), None), Submitted
    )


def _untold(events: Sequence[Event], resumed: Resumption) -> str:
    """What a conversation would have told the model of an earlier job and of what happened since, in sentences."""
    asked = Summary.of(events[: resumed.events]).asked
    choices = f" ({' / '.join(asked.choices)})" if asked and asked.choices else ""
    question = f"It had asked: {asked.question}{choices}" if asked else ""
    return " ".join(filter(None, [resumed.carried.said, question]))


def _last_hand_in(parts: Parts) -> Submitted | None:
    """What the model said when it handed in."""
    return next(
        (event.fact for event in reversed(parts.journal.events) if isinstance(event.fact, Submitted)), None
    )
