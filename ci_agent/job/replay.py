"""The job of `ci-agent replay`: the recorded calls once more, in a fresh checkout, with the real tools. No model, no
platform.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from ci_agent import session
from ci_agent.config import Config
from ci_agent.errors import GitError, UsageError
from ci_agent.guard import Guard
from ci_agent.interrupts import Interrupts
from ci_agent.job.assembly import baselines, confined, guard_here, sandbox_of, say, shown
from ci_agent.job.recorded import find_journal, recorded
from ci_agent.job.recording import Call, Recording, frame, played
from ci_agent.job.settings import load_settings
from ci_agent.journal import Journal
from ci_agent.journal.comparable import difference
from ci_agent.journal.events import (
    Compacted,
    ModelChosen,
    PlanProposed,
    QuestionAsked,
    SetupChosen,
    Submitted,
    TestsChosen,
    ToolAnswered,
    TurnEnd,
    WorkspaceReady,
)
from ci_agent.reporting.replayed import (
    CUT_OFF,
    HAND_IN,
    INTERRUPTED,
    PLAN,
    QUESTION,
    Departure,
    Replayed,
    beginning,
    concluding,
)
from ci_agent.sandbox import Sandbox
from ci_agent.sandbox.confinement import Confinement
from ci_agent.session.proof import Proof
from ci_agent.tools import World, all_tools, call
from ci_agent.workspace import Source, Workspace, check_branch_name, discard, is_url, open_source

SAME, DIFFERENT = 0, 1  # exit codes

_LONGEST_NAME = 100  # characters of a folder's
_ENDS = {Submitted: HAND_IN, QuestionAsked: QUESTION, PlanProposed: PLAN}


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked for on the command line."""

    journal: Path  # or a folder with one in it
    repository: str | None = None  # None: the one that the journal names
    last: int | None = None  # the step to stop after
    everything: bool = False  # go on after the first difference


def replay(request: Request, environment: Mapping[str, str]) -> int:
    """Run the calls of the journal again and say what differs; gives the exit code. Raises `CiAgentError`."""
    path = find_journal(request.journal)
    recording = frame(recorded(path))
    settings, source = _opened(recording, request.repository, environment)
    guard = guard_here(settings, environment)
    folder = Path(tempfile.mkdtemp(prefix="ci-agent-replay-")).resolve()
    try:
        with (
            Interrupts() as interrupts,
            Journal(folder / session.JOURNAL, hides=guard) as journal,
            closing(confined(settings, source, folder)) as confinement,
        ):
            confinement.require()
            workspace = Workspace(source, folder)
            checkout = _Checkout(
                config=settings,
                workspace=workspace,
                confinement=confinement,
                sandbox=sandbox_of(confinement, workspace, folder),
                journal=journal,
                guard=guard,
                folder=folder,
                remembered=baselines(settings),
            )
            say(beginning(path, source.address, source.base_sha, recording.calls, confinement.proof.level))
            with shown(journal, sys.stdout, guard, alone=True):
                found = _replayed(checkout, recording, path, request)
            interrupts.hold()
    except GitError as error:
        raise UsageError(f"the journal can't be replayed to its end: {error}") from error
    finally:
        discard(folder)
    say(guard.cleared(concluding(found), "output"))
    return SAME if found.same else DIFFERENT


@dataclass(frozen=True, slots=True)
class _Checkout:
    """See `session.parts.Checkout`. A replay may take as long as a session."""

    config: Config
    workspace: Workspace
    confinement: Confinement
    sandbox: Sandbox
    journal: Journal
    guard: Guard
    folder: Path
    remembered: Path | None
    started: float = field(default_factory=time.monotonic)
    limit: str = "limits.timeout"

    @property
    def logs(self) -> Path:
        return self.folder / session.LOGS

    def seconds_left(self) -> float:
        return self.started + self.config.limits.timeout * 60 - time.monotonic()


# --- where the session began ------------------------------------------------------------------------------


def _opened(
    recording: Recording, repository: str | None, environment: Mapping[str, str]
) -> tuple[Config, Source]:
    """The settings that the session had of the project, and the repository at the commit it began on. Raises
    `UsageError` where that is not there."""
    ready, place = recording.ready, repository or recording.repository
    if not place or is_url(place) or not _is_folder(place):
        where = (
            f"{place} is" if repository else f"the session worked on {place or 'nothing it names'}, which is"
        )
        raise UsageError(
            f"{where} no folder on this machine; give a clone of the repository with --repo PATH"
        )
    source = open_source(place, None, Path())
    for sha in (ready.base_sha, ready.head_sha):
        if not source.has(sha):
            raise UsageError(
                f"the commit {sha[:12]}, which the session began on, is not in {source.address}; fetch it there, or "
                "give another clone with --repo PATH"
            )
    commands = {"setup": recording.setup, "test": recording.tests}
    flags = {name: _setting(chosen) for name, chosen in commands.items() if chosen}
    loaded, source = load_settings(place, {"base": ready.base_sha, **flags}, environment)
    # As the session's own checkout was called: some projects look at it.
    name = Path(ready.path).name[:_LONGEST_NAME] or source.name
    return loaded.config, replace(source, name=name, base=_base(ready))


def _setting(chosen: SetupChosen | TestsChosen) -> str:
    """What was set when this was chosen; empty: nothing, it was found out."""
    return (chosen.command or "none") if chosen.configured else ""


def _is_folder(place: str) -> bool:
    try:
        return Path(place).is_dir()
    except OSError:  # too long to be one
        return False


def _base(ready: WorkspaceReady) -> str:
    """The name that the base had, if it is one of a branch."""
    try:
        check_branch_name(ready.base)
    except UsageError:
        return ready.base_sha
    return ready.base


# --- the calls --------------------------------------------------------------------------------------------


def _replayed(checkout: _Checkout, recording: Recording, path: Path, request: Request) -> Replayed:
    """Prepare the checkout as the session did and run the calls, up to the first difference unless all are wanted."""
    workspace = checkout.workspace
    workspace.lay_out()
    proof = Proof(checkout)
    try:
        stop = proof.set_up() or (proof.measure_base() if recording.ran_tests else None)
        if stop is not None:
            raise UsageError(f"the checkout can't be prepared as the session's was: {stop.detail}")
        workspace.open_for_agent(recording.ready.head_sha)
        player = _Player(checkout, proof)
        found = player.found
        for each in played(recorded(path)):
            if isinstance(each, Call) and request.last is not None and each.called.step > request.last:
                return found
            player.play(each)
            if found.departures and not request.everything:
                found.stopped = True
                return found
        if recording.committed and request.last is None and not found.left_out[INTERRUPTED]:
            player.compare_trees(recording.committed.tree)
        return found
    finally:
        proof.close()


class _Player:
    """Runs recorded calls in one checkout, and compares."""

    def __init__(self, checkout: _Checkout, proof: Proof) -> None:
        self.found = Replayed()
        self._checkout = checkout
        self._proof = proof
        self._world = self._new_world()
        self._trees: list[str] = []  # that were handed in

    def _new_world(self) -> World:
        outputs = self._checkout.folder / "outputs"
        outputs.mkdir(exist_ok=True)
        return World(
            root=self._checkout.workspace.root,
            outputs=outputs,
            sandbox=self._proof.sandbox,
            remaining=self._checkout.seconds_left,
            run_tests=self._proof.for_agent,
            command_timeout=self._checkout.config.sandbox.command_timeout,
        )

    def play(self, each: Call | ModelChosen | Compacted) -> None:
        match each:
            case ModelChosen():
                self._world = self._new_world()  # another conversation, which was shown nothing yet
            case Compacted():
                self._world.memory.forget()
            case Call():
                self._play_call(each)

    def _play_call(self, each: Call) -> None:
        then, left_out = each.then, self.found.left_out
        self._checkout.journal.append(each.called)
        self.found.steps.add(each.called.step)
        if then is None:  # nobody knows how far it came
            left_out[INTERRUPTED] += 1
        elif isinstance(then, ToolAnswered) and then.added and then.added == then.text:
            left_out[CUT_OFF] += 1
        else:
            self._run(each, then)

    def _run(self, each: Call, then: ToolAnswered | TurnEnd) -> None:
        called, journal = each.called, self._checkout.journal
        began = time.monotonic()
        tools = all_tools(planning=isinstance(then, PlanProposed))
        answer = call(called.name, called.arguments, tools, self._world)
        seconds = time.monotonic() - began
        if answer.ends is not None:  # what came of that was not for a tool to say
            journal.append(answer.ends)
            self._trees.append(self._checkout.workspace.tree())
            self.found.left_out[_ENDS[type(answer.ends)]] += 1
            return
        journal.append(
            ToolAnswered(
                called.step, called.call, called.name, answer.ok, answer.text, seconds, answer.output
            )
        )
        self.found.compared += 1
        said = then.text.removesuffix(then.added) if isinstance(then, ToolAnswered) else "(it ended the turn)"
        now = self._checkout.guard.masked(answer.text)
        if difference(said, now):
            self.found.departures.append(Departure(called, each.number, said, now))

    def compare_trees(self, committed: str) -> None:
        """What was committed is what was handed in at some time, or the end."""
        found, workspace = self.found, self._checkout.workspace
        end = workspace.tree()
        if committed in (*self._trees, end):
            found.tree = committed
            return
        found.tree, found.other_tree = end, committed
        with suppress(
            GitError
        ):  # the branch may be in another clone, and then the ids are all there is to say
            found.files = workspace.control.differing(committed, end)
