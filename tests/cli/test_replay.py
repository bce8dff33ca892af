"""`ci-agent replay`: the calls of a recorded session once more, for real."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_agent.errors import UsageError
from ci_agent.job.replay import Request, replay
from ci_agent.journal import read
from ci_agent.journal.events import (
    Committed,
    Compacted,
    Fact,
    ModelChosen,
    SessionStarted,
    SetupChosen,
    Submitted,
    ToolAnswered,
    ToolCalled,
    WorkspaceReady,
)
from tests.support.jobs import BREAK, FIX, MEND, SUBMIT
from tests.support.model_server import Say
from tests.support.recorded import ci_agent, record, rewritten, written
from tests.support.repositories import Repository, make_repository

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Recorded:
    """A session that was recorded once for all tests here: they only read it."""

    repository: Repository
    report: Path

    @property
    def journal(self) -> Path:
        return self.report / "session.jsonl"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(*record(tmp_path_factory.mktemp("recorded")))


def _each(
    kind: type[Fact], change: Callable[..., Fact], *, when: str = ""
) -> Callable[[Fact], Iterator[Fact]]:
    """Changes the facts of a kind; where `when` is given, those of the tool of that name."""

    def changed(fact: Fact) -> Iterator[Fact]:
        wanted = isinstance(fact, kind) and (not when or getattr(fact, "name", "") == when)
        yield change(fact) if wanted else fact

    return changed


# --- what replays -----------------------------------------------------------------------------------------


def test_a_recorded_session_replays_without_a_difference(recorded: Recorded, tmp_path: Path) -> None:
    before = recorded.repository.fingerprint(), recorded.repository.git("for-each-ref")
    done = ci_agent("replay", recorded.report, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Replaying 7 calls of" in done.stdout
    assert "sandbox     full" in done.stdout
    assert "tests run for the model: 2 passed" in done.stdout
    assert "The files are those that were committed (tree " in done.stdout
    assert "6 calls of 4 steps gave the same answers as then. Not compared: 1 hand-in." in done.stdout
    assert (recorded.repository.fingerprint(), recorded.repository.git("for-each-ref")) == before
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_session_that_was_shown_things_twice_and_handed_in_twice_replays(tmp_path: Path) -> None:
    long = ("bash", {"command": "mkdir -p notes && seq 20000 | tee notes/numbers.txt; ls notes"})
    again = ("read_file", {"path": "notes/numbers.txt", "end": 200})
    steps = [
        Say(calls=[FIX, BREAK, long, again]),
        Say(calls=[SUBMIT]),
        Say(calls=[again, ("run_tests", {}), ("run_tests", {}), MEND]),
        Say(calls=[("bash", {"command": "touch cut-off"})], finish_reason="length"),
        Say(calls=[("finish", {})]),
    ]
    _, report = record(tmp_path, steps)
    answers = [
        event.fact.text for event in read(report / "session.jsonl") if isinstance(event.fact, ToolAnswered)
    ]
    assert sum("unchanged since you were shown it 2 calls ago" in text for text in answers) == 1
    assert sum("Not run again" in text for text in answers) == 1
    done = ci_agent("replay", report, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 calls of 5 steps gave the same answers as then. " in done.stdout
    assert "Not compared: 2 hand-ins, 1 cut-off call." in done.stdout
    assert "The files are those that were committed" in done.stdout


def test_only_the_steps_up_to_the_one_that_is_wanted_are_run(recorded: Recorded, tmp_path: Path) -> None:
    done = ci_agent("replay", recorded.journal, "--step", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 calls of 1 step gave the same answers as then.\n" in done.stdout
    assert "step 2" not in done.stdout
    assert "committed" not in done.stdout


def test_another_clone_does_where_the_repository_is_gone(recorded: Recorded, tmp_path: Path) -> None:
    gone = rewritten(
        recorded.journal,
        tmp_path / "j.jsonl",
        _each(SessionStarted, lambda fact: replace(fact, repository="/gone")),
    )
    done = ci_agent("replay", gone, cwd=tmp_path)
    assert done.returncode == 2
    assert "the session worked on /gone, which is no folder on this machine" in done.stderr
    assert "--repo PATH" in done.stderr
    recorded.repository.git("clone", "--quiet", ".", str(tmp_path / "another"))
    done = ci_agent("replay", gone, "--repo", "another", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_harness_added_is_not_compared(recorded: Recorded, tmp_path: Path) -> None:
    notice = "\n\n[5 steps and 12 minutes are left.]"
    journal = rewritten(
        recorded.journal,
        tmp_path / "j.jsonl",
        _each(ToolAnswered, lambda fact: replace(fact, text=fact.text + notice, added=notice)),
    )
    done = ci_agent("replay", journal, "--step", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_interrupted_call_is_not_run(recorded: Recorded, tmp_path: Path) -> None:
    def interrupted(fact: Fact) -> Iterator[Fact]:
        if isinstance(fact, ToolCalled) and fact.name == "write_file":
            yield ToolCalled(3, "x", "bash", '{"command": "sleep 1000"}')
        elif not isinstance(fact, (ToolCalled, ToolAnswered)) or fact.step < 3:
            yield fact

    done = ci_agent("replay", rewritten(recorded.journal, tmp_path / "j.jsonl", interrupted), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "4 calls of 3 steps gave the same answers as then. Not compared: 1 interrupted call." in done.stdout
    )


# --- what differs -----------------------------------------------------------------------------------------


def test_the_first_difference_is_shown_and_ends_it(recorded: Recorded, tmp_path: Path) -> None:
    journal = rewritten(
        recorded.journal,
        tmp_path / "j.jsonl",
        _each(ToolAnswered, lambda fact: replace(fact, text=fact.text.replace("a - b", "b - a"))),
    )
    done = ci_agent("replay", journal, cwd=tmp_path)
    assert done.returncode == 1
    assert "The first difference is in step 1, call 1: read_file: calculator.py\n" in done.stdout
    assert "\n-     return b - a\n+     return a - b\n" in done.stdout
    assert "0 calls before it gave the same answers" in done.stdout
    assert "step 1: bash" not in done.stdout


def test_all_differences_are_counted_where_that_is_wanted(recorded: Recorded, tmp_path: Path) -> None:
    journal = rewritten(
        recorded.journal,
        tmp_path / "j.jsonl",
        _each(ToolAnswered, lambda fact: replace(fact, text="something else")),
    )
    done = ci_agent("replay", journal, "--all", cwd=tmp_path)
    assert done.returncode == 1
    assert "The first difference is in step 1, call 1: read_file" in done.stdout
    assert "  step 3, call 2: write_file: NOTES.txt\n" in done.stdout
    assert "6 of 6 calls of 4 steps gave another answer than then." in done.stdout


def test_other_files_at_the_end_are_a_difference(recorded: Recorded, tmp_path: Path) -> None:
    journal = rewritten(
        recorded.journal,
        tmp_path / "j.jsonl",
        _each(ToolCalled, lambda fact: replace(fact, arguments=fact.arguments.replace("adds", "odds"))),
    )
    done = ci_agent("replay", journal, cwd=tmp_path)
    assert done.returncode == 1
    assert "6 calls of 4 steps gave the same answers" in done.stdout
    assert "The files at the end are not those that were committed (tree " in done.stdout
    assert "\n  NOTES.txt\n" in done.stdout


def test_no_key_reaches_a_command_of_the_journal(recorded: Recorded, tmp_path: Path) -> None:
    journal = rewritten(
        recorded.journal,
        tmp_path / "j.jsonl",
        _each(
            ToolCalled,
            lambda fact: replace(fact, arguments='{"command": "env | grep -c OPENAI; env | wc -l"}'),
            when="bash",
        ),
    )
    done = ci_agent("replay", journal, cwd=tmp_path, variables={"OPENAI_API_KEY": "sk-very-secret"})
    assert done.returncode == 1
    assert re.search(r"\+ 0\n\s*\+ \d{2,}\n", done.stdout), done.stdout
    assert "sk-very-secret" not in done.stdout + done.stderr


# --- what can't be replayed -------------------------------------------------------------------------------


def test_a_repository_without_the_commit_is_told(recorded: Recorded, tmp_path: Path) -> None:
    make_repository(tmp_path / "other", {"a": "b"})
    done = ci_agent("replay", recorded.journal, "--repo", "other", cwd=tmp_path)
    assert done.returncode == 2
    assert "which the session began on, is not in" in done.stderr
    assert "fetch it there" in done.stderr


def test_a_set_up_that_fails_is_told(recorded: Recorded, tmp_path: Path) -> None:
    journal = rewritten(
        recorded.journal,
        tmp_path / "j.jsonl",
        _each(SetupChosen, lambda fact: replace(fact, command="echo no; exit 3", configured=True)),
    )
    done = ci_agent("replay", journal, cwd=tmp_path)
    assert done.returncode == 2
    assert (
        "can't be prepared as the session's was: The set-up command `echo no; exit 3` failed" in done.stderr
    )


def test_the_set_up_is_that_of_the_session(recorded: Recorded, tmp_path: Path) -> None:
    own = {"CI_AGENT_VERIFICATION_SETUP": "exit 3", "CI_AGENT_VERIFICATION_TEST": "exit 3"}
    done = ci_agent("replay", recorded.journal, cwd=tmp_path, variables=own)
    assert done.returncode == 0, done.stdout + done.stderr


def test_another_model_and_a_shortened_conversation_are_shown_things_anew(tmp_path: Path) -> None:
    repository = make_repository(
        tmp_path / "r", {"long.txt": "".join(f"line {number}\n" for number in range(100))}
    )
    sha = repository.git("rev-parse", "HEAD")
    ready = WorkspaceReady("main", sha, "b", sha, (), continued=False, path="/x/r")
    read_it = ToolCalled(1, "c", "read_file", '{"path": "long.txt"}')
    text = "".join(f"line {number}\n" for number in range(100))
    whole = ToolAnswered(1, "c", "read_file", ok=True, text=text, seconds=0.0)
    again = replace(
        whole,
        text="[long.txt, lines 1 to 100: unchanged since you were shown it in the call before this one. "
        "Ask once more to see it again.]",
    )
    other, shorter = ModelChosen("strong", "s", "stuck", "m"), Compacted(1, 9, 5, 1)
    facts: list[Fact] = [ready]
    facts += [read_it, whole, other, read_it, whole, shorter, read_it, whole, read_it, again]
    done = ci_agent("replay", written(tmp_path / "j.jsonl", facts), "--repo", "r", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 calls of 1 step gave the same answers" in done.stdout


def test_a_hand_in_that_is_none_any_more_is_a_difference(recorded: Recorded, tmp_path: Path) -> None:
    journal = rewritten(
        recorded.journal,
        tmp_path / "j.jsonl",
        _each(ToolCalled, lambda fact: replace(fact, arguments="{}"), when="submit"),
    )
    done = ci_agent("replay", journal, cwd=tmp_path)
    assert done.returncode == 1
    assert "- (it ended the turn)\n+ `title` is empty." in done.stdout


@pytest.mark.parametrize("words", [["nowhere.jsonl"], ["."], ["a" * 5000], ["x.jsonl", "--step", "0"]])
def test_what_is_no_journal_is_told(words: list[str], tmp_path: Path) -> None:
    done = ci_agent("replay", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "nothing to replay"),
        (b"not json\n", "is not an event"),
        (b'{"v": 99, "sequence": 1, "at": "2026-01-01T00:00:00Z", "kind": "Warned", "fact": {}}\n', "format 99"),
        (b'{"v":1,"sequence":1,"at":"2026-01-01T00:00:00Z","kind":"ModelReplied","fact":{"message":'
         + b"[" * 100_000 + b"\n", "x.jsonl:1: this is not an event of a session: it is nested too deeply"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_journal_is_told(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(UsageError, match=said):
        replay(Request(tmp_path / "x.jsonl"), os.environ)


_BAD_START: list[dict[str, str]] = [
    {"base_sha": "--output=/tmp/x"},
    {"head_sha": "HEAD"},
    {"base_sha": "0" * 40},
    {"base_sha": ""},
    {"head_sha": "a\0b"},
]


@pytest.mark.parametrize("bad", _BAD_START)
def test_a_hostile_start_gets_nowhere(bad: dict[str, str], recorded: Recorded, tmp_path: Path) -> None:
    journal = rewritten(
        recorded.journal, tmp_path / "j.jsonl", _each(WorkspaceReady, lambda fact: replace(fact, **bad))
    )
    with pytest.raises(UsageError, match=r"is no name of|is not in"):
        replay(Request(journal), os.environ)


@pytest.mark.parametrize(
    "odd",
    [
        {"base": "a\0b"},
        {"base": "x\n0000 refs/heads/y"},
        {"base": "--help"},
        {"path": "/" + "x" * 5000},
        {"path": "../.."},
        {"path": ""},
    ],
)
def test_odd_names_do_no_harm(odd: dict[str, str], recorded: Recorded, tmp_path: Path) -> None:
    journal = rewritten(
        recorded.journal, tmp_path / "j.jsonl", _each(WorkspaceReady, lambda fact: replace(fact, **odd))
    )
    done = ci_agent("replay", journal, "--step", "2", cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr  # `pwd` tells the folder's name
    assert done.stderr == ""


@pytest.mark.parametrize("place", ["", "\0", "x" * 5000, "https://example.org/a.git", "nowhere"])
def test_a_repository_that_is_no_folder_is_told(place: str, recorded: Recorded, tmp_path: Path) -> None:
    journal = rewritten(
        recorded.journal,
        tmp_path / "j.jsonl",
        _each(SessionStarted, lambda fact: replace(fact, repository=place)),
    )
    with pytest.raises(UsageError, match="no folder on this machine"):
        replay(Request(journal), os.environ)


def test_a_hostile_tree_is_never_given_to_git(recorded: Recorded, tmp_path: Path) -> None:
    target = tmp_path / "written"
    journal = rewritten(
        recorded.journal,
        tmp_path / "j.jsonl",
        _each(Committed, lambda fact: replace(fact, tree=f"--output={target}")),
    )
    with pytest.raises(UsageError, match="is no name of"):
        replay(Request(journal), os.environ)
    assert not target.exists()


def test_a_checkout_that_a_command_deletes_ends_it(recorded: Recorded, tmp_path: Path) -> None:
    deletes = ToolCalled(1, "c", "bash", '{"command": "d=$PWD; cd /; rm -rf $d; ln -s / $d"}')
    start = [
        event.fact
        for event in read(recorded.journal)
        if isinstance(event.fact, SessionStarted | WorkspaceReady)
    ]
    submit = ToolCalled(1, "d", "submit", '{"title": "t", "summary": "s"}')
    answer = ToolAnswered(1, "c", "bash", ok=True, text="[exit 0, 0.0s]", seconds=0.0)
    journal = written(tmp_path / "j.jsonl", [*start, deletes, answer, submit, Submitted("t", "s")])
    done = ci_agent("replay", journal, cwd=tmp_path, variables={"CI_AGENT_SANDBOX_WRITABLE": str(tmp_path)})
    assert done.returncode == 2, done.stdout + done.stderr
    assert "the checkout is gone" in done.stderr


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1))
def test_a_journal_that_was_cut_off_anywhere_replays_as_far_as_it_goes(
    share: float, recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_AGENT_STATE_DIR", str(tmp_path / "state"))
    whole = recorded.journal.read_bytes()
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(whole[: int(len(whole) * share)])
    try:
        code = replay(Request(cut), os.environ)
    except UsageError as error:
        assert "nothing to replay" in str(error)
    else:
        assert code == 0
