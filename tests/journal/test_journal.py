"""The journal keeps what was written, whole, in order, whatever happens to the process or the disk."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.errors import JournalError
from ci_agent.guard import Guard, Secret
from ci_agent.journal import Event, Journal, encode, read, write
from ci_agent.journal.archive import packed, unpacked
from ci_agent.journal.events import Fact, ModelReplied, ObserverFailed, ToolAnswered, Warned, Withheld
from ci_agent.task import Usage


def _append(path: Path, *facts: Fact) -> list[Event]:
    with Journal(path) as journal:
        return [journal.append(fact) for fact in facts]


class _Recorder:
    name = "recorder"

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def observe(self, event: Event) -> None:
        self.seen.append(event)


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "session.jsonl"
    reply = ModelReplied(3, "m", {"role": "assistant", "content": None}, "stop", Usage(5, 4, 3, 2), None, 0.5)
    written = _append(path, Warned("one\ntwo"), reply)
    assert list(read(path)) == written
    assert [event.sequence for event in written] == [1, 2]


def test_every_line_is_one_json_object_with_time_and_kind(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    with Journal(path, now=lambda: datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)) as journal:
        journal.append(Warned("x"))
    assert json.loads(path.read_text()) == {
        "v": 1,
        "sequence": 1,
        "at": "2026-03-04T05:06:07Z",
        "kind": "Warned",
        "fact": {"text": "x"},
    }


def test_an_event_is_on_the_disk_before_an_observer_hears_of_it(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    on_disk: list[int] = []

    class Looker:
        name = "looker"

        def observe(self, event: Event) -> None:
            on_disk.append(len(list(read(path))))

    with Journal(path) as journal:
        journal.watch(Looker())
        journal.append(Warned("a"))
        journal.append(Warned("b"))
    assert on_disk == [1, 2]


def test_an_observer_that_fails_is_written_down_and_not_asked_again(tmp_path: Path) -> None:
    class Broken:
        name = "broken"
        asked = 0

        def observe(self, event: Event) -> None:
            self.asked += 1
            raise ValueError("no")

    broken, recorder = Broken(), _Recorder()
    with Journal(tmp_path / "session.jsonl") as journal:
        journal.watch(broken)
        journal.watch(recorder)
        journal.append(Warned("a"))
        journal.append(Warned("b"))
    assert broken.asked == 1
    facts: list[Fact] = [event.fact for event in recorder.seen]
    assert facts == [Warned("a"), ObserverFailed("broken", "ValueError: no"), Warned("b")]


def test_all_observers_see_the_same_order_even_if_one_appends(tmp_path: Path) -> None:
    first, last = _Recorder(), _Recorder()
    with Journal(tmp_path / "session.jsonl") as journal:

        class Echo:
            name = "echo"

            def observe(self, event: Event) -> None:
                if event.fact == Warned("call"):
                    journal.append(Warned("echo"))

        for observer in (first, Echo(), last):
            journal.watch(observer)
        journal.append(Warned("call"))
    assert [event.sequence for event in first.seen] == [1, 2]
    assert first.seen == last.seen


def test_a_torn_last_line_is_left_out_and_then_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    _append(path, Warned("kept"))
    with path.open("ab") as file:
        file.write(b'{"v":1,"sequence":2,"at":"2026-0')
    assert [event.fact for event in read(path)] == [Warned("kept")]
    _append(path, Warned("next"))
    assert [(event.sequence, event.fact) for event in read(path)] == [
        (1, Warned("kept")),
        (2, Warned("next")),
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b'{"v":1,"sequence":1,"at":"2026-03-04T05:06:07Z","kind":"Invented","fact":{}}\n',
        b'{"v":9,"sequence":1,"at":"2026-03-04T05:06:07Z","kind":"Warned","fact":{"text":"x"}}\n',
        b'{"v":1,"sequence":1,"at":"2026-03-04T05:06:07Z","kind":"Warned","fact":{"text":7}}\n',
        b"\xff\xfe\n",
        b'{"v":1,"sequence":1,"at":"2026-03-04T05:06:07Z","kind":"Warned","fact":' + b"[" * 100_000 + b"\n",
    ],
)
def test_a_line_that_is_no_event_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "session.jsonl"
    path.write_bytes(encode(Event(1, datetime.now(UTC), Warned("x"))).encode() + b"\n" + line)
    with pytest.raises(JournalError, match=r"session\.jsonl:2: "):
        list(read(path))


def test_a_line_that_does_not_fit_on_the_disk_is_taken_back(tmp_path: Path) -> None:
    """The limit on file sizes plays the full disk: the kernel takes a part of the line, then refuses."""
    path = tmp_path / "session.jsonl"
    code = f"""
import resource
from pathlib import Path
from ci_agent.errors import JournalError
from ci_agent.journal import Journal
from ci_agent.journal.events import Warned
journal = Journal(Path({str(path)!r}))
journal.append(Warned("fits"))
resource.setrlimit(resource.RLIMIT_FSIZE, (300, resource.RLIM_INFINITY))
try:
    journal.append(Warned("x" * 1000))
except JournalError as error:
    print(error)
    print(len(journal.events))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "can't be written: File too large" in done.stdout
    assert done.stdout.endswith("\n1\n")
    assert path.read_bytes().endswith(b"\n")
    assert [event.fact for event in read(path)] == [Warned("fits")]


def test_a_file_begun_with_earlier_events_is_the_earlier_file_and_goes_on(tmp_path: Path) -> None:
    earlier, path = tmp_path / "earlier.jsonl", tmp_path / "deep" / "session.jsonl"
    events = _append(earlier, Warned("ü \n"), ToolAnswered(1, "c", "bash", True, "x" * 500, 0.1))
    write(path, unpacked(packed(events).content))
    assert path.read_bytes() == earlier.read_bytes()
    assert list(path.parent.iterdir()) == [path]
    with Journal(path) as journal:
        assert journal.events == tuple(events)
        assert journal.append(Warned("next")).sequence == 3
    assert path.read_bytes().startswith(earlier.read_bytes())


def test_what_was_not_left_out_is_in_the_file_byte_for_byte(tmp_path: Path) -> None:
    earlier, path = tmp_path / "earlier.jsonl", tmp_path / "session.jsonl"
    long = " ".join(map(str, range(1_000)))
    events = _append(earlier, Warned("a"), ToolAnswered(1, "c", "bash", True, long, 0.1), Warned("b"))
    write(path, unpacked(packed(events, len(packed(events).content) - 1).content))
    old, new = earlier.read_bytes().splitlines(), path.read_bytes().splitlines()
    assert [before == after for before, after in zip(old, new, strict=True)] == [True, False, True]


def test_nothing_that_is_there_is_replaced_by_a_file_begun_with_earlier_events(tmp_path: Path) -> None:
    there, link, folder = tmp_path / "file", tmp_path / "link", tmp_path / "folder"
    there.write_bytes(b"mine")
    link.symlink_to(tmp_path / "nowhere")
    folder.mkdir()
    for path in (there, link, folder, there / "session.jsonl"):
        with pytest.raises(JournalError, match=f"the journal {path} can't be begun: "):
            write(path, [Event(1, datetime.now(UTC), Warned("x"))])
    assert there.read_bytes() == b"mine"
    assert {path.name for path in tmp_path.iterdir()} == {"file", "link", "folder"}


def test_what_a_process_left_that_died_over_it_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    (tmp_path / "session.jsonl.part").write_bytes(b"half")
    write(path, [])
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b""


def test_events_that_do_not_fit_on_the_disk_begin_no_file(tmp_path: Path) -> None:
    """The limit on file sizes plays the full disk, as above."""
    path = tmp_path / "session.jsonl"
    code = f"""
import resource
from datetime import UTC, datetime
from pathlib import Path
from ci_agent.errors import JournalError
from ci_agent.journal import Event, write
from ci_agent.journal.events import Warned
resource.setrlimit(resource.RLIMIT_FSIZE, (300, resource.RLIM_INFINITY))
try:
    write(Path({str(path)!r}), [Event(1, datetime.now(UTC), Warned("x" * 1000))])
except JournalError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "can't be begun: File too large" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_no_secret_gets_into_an_event_however_it_is_written(tmp_path: Path) -> None:
    path, secret = tmp_path / "session.jsonl", 'tok"en\\with signs ü'
    with Journal(path, hides=Guard([Secret("KEY", secret)])) as journal:
        recorder = _Recorder()
        journal.watch(recorder)
        journal.append(Warned(f"the server says: {secret}!"))
        journal.append(ModelReplied(1, "m", {"content": [{"text": secret}]}, "stop", Usage(), None, 0.5))
    assert list(read(path)) == recorder.seen == list(journal.events)
    assert recorder.seen[0].fact == Warned("the server says: ***!")
    assert secret not in str(recorder.seen)
    assert json.dumps(secret, ensure_ascii=False)[1:-1] not in path.read_text()


@pytest.mark.parametrize("secret", ["sequence", "message", "Warned", "nabcdef", "2026-11", "stop"])
def test_no_secret_breaks_the_journal(tmp_path: Path, secret: str) -> None:
    path = tmp_path / "session.jsonl"
    reply = ModelReplied(1, "m", {"message": f"x\n{secret[1:]} {secret}"}, "stop", Usage(), None, 0.5)
    with Journal(path, hides=Guard([Secret("KEY", secret)])) as journal:
        journal.append(reply)
    event, noted = read(path)
    assert isinstance(event.fact, ModelReplied)
    assert event.fact.message == {"message": f"x\n{secret[1:]} ***"}
    assert noted.fact == Withheld("journal", ("KEY (as text)",))


def test_half_a_surrogate_pair_from_a_model_does_not_stop_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    _append(path, ToolAnswered(1, "c", "bash", True, "a \ud800 b", 0.1))
    [event] = read(path)
    assert isinstance(event.fact, ToolAnswered)
    assert event.fact.text == "a ? b"


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_cleanly(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("journal") / "session.jsonl"
    path.write_bytes(data)
    try:
        events = list(read(path))
    except JournalError as error:
        assert str(path) in str(error)
    else:
        assert len(events) <= data.count(b"\n")


@given(st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_any_text_survives_the_file(
    tmp_path_factory: pytest.TempPathFactory, text: str, message: dict[str, object]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "session.jsonl"
    fact = ModelReplied(1, text, message, "", Usage(), 0.25, 1.0)
    _append(path, fact)
    assert [event.fact for event in read(path)] == [fact]
