"""A job that listens while its session works: what it hears, and what it does where the platform is out of order."""

from __future__ import annotations

import io
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ci_agent.errors import CiAgentError, Interrupted
from ci_agent.interrupts import Interrupts
from ci_agent.job.inbox import SHELF, Inbox, Wish, Word
from ci_agent.job.listening import Listening
from ci_agent.journal import Event
from ci_agent.journal.events import InputTaken
from ci_agent.session import Said
from ci_agent.workspace import Login, store_at
from ci_agent.workspace.remote import hasty
from tests.job.conftest import until
from tests.job.test_inbox import KEY, PLACE, Post, post, said

__all__ = ["post"]

SOON = 0.02  # seconds between two looks


def ears(opens: Callable[[], Inbox], interrupts: Interrupts, **more: object) -> Listening:
    given: dict[str, object] = {"known": (), "took": lambda _: None, "log": io.StringIO(), "every": SOON}
    return Listening(opens, "9", interrupts=interrupts, **given | more)  # type: ignore[arg-type]


def test_what_is_said_waits_for_the_session_and_comes_once(post: Post) -> None:
    post.inbox().add(said(1))
    with Interrupts() as interrupts, ears(post.inbox, interrupts) as listening:
        until(listening.waits)
        assert listening.take() == [Said("reply 1", "dana", "More tests, please.")]
        post.inbox().add(said(2, "And docs."))
        until(listening.waits)
        assert listening.take() == [Said("reply 2", "dana", "And docs.")]
        assert not listening.waits()
    assert [one.id for one in post.inbox().look()] == ["reply 1", "reply 2"]  # until the job has ended


def test_what_the_session_knows_already_is_not_said_again(post: Post) -> None:
    post.inbox().add(said(1))
    post.inbox().add(said(2))
    with Interrupts() as interrupts, ears(post.inbox, interrupts, known=["reply 1"]) as listening:
        until(listening.waits)
        assert [one.id for one in listening.take()] == ["reply 2"]


def test_a_stop_comes_as_a_signal_with_a_name_and_whoever_asked_sees_that_it_was_heard(post: Post) -> None:
    post.inbox().add(said(1, wish=Wish.STOP))
    with Interrupts() as interrupts, ears(post.inbox, interrupts):
        with pytest.raises(Interrupted) as caught:
            until(lambda: False)
        interrupts.hold()
        until(lambda: not post.inbox().look())
    assert (caught.value.name, caught.value.signal) == ("dana (`/agent stop`)", signal.SIGTERM)


def test_a_stop_for_another_job_stops_nobody(post: Post) -> None:
    post.inbox().add(said(1, wish=Wish.STOP, job="8"))
    post.inbox().add(said(2))
    with Interrupts() as interrupts, ears(post.inbox, interrupts) as listening:
        until(listening.waits)
    assert [one.id for one in post.inbox().look()] == ["reply 1", "reply 2"]


def test_whoever_said_something_is_told_when_the_model_has_it(post: Post) -> None:
    post.inbox().add(said(1))
    told: list[Word] = []
    with Interrupts() as interrupts, ears(post.inbox, interrupts, took=told.append) as listening:
        until(listening.waits)
        for name in ("reply 1", "reply 7"):
            listening.observe(Event(1, datetime.now(UTC), InputTaken(name, "dana", "More tests, please.")))
    assert told == [said(1)]


def test_a_platform_that_is_down_for_a_while_is_heard_later_and_the_log_says_so_once(post: Post) -> None:
    post.inbox().add(said(1))
    log, calls = io.StringIO(), list[int]()

    def opens() -> Inbox:
        calls.append(1)
        if len(calls) < 4:
            raise CiAgentError("the platform answered 503")
        return post.inbox()

    with Interrupts() as interrupts, ears(opens, interrupts, log=log) as listening:
        until(listening.waits)
    assert (
        log.getvalue() == "Nobody is heard until the platform can be asked again: the platform answered 503\n"
    )


@contextmanager
def mute() -> Iterator[str]:
    """The address of a server that takes every connection, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/acme/widget.git"


def test_a_platform_that_never_answers_holds_up_nothing_and_is_given_up(tmp_path: Path) -> None:
    """The thread is in the middle of a request when the session ends."""
    failed = threading.Event()
    with mute() as url:
        remote = hasty(Login(url, "u", "p").remote(), 1)

        def opens() -> Inbox:
            try:
                return Inbox(store_at(remote, tmp_path / "inbox.git", SHELF), PLACE, "1", KEY, io.StringIO())
            except CiAgentError:
                failed.set()
                raise

        with Interrupts() as interrupts, ears(opens, interrupts):
            began = time.monotonic()
        assert time.monotonic() - began < 4
        assert failed.wait(20)
