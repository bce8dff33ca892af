"""The agent's part of a session: give it what it needs, and let it work until what it hands in holds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ci_agent import verification
from ci_agent.agent import Agent, Allowance, Brief, Earlier, Quote, Stop, opening
from ci_agent.evidence import Round
from ci_agent.journal.events import Submitted, Without
from ci_agent.platforms import Comment, Permission
from ci_agent.reporting.wording import count
from ci_agent.session.parts import Parts
from ci_agent.session.proof import Proof, not_in_the_commit
from ci_agent.session.voice import Voice
from ci_agent.task import Ending, Status
from ci_agent.tools import World, all_tools

_RULES_FILES = ("AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md")

# The tests after the work need about as long as those before; half as much again for added ones.
_RESERVE_FACTOR = 1.5
_RESERVE_MOST = 0.25  # of the session's time

_NAMED = 5  # files in a warning

# Words by which people tell of a defect, in the titles and texts of issues.
_BUG = re.compile(
    r"\b(bugs?|fix(es|ed)?|errors?|crash(es|ed)?|fail(s|ed|ure|ing)?|wrong(ly)?|incorrect(ly)?|broken?|breaks|"
    r"regression|exceptions?|traceback|panics?|segfault|unexpected(ly)?|should(n't| not| be)?|instead of|does ?n[o']t)\b",
    re.IGNORECASE,
)
_TEST_WANTED = (
    "The tests hold, nothing is newly broken. But {}. Add a test that fails without your change and passes with it, "
    "and submit again. If none can be written, submit again and say why in `no_test`; people will read it. This is "
    "asked once."
)
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
    empty_handed = asked = False
    while True:
        stop = agent.work()
        tree = workspace.tree()
        submitted = _last(parts)
        if stop.ending is not Ending.SUBMITTED:
            # Whoever reads the draft still wants to know what the tests say.
            if stop.ending is not Ending.NEEDS_INPUT and tree != workspace.control.tree_of(
                parts.task.base_sha
            ):
                voice.status(Status.TESTING)
                proof.verify(tree, None)
            return stop, tree
        if tree == workspace.control.tree_of(head) and not empty_handed:
            empty_handed = True
            so = "this is why there seems to be no change"
            agent.answer(not_in_the_commit(workspace.left_out(), so) + _NOTHING_CHANGED)
            continue
        if tree == workspace.control.tree_of(parts.task.base_sha):
            return Stop(Ending.NO_CHANGE, "The model handed in twice without changing a file."), None
        voice.status(Status.TESTING)
        round = proof.verify(tree, submitted)  # noqa: A001 - what it is called everywhere
        if round.judged.ready and not asked and _wants_test(parts, proof, round):
            asked = True
            voice.status(Status.CODING)
            agent.answer(_TEST_WANTED.format(_shows_nothing(round)))
            continue
        if round.judged.ready:
            if proof.left_out:
                names = ", ".join(proof.left_out[:_NAMED]) + (" …" if len(proof.left_out) > _NAMED else "")
                voice.warn(f"Not in the commit, because git ignores it; the tests ran without: {names}")
            return Stop(Ending.SUBMITTED, round.judged.reasons[0]), tree
        if proof.rounds - asked >= parts.limits.verifications:
            return Stop(Ending.UNVERIFIED, round.judged.reasons[0]), tree
        left = count(parts.limits.verifications + asked - proof.rounds, "hand-in")
        said = not_in_the_commit(proof.left_out, "the tests ran without them")
        facts = said + verification.facts(round.compared, round.after, round.measured.checks)
        voice.status(Status.CODING)
        agent.answer(
            f"Not accepted, nothing was committed. {facts}\n\nMend it and call `submit` again; {left} left."
        )


def _last(parts: Parts) -> Submitted | None:
    """What the model said when it handed in last."""
    return next(
        (event.fact for event in reversed(parts.journal.events) if isinstance(event.fact, Submitted)), None
    )


def _wants_test(parts: Parts, proof: Proof, round: Round) -> bool:  # noqa: A002 - what it is called everywhere
    """Whether the change is of the kind that a test should go with, and has none that shows it."""
    submitted, shown = round.measured.submitted, round.measured.proof
    if not proof.has_tests or (submitted and submitted.no_test) or round.compared.fixed:
        return False
    if shown is None or shown.problem or any(case.without is not Without.PASSES for case in shown.cases):
        return False
    return bool(_BUG.search(f"{parts.task.title}\n{parts.task.text}\n{parts.task.hint}"))


def _shows_nothing(round: Round) -> str:  # noqa: A002 - as above
    shown = round.measured.proof
    if shown is None or not shown.cases:
        return "it adds no test"
    names = ", ".join(case.id for case in shown.cases[:_NAMED])
    return (
        f"the tests that it adds pass without the change as well ({names}), so that they show nothing of it"
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
        rules=_rules(parts),
        tests=tests,
        comments=writers,
        others=others,
        earlier=earlier,
    )


def _rules(parts: Parts) -> tuple[str, str] | None:
    """The project's file for agents, from the base commit: the work must not write its own rules."""
    for name in _RULES_FILES:
        content = parts.workspace.source.file(name)
        if content is not None:
            return name, content.decode("utf-8", "replace")
    return None


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
