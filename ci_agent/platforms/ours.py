"""Our own comments, found by their hidden markers: each is made once and edited in place, whatever the platform."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ci_agent.platforms import Comment, Written
from ci_agent.platforms.patience import made_once
from ci_agent.platforms.text import fitted, marked
from ci_agent.task import Thread


class OurComments:
    """Find or create, with what was seen before kept in mind, so that an edit is one request.

    `read` lists the comments of a thread; `make` makes one of a body and raises `LostError` where nobody knows
    whether it did; `edit` gives the comment as it says then, or None where it is gone. `longest` is the number
    of characters that a body may have; `guarded` is what the platform makes of a body before it is sent, `wait`
    sleeps for some seconds.
    """

    def __init__(
        self,
        *,
        read: Callable[[Thread], Sequence[Comment]],
        make: Callable[[Thread, str], Comment],
        edit: Callable[[Thread, Comment, str], Comment | None],
        longest: int,
        wait: Callable[[float], None],
        guarded: Callable[[str], str] = str,
    ) -> None:
        self._read = read
        self._make = make
        self._edit = edit
        self._longest = longest
        self._guarded = guarded
        self._wait = wait
        self._seen: dict[tuple[Thread, str], Comment] = {}
        self._threads: set[Thread] = set()  # whose comments we know: nobody else writes ours meanwhile

    def seen(self, thread: Thread, comments: Sequence[Comment]) -> None:
        """Keep these in mind, which are all of the thread."""
        self._threads.add(thread)
        for comment in comments:
            if comment.marker:
                self._seen.setdefault((thread, comment.marker), comment)

    def ensure(self, thread: Thread, marker: str, text: str) -> Written[Comment]:
        """Our comment with `marker` says `text`: edited where it is there, else made."""
        body = self._guarded(fitted(marked(marker, text), self._longest))
        there = self._seen.get((thread, marker))
        if there is None and thread not in self._threads:
            there = self._find(thread, marker)
        if there is not None:
            if marked(marker, there.text) == body:
                return Written(there, created=False)
            edited = self._edit(thread, there, body)
            if edited is not None:
                self._seen[thread, marker] = edited
                return Written(edited, created=False)
            del self._seen[thread, marker]  # somebody deleted it
        made = made_once(lambda: self._make(thread, body), lambda: self._find(thread, marker), self._wait)
        self._seen[thread, marker] = made
        return Written(made, created=True)

    def _find(self, thread: Thread, marker: str) -> Comment | None:
        return next((found for found in self._read(thread) if found.marker == marker), None)
