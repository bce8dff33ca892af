"""How a job's sessions are kept at the platform: the key they are signed with, and whether they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ci_agent import signing
from ci_agent.ci import Host
from ci_agent.config import Config
from ci_agent.errors import CheckpointError, CiAgentError
from ci_agent.job.case import Case
from ci_agent.job.forges import remote_of
from ci_agent.journal import Event
from ci_agent.platforms import Forge
from ci_agent.session import Keeping
from ci_agent.session.checkpoint import checked, contents
from ci_agent.workspace import Source, Store

FETCHED: Final = "repository.git"  # in a job's scratch folder: what was fetched of the project

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


def keeping_of(case: Case, source: Source, issue: str) -> Keeping | None:
    """How the session on `issue` is kept; None: it is not, which the log says. What is there of an earlier session is
    taken over: one issue has one checkpoint."""
    log = case.host.output.log
    if not case.settings.checkpoint.keep:
        return None
    key = key_of(case.settings)
    if key is None:
        print(
            "Sessions are not kept: there is no key to sign them with; set CI_AGENT_CHECKPOINT_KEY.", file=log
        )
        return None
    try:
        stored = Store(source.git_dir, source.remote).read(issue)
    except CiAgentError as error:
        print(f"This session is not kept: {error}", file=log)
        return None
    if stored is None:
        return Keeping(key, case.host.job.run, "")
    try:
        unfinished = not checked(stored, key).over
    except CheckpointError as error:
        print(f"What was kept of an earlier session is not used: {error}.", file=log)
        return Keeping(key, case.host.job.run, stored.commit)
    return Keeping(key, case.host.job.run, stored.commit, (stored.work or "") if unfinished else "")


def keep_end(
    host: Host, forge: Forge, settings: Config, events: Sequence[Event], issue: str, session: str
) -> None:
    """Write down the end of a session whose own job did not get to it, with the work of its last checkpoint. Nothing is
    done where there is none, or where another session has taken its place. Raises `CiAgentError`."""
    fetched = host.job.scratch / FETCHED
    if not settings.checkpoint.keep or not fetched.exists():
        return
    key = key_of(settings)
    if key is None:
        raise CheckpointError("there is no key to sign it with")
    store = Store(fetched, remote_of(forge))
    stored = store.read(issue)
    if stored is None or checked(stored, key).session != session:
        return
    files = contents(tuple(events), host.job.run, events[-1].at, stored.work or "", key, host.guard)
    store.write(issue, files, stored.work, stored.commit)
