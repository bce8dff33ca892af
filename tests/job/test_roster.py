"""Who is at work and who waits: one agent on an issue, so many at a time, each in turn, whatever happens to the others."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent import signing
from ci_agent.errors import CiAgentError
from ci_agent.job import roster as rosters
from ci_agent.job.roster import SHELF, Busy, Entry, Granted, Queued, Roster, entries_in, files_of
from ci_agent.workspace import Login, Store, store_at
from tests.job.racing import KEY, States, entry
from tests.support.git_server import GitServer, Loss, git_server
from tests.support.repositories import make_repository

MOST = 2


@dataclass
class World:
    """A repository, and what its platform says of jobs."""

    git_dir: Path
    ended: set[str] = field(default_factory=set)
    silent: bool = False
    asked: list[str] = field(default_factory=list)
    log: io.StringIO = field(default_factory=io.StringIO)
    seconds: float = 0.0

    def job_ended(self, job: str, heard: datetime | None = None) -> bool:
        assert heard is not None
        self.asked.append(job)
        if self.silent:
            raise CiAgentError("the platform answered 503")
        return job in self.ended

    def roster(self, key: bytes | None = KEY) -> Roster:
        """As each job opens it for itself."""
        return Roster(Store(self.git_dir, None, SHELF), self, key, self.log, self.pause, lambda: self.seconds)

    def pause(self, seconds: float) -> None:
        self.seconds += seconds

    def claim(self, job: str, issue: str, most: int = MOST) -> rosters.Standing:
        return self.roster().claim(entry(job, issue), most)

    def there(self) -> list[tuple[str, str, bool]]:
        """Job, issue, and whether it works, in the order of the queue."""
        found = [one.entry for one in self.roster().entries()]
        return [(one.job, one.issue, one.working) for one in found]

    def commits(self) -> str:
        words = ["git", "--git-dir", str(self.git_dir), "for-each-ref"]
        return subprocess.check_output(words, text=True)


@pytest.fixture
def world(tmp_path: Path) -> World:
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "widget.git"], check=True)
    return World(tmp_path / "widget.git")


# --- who comes first --------------------------------------------------------------------------------------


def test_of_two_jobs_for_one_issue_the_second_is_told_of_the_first(world: World) -> None:
    assert world.claim("1", "7") == Granted()
    assert world.claim("2", "7") == Busy(entry("1", "7", working=True))
    assert world.there() == [("1", "7", True)]


def test_no_more_than_the_maximum_work_and_the_others_wait_in_a_row(world: World) -> None:
    assert [world.claim(job, job) for job in "1234"] == [
        Granted(),
        Granted(),
        Queued(position=1, busy=2, most=2),
        Queued(position=2, busy=2, most=2),
    ]
    assert world.there() == [("1", "1", True), ("2", "2", True), ("3", "3", False), ("4", "4", False)]


def test_the_first_in_the_row_comes_first_whoever_asks_first(world: World) -> None:
    for job in "1234":
        world.claim(job, job)
    world.roster().release(entry("2", "2"))
    assert world.claim("4", "4") == Queued(position=2, busy=1, most=2)
    assert world.claim("5", "5") == Queued(position=3, busy=1, most=2)
    assert world.claim("3", "3") == Granted()
    assert world.claim("4", "4") == Queued(position=1, busy=2, most=2)


def test_where_there_are_places_for_all_who_wait_nobody_waits_for_the_one_before(world: World) -> None:
    for job in "1234":
        world.claim(job, job)
    for job in "12":
        world.roster().release(entry(job, job))
    assert world.claim("4", "4") == Granted()
    assert world.claim("3", "3") == Granted()


def test_who_waits_has_the_issue_as_well(world: World) -> None:
    for job in "123":
        world.claim(job, job)
    assert world.claim("4", "3") == Busy(entry("3", "3"))


def test_asked_again_it_is_the_same_claim_and_nothing_is_written(world: World) -> None:
    for job in "123":
        world.claim(job, job)
    before = world.commits()
    assert [world.claim(job, job) for job in "123"] == [Granted(), Granted(), Queued(1, 2, 2)]
    assert world.commits() == before


def test_a_run_that_is_tried_again_takes_the_place_of_its_first_try(world: World) -> None:
    world.claim("1", "7")
    again = msgspec.structs.replace(entry("1", "7"), session="s-again")
    assert world.roster().claim(again, MOST) == Granted(gone=(entry("1", "7", working=True),))
    world.roster().release(entry("1", "7"))  # the first try, late
    assert [one.entry.session for one in world.roster().entries()] == ["s-again"]


def test_several_jobs_of_one_run_each_have_their_issue(world: World) -> None:
    assert [world.claim("9", issue) for issue in "123"] == [Granted(), Granted(), Queued(1, 2, 2)]
    assert world.asked == []  # their run is at work: one of them asks
    world.roster().release(entry("9", "1"))
    assert [issue for _, issue, _ in world.there()] == ["2", "3"]


def test_what_is_not_there_can_be_released(world: World) -> None:
    world.roster().release(entry("1", "7"))
    world.claim("1", "7")
    for _ in range(2):
        world.roster().release(entry("1", "7"))
    assert world.there() == []


def test_a_roster_that_is_full_takes_nobody_and_lets_nobody_in(world: World) -> None:
    waiting = [entry(str(number), str(number)) for number in range(1, rosters.ENTRIES + 1)]
    Store(world.git_dir, None, SHELF).write(rosters.NAME, files_of(waiting, KEY), None, "")
    assert world.claim("9999", "9999", most=9999) == Queued(rosters.ENTRIES + 1, 0, 9999)
    assert len(world.there()) == rosters.ENTRIES


# --- jobs that are gone -----------------------------------------------------------------------------------


def test_a_job_that_has_ended_loses_its_issue_and_who_comes_next_is_told(world: World) -> None:
    world.claim("1", "7")
    world.ended = {"1"}
    assert world.claim("2", "7") == Granted(gone=(entry("1", "7", working=True),))
    assert world.there() == [("2", "7", True)]


def test_a_job_that_has_ended_loses_its_place_in_work_and_in_the_row(world: World) -> None:
    for job in "1234":
        world.claim(job, job)
    world.ended = {"2", "3"}
    gone = (entry("2", "2", working=True), entry("3", "3"))
    assert world.claim("4", "4") == Granted(gone)
    assert world.there() == [("1", "1", True), ("4", "4", True)]


def test_a_platform_that_does_not_say_is_taken_to_mean_that_they_work(world: World) -> None:
    world.claim("1", "7")
    world.ended, world.silent = {"1"}, True
    assert world.claim("2", "7") == Busy(entry("1", "7", working=True))
    assert "Job 1 counts as at work, because the platform does not say" in world.log.getvalue()


def test_the_platform_is_asked_about_those_on_whom_it_depends_and_seldom(world: World) -> None:
    for job in "1234":
        world.claim(job, job)
    mine = world.roster()
    world.asked.clear()
    for _ in range(5):
        mine.claim(entry("4", "4"), MOST)
    assert world.asked == ["1", "2"]
    world.seconds += rosters.ASKED_AGAIN
    mine.claim(entry("4", "4"), MOST)
    assert world.asked == ["1", "2", "1", "2"]


def test_those_who_are_there_are_shown_and_those_who_are_gone_as_such(world: World) -> None:
    for job in "123":
        world.claim(job, job)
    world.ended = {"2"}
    shown = [(one.entry.job, one.entry.working, one.gone) for one in world.roster().entries()]
    assert shown == [("1", True, False), ("2", True, True), ("3", False, False)]
    assert [one.entry.job for one in world.roster().entries("3")] == ["3"]


# --- what others write ------------------------------------------------------------------------------------


def test_a_roster_of_somebody_else_is_empty_and_the_log_says_so_once(world: World) -> None:
    forged = files_of([entry("1", "7", working=True)], b"x" * 32)
    Store(world.git_dir, None, SHELF).write(rosters.NAME, forged, None, "")
    mine = world.roster()
    assert (mine.entries(), mine.entries()) == ([], [])
    said = "The roster of who is at work is taken to be empty: it is not signed with this key"
    assert world.log.getvalue().count(said) == 1
    assert mine.claim(entry("2", "7"), MOST) == Granted()
    assert world.there() == [("2", "7", True)]


def test_without_a_key_every_roster_is_taken_as_it_stands(world: World) -> None:
    world.claim("1", "7")
    keyless = world.roster(key=None)
    assert [one.entry.job for one in keyless.entries()] == ["1"]
    assert keyless.claim(entry("2", "8"), MOST) == Granted()
    assert [one.entry.job for one in world.roster(key=None).entries()] == ["1", "2"]
    assert world.there() == []  # whoever has the key does not believe it any more


def test_something_else_at_its_place_is_replaced(world: World) -> None:
    git = ["git", "--git-dir", str(world.git_dir)]
    blob = subprocess.run([*git, "hash-object", "-w", "--stdin"], input=b"x", capture_output=True, check=True)
    subprocess.run(
        [*git, "update-ref", f"{SHELF.refs}{rosters.NAME}", blob.stdout.decode().strip()], check=True
    )
    assert world.claim("1", "7") == Granted()
    assert world.there() == [("1", "7", True)]
    assert "is no roster: it is no commit as ci-agent makes them" in world.log.getvalue()


ENTRIES = st.lists(
    st.builds(entry, *(st.integers(1, 9_999_999_999).map(str) for _ in range(2)), working=st.booleans()),
    max_size=5,
)


@given(ENTRIES, st.one_of(st.none(), st.binary(min_size=1)))
def test_what_was_written_is_read_back(held: list[Entry], key: bytes | None) -> None:
    assert entries_in(files_of(held, key), key) == held


@given(st.binary(), st.binary())
def test_what_strangers_write_is_never_believed(document: bytes, signature: bytes) -> None:
    with pytest.raises(signing.UnsignedError):
        entries_in({rosters.DOCUMENT: document, rosters.SIGNATURE: signature}, KEY)


@given(ENTRIES, st.data())
def test_a_roster_that_was_changed_is_not_believed(held: list[Entry], data: st.DataObject) -> None:
    files = files_of(held, KEY)
    name = data.draw(st.sampled_from(sorted(files)))
    at = data.draw(st.integers(0, len(files[name]) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != files[name][at]))
    changed = files[name][:at] + bytes([other]) + files[name][at + 1 :]
    with pytest.raises(signing.UnsignedError):
        entries_in({**files, name: changed}, KEY)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=5,
)
FIELDS = st.fixed_dictionaries({}, optional=dict.fromkeys(Entry.__struct_fields__, JSON))


@given(
    st.one_of(
        st.binary(),
        JSON.map(msgspec.json.encode),
        FIELDS.map(lambda one: msgspec.json.encode({"entries": [one]})),
    )
)
def test_what_is_no_roster_is_said_to_be_none(document: bytes) -> None:
    with pytest.raises(signing.MalformedError):
        entries_in({rosters.DOCUMENT: document}, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"issue": "07"},
        {"issue": "7\n"},
        {"issue": "7", "more": "x"},
        {"session": "../x"},
        {"session": "x" * 101},
        {"job": "1/cancel"},
        {"job_url": "x" * 1001},
        {"since": "2026-03-02T09:00:00"},
        {"working": "yes"},
    ],
)
def test_an_entry_that_no_job_writes_makes_it_no_roster(wrong: dict[str, str]) -> None:
    one = msgspec.to_builtins(entry("1", "7")) | wrong
    with pytest.raises(signing.MalformedError):
        entries_in({rosters.DOCUMENT: msgspec.json.encode({"entries": [one]})}, None)


def test_a_roster_that_is_too_long_is_none() -> None:
    long = [entry(str(number), "7") for number in range(1, rosters.ENTRIES + 2)]
    for files in (files_of(long, None), {rosters.DOCUMENT: b" " * rosters.BYTES + b'{"entries": []}'}):
        with pytest.raises(signing.MalformedError):
            entries_in(files, None)


# --- all at once ------------------------------------------------------------------------------------------


def test_who_is_never_quick_enough_is_told_so_in_the_end(world: World) -> None:
    world.claim("1", "1")

    class Quicker:
        """While we look at who is there, one goes and another one comes."""

        tries = 0

        def job_ended(self, job: str, heard: datetime | None = None) -> bool:
            self.tries += 1
            world.roster().release(entry(job, job))
            world.claim(str(self.tries + 1), str(self.tries + 1))
            world.seconds += 7
            return False

    quicker, store = Quicker(), Store(world.git_dir, None, SHELF)
    mine = Roster(store, quicker, KEY, world.log, world.pause, lambda: world.seconds)
    with pytest.raises(CiAgentError, match="could not be changed within 60 seconds: others were quicker"):
        mine.claim(entry("5000", "5000"), most=1)
    assert quicker.tries > 2


@dataclass
class Ground:
    """A repository behind HTTP, and processes that are jobs."""

    folder: Path
    server: GitServer
    jobs: int = 0

    def login(self, *, over_http: bool = True) -> Login:
        if not over_http:
            return Login((self.server.root / "widget.git").as_uri(), "", "")
        return Login(self.server.url("widget.git"), self.server.user, self.server.password)

    def roster(self, name: str = "mine") -> Roster:
        store = store_at(self.login().remote(), self.folder / f"{name}.git", SHELF)
        return Roster(store, States(self.folder / "states"), KEY, sys.stderr)

    def end(self, job: str) -> None:
        """The job is over, as the platform sees it."""
        (self.folder / "states" / f"ended-{job}").touch()

    @contextmanager
    def processes(self, number: int, *, over_http: bool = True) -> Iterator[list[subprocess.Popen[str]]]:
        login = self.login(over_http=over_http)
        words = (login.url, login.user, login.password, str(self.folder / "states"), str(MOST))
        with ExitStack() as stack:
            found = [stack.enter_context(self._process(words)) for _ in range(number)]
            assert [_answer(one) for one in found] == ["ready"] * number
            yield found

    @contextmanager
    def _process(self, words: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "tests.job.racing", *words]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    def race(self, processes: list[subprocess.Popen[str]], issues: Sequence[int]) -> list[str]:
        """All of them get an event at once; how it went for each."""
        for process, issue in zip(processes, issues, strict=True):
            self.jobs += 1
            _tell(process, f"{self.jobs} {issue}")
        return sorted(map(_answer, processes))


def _tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def _answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    (tmp_path / "states").mkdir()
    person = make_repository(tmp_path / "person", {"a": "1"})
    person.git("clone", "--quiet", "--bare", str(person.path), str(tmp_path / "git" / "widget.git"))
    with git_server(tmp_path / "git") as server:
        yield Ground(tmp_path, server)


@pytest.mark.parametrize(
    ("over_http", "rounds"),
    [
        (True, 1),
        # It is the same git that receives, and half of the work.
        pytest.param(False, 50, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_of_eight_processes_one_works_on_an_issue_and_so_many_at_a_time(
    ground: Ground, over_http: bool, rounds: int
) -> None:
    with ground.processes(8, over_http=over_http) as processes:
        for _ in range(rounds):
            same = ground.race(processes, [7] * 8)
            assert set(same) <= {"busy", "worked"}
            assert "worked" in same
            assert ground.race(processes, range(1, 9)) == ["worked"] * 8
    assert ground.roster().entries() == []


def test_the_issue_of_a_job_that_was_killed_is_free_when_the_platform_says_so(ground: Ground) -> None:
    with ground.processes(1) as [process]:
        _tell(process, "1 7 hold")
        assert _answer(process) == "Granted"
        process.kill()
        process.wait()
    mine = ground.roster()
    assert mine.claim(entry("2", "7"), MOST) == Busy(entry("1", "7", working=True))
    ground.end("1")
    assert ground.roster("later").claim(entry("2", "7"), MOST) == Granted((entry("1", "7", working=True),))


@pytest.mark.parametrize("after", [False, True], ids=["nothing was done", "all was done"])
def test_a_claim_whose_answer_is_lost_is_one_claim(ground: Ground, after: bool) -> None:
    mine = ground.roster()
    ground.server.losses = [Loss(r"/git-receive-pack$", after=after)]
    assert mine.claim(entry("1", "7"), MOST) == Granted()
    assert ground.server.losses[0].times == 0
    assert ground.roster("other").claim(entry("2", "7"), MOST) == Busy(entry("1", "7", working=True))
    ground.server.losses = [Loss(r"/git-receive-pack$", after=after)]
    mine.release(entry("1", "7"))
    assert ground.roster("third").entries() == []


def test_where_the_remote_takes_no_such_refs_it_is_a_branch(ground: Ground) -> None:
    repository = ground.server.root / "widget.git"
    subprocess.run(
        ["git", "--git-dir", repository, "config", "receive.hideRefs", "refs/ci-agent"], check=True
    )
    assert ground.roster().claim(entry("1", "7"), MOST) == Granted()
    refs = subprocess.run(
        ["git", "--git-dir", repository, "for-each-ref"], capture_output=True, text=True, check=True
    )
    assert "refs/heads/ci-agent/roster/all" in refs.stdout
    assert ground.roster("other").claim(entry("2", "7"), MOST) == Busy(entry("1", "7", working=True))
