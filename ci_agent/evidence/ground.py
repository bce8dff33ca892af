"""What evidence is measured on, and the clean checkouts it is measured in."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ci_agent import verification
from ci_agent.config import Config
from ci_agent.guard import Guard
from ci_agent.journal import Journal
from ci_agent.journal.events import CommandStarted, SetupChosen, SetupRan, Warned
from ci_agent.sandbox import Sandbox
from ci_agent.sandbox.confinement import Confinement
from ci_agent.workspace import Control, Room, discard

VENV = ".venv"
_UNGUESSED = 5  # bytes, of which a command tries too few in its time
_SHOWN, _LONGEST = 3, 60  # names in one sentence, and characters of one


@dataclass(frozen=True, slots=True)
class Ground:
    """The two commits to compare are the control repository's base and whatever tree is examined.

    `folder` is for the checkouts and what belongs to them; `logs` for what commands print. `remembered` is where
    runs on the base are kept for later sessions (None: nowhere). `seconds_left` is what the session has, by the
    setting `limit`; empty: by the end of the CI's job.
    """

    control: Control
    confinement: Confinement
    folder: Path
    logs: Path
    journal: Journal
    config: Config
    guard: Guard
    remembered: Path | None
    seconds_left: Callable[[], float]
    limit: str = "limits.timeout"

    @property
    def base(self) -> str:
        return self.control.source.base_sha

    @property
    def hide(self) -> Callable[[str], str]:
        """What takes the secrets of the job out of what a command printed."""
        return self.guard.masked


@dataclass(slots=True)
class Clock:
    """How long tests and checks may still take."""

    ground: Ground
    spent: float = 0.0  # seconds, of all runs so far

    def left(self) -> float:
        """Seconds that all runs together may still take."""
        total = self.ground.config.verification.total_timeout * 60 - self.spent
        return max(0.0, min(total, self.ground.seconds_left()))

    def each(self) -> float:
        """Seconds that the next run may take."""
        return max(1.0, min(self.ground.config.verification.timeout * 60, self.left()))

    def limit(self) -> str:
        """The setting that the time of the next run comes from; empty: none, see `Ground`."""
        each = self.ground.config.verification.timeout * 60
        if each <= self.left():
            return "verification.timeout"
        total = self.ground.config.verification.total_timeout * 60 - self.spent
        return "verification.total_timeout" if total <= self.ground.seconds_left() else self.ground.limit

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around a run: its time counts."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.spent += time.monotonic() - started


class Place:
    """A clean checkout with a HOME and a TMPDIR of its own, prepared by the project's set-up. Each time it is somewhere else,
    and commands elsewhere can't find it: who knew its path could take away rights in it."""

    def __init__(self, ground: Ground, name: str) -> None:
        self.name = name
        self.set_up: SetupRan | None = None
        self._ground = ground
        self._find_place()
        self.tree = ""
        self._sandbox: Sandbox | None = None  # there is nothing

    def _find_place(self) -> None:
        ground = self._ground
        self._folder = ground.folder / f"{self.name}-{secrets.token_hex(_UNGUESSED)}"
        self._room = Room(ground.control, self._folder / "checkout")
        self._caches = self._folder / "caches"

    @property
    def root(self) -> Path:
        return self._room.root

    @property
    def sandbox(self) -> Sandbox:
        """That of the checkout, which has been laid out; in its virtual environment once set-up has made one."""
        if self._sandbox is None:
            raise RuntimeError(f"there is no checkout called {self.name}")
        return self._sandbox

    def lay_out(self, tree: str) -> None:
        """Make the checkout anew, where nothing is left of other commands."""
        self.close()
        self._find_place()
        if left := self._ground.confinement.clear_memory():
            self._ground.journal.append(Warned(_told(left)))
        self._room.lay_out(tree, self._ground.base)
        self.tree = tree
        self._sandbox = self._new_sandbox()

    def prepare(self, setup: SetupChosen, timeout: float) -> None:
        """Run a set-up in it. How that ended is in `set_up`, which keeps a failure when another one follows."""
        ran, self._sandbox = prepare(
            self._ground, setup, self.root, self.sandbox, self.name, timeout, self.tree
        )
        if ran and not failure(self.set_up):
            self.set_up = ran

    def put(self, tree: str) -> None:
        """Other tracked files in the same, prepared checkout; those that tests rewrote are put back."""
        self._room.put(tree)
        self.tree = tree

    def close(self) -> None:
        """Delete the checkout and what commands left beside it."""
        self._room.remove()
        discard(self._folder)
        self.tree, self.set_up, self._sandbox = "", None, None

    def keep_downloads(self) -> None:
        """Have what its set-up downloaded found in checkouts that are made from now on."""
        if self.set_up and not failure(self.set_up):
            self._ground.confinement.keep_downloads(self._caches)

    def _new_sandbox(self) -> Sandbox:
        ground, folder = self._ground, self._folder
        return ground.confinement.sandbox(
            self.root,
            folder / "home",
            folder / "tmp",
            ground.control.objects,
            ceiling=ground.folder,
            caches=self._caches,  # what the agent, or another change, put aside is no evidence
        )


def _told(names: Sequence[str]) -> str:
    """That tests may see what is in no commit, in a sentence. The names may be anything."""
    shown = [ascii(name)[1:-1][:_LONGEST] for name in names[:_SHOWN]]
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return (
        f"Since this work began, {', '.join(shown)}{more} came to be or changed in shared memory, perhaps by its commands; "
        "the tests may have seen it."
    )


def prepare(
    ground: Ground, setup: SetupChosen, root: Path, sandbox: Sandbox, place: str, timeout: float, tree: str
) -> tuple[SetupRan | None, Sandbox]:
    """Run the set-up command in `root`; how it ended (None: there is none), and the sandbox from then on, in the
    virtual environment that it may have made. `tree` is what is checked out there."""
    ran = None
    if setup.command:
        ground.journal.append(CommandStarted(f"set-up ({place})", setup.command))
        ran = verification.run_setup(
            setup.command, root, sandbox, ground.logs, timeout, place, hide=ground.hide
        )
        ground.journal.append(ran)
    # Now and not later: one that the tests make must not decide what they run with.
    # One that is in the commit is the change's own, and would decide what its tests are run with.
    python = f"{VENV}/bin/python"
    inside = (root / python).exists() and python not in ground.control.files(tree)
    return ran, sandbox.within(root / VENV) if inside else sandbox


def failure(ran: SetupRan | None) -> str:
    """How a set-up failed, as a clause; empty when it did not."""
    if ran is None or ran.exit_code == 0:
        return ""
    how = "did not end in time" if ran.timed_out else f"failed with exit code {ran.exit_code}"
    said = _telling(ran.tail)
    return f"`{ran.command}` {how}" + (f": {said.rstrip('.')}" if said else "")


# How package managers and compilers begin the line that says why (pip, npm 6 to 11, yarn, pnpm, git, apt, cargo, make).
_ERROR = re.compile(r"\W*(?:npm )?(?:(?:\w*error|ERR_PNPM_\w+|fatal|E)\b|ERR!):? ", re.IGNORECASE)
_NO_REASON = re.compile(
    r"(?:npm )?(?:error|ERR!) (?:code|errno|syscall|path|command) |.*subprocess-exited", re.IGNORECASE
)


def _telling(tail: str) -> str:
    """The first line that says what went wrong; the last one, where none looks like that."""
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.match(line) and not _NO_REASON.match(line)]
    return next(iter([*errors, *reversed(lines)]), "")


def failed(ran: SetupRan | None) -> str:
    """The same in sentences, with the place of what it printed."""
    said = failure(ran)
    return (
        f"The set-up command {said}. All it printed is in the report's logs/{ran.log}."
        if ran and said
        else ""
    )
