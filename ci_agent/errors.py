"""The errors people can meet: one small family, each with the next step in its text and an exit code.

Anything else that escapes is a defect of ci-agent and is shown as one.
"""

from __future__ import annotations

import signal as signals


class CiAgentError(Exception):
    """Something a person can act on. The message says what happened and what to do next."""

    exit_code = 1


class UsageError(CiAgentError):
    """The call or the repository is not one we can work on (exit code 2)."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting is unknown or has the wrong type; the message names file, line and key (exit code 2)."""


class AuthenticationError(CiAgentError):
    """A key or token is missing, wrong or lacks a right (exit code 3)."""

    exit_code = 3


class JournalError(CiAgentError):
    """The journal can't be written or read; without it nothing may go on."""


class CheckpointError(CiAgentError):
    """A session's state can't be kept, or what lies where it is kept is none of ours."""


class GitError(CiAgentError):
    """Git refused; the message holds its words."""


class MovedError(GitError):
    """Somebody else moved the branch meanwhile."""


class Interrupted(BaseException):
    """A signal asks us to stop. Not an `Exception`, so that nothing on the way swallows it.

    `signal` is the signal's number; the process ends with 128 + that number, as shells expect. `by` says who it was, where
    somebody asked for it by other means.
    """

    def __init__(self, signal: int, by: str = "") -> None:
        super().__init__(f"interrupted by signal {signal}")
        self.signal = signal
        self.by = by

    @property
    def name(self) -> str:
        """For people: `Ctrl-C`, `SIGTERM`, or who it was."""
        if self.by:
            return self.by
        return "Ctrl-C" if self.signal == signals.SIGINT else signals.Signals(self.signal).name
