"""The agent's part of a session: give it what it needs, and let it work until what it hands in holds."""

from __future__ import annotations

from collections.abc import Sequence

from ci_agent import verification
from ci_agent.agent import Agent, Allowance, Brief, Earlier, Quote, Stop, opening
from ci_agent.agent.rules import find_rules
from ci_agent.evidence import Round
from ci_agent.journal.events import Submitted
from ci_agent.platforms import Comment, Permission
from ci_agent.reporting.wording import count
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
    workspace = parts.workspace
    voice.status(Status.CODING)
    workspace.open_for_agent(head)
    agent = _agent(parts, proof, _brief(parts, proof, head, comments))
    empty_handed = False
    asked = 0  # hand-ins that held, and were given back for a test; they do not count
    held: tuple[Stop, str] | None = None  # such a hand-in: whatever follows, it is not lost
    while True:
        stop = agent.work()
        tree = workspace.tree()
        if stop.ending is not Ending.SUBMITTED and held:
            return _held(voice, proof, stop, *held)
        if stop.ending is not Ending.SUBMITTED:
            _look_once_more(parts, voice, proof, stop, tree)
            return stop, tree
        if tree == workspace.control.tree_of(head) and not empty_handed:
            empty_handed = True
            so = "this is why there seems to be no change"
            agent.answer(not_in_the_commit(workspace.left_out(), so) + _NOTHING_CHANGED)
            continue
        if tree == workspace.control.tree_of(parts.task.base_sha):
            return Stop(Ending.NO_CHANGE, "The model handed in twice without changing a file."), None
        voice.status(Status.TESTING)
        examined = proof.verify(tree, _handed_in(parts))
        judged = examined.judged
        wanted = missing_test(parts.task, examined) if judged.ready and not asked else ""
        if judged.ready and not wanted:
            _warn_of_left_out(voice, proof)
            return Stop(Ending.SUBMITTED, judged.reasons[0]), tree
        left = parts.limits.verifications + asked - proof.rounds
        if not judged.ready and left <= 0:
            stop = Stop(Ending.UNVERIFIED, judged.reasons[0])
            return _held(voice, proof, stop, *held) if held else (stop, tree)
        if wanted:
            asked, held = 1, (Stop(Ending.SUBMITTED, judged.reasons[0]), tree)
        voice.status(Status.CODING)
        agent.answer(wanted or _not_accepted(proof, examined, left))


def _held(voice: Voice, proof: Proof, stop: Stop, earlier: Stop, tree: str) -> tuple[Stop, str]:
    """An earlier hand-in that held, in place of what came after it was given back for a test."""
    if stop.ending in (Ending.CANCELLED, Ending.NEEDS_INPUT):
        return stop, tree
    voice.warn(f"Asked for a test that shows the change, the model came to no better end: {stop.detail}")
    voice.status(Status.TESTING)
    proof.verify(tree, None)  # so that the last verdict is on what is handed over
    return earlier, tree


def _look_once_more(parts: Parts, voice: Voice, proof: Proof, stop: Stop, tree: str) -> None:
    """Whoever reads the draft of work that was not handed in still wants to know what the tests say."""
    changed = tree != parts.workspace.control.tree_of(parts.task.base_sha)
    if changed and stop.ending is not Ending.NEEDS_INPUT:
        voice.status(Status.TESTING)
        proof.verify(tree, None)


def _warn_of_left_out(voice: Voice, proof: Proof) -> None:
    if proof.left_out:
        names = ", ".join(proof.left_out[:_NAMED]) + (" …" if len(proof.left_out) > _NAMED else "")
        voice.warn(f"Not in the commit, because git ignores it; the tests ran without: {names}")


def _not_accepted(proof: Proof, examined: Round, left: int) -> str:
    said = not_in_the_commit(proof.left_out, "the tests ran without them")
    measured, reasons = examined.measured, examined.judged.reasons
    facts = verification.facts(examined.compared, examined.after, measured.checks, reasons)
    return (
        f"Not accepted, nothing was committed. {said}{facts}\n\n"
        f"Mend it and call `submit` again; {count(left, 'hand-in')} left."
    )


def _handed_in(parts: Parts) -> Submitted | None:
    """What the model said when it handed in."""
    return next(
        (event.fact for event in reversed(parts.journal.events) if isinstance(event.fact, Submitted)), None
    )


def _agent(parts: Parts, proof: Proof, brief: Brief) -> Agent:
    reserve = min(
        (proof.before.seconds if proof.before else 0.0) * _RESERVE_FACTOR,
        parts.limits.minutes * 60 * _RESERVE_MOST,
    )
    allowance = Allowance(parts.limits, started=parts.started, reserve=reserve)
    parts.outputs.mkdir(parents=True, exist_ok=True)
    world = World(
        root=parts.workspace.root,
        outputs=parts.outputs,
        sandbox=proof.sandbox,
        remaining=allowance.remaining,
        run_tests=proof.for_agent,
        command_timeout=parts.config.sandbox.command_timeout,
    )
    return Agent(parts.model, all_tools(), world, allowance, parts.journal, opening(brief))


def _brief(parts: Parts, proof: Proof, head: str, said: Sequence[Comment]) -> Brief:
    task, workspace = parts.task, parts.workspace
    earlier = None
    if proof.before is not None:
        tests = verification.ran_facts(proof.before, None)
    elif proof.has_tests:
        tests = "The tests were not run on the base; after your hand-in, those that your change reaches are."
    else:
        tests = "There are no tests that the harness could find. Say in your summary how to check the change."
    if head != task.base_sha:  # there may be a merge request of an earlier attempt
        files = [change.path for change in workspace.control.changes(head)]
        earlier = Earlier(files, workspace.control.messages(task.base_sha, head))
        request = parts.platform.find_merge_request(task.branch)
        said = [*said, *(parts.platform.discussion(request.number) if request else ())]
    writers, others = _quotes(parts, said)
    return Brief(
        task=task,
        files=workspace.control.files(head),
        set_up=proof.set_up_with,
        rules=find_rules(workspace.control.files(task.base_sha), workspace.source.file),
        tests=tests,
        comments=writers,
        others=others,
        earlier=earlier,
    )


def _quotes(parts: Parts, said: Sequence[Comment]) -> tuple[list[Quote], list[Quote]]:
    """What people said on the issue and on its merge request before the trigger: those who may write, and the
    others, as far as the configuration wants them.

    What others changed after the trigger is left out: whoever asked for the work had not read it. For those who may
    write the date of a change says nothing, since on GitLab anybody's reaction changes it. A bot is one of the
    others, whatever it may do, unless it may ask for work.
    """
    platform, wanted, until = parts.platform, parts.config.context.comments, parts.task.asked_at
    writers: list[Quote] = []
    others: list[Quote] = []
    for comment in said:
        if comment.ours or wanted == "none" or (until is not None and comment.created > until):
            continue
        text = _without(parts.task.hint, comment.text)
        if not text:
            continue
        quote = Quote(comment.author.login, text)
        author = comment.author
        heard = not author.bot or author.id in parts.config.trigger.bots
        changed_late = until is not None and comment.changed > until
        if heard and platform.permission(author) >= Permission.WRITE:
            writers.append(quote)
        elif wanted == "all" and not author.bot and not changed_late:
            others.append(quote)
    return writers, others


def _without(hint: str, text: str) -> str:
    """A comment without the command that asked for this work: its words are told as what is asked for now."""
    text = text.strip()
    return text[: -len(hint)].rpartition("\n")[0].strip() if hint and text.endswith(hint) else text
