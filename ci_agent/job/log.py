"""The job of `ci-agent log`: a journal on the terminal, through a pager, or as plain lines."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ci_agent.errors import CiAgentError, UsageError
from ci_agent.job.assembly import give_up_output
from ci_agent.job.recorded import find_journal, recorded
from ci_agent.reporting.laid_out import MARGIN, Line
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.trajectory import header, steps

if TYPE_CHECKING:
    from rich.console import Console

_PAGER = "less -R"
_LESS = "FRX"  # as git has it: what fits on the screen stays there, colours are passed on


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked for on the command line."""

    journal: Path  # or a folder with one in it
    steps: range | None = None  # only these; None: all
    full: bool = False  # no text is cut
    plain: bool = False  # no pager, no colours


def show(request: Request) -> None:
    """Show the journal. Raises `CiAgentError` where it can't be read, or has no such steps."""
    path = find_journal(request.journal)
    summary = Summary.of(recorded(path))
    if summary.last_at is None:
        raise UsageError(f"{path} is empty: no event was written to its end")
    if request.steps and request.steps.start > summary.step:
        raise UsageError(f"there is no step {request.steps.start} in {path}, the last is {summary.step}")
    told = steps(recorded(path), request.steps, full=request.full)
    lines = told if request.steps else chain(header(summary), told)
    try:
        if request.plain or sys.stdout is None or not sys.stdout.isatty():
            _print(lines)
        else:
            _page(lines)
    except BrokenPipeError:  # nobody reads on
        give_up_output()
    except OSError as error:
        give_up_output()
        raise CiAgentError(f"the journal can't be shown: {error.strerror}") from error


def _print(lines: Iterable[Line]) -> None:
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding or "utf-8"  # a terminal may not know every character
    for line in lines:
        text = f"{line.margin}{line.text}".rstrip()
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()


def _page(lines: Iterable[Line]) -> None:
    """Through the person's pager while the journal is read; without one, right onto the terminal."""
    pager = os.environ.get("PAGER", "").strip() or (_PAGER if shutil.which("less") else "")
    if not pager:
        _draw(lines, sys.stdout)
        return
    environment = {"LESS": _LESS} | os.environ
    with subprocess.Popen(["sh", "-c", pager], stdin=subprocess.PIPE, text=True, env=environment) as process:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pager's
        try:
            if process.stdin:
                with suppress(BrokenPipeError), process.stdin:
                    _draw(lines, process.stdin)
            process.wait()
        finally:
            signal.signal(signal.SIGINT, before)


def _draw(lines: Iterable[Line], stream: IO[str]) -> None:
    from rich.console import Console

    console = Console(file=stream, force_terminal=True, width=shutil.get_terminal_size().columns)
    for line in lines:
        _draw_line(console, line)


def _draw_line(console: Console, line: Line) -> None:
    from rich.cells import cell_len
    from rich.text import Text

    encoding = console.encoding
    text = Text(line.text.encode(encoding, "replace").decode(encoding), style=line.style)
    margin = line.margin.encode(encoding, "replace").decode(encoding)
    for part in text.wrap(console, max(10, console.width - cell_len(margin)), overflow="fold") or [text]:
        console.print(Text.assemble((margin, "dim"), part), soft_wrap=True, highlight=False)
        margin = "".join(sign if sign == MARGIN.strip() else " " for sign in margin)
