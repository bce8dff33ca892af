"""How a job talks to its CI: the log, values for later steps, summaries, annotations.

Whatever is written into the log can start no command of the runner: strangers' words end up there.
"""

from __future__ import annotations

import contextlib
import io
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO, cast

from ci_agent.ci import Annotation, Output

SUMMARY_BYTES = 1_000_000  # GitHub takes 1 MiB per step
ANNOTATIONS = 10  # per type and step, as GitHub's runner has it

# What GitHub's runner takes for a command: `::name …::` at the start of a line, blanks before it allowed, and
# `##[name …]` anywhere in it (actions/runner, src/Runner.Common/ActionCommand.cs).
_COLONS = re.compile(r"^(\s*):(?=:)", re.MULTILINE)
_HASHES = re.compile(r"##(?=\[)")
# What GitLab takes for the border of a section: `section_start:TIME:NAME`, CR, ESC.
_SECTION = re.compile(r"(section)_(?=(?:start|end):)")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def output(environment: Mapping[str, str], stream: TextIO, platform: str) -> Output:
    """The output of a job on `platform`; `stream` is the job's log."""
    if platform == "github":
        return GitHubOutput(environment, stream)
    return GitLabOutput(stream)


class QuietLog(io.TextIOBase):
    """A text stream into a CI's log through which no line becomes a command or the border of a section.

    Lines are written whole; what is left at `flush` is written as far as it goes and can't become a command
    with what follows, because the rest begins a line of its own for the check.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._line = ""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        """Write `text`, line by line as the lines are complete."""
        *whole, self._line = (self._line + text).split("\n")
        for line in whole:
            self._stream.write(inert(line) + "\n")
        return len(text)

    def flush(self) -> None:
        """Let everybody see what was written; a line that is not complete waits."""
        self._stream.flush()

    def finish(self) -> None:
        """End the last line."""
        if self._line:
            self.write("\n")
        self._stream.flush()


def inert(line: str) -> str:
    """One line that no runner takes for more than text."""
    line = _UNSEEN.sub("", line)
    line = _HASHES.sub("# #", line)
    line = _COLONS.sub(r"\1: ", line)
    return _SECTION.sub(r"\1 ", line)


class GitHubOutput:
    """GitHub Actions: workflow commands, and the files whose paths are in the environment."""

    def __init__(self, environment: Mapping[str, str], stream: TextIO) -> None:
        self._stream = stream
        self._quiet = QuietLog(stream)
        self.log = cast("TextIO", self._quiet)
        self._output = environment.get("GITHUB_OUTPUT", "")
        self._summary = environment.get("GITHUB_STEP_SUMMARY", "")

    @contextlib.contextmanager
    def section(self, name: str, title: str) -> Iterator[None]:
        del name
        self._command("group", {}, title)
        try:
            yield
        finally:
            self._command("endgroup", {}, "")

    def mask(self, secret: str) -> None:
        for line in secret.splitlines():
            if line.strip():
                self._command("add-mask", {}, line)

    def values(self, values: Mapping[str, str]) -> None:
        parts = []
        for name, value in values.items():
            border = f"end-{secrets.token_hex(16)}"  # nobody can guess it, so no value can hold it
            parts.append(f"{name}<<{border}\n{value}\n{border}\n")
        _append(self._output, "".join(parts))

    def summary(self, markdown: str) -> None:
        data = markdown.encode("utf-8", "replace")
        if len(data) > SUMMARY_BYTES:
            kept = data[:SUMMARY_BYTES].decode("utf-8", "ignore").rpartition("\n")[0]
            markdown = f"{kept}\n\n*Cut here: it was too long for this page.*\n"
        _append(self._summary, markdown + "\n")

    def annotate(self, annotations: Sequence[Annotation]) -> None:
        for found in annotations[:ANNOTATIONS]:
            where = {"file": found.file, "line": str(found.line) if found.line else "", "title": found.title}
            self._command("error", {name: value for name, value in where.items() if value}, found.message)

    def _command(self, name: str, properties: Mapping[str, str], message: str) -> None:
        """A workflow command of ours, escaped as actions/toolkit does it (packages/core/src/command.ts)."""
        self._quiet.finish()
        given = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
        self._stream.write(f"::{name}{' ' + given if given else ''}::{_data(message)}\n")
        self._stream.flush()


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _append(path: str, text: str) -> None:
    if path:
        with Path(path).open("a", encoding="utf-8", errors="replace") as file:
            file.write(text)


class GitLabOutput:
    """GitLab CI: sections in the log, and `report.env` for later jobs.

    It has no place for a summary and no masking at run time; variables are masked in the project's settings.
    """

    DOTENV = "report.env"  # in the working directory; the template's `artifacts:reports:dotenv`

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._quiet = QuietLog(stream)
        self.log = cast("TextIO", self._quiet)

    @contextlib.contextmanager
    def section(self, name: str, title: str) -> Iterator[None]:
        self._quiet.finish()
        self._stream.write(f"\x1b[0Ksection_start:{int(time.time())}:{name}\r\x1b[0K{inert(title)}\n")
        self._stream.flush()
        try:
            yield
        finally:
            self._quiet.finish()
            self._stream.write(f"\x1b[0Ksection_end:{int(time.time())}:{name}\r\x1b[0K\n")
            self._stream.flush()

    def mask(self, secret: str) -> None:
        del secret

    def values(self, values: Mapping[str, str]) -> None:
        """GitLab's dotenv takes one line per value, without quotes and line breaks."""
        lines = [
            f"CI_AGENT_{name.upper().replace('-', '_')}={' '.join(_UNSEEN.sub(' ', value).split())}\n"
            for name, value in values.items()
        ]
        _append(self.DOTENV, "".join(lines))

    def summary(self, markdown: str) -> None:
        del markdown

    def annotate(self, annotations: Sequence[Annotation]) -> None:
        """There are no annotations by line; they stand in the log."""
        for found in annotations:
            place = f"{found.file}:{found.line}: " if found.file else ""
            print(f"{place}{found.title}: {found.message}", file=self.log, flush=True)
