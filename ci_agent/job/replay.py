"""The job of `ci-agent replay`: the recorded calls once more, in a fresh checkout, with the real tools. No model, no
platform.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

from ci_agent import session
from ci_agent.config import Config, secrets
from ci_agent.errors import GitError, UsageError
from ci_agent.interrupts import Interrupts
from ci_agent.job.assembly import baselines, say, shown
from ci_agent.job.recorded import find_journal, recorded
from ci_agent.job.recording import Call, Recording, calls, frame
from ci_agent.job.settings import load_settings
from ci_agent.journal import Journal, hidden
from ci_agent.journal.comparable import difference
from ci_agent.journal.events import SetupChosen, TestsChosen, ToolAnswered, WorkspaceReady
from ci_agent.reporting.replayed import Departure, Replayed, beginning, concluding
from ci_agent.sandbox import Sandbox, open_sandbox
from ci_agent.session.proof import Proof
from ci_agent.tools import World, all_tools, call
from ci_agent.workspace import Source, Workspace, check_branch_name, discard, is_url, open_source

SAME, DIFFERENT = 0, 1  # exit codes

_LONGEST_NAME = 100  # characters of a folder's
_HANDS_OVER = {"submit", "ask_user"}  # what comes of these is not for a tool to say


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked for on the command line."""

    journal: Path  # or a folder with one in it
    repository: str | None = None  # None: the one that the journal names
    last: int | None = None  # the step to stop after
    everything: bool = False  # go on after the first difference


def replay(request: Request) -> int:
    """Run the calls of the journal again and say what differs; gives the exit code. Raises `CiAgentError`."""
    path = find_journal(request.journal)
    recording = frame(recorded(path))
    settings, source = _opened(recording, request.repository)
    folder = Path(tempfile.mkdtemp(prefix="ci-agent-replay-")).resolve()
    try:
        with (
            Interrupts() as interrupts,
            Journal(folder / session.JOURNAL, secrets=secrets(settings)) as journal,
        ):
            checkout = _Checkout(
                config=settings,
                workspace=Workspace(source, folder),
                sandbox=open_sandbox(folder / "home", folder / "tmp", settings.sandbox.env, ceiling=folder),
                journal=journal,
                folder=folder,
                remembered=baselines(settings),
            )
            say(beginning(path, source.address, source.base_sha, recording.calls, checkout.sandbox.level))
            with shown(journal, sys.stdout, alone=True):
                found = _replayed(checkout, recording, path, request)
            interrupts.hold()
    except GitError as error:
        raise UsageError(f"the journal can't be replayed to its end: {error}") from error
    finally:
        discard(folder)
    say(concluding(found))
    return SAME if found.same else DIFFERENT


@dataclass(frozen=True, slots=True)
class _Checkout:
    """See `session.parts.Checkout`. A replay may take as long as a session."""

    config: Config
    workspace: Workspace
    sandbox: Sandbox
    journal: Journal
    folder: Path
    remembered: Path | None
    started: float = field(default_factory=time.monotonic)

    @property
    def logs(self) -> Path:
        return self.folder / session.LOGS

    def seconds_left(self) -> float:
        return self.started + self.config.limits.timeout * 60 - time.monotonic()


# --- where the session began ------------------------------------------------------------------------------


def _opened(recording: Recording, repository: str | None) -> tuple[Config, Source]:
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
    loaded, source = load_settings(place, {"base": ready.base_sha, **flags})
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
    found = Replayed()
    workspace = checkout.workspace
    workspace.lay_out()
    proof = Proof(checkout)
    try:
        stop = proof.set_up() or (proof.measure_base() if recording.ran_tests else None)
        if stop is not None:
            raise UsageError(f"the checkout can't be prepared as the session's was: {stop.detail}")
        workspace.open_for_agent(recording.ready.head_sha)
        world = _world(checkout, proof)
        trees = []
        wanted = takewhile(
            lambda each: request.last is None or each.called.step <= request.last, calls(recorded(path))
        )
        for each in wanted:
            checkout.journal.append(each.called)
            found.steps.add(each.called.step)
            if each.called.name in _HANDS_OVER:
                found.left_out[each.called.name] += 1
                trees.append(workspace.tree())
                continue
            if each.answered is None:  # it was interrupted, so nobody knows how far it came
                found.left_out["interrupted"] += 1
                continue
            _run(each, each.answered, world, checkout, found)
            if found.departures and not request.everything:
                found.stopped = True
                return found
        if recording.committed and request.last is None and not found.left_out["interrupted"]:
            _compare_trees(workspace, recording.committed.tree, [*trees, workspace.tree()], found)
        return found
    finally:
        proof.close()


def _world(checkout: _Checkout, proof: Proof) -> World:
    outputs = checkout.folder / "outputs"
    outputs.mkdir()
    return World(
        root=checkout.workspace.root,
        outputs=outputs,
        sandbox=proof.sandbox,
        remaining=checkout.seconds_left,
        run_tests=proof.for_agent,
        command_timeout=checkout.config.sandbox.command_timeout,
    )


def _run(each: Call, then: ToolAnswered, world: World, checkout: _Checkout, found: Replayed) -> None:
    """Run the call, and compare what the tool says with what it said then. What the harness added is left out; an
    answer that was the harness's alone is not compared."""
    called = each.called
    began = time.monotonic()
    answer = call(called.name, called.arguments, all_tools(), world)
    seconds = time.monotonic() - began
    checkout.journal.append(
        ToolAnswered(called.step, called.call, called.name, answer.ok, answer.text, seconds, answer.output)
    )
    said = then.text.removesuffix(then.added)
    if then.added and not said.strip():
        return
    found.compared += 1
    now = hidden(answer.text, secrets(checkout.config))
    if difference(said, now):
        found.departures.append(Departure(called, each.number, said, now))


def _compare_trees(workspace: Workspace, committed: str, trees: Sequence[str], found: Replayed) -> None:
    """What was committed is what a hand-in left, or the end."""
    found.tree = trees[-1]
    if committed in trees:
        found.tree = committed
        return
    found.other_tree = committed
    try:
        found.files = workspace.control.differing(committed, trees[-1])
    except GitError:  # the branch is in another clone, so the ids are all there is to say
        found.files = []
