"""The inbox of an issue: who has a word has it alone, and what strangers write there is nobody's word."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent import signing
from ci_agent.errors import CiAgentError
from ci_agent.job import inbox as inboxes
from ci_agent.job.inbox import SHELF, Inbox, Wish, Word, files_of, word, words_in
from ci_agent.task import Account, Thread
from ci_agent.triggers import Command, Kind, Trigger, Verb
from ci_agent.workspace import Login, Store, store_at
from tests.support.git_server import GitServer, Loss, git_server
from tests.support.repositories import make_repository

KEY = b"k" * 32
PLACE = "https://forge.example/acme/widget.git"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def said(number: int, text: str = "More tests, please.", job: str = "9", wish: Wish = Wish.SAID) -> Word:
    """What dana says in a comment."""
    actor = Account("dana", "7")
    trigger = Trigger(Kind.COMMAND, Thread("1"), actor, NOW, Command(Verb.RETRY, text), str(number))
    return word(f"reply {number}", wish, trigger, job)


@dataclass
class Post:
    git_dir: Path
    log: io.StringIO = field(default_factory=io.StringIO)
    seconds: float = 0.0

    def inbox(self, key: bytes = KEY, issue: str = "1", repository: str = PLACE) -> Inbox:
        """As each job opens it for itself."""
        store = Store(self.git_dir, None, SHELF)
        return Inbox(store, repository, issue, key, self.log, self.pause, lambda: self.seconds)

    def pause(self, seconds: float) -> None:
        self.seconds += seconds

    def refs(self) -> str:
        return subprocess.check_output(["git", "--git-dir", self.git_dir, "for-each-ref"], text=True)

    def put(self, files: Mapping[str, bytes], name: str = "1") -> None:
        """As anybody may who may push."""
        Store(self.git_dir, None, SHELF).write(name, files, None, "")


@pytest.fixture
def post(tmp_path: Path) -> Post:
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "widget.git"], check=True)
    return Post(tmp_path / "widget.git")


def test_words_are_read_in_their_order_and_stay_until_they_are_taken(post: Post) -> None:
    assert post.inbox().add(said(1))
    assert post.inbox().add(said(2, wish=Wish.STOP))
    assert post.inbox().look() == post.inbox().look() == (said(1), said(2, wish=Wish.STOP))
    assert post.inbox().take(["reply 2"]) == (said(2, wish=Wish.STOP),)
    assert post.inbox().take() == (said(1),)
    assert post.inbox().look() == post.inbox().take() == ()


def test_an_inbox_that_was_emptied_leaves_no_ref(post: Post) -> None:
    post.inbox().add(said(1))
    assert SHELF.refs in post.refs()
    post.inbox().take()
    assert post.refs() == ""


def test_a_job_that_is_run_again_says_the_same_once(post: Post) -> None:
    assert post.inbox().add(said(1))
    assert post.inbox().add(said(1))
    assert post.inbox().take() == (said(1),)


def test_of_two_who_take_the_same_word_one_has_it(post: Post) -> None:
    """Both have read it when the first one takes it."""
    post.inbox().add(said(1))
    one, other = post.inbox(), post.inbox()
    assert one.look() == other.look() == (said(1),)
    assert (one.take(["reply 1"]), other.take(["reply 1"])) == ((said(1),), ())


def test_there_is_an_end_to_what_a_session_is_told(post: Post) -> None:
    for number in range(inboxes.WORDS):
        assert post.inbox().add(said(number))
    assert not post.inbox().add(said(99))
    assert post.inbox().add(said(3))  # is there
    assert len(post.inbox().look()) == inboxes.WORDS


def test_the_longest_words_have_room(post: Post) -> None:
    for number in range(inboxes.WORDS):
        assert post.inbox().add(said(number, "\N{GRINNING FACE}" * 20_500))
    assert len(post.inbox().look()) == inboxes.WORDS


def test_half_a_surrogate_pair_is_no_reason_to_fail(post: Post) -> None:
    assert post.inbox().add(said(1, "a \ud83d b"))
    assert [one.text for one in post.inbox().look()] == ["a ? b"]


@pytest.mark.parametrize(
    ("key", "issue", "repository"),
    [
        (b"another key of thirty-two bytes!", "1", PLACE),
        (KEY, "2", PLACE),
        (KEY, "1", "https://forge.example/acme/other.git"),
    ],
)
def test_what_was_signed_for_something_else_is_nobodys_word(
    post: Post, key: bytes, issue: str, repository: str
) -> None:
    post.put(files_of((said(1, wish=Wish.STOP),), repository, issue, key))
    assert post.inbox().look() == ()
    assert post.log.getvalue().count("The inbox of issue 1 is taken to be empty: it is") == 1


def test_an_inbox_that_somebody_broke_can_be_used_again(post: Post) -> None:
    post.put({"inbox.json": b"{}", "else": b""})
    assert post.inbox().add(said(1))
    assert post.inbox().look() == (said(1),)


@given(content=st.binary(max_size=300), signature=st.binary(max_size=80), true=st.booleans())
def test_whatever_bytes_are_there_none_of_them_is_believed(
    content: bytes, signature: bytes, true: bool
) -> None:
    if true:  # the key is known, say, from somewhere else
        signature = signing._signature(content, KEY, inboxes.PURPOSE)
    with pytest.raises((signing.UnsignedError, signing.MalformedError)):
        words_in({inboxes.DOCUMENT: content, inboxes.SIGNATURE: signature}, PLACE, "1", KEY)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    change=st.dictionaries(
        st.sampled_from(["id", "wish", "login", "text", "job", "at", "trigger", "x"]), _JSON
    )
)
def test_a_signed_word_of_another_shape_is_a_word_or_none(change: dict[str, object]) -> None:
    one = {**msgspec.to_builtins(said(1)), **change}
    content = msgspec.json.encode({"repository": PLACE, "issue": "1", "words": [one]})
    signature = signing._signature(content, KEY, inboxes.PURPOSE)
    try:
        [read] = words_in({inboxes.DOCUMENT: content, inboxes.SIGNATURE: signature}, PLACE, "1", KEY)
    except signing.MalformedError:
        return
    assert msgspec.to_builtins(read).keys() == msgspec.to_builtins(said(1)).keys()


def test_a_document_that_is_too_long_is_not_read() -> None:
    with pytest.raises(signing.MalformedError, match="too long"):
        words_in({inboxes.DOCUMENT: b" " * (inboxes.BYTES + 1)}, PLACE, "1", KEY)


# --- at a platform ------------------------------------------------------------------------------------------


@contextmanager
def platform(folder: Path) -> Iterator[GitServer]:
    source = make_repository(folder / "source", {"a": "a\n"})
    source.git("clone", "--quiet", "--bare", str(source.path), str(folder / "git" / "acme" / "widget.git"))
    with git_server(folder / "git") as server:
        yield server


def remote_inbox(server: GitServer, folder: Path) -> Inbox:
    login = Login(server.url("acme/widget.git"), server.user, server.password)
    store = store_at(login.remote(), folder, SHELF)
    return Inbox(store, PLACE, "1", KEY, io.StringIO(), pause=lambda _: None)


def test_a_word_whose_answer_was_lost_was_added_once_and_is_taken_once(tmp_path: Path) -> None:
    with platform(tmp_path) as server:
        one, other = (remote_inbox(server, tmp_path / name) for name in ("one", "other"))
        server.losses.append(Loss(r"git-receive-pack$", after=True))
        assert one.add(said(1))
        server.losses.append(Loss(r"git-receive-pack$", after=True))
        assert other.take() == (said(1),)
        assert one.take() == ()


def test_a_platform_that_takes_no_such_refs_says_so(tmp_path: Path) -> None:
    with platform(tmp_path) as server:
        hook = server.root / "acme/widget.git/hooks/pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
        with pytest.raises(CiAgentError, match="takes no messages"):
            remote_inbox(server, tmp_path / "one").add(said(1))
