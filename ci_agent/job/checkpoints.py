"""How a job's sessions are kept at the platform: the key they are signed with, and whether they are."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ci_agent import signing
from ci_agent.config import Config
from ci_agent.errors import CiAgentError
from ci_agent.job.case import Case
from ci_agent.journal import Event
from ci_agent.platforms import Forge
from ci_agent.session import Keeping
from ci_agent.session.checkpoint import checked, contents
from ci_agent.workspace import Checkpoints, Login, Source, checkpoints_of

# Tokens that GitHub makes for one job or one hour: "About authentication to GitHub", token formats.
_OF_ONE_JOB: Final = ("ghs_",)


def key_of(settings: Config) -> bytes | None:
    """The key for checkpoints, the same one in each job of a repository: that of `checkpoint.key`, else one that is
    derived from the platform's token, or from the model's key where each job has a token of its own. None: there is
    nothing to derive it from."""
    tokens = [token for token in (settings.gitlab.token, settings.github.token) if token]
    kept = [token for token in tokens if not token.startswith(_OF_ONE_JOB)]
    secrets = [settings.checkpoint.key, *kept, settings.model.api_key, settings.anthropic.api_key]
    long = (secret.strip() for secret in secrets if secret and len(secret.strip()) >= signing.SHORTEST)
    return next((signing.derived(secret, "checkpoints") for secret in long), None)


def keeping_of(case: Case, source: Source, issue: str) -> Keeping | None:
    """How the session on `issue` is kept; None: it is not, which the log says. What is there of an earlier session is
    taken over: one issue has one checkpoint."""
    log = case.host.output.log
    key = key_of(case.settings)
    if key is None:
        print(
            "Sessions are not kept: there is no key to sign them with; set CI_AGENT_CHECKPOINT_KEY.", file=log
        )
        return None
    try:
        known = Checkpoints(source.git_dir, source.remote).all().get(issue, "")
    except CiAgentError as error:
        print(f"This session is not kept: {error}", file=log)
        return None
    return Keeping(key, case.host.job.run, known)


def keep_end(
    forge: Forge, settings: Config, events: Sequence[Event], issue: str, session: str, run: str
) -> None:
    """Write down the end of a session whose own job did not get to it, with the work of its last checkpoint. Nothing is
    done where there is none, or where another session has taken its place. Raises `CiAgentError`."""
    key, access = key_of(settings), forge.repository().access
    if key is None:
        return
    with tempfile.TemporaryDirectory(prefix="ci-agent-checkpoint-") as folder:
        remote = Login(access.url, access.user, access.password).remote()
        store = checkpoints_of(remote, Path(folder) / "fetched.git")
        stored = store.read(issue)
        if stored is None or checked(stored.files, key).session != session:
            return
        files = contents(tuple(events), run, events[-1].at, key)
        store.write(issue, files, stored.work, stored.commit)
