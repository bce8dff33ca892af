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
