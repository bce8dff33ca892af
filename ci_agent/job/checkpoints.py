"""How a job's sessions are kept at the platform: the key they are signed with, and whether they are."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from ci_agent import signing
from ci_agent.ci import Host
from ci_agent.config import Config
from ci_agent.errors import CheckpointError, CiAgentError, JournalError
from ci_agent.job.case import Case
from ci_agent.job.fetching import FETCHED
from ci_agent.job.forges import remote_of
from ci_agent.job.promise import Promise
from ci_agent.journal import Event
from ci_agent.journal.archive import unpacked
from ci_agent.platforms import Forge
from ci_agent.reporting.summary import Summary
from ci_agent.session import Keeping, conversation
from ci_agent.session.checkpoint import (
    CONVERSATION,
    JOURNAL,
    STATE,
    State,
    checked,
    checked_for,
    contents,
    stated,
)
from ci_agent.task import Account, Status
from ci_agent.workspace import Store, Stored, store_at

# Tokens that GitHub makes for one job or one hour: "About authentication to GitHub", token formats.
_OF_ONE_JOB: Final = ("ghs_",)
_NO_SECRET: Final = (
    "sk-no-key",
    "no-key",
    "none",
    "dummy",
    "test",
    "placeholder",
)  # for endpoints that want none


def key_of(settings: Config) -> bytes | None:
    """The key for checkpoints, the same one in each job of a repository: that of `checkpoint.key`, else one that is
    derived from the platform's token, or from the model's key where each job has a token of its own. None: there is
    nothing to derive it from."""
    tokens = [token for token in (settings.gitlab.token, settings.github.token) if token]
    kept = [token for token in tokens if not token.startswith(_OF_ONE_JOB)]
    models = [key for key in (settings.model.api_key, settings.anthropic.api_key) if key]
    secret = [key for key in models if any(map(str.isdigit, key)) and not key.lower().startswith(_NO_SECRET)]
    long = (
        key.strip()
        for key in [settings.checkpoint.key or "", *kept, *secret]
        if len(key.strip()) >= signing.SHORTEST
    )
    return next((signing.derived(key, "checkpoints") for key in long), None)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of the issue's last session."""

    key: bytes = field(repr=False)
    commit: str = ""  # of its checkpoint; empty: there is none
    state: State | None = None  # None: there is none, or it is not to be believed
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    doubtful: State | None = (
        None  # what is not to be believed: of use only to leave alone a job that is there
    )

    def keeping(self, job: str, *, goes_on: bool, fresh: bool) -> Keeping:
        """How the session of the CI's run `job` is kept in its place: one that `goes_on` with this one, or a `fresh` one
        that somebody wants instead of it, or another. Work that is nowhere else stays with it, unless nobody wants it."""
        state = self.state
        nowhere_else = state is not None and not (state.over and self._is_pushed())
        stays = goes_on or (nowhere_else and not fresh)
        return Keeping(self.key, job, self.commit, state.work if state and stays else "")

    def _is_pushed(self) -> bool:
        """Whether the work is on its branch; what had to be approved first is not. A journal that can't be read says
        nothing, as if it were."""
        try:
            return JOURNAL not in self.files or Summary.of(unpacked(self.files[JOURNAL])).pushed is not None
        except JournalError:
            return True


def kept_of(case: Case, issue: str, known: Kept | None = None) -> Kept | None:
    """What is kept of the last session on `issue`, whose place the next one takes; None: sessions are not kept, which the
    log says. What is `known` already is not fetched again."""
    log = case.host.output.log
    if case.silent or not case.settings.checkpoint.keep:
        return None
    key = key_of(case.settings)
    if key is None:
        print(
            "Sessions are not kept: there is no key to sign them with; set CI_AGENT_CHECKPOINT_KEY.", file=log
        )
        return None
    try:
        with tempfile.TemporaryDirectory(prefix="ci-agent-kept-") as folder:
            store = store_at(remote_of(case.forge), Path(folder) / "fetched.git", at_once=True)
            if known is not None and known.commit == store.all().get(issue, ""):
                return known
            stored = store.read(issue, work=False)
    except CiAgentError as error:
        print(f"This session is not kept: {error}", file=log)
        return None
    if stored is None:
        return Kept(key)
    try:
        state = checked_for(stored, key, issue, case.forge.repository().access.url)
    except CheckpointError as error:
        print(f"What was kept of an earlier session is not used: {error}.", file=log)
        return Kept(key, stored.commit, doubtful=_claimed(stored))
    return Kept(key, stored.commit, state, stored.files)


def _claimed(stored: Stored) -> State | None:
    """What is said by a checkpoint that does not hold, but for the address that people would be sent to."""
    try:
        return msgspec.structs.replace(stated(stored.files.get(STATE, b"")), job_url="")
    except CheckpointError:
        return None


def at_work(case: Case, state: State) -> bool:
    """Whether the job that saved a session last is there and has not ended it. The roster says so, too, but who may push can
    take that away, and one that was signed with another key says nothing. A platform that does not say is taken to mean that
    it is."""
    if state.over or state.status is Status.SUSPENDED or state.job in ("", case.host.job.run):
        return False
    try:
        return not case.forge.job_ended(state.job, state.saved)
    except CiAgentError as error:
        print(
            f"Job {state.job} counts as at work, because the platform does not say: {error}",
            file=case.host.output.log,
        )
        return True


def requester_of(kept: Kept) -> Account | None:
    """Who asked for the session; None: it does not say. Raises `JournalError` for a journal that can't be read."""
    started = Summary.of(unpacked(kept.files.get(JOURNAL, b""))).started
    return Account(started.mention, started.mention_id) if started and started.mention else None


def keep_end(
    host: Host,
    forge: Forge,
    settings: Config,
    events: Sequence[Event],
    issue: str,
    made: Promise | None = None,
) -> None:
    """Write down the end of a session whose own job did not get to it, with the work and the conversation of its last
    checkpoint. Where it has none yet, it takes the place of what was kept when it began, which its promise `made` names. Nothing
    is done where another session is there. Raises `CiAgentError`."""
    fetched = host.job.scratch / FETCHED
    begun = Summary.of(events).started
    if not settings.checkpoint.keep or not fetched.exists() or begun is None:
        return
    key = key_of(settings)
    if key is None:
        raise CheckpointError("there is no key to sign it with")
    store = Store(fetched, remote_of(forge))
    stored = store.read(issue)
    commit = stored.commit if stored else ""
    replaces = made is not None and commit == made.before
    state = _believed(stored, key, replaces=replaces)
    goes_on = state is not None and state.session == begun.session
    if not (replaces or goes_on):
        return
    known = stored.files.get(CONVERSATION) if stored and goes_on else None
    seen = conversation.unpacked(known) if known else None
    left = state.work if state else ""
    work = left if goes_on or (made is not None and left == made.work) else ""
    files = contents(tuple(events), host.job.run, events[-1].at, work, key, host.guard, seen)
    store.write(issue, files, work or None, commit)


def _believed(stored: Stored | None, key: bytes, *, replaces: bool) -> State | None:
    """The state of what is kept; None: there is none, or it is not to be believed and the session `replaces` it anyway."""
    if stored is None:
        return None
    try:
        return checked(stored, key)
    except CheckpointError:
        if not replaces:
            raise
        return None
