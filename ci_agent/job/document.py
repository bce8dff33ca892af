"""A small document at the platform that several jobs change at the same time, by compare-and-swap.

Whoever changes it reads it, makes another one of it, and puts that in its place; where somebody else was quicker, it begins
again with theirs. No change is lost, and none is made twice.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Generic, TypeVar

from ci_agent.errors import CheckpointError, CiAgentError, MovedError
from ci_agent.signing import MalformedError, UnsignedError
from ci_agent.workspace import Store, Stored

PATIENCE: Final = 60.0  # seconds for one change, however many others change it at the same time
_LONGEST_PAUSE = 10.0  # seconds between two tries
_DOUBLED = 5  # times at most that the pause between two tries doubles

D = TypeVar("D")
T = TypeVar("T")


class Document(Generic[D]):
    """What is kept in `store` under `name`.

    `read` makes a document of files, or raises `UnsignedError` or `MalformedError`, `written` makes files of a document. What
    can't be read counts as `empty`; `doubt` is told why, in a clause, once for each.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        *,
        read: Callable[[Mapping[str, bytes]], D],
        written: Callable[[D], Mapping[str, bytes]],
        empty: D,
        doubt: Callable[[str], None],
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._name = name
        self._read_from = read
        self._written = written
        self._empty = empty
        self._doubt = doubt
        self._pause = pause
        self._clock = clock
        self._known: Stored | None = None
        self._told = ""  # the commit whose fault was told

    def read(self) -> D:
        """As it stands. Raises `CiAgentError` where it can't be had."""
        return self._read()[0]

    def changed(self, change: Callable[[D], tuple[D, T]]) -> T:
        """Replace it by what `change` makes of it, and give what that says besides: as often as others are quicker. Raises
        `CiAgentError` where it can't be had, or others are quicker for too long."""
        begun = self._clock()
        for tries in itertools.count():
            at = self._clock()
            held, expected = self._read()
            wanted, said = change(held)
            if wanted == held:
                return said
            try:
                self._write(wanted, expected)
            except MovedError as error:
                if self._clock() - begun >= PATIENCE:
                    raise CiAgentError(
                        f"{self._store.name_of(self._name)} could not be changed within {PATIENCE:.0f} seconds: others were "
                        "quicker each time"
                    ) from error
            else:
                return said
            # As long as a try takes, and more each time, so that not all of them try at the same moment again.
            longest = min((self._clock() - at) * 2 ** min(tries, _DOUBLED), _LONGEST_PAUSE)
            self._pause(random.uniform(0, longest))  # noqa: S311 - it keeps no secret
        raise AssertionError("the loop ends by an answer or an error")

    def tidy(self) -> None:
        """Take it away, if it is as it was read or written last. It is no loss where that can't be done."""
        if self._known is not None:
            with suppress(CiAgentError):
                self._store.delete(self._name, self._known.commit)

    def _read(self) -> tuple[D, str]:
        """What it says, and the commit to replace; empty: there is none."""
        try:
            stored = self._store.read(self._name, work=False, known=self._known)
        except CheckpointError as error:
            commit = self._store.all().get(self._name, "")
            self._tell(commit, str(error))
            return self._empty, commit
        self._known = stored
        if stored is None:
            return self._empty, ""
        try:
            return self._read_from(stored.files), stored.commit
        except (UnsignedError, MalformedError) as error:
            self._tell(stored.commit, str(error))
            return self._empty, stored.commit

    def _write(self, document: D, expected: str) -> None:
        files = self._written(document)
        self._known = Stored(self._store.write(self._name, files, None, expected), files, None)

    def _tell(self, commit: str, why: str) -> None:
        if commit != self._told:
            self._told = commit
            self._doubt(why)
