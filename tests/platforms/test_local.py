"""The platform that is a folder."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ci_agent.errors import CiAgentError, UsageError
from ci_agent.platforms import Label, Permission, Platform
from ci_agent.platforms.local import Local, store
from ci_agent.task import Account
from tests.platforms.contract import CONTRACT, Rig

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Folder:
    """A folder and the hands of the person whose it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self) -> Local:
        return Local(self.folder, "widgets", user="dana")

    def write_issue(self, title: str, text: str) -> str:
        return self.open().create_issue(title, text, "dana").number

    def write_comment(self, number: str, text: str) -> None:
        comments = self.folder / "issues" / number / "comments"
        comments.mkdir(parents=True, exist_ok=True)
        name = len(list(comments.iterdir())) + 1
        (comments / f"{name}.md").write_text(f"---\nauthor: eve\n---\n\n{text}\n", "utf-8")

    def close_merge_request(self, number: str) -> None:
        file = self.folder / "merge-requests" / f"{number}.md"
        file.write_text(file.read_text("utf-8").replace("state: open", "state: closed"), "utf-8")


@pytest.fixture
def local(tmp_path: Path) -> Local:
    return Local(tmp_path / "widgets", "widgets", now=lambda: NOON, user="dana")


@pytest.mark.parametrize("part", CONTRACT, ids=lambda part: part.__name__)
def test_it_holds_the_contract_of_all_platforms(part: Callable[[Rig], None], tmp_path: Path) -> None:
    part(Folder(tmp_path / "made" / "by us"))


def test_it_is_a_platform(local: Local) -> None:
    platform: Platform = local
    assert platform.name == "local"


# --- what lies in the folder ------------------------------------------------------------------------------


def test_an_issue_is_a_file_that_a_person_would_have_written_the_same(local: Local) -> None:
    issue = local.create_issue("Blanks in names", "They give two dashes.", "dana")
    local.change_labels(issue.number, [Label("ai-task")], [])
    assert Path(issue.url).read_text("utf-8") == (
        "---\ntitle: Blanks in names\nauthor: dana\nlabels:\n- ai-task\nstate: open\nkey: 94764b47\n---\n\n"
        "They give two dashes.\n"
    )


def test_our_comment_begins_with_its_hidden_marker(local: Local) -> None:
    number = local.create_issue("T", "", "dana").number
    comment = local.ensure_comment(number, "progress", "Working on it").item
    assert Path(comment.url).read_text("utf-8") == (
        "---\nauthor: ci-agent\ncreated: 2026-01-31 12:00:00+00:00\n---\n\n"
        "<!-- ci-agent: progress -->\nWorking on it\n"
    )
    assert (comment.created, comment.text) == (NOON, "Working on it")


def test_a_merge_request_says_when_it_changed_and_is_left_alone_when_nothing_did(tmp_path: Path) -> None:
    moments = iter([NOON, NOON.replace(hour=13)])
    local = Local(tmp_path, "widgets", now=lambda: next(moments))

    def ensure(title: str) -> str:
        request = local.ensure_merge_request(
            "w", "main", title=title, text="x", draft=False, add_labels=[Label("a")], remove_labels=[]
        ).item
        return Path(request.url).read_text("utf-8").partition("updated: ")[2].partition("\n")[0]

    assert ensure("One") == ensure("One") == "2026-01-31 12:00:00+00:00"
    assert ensure("Two") == "2026-01-31 13:00:00+00:00"


def test_what_else_a_person_wrote_into_the_front_matter_stays(local: Local) -> None:
    issue = local.create_issue("T", "text", "dana")
    file = Path(issue.url)
    file.write_text(
        "---\ntitle: T\nversion: 1.10\ndue: 2026-02-01\nwho: {team: [a, b]}\n---\ntext\n", "utf-8"
    )
    local.change_labels(issue.number, [Label("a")], [])
    assert file.read_text("utf-8") == (
        "---\ntitle: T\nversion: '1.10'\ndue: '2026-02-01'\nwho:\n  team:\n  - a\n  - b\nlabels:\n- a\n---\n\ntext\n"
    )


def test_an_issue_written_by_hand_with_the_least_is_read_with_sensible_values(local: Local) -> None:
    folder = local.folder / "issues"
    folder.mkdir(parents=True)
    (folder / "7.md").write_bytes(
        b"\xef\xbb\xbf---\r\ntitle: 42\r\nlabels: a, b,a\r\n---\r\n\r\none\r\ntwo\r\n"
    )
    issue = local.issue("7")
    assert (issue.title, issue.labels, issue.author.login, issue.open) == ("42", ("a", "b"), "dana", True)
    assert issue.text == "one\r\ntwo"
    assert local.create_issue("Next", "", "dana").number == "8"


def test_a_comment_without_front_matter_is_the_users_and_as_old_as_its_file(local: Local) -> None:
    number = local.create_issue("T", "", "dana").number
    folder = local.folder / "issues" / number / "comments"
    folder.mkdir(parents=True)
    (folder / "3.md").write_text("please hurry\n", "utf-8")
    os.utime(folder / "3.md", (NOON.timestamp(), NOON.timestamp()))
    (folder / "notes.md").write_text("not a comment", "utf-8")
    (comment,) = local.comments(number)
    assert (comment.id, comment.author.login, comment.text) == ("3", "dana", "please hurry")
    assert comment.created == NOON
    assert local.ensure_comment(number, "m", "x").item.id == "4"


def test_the_number_of_an_issue_that_was_deleted_is_not_given_again(local: Local) -> None:
    issue = local.create_issue("T", "", "dana")
    local.ensure_comment(issue.number, "m", "x")
    Path(issue.url).unlink()
    assert local.create_issue("U", "", "dana").number == "2"


def test_a_times_zone_is_told(local: Local) -> None:
    number = local.create_issue("T", "", "dana").number
    folder = local.folder / "issues" / number / "comments"
    folder.mkdir(parents=True)
    (folder / "1.md").write_text("---\ncreated: 2026-01-31T14:00:00+02:00\n---\nx", "utf-8")
    (folder / "2.md").write_text("---\ncreated: 2026-01-31 12:00\n---\nx", "utf-8")
    assert [comment.created for comment in local.comments(number)] == [NOON, NOON]
    assert {str(comment.created) for comment in local.comments(number)} == {str(NOON)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"---\ntitle: a: b\n---\n", "2: in the front matter: this is not YAML"),
        (b"---\ntitle: a\ntitle: b\n---\n", "3: in the front matter: `title` stands here and in line 2"),
        (b"---\na: &x 1\nb: *x\n---\n", "2: in the front matter: anchors and aliases"),
        (b"---\n- a\n---\n", "2: in the front matter: `key: value` lines are wanted"),
        (b"---\ntitle: a\n", "1: the front matter that begins here is never closed"),
        (b"---\ntitle: {a: b}\n---\n", "2: `title` must be a single text"),
        (b"---\ntitle: a\nlabels: [[a]]\n---\n", "3: `labels` must be a list of texts"),
        (b"---\ntitle: a\nstate: opne\n---\n", "3: `state` must be open or closed"),
        (b"---\ntitle: a\n---\n\xff", "4: this is not UTF-8"),
        (
            b"---\ntitle: " + b"a" * 64_000 + b"\n---\n",
            "1: the front matter is longer than 64,000 characters",
        ),
    ],
)
def test_a_file_that_can_not_be_understood_is_named_with_the_line(
    local: Local, content: bytes, message: str
) -> None:
    file = Path(local.create_issue("T", "", "dana").url)
    file.write_bytes(content)
    with pytest.raises(UsageError, match=re.escape(f"{file}:{message}")):
        local.issue("1")


@pytest.mark.parametrize("created", ["yesterday", "0001-01-01T00:00:00+14:00", "[a]"])
def test_a_comment_with_a_time_that_is_none_is_named_with_the_line(local: Local, created: str) -> None:
    number = local.create_issue("T", "", "dana").number
    folder = local.folder / "issues" / number / "comments"
    folder.mkdir(parents=True)
    (folder / "1.md").write_text(f"---\ncreated: {created}\n---\nx", "utf-8")
    with pytest.raises(UsageError, match=re.escape("1.md:2: `created` must be a")):
        local.comments(number)


# --- people -----------------------------------------------------------------------------------------------


def test_the_folder_is_the_users_own_so_names_in_it_are_taken_at_their_word(local: Local) -> None:
    assert local.permission(Account("dana")) is Permission.ADMIN
    assert local.permission(Account("Eve <eve@example.org>")) is Permission.WRITE
    assert local.permission(Account("ci-agent")) is Permission.NONE


def test_an_issue_without_a_title_is_refused(local: Local) -> None:
    with pytest.raises(UsageError, match="needs a title"):
        local.create_issue(" \n", "text", "dana")
    assert not (local.folder / "issues").exists()


# --- issues from files ------------------------------------------------------------------------------------


def imported(local: Local, file: Path, content: str | bytes) -> tuple[str, str, str, bool]:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    written = local.import_issue(file)
    return written.item.number, written.item.title, written.item.text, written.created


def test_the_same_file_again_is_the_same_issue_with_its_text_of_now(local: Local, tmp_path: Path) -> None:
    file = tmp_path / "bug.md"
    assert imported(local, file, "# One\n\ntext\n") == ("1", "One", "text", True)
    local.change_labels("1", [Label("kept")], [])
    assert imported(local, tmp_path / "other.md", "# Other\n") == ("2", "Other", "", True)
    assert imported(local, file, "# Two\n\nmore\n") == ("1", "Two", "more", False)
    assert local.issue("1").labels == ("kept",)
    assert Local(local.folder, "widgets").import_issue(tmp_path / "x" / ".." / "bug.md").item.number == "1"


def test_front_matter_of_the_file_is_taken_over(local: Local, tmp_path: Path) -> None:
    front = "---\ntitle: '  One\n\n  line '\nauthor: eve\nlabels: [bug, ai-task]\nstate: closed\nabout: x\n---\n# H\n"
    imported(local, tmp_path / "bug.md", front)
    issue = local.issue("1")
    assert (issue.title, issue.text, issue.author.login) == ("One line", "# H", "eve")
    assert (issue.labels, issue.open) == (("bug", "ai-task"), False)


@pytest.mark.parametrize(
    ("content", "title", "text"),
    [
        ("\n\n## A heading ##\n\ntext", "A heading", "text"),
        ("first line\nsecond line\n", "first line", "first line\nsecond line"),
        ("#no heading\n", "#no heading", "#no heading"),
        ("w" * 150, "w" * 99 + "…", "w" * 150),
        ("# C# is hard #\r\n\r\ntext\r\n", "C# is hard", "text"),
        ("---\nlabels: [a]\n---\n# H\ntext", "H", "text"),
    ],
)
def test_a_file_without_a_title_gets_one_from_its_first_line(
    local: Local, tmp_path: Path, content: str, title: str, text: str
) -> None:
    assert imported(local, tmp_path / "bug.md", content) == ("1", title, text, True)


def test_a_file_of_the_folder_is_the_issue_it_is(local: Local) -> None:
    issue = local.create_issue("T", "text", "dana")
    written = local.import_issue(Path(issue.url))
    assert (written.item, written.created) == (issue, False)
    with pytest.raises(UsageError, match="no issue '9'"):
        local.import_issue(local.folder / "issues" / "9.md")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b" \n\n", "says nothing"),
        (b"---\nlabels: []\n---\n", "says nothing"),
        (b"a" * 1_048_577, "is longer than 1,048,576 bytes"),
        (b"caf\xe9", "bug.md:1: this is not UTF-8"),
    ],
)
def test_a_file_that_is_no_issue_is_refused_and_leaves_nothing(
    local: Local, tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        imported(local, tmp_path / "bug.md", content)
    assert not local.folder.exists()


def test_a_file_that_is_not_there_or_is_a_folder_is_refused(local: Local, tmp_path: Path) -> None:
    for file in (tmp_path / "none.md", tmp_path):
        with pytest.raises(UsageError, match="can't be read"):
            local.import_issue(file)


# --- the thread -------------------------------------------------------------------------------------------


def test_the_thread_is_the_issue_and_its_comments_without_markers_or_control_characters(local: Local) -> None:
    issue = local.create_issue("Blanks", "red \x1b[31mtext\r\n👩‍🚀\tü", "dana")
    local.change_labels(issue.number, [Label("ai-task")], [])
    local.ensure_comment(issue.number, "progress", "Working on it")
    assert local.thread(issue.number) == (
        f"#1 Blanks\nopen · by dana · ai-task\n{issue.url}\n\nred [31mtext\n👩‍🚀\tü\n\n"
        "--- ci-agent, 2026-01-31 12:00 UTC\n\nWorking on it\n"
    )


# --- several processes, and a disk that refuses -----------------------------------------------------------

WORK = """
import sys
from pathlib import Path
from ci_agent.platforms import Label
from ci_agent.platforms.local import Local
local = Local(Path(sys.argv[1]), "widgets", user="dana")
sys.stdin.readline()  # all begin at once
for count in range(8):
    print(local.create_issue(f"{sys.argv[2]}-{count}", "", "dana").number)
    local.ensure_comment("1", f"of {sys.argv[2]}", f"{count}")
    local.ensure_comment("1", "shared", f"{sys.argv[2]}-{count}")
    local.change_labels("1", [Label(f"{sys.argv[2]}-{count}")], [])
    local.ensure_merge_request("w", "main", title=sys.argv[2], text="", draft=False, add_labels=[], remove_labels=[])
"""


def test_several_processes_never_get_the_same_number_nor_undo_each_others_work(local: Local) -> None:
    local.create_issue("First", "", "dana")
    names = ["a", "b", "c", "d"]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORK, str(local.folder), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    printed = [worker.communicate(timeout=60)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4
    numbers = [int(word) for output in printed for word in output.split()]
    assert sorted(numbers) == list(range(2, 34))
    assert {local.issue(str(number)).title for number in numbers} == {
        f"{name}-{count}" for name in names for count in range(8)
    }
    assert sorted(local.issue("1").labels) == sorted(
        f"{name}-{count}" for name in names for count in range(8)
    )
    texts = [comment.text for comment in local.comments("1")]
    assert len(texts) == 5
    assert texts.count("7") == 4
    assert store.numbers(local.folder / "merge-requests") == [1]


def test_a_lock_that_nobody_gives_back_ends_in_an_error_for_people(tmp_path: Path) -> None:
    with (
        store.writing(tmp_path),
        pytest.raises(CiAgentError, match="another process has been writing"),
        store.writing(tmp_path, patience=0.02),
    ):
        pytest.fail("two writers at once")


CLAIM = """
import sys
from pathlib import Path
from ci_agent.platforms.local import Local
with Local(Path(sys.argv[1]), "widgets", user="dana").claim("1"):
    print("claimed", flush=True)
    sys.stdin.readline()
"""


@contextlib.contextmanager
def claiming(local: Local) -> Iterator[subprocess.Popen[str]]:
    """Another process that works on issue 1."""
    command = [sys.executable, "-c", CLAIM, str(local.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "claimed\n"
        yield other
        other.kill()


def test_an_issue_that_another_process_works_on_is_refused_and_others_are_not(local: Local) -> None:
    local.create_issue("First", "", "dana")
    local.create_issue("Second", "", "dana")
    with claiming(local) as other:
        wanted = rf"another ci-agent works on issue 1 right now \(process {other.pid}\); wait"
        with pytest.raises(UsageError, match=wanted), local.claim("1"):
            pytest.fail("two at once")
        with local.claim("2"):
            local.ensure_comment("1", "m", "said meanwhile")  # the others may write all the same
        other.communicate("\n", timeout=30)
    assert other.returncode == 0
    with local.claim("1"), pytest.raises(UsageError, match=f"process {os.getpid()}"), local.claim("1"):
        pytest.fail("two at once")


def test_a_process_that_was_killed_holds_no_issue_nor_do_its_children(local: Local) -> None:
    local.create_issue("First", "", "dana")
    with claiming(local) as other:
        other.kill()
        other.wait(timeout=30)
        with local.claim("1"):
            command = [sys.executable, "-c", "print(flush=True); input()"]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False)
        with child, local.claim("1"):
            assert child.stdout is not None
            assert child.stdout.readline() == b"\n"
            assert child.poll() is None
            child.communicate(b"\n", timeout=30)


def test_an_issue_that_is_not_there_can_not_be_claimed(local: Local) -> None:
    for number in ("1", "../1"):
        with pytest.raises(UsageError, match="has no issue"), local.claim(number):
            pytest.fail("claimed")
    assert local.create_issue("First", "", "dana").number == "1"


def test_a_claim_leaves_no_trace_in_the_numbers(local: Local) -> None:
    issue = local.create_issue("First", "", "dana")
    with local.claim("1"):
        assert list(local.comments("1")) == []
        assert local.create_issue("Second", "", "dana").number == "2"
    assert local.issue("1") == issue


def test_comments_of_runs_that_are_gone_are_closed_and_no_others(local: Local) -> None:
    number = local.create_issue("First", "", "dana").number
    gone = local.ensure_comment(
        number, "progress s1", "**Working on it** · coding\n\n- [ ] The change\n"
    ).item
    local.ensure_comment(number, "progress s2", "**Done: branch `x`**\n")
    local.ensure_comment(number, "progress s3", "**Working on it** · coding\n")
    hers = local.folder / "issues" / number / "comments" / "4.md"
    hers.write_text("---\nauthor: eve\n---\n\n<!-- ci-agent: progress s9 -->\n**Working on it**\n", "utf-8")
    before = [comment.text for comment in local.comments(number)]
    edited = local.close_stale(
        number, beginning="**Working on it**", text="**Stopped.**\n", keep="progress s3"
    )
    assert [(comment.id, comment.text, comment.ours) for comment in edited] == [("1", "**Stopped.**\n", True)]
    assert [comment.text for comment in local.comments(number)] == ["**Stopped.**\n", *before[1:]]
    assert local.comments(number)[0].created == gone.created
    assert local.close_stale(number, beginning="**Working on it**", text="x", keep="progress s3") == ()
    # It is still the comment of its own session.
    assert not local.ensure_comment(number, "progress s1", "**Working on it** again").created


def test_a_folder_that_can_not_be_made_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CiAgentError, match=r"Not a directory.*--state-dir"):
        Local(tmp_path / "file" / "below", "widgets").create_issue("T", "", "dana")


def test_a_disk_that_is_full_leaves_the_file_as_it_was(local: Local) -> None:
    issue = local.create_issue("T", "as it was", "dana")
    draft = Path(issue.url).with_name(".1.md.draft")
    draft.symlink_to("/dev/full")
    with pytest.raises(CiAgentError, match="No space left"):
        local.change_labels(issue.number, [Label("a")], [])
    assert local.issue("1") == issue
    assert not draft.is_symlink()


def test_an_issue_that_got_the_number_of_a_lost_one_has_another_name_in_commits(tmp_path: Path) -> None:
    names = [
        Local(tmp_path / folder, "/repo").create_issue(title, "", "dana").reference
        for folder, title in (("1", "One"), ("2", "Two"), ("3", "One"))
    ]
    assert names[0] == names[2] != names[1]
    assert all(name.startswith("local issue 1 (") for name in names)
