"""Files by which a step tells the CI something: GitHub's environment files, GitLab's GITLAB_ENV.

What stands in them becomes variables, paths and outputs of what runs after us, so that nobody but us may write there.
A command that found one all the same changes nothing: what others wrote is taken out again, and the log says so.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

NOT_OURS = ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE", "GITLAB_ENV")  # we never write there


class StepFile:
    """One of them, as it was when this was made and with what is appended here."""

    def __init__(self, name: str, path: Path, log: TextIO) -> None:
        self._name = name
        self._path = path
        self._log = log
        self._content = path.read_bytes() if path.is_file() else b""

    def append(self, text: str) -> None:
        """Write `text` behind what is there of us. What can't be written is said in the log."""
        self.restore()
        self._content += text.encode("utf-8", "replace")
        self._write()

    def restore(self) -> None:
        """Take out what others wrote."""
        if self._untouched():
            return
        print(
            f"Something else than ci-agent wrote into {self._name}, by which the rest of the job is steered. It was "
            "taken out.",
            file=self._log,
            flush=True,
        )
        self._write()

    def room(self, most: int) -> int:
        """How many more bytes there may be."""
        return most - len(self._content)

    def _untouched(self) -> bool:
        if not os.path.lexists(self._path):
            return not self._content
        with contextlib.suppress(OSError), self._opened(os.O_RDONLY) as file:
            same_size = os.fstat(file).st_size == len(self._content)
            return same_size and os.read(file, len(self._content) + 1) == self._content
        return False

    def _write(self) -> None:
        try:
            with (
                self._opened(os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as file,
                open(file, "wb", closefd=False) as writing,
            ):
                writing.write(self._content)
        except OSError as error:
            print(
                f"{self._path}, a file of the CI, can't be written: {error.strerror}.",
                file=self._log,
                flush=True,
            )

    @contextlib.contextmanager
    def _opened(self, how: int) -> Iterator[int]:
        """Never a link that somebody put in its place, and no pipe to wait for."""
        file = os.open(self._path, how | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
        try:
            yield file
        finally:
            os.close(file)


@contextlib.contextmanager
def unsteered(environment: Mapping[str, str], log: TextIO) -> Iterator[None]:
    """Whatever happens meanwhile, the files that we never write to are at the end as they were."""
    files = [StepFile(name, Path(environment[name]), log) for name in NOT_OURS if environment.get(name)]
    try:
        yield
    finally:
        for file in files:
            file.restore()
