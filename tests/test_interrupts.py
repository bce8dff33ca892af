"""When a signal stops us, and when it waits."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ci_agent.errors import Interrupted
from ci_agent.interrupts import Interrupts


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGHUP")]
)
def test_a_signal_is_an_exception_and_handlers_are_put_back(number: signal.Signals, name: str) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as caught, Interrupts():
        signal.raise_signal(number)
    assert (caught.value.signal, caught.value.name) == (number, name)
    assert signal.getsignal(number) is before


def test_a_signal_that_is_told_twice_at_once_counts_once() -> None:
    """`timeout` signals the process and then its group."""
    with Interrupts():
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)


def test_while_held_a_signal_waits_even_if_another_thread_takes_it() -> None:
    with Interrupts() as interrupts:
        interrupts.hold()
        thread = threading.Thread(target=signal.raise_signal, args=(signal.SIGTERM,))
        thread.start()
        thread.join()
        with pytest.raises(Interrupted), interrupts.released():
            raise AssertionError("the signal that waited comes first")


def test_a_stop_by_another_thread_reaches_the_main_thread_wherever_it_waits() -> None:
    with Interrupts() as interrupts:
        threading.Timer(0.05, interrupts.stop, ["dana"]).start()
        with pytest.raises(Interrupted) as caught:
            threading.Event().wait(30)
        assert (caught.value.name, caught.value.signal) == ("dana", signal.SIGTERM)


def test_a_stop_counts_once_and_only_until_signals_are_held() -> None:
    with Interrupts() as interrupts:
        with pytest.raises(Interrupted):
            interrupts.stop("dana")
        interrupts.stop("eve")  # on its way to the last word already
        interrupts.hold()
        interrupts.stop("eve")
        with interrupts.released():
            interrupts.stop("eve")
    interrupts.stop("eve")  # nobody is there any more


def test_a_signal_behind_a_stop_is_the_first_one_and_no_insisting(tmp_path: Path) -> None:
    """The CI cancels the job that is about to say its last word after a stop: long after it, and only noted."""
    code = f"""
import signal, time
from ci_agent.errors import Interrupted
from ci_agent.interrupts import Interrupts
clock = time.monotonic
with Interrupts() as interrupts:
    try:
        interrupts.stop("dana")
        signal.pause()
    except Interrupted:
        interrupts.hold()
        time.monotonic = lambda: clock() + 25
        signal.raise_signal(signal.SIGINT)
        time.monotonic = lambda: clock() + 32
        signal.raise_signal(signal.SIGTERM)
        open({str(tmp_path / "reached")!r}, "w").close()
        try:
            with interrupts.released():
                raise AssertionError("the signal that waited comes first")
        except Interrupted:
            pass
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["reached"]


def test_released_signals_count_again_and_then_are_held_again() -> None:
    with Interrupts() as interrupts:
        interrupts.hold()
        with pytest.raises(Interrupted), interrupts.released():
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


def test_what_is_ignored_stays_ignored() -> None:
    """As under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_whoever_insists_is_obeyed_on_the_spot(tmp_path: Path) -> None:
    """The clock is moved by hand in a process of its own, which the second signal ends."""
    code = f"""
import signal, time
from ci_agent.errors import Interrupted
from ci_agent.interrupts import Interrupts
clock = time.monotonic
with Interrupts():
    try:
        signal.raise_signal(signal.SIGTERM)
    except Interrupted:
        time.monotonic = lambda: clock() + 5
        signal.raise_signal(signal.SIGTERM)
        open({str(tmp_path / "not reached")!r}, "w").close()
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 143
    assert list(tmp_path.iterdir()) == []
