"""How a job talks to its CI: the log, values for later steps, summaries, annotations.

Whatever is written into the log can start no command of the runner: strangers' words end up there. It raises
nothing: what the CI's own files don't take is said in the log, because the work is done all the same.
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
from ci_agent.ci.step_files import StepFile
from ci_agent.guard import Flow, Guard
from ci_agent.unseen import LINE_ENDS, none

SUMMARY_BYTES = 1024 * 1024  # of all summaries of a step; GitHub shows none where they are longer
ANNOTATIONS = 10  # per type and step, as GitHub's runner has it
LISTED = 50  # annotations that only the log has room for
DOTENV_BYTES = 5 * 1024  # GitLab refuses a dotenv report that is not below
LONGEST_LINE = 16_384  # characters; a longer line goes on in the next one


def output(environment: Mapping[str, str], stream: TextIO, platform: str, guard: Guard) -> Output:
    """The output of a job on `platform`; `stream` is the job's log. Everything passes `guard`."""
    if platform == "github":
        return GitHubOutput(environment, stream, guard)
    return GitLabOutput(stream, guard)


# --- the log ----------------------------------------------------------------------------------------------

# What GitHub's runner takes for a command: `::name …::` at the start of a line, blanks before it allowed, and
# `##[name …]` anywhere in it (actions/runner, src/Runner.Common/ActionCommand.cs).
_COLONS = re.compile(r"^(\s*):(?=:)")
_HASHES = re.compile(r"##(?=\[)")
# What GitLab takes for the border of a section: `section_start:TIME:NAME`, CR, ESC (gitlab-org/gitlab,
# lib/gitlab/regex.rb, build_trace_section_regex).
_SECTION = re.compile(r"(section)_(?=(?:start|end):)")


class QuietLog(io.TextIOBase):
    """A text stream into a CI's log through which no line becomes a command or the border of a section.

    Lines are written whole, because half a line can't be judged: the beginning of one waits, through `flush`
    too, for its end, for `finish`, or until it is longer than `LONGEST_LINE`.
    """

    def __init__(self, stream: TextIO, guard: Guard) -> None:
        self._stream = stream
        self._flow = Flow(guard, "line of the log")
        self._encoding = stream.encoding or "utf-8"
        self._begun = ""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        """Write `text`, line by line as the lines are complete."""
        *whole, self._begun = (self._begun + text).split("\n")
        for line in whole:
            self._put(line)
        while len(self._begun) > LONGEST_LINE:
            self._put(self._begun[:LONGEST_LINE])
            self._begun = self._begun[LONGEST_LINE:]
        return len(text)

    def flush(self) -> None:
        """Let everybody see the lines that are complete."""
        self._stream.flush()

    def finish(self) -> None:
        """End the last line."""
        if self._begun:
            self.write("\n")
        self._stream.flush()

    def close(self) -> None:
        """End the last line. The stream behind stays open."""
        if not self.closed:
            self.finish()
        super().close()

    def _put(self, line: str) -> None:
        encoded = inert(self._flow.cleared(line)).encode(
            self._encoding, "replace"
        )  # a log in ASCII is no reason to fail
        self._stream.write(encoded.decode(self._encoding) + "\n")


def inert(line: str) -> str:
    """One line that no runner takes for more than text. The runner compares by a culture that looks past characters
    that can't be seen."""
    line = none(line.replace("\n", ""))
    line = _HASHES.sub("# #", line)
    line = _COLONS.sub(r"\1: ", line)
    return _SECTION.sub(r"\1 ", line)


_TITLE = "title of a section"  # channels, for the guard
_OUTPUT = "output of the job"


def _cleared(found: Annotation, guard: Guard) -> Annotation:
    """Without what it says, where that holds a secret."""
    said = guard.cleared(f"{found.file}\n{found.title}\n{found.message}", "annotation")
    return found if said.startswith(found.file + "\n") else Annotation("Withheld", said)


def _list(annotations: Sequence[Annotation], log: QuietLog) -> None:
    """Annotations as lines of the log, for want of another place."""
    log.finish()
    for found in annotations[:LISTED]:
        line = f":{found.line}" if found.line else ""
        place = f"{found.file}{line}: " if found.file else ""
        print(" ".join(f"{place}{found.title}: {found.message}".splitlines()), file=log)
    if len(annotations) > LISTED:
        print(f"… and {len(annotations) - LISTED:,} more; the JUnit report has all of them.", file=log)
    log.flush()


def _written(path: Path, text: str, log: TextIO) -> None:
    try:
        path.unlink(missing_ok=True)  # a command may have put a link in its place
        path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        print(f"{path}, a file of the CI, can't be written: {error.strerror}.", file=log, flush=True)


# --- GitHub -----------------------------------------------------------------------------------------------


class GitHubOutput:
    """GitHub Actions: workflow commands, and the files whose paths are in the environment.

    Between our own commands the runner takes none: beside the log, which lets none through anyway, there is the
    standard error of this process, and what other programs write there.
    """

    def __init__(self, environment: Mapping[str, str], stream: TextIO, guard: Guard) -> None:
        self._stream = stream
        self._guard = guard
        self._quiet = QuietLog(stream, guard)
        self.log = cast("TextIO", self._quiet)
        self._output, self._summary = (
            StepFile(name, Path(environment[name]), self.log) if environment.get(name) else None
            for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
        )
        self._annotated = 0
        self._token = secrets.token_hex(16)
        self._say(f"::stop-commands::{self._token}")

    @contextlib.contextmanager
    def section(self, name: str, title: str) -> Iterator[None]:
        del name
        self._command(_command("group", {}, self._guard.cleared(title, _TITLE)))
        try:
            yield
        finally:
            self._command(_command("endgroup", {}, ""))

    def mask(self, secret: str) -> None:
        """Line by line: that is how the runner looks at the log."""
        lines = [line for line in secret.splitlines() if line.strip()]
        if lines:
            self._command(*(_command("add-mask", {}, line) for line in lines))

    def values(self, values: Mapping[str, str]) -> None:
        parts = []
        for name, value in values.items():
            border = f"end-{secrets.token_hex(16)}"  # nobody can guess it, so no value can hold it
            parts.append(f"{name}<<{border}\n{self._guard.cleared(value, _OUTPUT)}\n{border}\n")
        if self._output:
            self._output.append("".join(parts))

    def summary(self, markdown: str) -> None:
        if self._summary:
            markdown = self._guard.cleared(markdown, "job summary")
            self._summary.append(_cut(markdown, self._summary.room(SUMMARY_BYTES) - 1) + "\n")

    def annotate(self, annotations: Sequence[Annotation]) -> None:
        """As errors. Those that GitHub would not show are in the log."""
        room = ANNOTATIONS - self._annotated
        annotations = [_cleared(found, self._guard) for found in annotations]
        shown, others = annotations[:room], annotations[room:]
        self._annotated += len(shown)
        if shown:
            self._command(*(_command("error", _place(found), found.message) for found in shown))
        _list(others, self._quiet)

    def _command(self, *commands: str) -> None:
        """Let the runner take these commands of ours, and none before and after."""
        resumed, self._token = self._token, secrets.token_hex(16)
        self._quiet.finish()
        self._say(f"::{resumed}::", *commands, f"::stop-commands::{self._token}")

    def _say(self, *lines: str) -> None:
        self._stream.write("".join(f"{line}\n" for line in lines))
        self._stream.flush()


def _command(name: str, properties: Mapping[str, str], message: str) -> str:
    """A workflow command, escaped as actions/toolkit does it (packages/core/src/command.ts)."""
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name}{' ' + given if given else ''}::{_data(message)}"


def _place(found: Annotation) -> dict[str, str]:
    named = {"file": found.file, "line": str(found.line or ""), "title": found.title}
    return {name: value for name, value in named.items() if value}


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _cut(markdown: str, room: int) -> str:
    """`markdown` in at most `room` bytes, cut at the end of a line. The mark comes first, where no table and no
    code that is cut open can hide it."""
    data = markdown.encode("utf-8", "replace")
    if len(data) <= room:
        return markdown
    mark = "*This is cut, it is too long for this page.*\n\n"
    kept = data[: max(room - len(mark), 0)].decode("utf-8", "ignore")
    return mark + kept.rpartition("\n")[0] if room > len(mark) else ""


# --- GitLab -----------------------------------------------------------------------------------------------


class GitLabOutput:
    """GitLab CI: sections in the log, and `report.env` for later jobs.

    It has no place for a summary and no masking at run time; variables are masked in the project's settings.
    Its annotations are links beside a job (artifacts:reports:annotations), not marks at lines, so that ours
    stand in the log.
    """

    DOTENV = "report.env"  # in the working directory; the template's `artifacts:reports:dotenv`

    def __init__(self, stream: TextIO, guard: Guard) -> None:
        self._stream = stream
        self._guard = guard
        self._quiet = QuietLog(stream, guard)
        self.log = cast("TextIO", self._quiet)
        self._values: dict[str, str] = {}

    @contextlib.contextmanager
    def section(self, name: str, title: str) -> Iterator[None]:
        self._border("start", name, inert(self._guard.cleared(title, _TITLE)))
        try:
            yield
        finally:
            self._border("end", name, "")

    def mask(self, secret: str) -> None:
        del secret

    def values(self, values: Mapping[str, str]) -> None:
        """GitLab's dotenv takes one line per value and no quotes; what it has no room for is left out."""
        self._values |= {
            f"CI_AGENT_{name.upper().replace('-', '_')}": self._guard.cleared(value, _OUTPUT)
            for name, value in values.items()
        }
        text = ""
        for name, value in self._values.items():
            line = f"{name}={' '.join(none(LINE_ENDS.sub(' ', value)).split())}\n"
            if len((text + line).encode("utf-8", "replace")) < DOTENV_BYTES:
                text += line
            else:
                print(f"{name} is too long for {self.DOTENV} and left out.", file=self.log, flush=True)
        _written(Path(self.DOTENV), text, self.log)

    def summary(self, markdown: str) -> None:
        del markdown

    def annotate(self, annotations: Sequence[Annotation]) -> None:
        _list(annotations, self._quiet)

    def _border(self, which: str, name: str, title: str) -> None:
        """The border of a section, as GitLab's documentation has it (Job logs, custom collapsible sections)."""
        self._quiet.finish()
        self._stream.write(f"\x1b[0Ksection_{which}:{int(time.time())}:{name}\r\x1b[0K{title}\n")
        self._stream.flush()
