"""One of several processes that claim issues at the same moment: `python -m tests.job.racing URL USER PASSWORD FOLDER MOST`.

Each line of its input is a job and an issue. It claims the issue, waits for its turn, proves in `FOLDER` that it is alone on
the issue and among so many, and lets go; its answer is a line: `worked`, `busy`, or what it saw that must never be. With
`hold` as the third word it is let in and never lets go.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ci_agent.job.roster import SHELF, Busy, Entry, Queued, Roster
from ci_agent.workspace import Login, store_at

KEY = b"k" * 32


class States:
    """The platform's word on jobs, in a folder: `ended-JOB` for each that is over."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def job_ended(self, job: str, heard: datetime | None = None) -> bool:
        return (self._folder / f"ended-{job}").exists()


@contextlib.contextmanager
def alone(*places: Path) -> Iterator[bool]:
    """One of these places is ours within; False: all are somebody else's."""
    for place in places:
        with contextlib.suppress(FileExistsError):
            place.touch(exist_ok=False)
            try:
                yield True
            finally:
                place.unlink()
            return
    yield False


def entry(job: str, issue: str, working: bool = False) -> Entry:
    """As a job has it."""
    url = f"https://ci.example/{job}"
    since = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    return Entry(issue=issue, session=f"s-{job}", job=job, job_url=url, since=since, working=working)


def turn(roster: Roster, mine: Entry, folder: Path, most: int) -> str:
    """Claim, wait, work, let go."""
    end = time.monotonic() + 60
    while isinstance(standing := roster.claim(mine, most), Queued):
        if time.monotonic() > end:
            return "starved"
        time.sleep(random.uniform(0.2, 0.6))
    if isinstance(standing, Busy):
        return "busy"
    with (
        alone(folder / f"issue-{mine.issue}") as on_issue,
        alone(*(folder / f"place-{number}" for number in range(most))) as in_place,
    ):
        time.sleep(random.uniform(0, 0.1))  # the work
    roster.release(mine)
    if not on_issue:
        return "two on one issue"
    return "worked" if in_place else "more than the maximum"


def main(url: str, user: str, password: str, folder: Path, most: int) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    store = store_at(Login(url, user, password).remote(), folder / f"{time.monotonic_ns()}.git", SHELF)
    roster = Roster(store, States(folder), KEY, sys.stderr)
    print("ready", flush=True)
    for line in sys.stdin:
        job, issue, *hold = line.split()
        if hold:
            print(type(roster.claim(entry(job, issue), most)).__name__, flush=True)
            continue
        print(turn(roster, entry(job, issue), folder, most), flush=True)


if __name__ == "__main__":
    _, address, name, secret, place, places = sys.argv
    main(address, name, secret, Path(place), int(places))
