"""The report folder on a real disk."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ci_agent.errors import CiAgentError, UsageError
from ci_agent.guard import Guard, Secret
from ci_agent.journal import Event, Journal, read
from ci_agent.reporting.folder import check_folder, write_folder
from tests.support.stories import ALL, alone, facts, no_tests, remarks, several, success

LOGS = ("setup.log", "tests-before.log", "tests-after.log", "tests-proof.log")


def write(
    tmp_path: Path, folder: Path, events: list[Event] | None = None, *, diff: bytes | None = b"diff\xff\n"
) -> None:
    """The report of a session that was really written down."""
    events = success() if events is None else events
    home = tmp_path / f"session-{len(list(tmp_path.iterdir()))}"
    journal = Journal(home / "session.jsonl")
    for fact in facts(events):
        journal.append(fact)
    journal.close()
    logs = home / "logs"
    logs.mkdir()
    for name in LOGS:
        (logs / name).write_bytes(b"raw \xff\x00 " + name.encode())
    (logs / "command-1.txt").write_text("of the agent")
    write_folder(
        folder,
        events,
        Guard(),
        journal=home / "session.jsonl",
        logs=logs,
        diff=diff,
        merge_request="# text\n" if diff else None,
    )


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


ALL_FILES = {
    ".gitignore", "junit.xml", "session.jsonl", "merge-request.md", "diff.patch",
    *(f"logs/{name}" for name in LOGS),
}  # fmt: skip


def test_a_report_has_everything(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "report"
    write(tmp_path, folder)
    assert names(folder) == ALL_FILES
    assert (folder / "diff.patch").read_bytes() == b"diff\xff\n"
    assert (folder / "merge-request.md").read_text() == "# text\n"
    assert [event.fact for event in read(folder / "session.jsonl")] == facts(success())
    assert (folder / "logs" / "tests-after.log").read_bytes() == b"raw \xff\x00 tests-after.log"
    assert "raw \ufffd\ufffd tests-after.log" in (folder / "junit.xml").read_text(encoding="utf-8")


def test_a_later_report_takes_the_place_of_the_earlier(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    write(tmp_path, folder)
    write(tmp_path, folder, no_tests(), diff=None)
    assert names(folder) == {".gitignore", "junit.xml", "session.jsonl", "logs/setup.log"}


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    write(tmp_path, folder)
    (folder / "notes.txt").write_text("mine")
    (folder / "logs" / "mine.log").write_text("mine")
    (folder / ".gitignore").unlink()  # it would hide the others' files from git
    write(tmp_path, folder)
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "logs" / "mine.log").read_text() == "mine"
    assert not (folder / ".gitignore").exists()


@pytest.mark.parametrize("name", ["junit.xml", "diff.patch", "merge-request.md", "notes.txt", ".git/HEAD"])
def test_a_folder_that_is_no_report_is_refused_and_left_as_it_is(tmp_path: Path, name: str) -> None:
    file = tmp_path / "keep" / name
    file.parent.mkdir(parents=True)
    file.write_text("precious")
    with pytest.raises(UsageError, match=r"holds other things than a report.*--output-dir"):
        write(tmp_path, tmp_path / "keep")
    assert names(tmp_path / "keep") == {name}
    assert file.read_text() == "precious"


@pytest.mark.parametrize("content", ["", "precious\n", "{}\n", '{"v": 1}\n', '{"kind": "SessionSt'])
def test_a_file_that_is_only_called_like_our_journal_makes_no_report(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "keep"
    folder.mkdir()
    (folder / "session.jsonl").write_text(content)
    (folder / "junit.xml").write_text("precious")
    with pytest.raises(UsageError, match="holds other things than a report"):
        check_folder(folder)
    with pytest.raises(UsageError, match="holds other things than a report"):
        write(tmp_path, folder)
    assert (folder / "junit.xml").read_text() == "precious"


def test_a_link_to_a_real_journal_makes_no_report(tmp_path: Path) -> None:
    write(tmp_path, tmp_path / "report")
    folder = tmp_path / "keep"
    folder.mkdir()
    (folder / "session.jsonl").symlink_to(tmp_path / "report" / "session.jsonl")
    with pytest.raises(UsageError, match="holds other things than a report"):
        check_folder(folder)


@pytest.mark.parametrize("there", ["something else", "an earlier report", "nothing"])
def test_a_folder_that_is_a_link_is_refused(tmp_path: Path, there: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    if there == "an earlier report":
        write(tmp_path, elsewhere)
    elif there == "something else":
        elsewhere.mkdir()
        (elsewhere / "junit.xml").write_text("precious")
    before = {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()}
    (tmp_path / "report").symlink_to(elsewhere)
    with pytest.raises(UsageError, match=r"is a link.*--output-dir"):
        write(tmp_path, tmp_path / "report", no_tests())
    assert {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()} == before


def test_a_missing_an_empty_and_an_earlier_folder_will_do(tmp_path: Path) -> None:
    check_folder(tmp_path / "missing" / "below")
    (tmp_path / "empty").mkdir()
    check_folder(tmp_path / "empty")
    write(tmp_path, tmp_path / "report")
    check_folder(tmp_path / "report")


def test_a_report_does_not_make_a_checkout_dirty(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "checkout")], check=True)
    write(tmp_path, tmp_path / "checkout" / "ci-agent-report")
    status = subprocess.run(
        ["git", "-C", str(tmp_path / "checkout"), "status", "--porcelain"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert status.stdout == ""


@pytest.mark.parametrize("name", ["junit.xml", "diff.patch", "merge-request.md"])
def test_a_link_in_the_folder_is_replaced_and_not_followed(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "report"
    write(tmp_path, folder)
    (folder / name).unlink()
    (folder / name).symlink_to(victim)
    write(tmp_path, folder)
    assert victim.read_text() == "precious"
    assert not (folder / name).is_symlink()


def test_a_folder_of_logs_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "setup.log").write_text("precious")
    folder = tmp_path / "report"
    write(tmp_path, folder)
    for path in (folder / "logs").iterdir():
        path.unlink()
    (folder / "logs").rmdir()
    (folder / "logs").symlink_to(elsewhere)
    write(tmp_path, folder)
    assert (elsewhere / "setup.log").read_text() == "precious"
    assert (folder / "logs" / "setup.log").read_bytes().startswith(b"raw")


def test_a_journal_that_names_a_log_elsewhere_copies_nothing_from_there(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("precious")
    events = success()
    told = [
        Event(
            e.sequence,
            e.at,
            type(e.fact)(**{f: getattr(e.fact, f) for f in e.fact.__slots__} | {"log": "../../secret"}),
        )
        if hasattr(e.fact, "log")
        else e
        for e in events
    ]
    write(tmp_path, tmp_path / "report", told)
    assert "precious" not in (tmp_path / "report" / "junit.xml").read_text(encoding="utf-8")
    assert not (tmp_path / "report" / "logs").exists()


def test_a_file_where_the_folder_should_be_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file")
    with pytest.raises(CiAgentError, match="--output-dir"):
        write(tmp_path, tmp_path / "report")


@pytest.mark.parametrize("name", ALL)
def test_every_story_can_be_written(tmp_path: Path, name: str) -> None:
    write(tmp_path, tmp_path / "report", ALL[name]())
    assert (tmp_path / "report" / "junit.xml").exists()


def test_a_verification_without_a_session_leaves_its_evidence_and_the_logs_of_checks(tmp_path: Path) -> None:
    events, folder, logs = alone(remarks()), tmp_path / "report", tmp_path / "logs"
    journal = Journal(tmp_path / "session.jsonl")
    for fact in facts(events):
        journal.append(fact)
    journal.close()
    logs.mkdir()
    for name in ("check-before.log", "check-after.log"):
        (logs / name).write_text(name)
    for _ in range(2):  # the second time in place of the first
        write_folder(
            folder,
            events,
            Guard(),
            journal=tmp_path / "session.jsonl",
            logs=logs,
            diff=None,
            evidence="# it\n",
        )
    assert (folder / "evidence.md").read_text() == "# it\n"
    assert names(folder) == {
        ".gitignore", "junit.xml", "session.jsonl", "evidence.md", "logs/check-before.log", "logs/check-after.log"
    }  # fmt: skip
    write(tmp_path, folder)
    assert names(folder) == ALL_FILES


@pytest.mark.parametrize("kind", ["link", "broken link", "pipe", "folder", "folder of logs"])
def test_what_a_command_put_in_the_place_of_a_log_is_neither_copied_nor_read(
    tmp_path: Path, kind: str
) -> None:
    (tmp_path / "secret").write_text("precious")
    journal = Journal(tmp_path / "session.jsonl")
    for fact in facts(success()):
        journal.append(fact)
    journal.close()
    logs = tmp_path / "logs"
    if kind == "folder of logs":
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "tests-after.log").write_text("precious")
        logs.symlink_to(tmp_path / "elsewhere")
    else:
        logs.mkdir()
        put(logs / "tests-after.log", kind, tmp_path / "secret")
    write_folder(tmp_path / "report", success(), Guard(), journal=journal.path, logs=logs, diff=None)
    assert names(tmp_path / "report") == {".gitignore", "junit.xml", "session.jsonl"}
    written = (tmp_path / "report" / "junit.xml").read_text(encoding="utf-8")
    assert "precious" not in written
    assert "(there is no log tests-after.log)" in written


def put(place: Path, kind: str, secret: Path) -> None:
    """What is no log, in the place of one."""
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(secret if kind == "link" else secret / "missing")


def test_the_log_of_the_coverage_and_those_of_runs_again_are_copied(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "session.jsonl")
    for fact in facts(several()):
        journal.append(fact)
    journal.close()
    logs = tmp_path / "logs"
    logs.mkdir()
    wanted = {"tests-coverage.log", "tests-again.log", "tests-again-2.log", "setup-result-2.log"}
    for name in wanted:
        (logs / name).write_text(name)
    write_folder(tmp_path / "report", several(), Guard(), journal=journal.path, logs=logs, diff=None)
    assert {path.name for path in (tmp_path / "report" / "logs").iterdir()} == wanted


KEY = "s3cr3t-of-somebody"


def test_values_are_masked_in_logs_and_another_file_with_one_is_replaced_by_a_statement(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path / "session.jsonl")
    for fact in facts(success()):
        journal.append(fact)
    journal.close()
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "tests-before.log").write_text("nothing")
    (logs / "tests-after.log").write_text(f"it is {KEY}, really: {KEY[::-1]}")
    report, diff = tmp_path / "report", f"+{KEY[:9]}\n+{KEY[9:]}".encode()
    guard = Guard([Secret("LLM_API_KEY", KEY)])
    write_folder(report, success(), guard, journal=journal.path, logs=logs, diff=diff)
    assert (report / "logs" / "tests-before.log").read_text() == "nothing"
    assert (report / "logs" / "tests-after.log").read_text() == "it is ***, really: ***"
    assert "it is ***, really" in (report / "junit.xml").read_text()
    assert (
        (report / "diff.patch")
        .read_text()
        .startswith("This file diff.patch was withheld: it held the value of LLM_API_KEY (as text).")
    )
    assert [fact.channel for fact in guard.news()] == ["file diff.patch"]
