"""A platform that is only read, for the job that works and publishes nothing: its token may not write either."""

from __future__ import annotations

from typing import NoReturn

from ci_agent.errors import UsageError
from ci_agent.job.guarded import GuardedForge


class ReadingForge(GuardedForge):
    """Whatever would write raises `UsageError`, so that nothing counts as said that was not."""

    def acknowledge(self, *_: object) -> bool:
        """True, and nothing is put there: whether it is there shows when it is read."""
        return True

    def ensure_issue(self, *_: object) -> NoReturn:
        raise UsageError(
            "with --no-publish no issue is opened for what was asked for; let the job that routes open it, and name it "
            "with --issue"
        )

    def _written(self, *_: object, **__: object) -> NoReturn:
        raise UsageError("with --no-publish nothing is written to the platform; `ci-agent publish` does that")

    ensure_comment = change_labels = ensure_merge_request = _written
    reply = set_status = cancel_job = _written
