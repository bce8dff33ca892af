"""The agent's part of a session: let it work until what it hands in holds, with another model where one fails."""

from __future__ import annotations

from collections.abc import Sequence

from ci_agent import agent, verification
from ci_agent.agent import Agent, Allowance, Models, Role, Sight, Stop
from ci_agent.agent.rules import Reminder, Rules
from ci_agent.evidence import Round
from ci_agent.journal.events import ModelChosen, ModelReplied, Reviewed, Submitted
from ci_agent.models import Message, ModelError
from ci_agent.platforms import Comment
from ci_agent.reporting.wording import count
from ci_agent.session.brief import brief
from ci_agent.session.gate import Objections, objections
from ci_agent.session.parts import Parts
from ci_agent.session.proof import Proof, not_in_the_commit
from ci_agent.session.voice import Voice
from ci_agent.session.wanted import missing_test
from ci_agent.task import Ending, Status
from ci_agent.tools import World, all_tools

# The tests after the work need about as long as those before; half as much again for added ones.
_RESERVE_FACTOR = 1.5
_RESERVE_MOST = 0.25  # of the session's time

_NAMED = 5  # files in a warning
_TRIES_OF_LESSER = 2  # hand-ins that may fail where a better model stands by: a third seldom finds the way
_RETURNED = 2  # times that the same kind of leftover is given back before it is left to people

# Ends at which the tests have said their word, or have none to say.
_KNOWN_ENDS = (Ending.SUBMITTED, Ending.UNVERIFIED, Ending.NO_CHANGE, Ending.NEEDS_INPUT)

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
    voice.status(Status.CODING)
    parts.workspace.open_for_agent(head)
    known = brief(parts, proof, head, comments)
    work = _Work(parts, voice, proof, head, known.rules)
    choice = agent.choose(parts.task, parts.models)
    role, reason, messages = choice.role, choice.reason, agent.opening(known)
    while True:
        work.begin(role, reason, messages)
        stop, tree = work.go_on()
        better = parts.models.above(role)
        if better is None or stop.ending not in agent.ESCALATED or work.allowance.exceeded():
            return work.end(stop, tree)
        role, reason = better, stop.detail
        messages = agent.taken_over(agent.opening(known), work.handed_on(stop))


class _Work:
    """The work of one session. What is counted here holds for the model that is at work."""

    def __init__(self, parts: Parts, voice: Voice, proof: Proof, head: str, rules: Rules) -> None:
        self._parts = parts
        self._rules = rules
        self._voice = voice
        self._proof = proof
        self._control = parts.workspace.control
        self._head_tree = self._control.tree_of(head)
        self._base_tree = self._control.tree_of(parts.task.base_sha)
        reserve = min(
            (proof.before.seconds if proof.before else 0.0) * _RESERVE_FACTOR,
            parts.limits.minutes * 60 * _RESERVE_MOST,
        )
        self.allowance = Allowance(parts.limits, started=parts.started, reserve=reserve)
        parts.outputs.mkdir(parents=True, exist_ok=True)
        self._model = ""  # at work
        self._examined: Round | None = None  # the last verification of a hand-in
        self._reviewed = False

    # --- one model ------------------------------------------------------------------------------------------

    def begin(self, role: Role, reason: str, messages: Sequence[Message]) -> None:
        """Give the work to the model with this role."""
        models: Models = self._parts.models
        model = models.of(role) or models.default
        self._parts.journal.append(ModelChosen(role, model.name, reason, self._model))
        self._model = model.name
        self._replaceable = models.above(role) is not None
        self._agent = Agent(
            model,
            all_tools(),
            self._world(),
            self.allowance,
            self._parts.journal,
            messages,
            Sight(changed=self._changed, diff=self._diff, rules=self._reminder()),
            compact_at=self._parts.config.context.compact_at,
            replaceable=self._replaceable,
        )
        self._rounds_before = self._proof.rounds
        self._empty_handed = False
        self._returned = 0  # hand-ins with leftovers
        self._extra = 0  # hand-ins that held, and were given back all the same; they do not count
        self._held: tuple[Stop, str] | None = None  # such a hand-in: whatever follows, it is not lost

    def _changed(self) -> bool:
        return self._parts.workspace.tree() != self._head_tree

    def _diff(self) -> str:
        return self._control.diff(self._parts.workspace.tree()).decode("utf-8", "replace")

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
        )

    def go_on(self) -> tuple[Stop, str | None]:
        """Until a hand-in holds, or this model is at its end."""
        while True:
            stop = self._agent.work()
            tree = self._parts.workspace.tree()
            if stop.ending is not Ending.SUBMITTED:
                return self._fallen_back(stop, tree) if self._held else (stop, tree)
            if tree == self._head_tree and not self._empty_handed:
                self._empty_handed = True
                self._agent.answer(self._nothing_changed())
                continue
            if tree == self._base_tree:
                return Stop(Ending.NO_CHANGE, "The model handed in twice without changing a file."), None
            left_over = objections(self._control.changed_lines(tree))
            if left_over and self._returned < _RETURNED:
                self._returned += 1
                self._agent.answer(_mend(left_over))
                continue
            end = self._verified(tree, left_over)
            if end is not None:
                return end

    def _nothing_changed(self) -> str:
        so = "this is why there seems to be no change"
        return not_in_the_commit(self._parts.workspace.left_out(), so) + _NOTHING_CHANGED

    def _verified(self, tree: str, left_over: Objections) -> tuple[Stop, str] | None:
        """The end that a hand-in comes to; None: it was given back."""
        self._voice.status(Status.TESTING)
        examined = self._examined = self._proof.verify(tree, _handed_in(self._parts))
        if left_over.fatal:
            return Stop(Ending.UNVERIFIED, left_over.fatal[0]), tree
        judged = examined.judged
        if judged.ready:
            stop = Stop(Ending.SUBMITTED, judged.reasons[0])
            wanted = self._still_wanted(examined, tree)
            if not wanted:
                self._tell_people(left_over)
                return stop, tree
            self._extra, self._held = self._extra + 1, (stop, tree)
            self._voice.status(Status.CODING)
            self._agent.answer(wanted)
            return None
        left = self._hand_ins_left()
        if left <= 0:
            stop = Stop(Ending.UNVERIFIED, judged.reasons[0])
            return self._fallen_back(stop, tree) if self._held else (stop, tree)
        self._voice.status(Status.CODING)
        self._agent.answer(_not_accepted(self._proof, examined, left))
        return None

    def _hand_ins_left(self) -> int:
        most = self._parts.limits.verifications
        if self._replaceable:
            most = min(most, _TRIES_OF_LESSER)
        return most + self._extra - (self._proof.rounds - self._rounds_before)

    def _still_wanted(self, examined: Round, tree: str) -> str:
        """What a hand-in that holds is given back for; each thing once."""
        wanted = missing_test(self._parts.task, examined) if self._held is None else ""
        if wanted or self._reviewed or not self._parts.config.review:
            return wanted
        self._reviewed = True
        return self._defects(examined, tree)

    def _fallen_back(self, stop: Stop, tree: str) -> tuple[Stop, str]:
        """An earlier hand-in that held, in place of what came after it was given back."""
        if self._held is None or stop.ending in (Ending.CANCELLED, Ending.NEEDS_INPUT):
            return stop, tree
        earlier, held = self._held
        self._voice.warn(
            f"A hand-in that held was given back for more; that came to no better end: {stop.detail}"
        )
        self._voice.status(Status.TESTING)
        self._proof.verify(held, None)  # so that the last verdict is on what is handed over
        return earlier, held

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
        self.allowance.spend(reply.usage, reply.cost, step=False)
        self._parts.journal.append(
            Reviewed(reviewer.name, said.defects, reply.usage, reply.cost, reply.seconds)
        )
        if not said.understood:
            self._voice.warn(
                "The reviewer's answer was not in the form that was asked for; it does not count."
            )
        if not said.defects:
            return ""
        listed = "\n".join(f"{number}. {defect}" for number, defect in enumerate(said.defects, start=1))
        return (
            "The tests hold. A reviewer who sees only the issue, the change and the tests' results says:\n\n"
            f"{listed}\n\nLook at each. Mend what is right, with a test; where the reviewer is wrong, say so in the "
            "summary. Then submit again."
        )

    # --- the end --------------------------------------------------------------------------------------------

    def handed_on(self, stop: Stop) -> agent.HandOff:
        """What the next model is told of this one's work."""
        tree = self._parts.workspace.tree()
        submitted = _handed_in(self._parts)
        examined = self._examined
        return agent.HandOff(
            why=stop.detail,
            base=self._parts.task.base_sha,
            files=[change.path for change in self._control.changes(tree)],
            said=f"{submitted.title}\n\n{submitted.summary}" if submitted else self._last_words(),
            tests=_facts(examined) if examined else "",
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

    def _tell_people(self, left_over: Objections) -> None:
        for sentence in left_over.doubtful:
            self._voice.warn(sentence)
        left_out = self._proof.left_out
        if left_out:
            names = ", ".join(left_out[:_NAMED]) + (" …" if len(left_out) > _NAMED else "")
            self._voice.warn(f"Not in the commit, because git ignores it; the tests ran without: {names}")


def _mend(left_over: Objections) -> str:
    listed = "\n".join(f"- {sentence}" for sentence in (*left_over.fatal, *left_over.doubtful))
    also = "" if left_over.fatal else " If one of these is meant to be so, say that in the summary."
    return f"Not accepted, nothing was tested or committed.\n{listed}\nMend it and call `submit` again.{also}"


def _facts(examined: Round) -> str:
    measured, reasons = examined.measured, examined.judged.reasons
    return verification.facts(examined.compared, examined.after, measured.checks, reasons)


def _not_accepted(proof: Proof, examined: Round, left: int) -> str:
    said = not_in_the_commit(proof.left_out, "the tests ran without them")
    return (
        f"Not accepted, nothing was committed. {said}{_facts(examined)}\n\n"
        f"Mend it and call `submit` again; {count(left, 'hand-in')} left."
    )


def _handed_in(parts: Parts) -> Submitted | None:
    """What the model said when it handed in."""
    return next(
        (event.fact for event in reversed(parts.journal.events) if isinstance(event.fact, Submitted)), None
    )
