"""A job at work listens to people: it looks into its issue's inbox every few seconds, in a thread of its own.

Somebody's stop ends the session as a signal does; what else is said waits for the model's next step. What goes wrong here
stops no work: a platform that is out of order is listened to later. The thread has a git repository of its own, and of the
platform it knows the repository alone.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Final, Self, TextIO

from ci_agent.errors import CiAgentError
from ci_agent.interrupts import Interrupts
from ci_agent.job.case import Case
from ci_agent.job.inbox import Inbox, Wish, Word, opening
from ci_agent.journal import Event
from ci_agent.journal.events import InputTaken
from ci_agent.session import Said
from ci_agent.triggers import Ignored, Trigger, travel

EVERY: Final = (
    5.0  # seconds: somebody who stops waits for it; a look is one short request to git, which no limit counts
)
_PARTING = 2.0  # seconds that the thread has for ending what it does; nothing depends on it then


class Listening:
    """Listens within its `with`, to the inbox that `opens` gives, for the CI's `job`.

    Words whose ids are among `known` have reached the model already. `took` is told when one does, with the name of whoever
    said it.
    """

    name = "listening"

    def __init__(
        self,
        opens: Callable[[], Inbox],
        job: str,
        known: Collection[str],
        interrupts: Interrupts,
        took: Callable[[Word], None],
        log: TextIO,
        every: float = EVERY,
    ) -> None:
        self._opens = opens
        self._job = job
        self._known = set(known)
        self._interrupts = interrupts
        self._took = took
        self._log = log
        self._every = every
        self._inbox: Inbox | None = None
        self._words: dict[str, Word] = {}
        self._said: deque[Word] = deque()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name=self.name, daemon=True)
        self._complained = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(_PARTING)

    # --- for the session, in its own thread -----------------------------------------------------------------

    def waits(self) -> bool:
        return bool(self._said)

    def take(self) -> Sequence[Said]:
        taken: list[Said] = []
        while self._said:
            word = self._said.popleft()
            taken.append(Said(word.id, word.login, word.text))
        return taken

    def observe(self, event: Event) -> None:
        if isinstance(event.fact, InputTaken) and event.fact.id in self._words:
            self._took(self._words[event.fact.id])

    # --- in the thread ----------------------------------------------------------------------------------------

    def _listen(self) -> None:
        while True:
            try:
                self._look()
                self._complained = False
            except (CiAgentError, OSError) as error:
                if not self._complained and not self._over.is_set():
                    said = f"Nobody is heard until the platform can be asked again: {error}"
                    print(said, file=self._log, flush=True)
                self._complained = True
            if self._over.wait(self._every):
                return

    def _look(self) -> None:
        if self._inbox is None:
            self._inbox = self._opens()
        for word in self._inbox.look():
            if word.id in self._known:
                continue
            self._known.add(word.id)
            if word.wish is Wish.SAID:
                self._words[word.id] = word
                self._said.append(word)
            elif word.job == self._job:
                self._interrupts.stop(stopper(word.login))
                self._inbox.take([word.id])  # whoever asked for it sees that it was heard


def asked_to_stop(case: Case, issue: str) -> Callable[[], str]:
    """What says who has asked this job to stop, for one that has no session yet; empty: nobody, or the platform can't be
    asked."""
    opened: list[Inbox] = []

    def stopped() -> str:
        try:
            if not opened and (opens := opening(case, issue)):
                opened.append(opens())
            for box in opened:
                for word in box.look():
                    if word.wish is Wish.STOP and word.job == case.host.job.run:
                        box.take([word.id])
                        return stopper(word.login)
        except CiAgentError as error:
            print(f"Whether this job is to stop is not known: {error}", file=case.host.output.log, flush=True)
        return ""

    return stopped


def stopper(login: str) -> str:
    """Who stopped the work, for people."""
    return f"{login or 'somebody'} (`/agent stop`)"


def place_of(word: Word) -> Trigger | None:
    """The trigger that brought a word, without its text; None: nothing can be made of it."""
    trigger = travel.unpacked(word.trigger)
    return None if isinstance(trigger, Ignored) else trigger
