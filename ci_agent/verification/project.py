"""What there is to see of a project: names of files and their beginnings. Of its code it runs nothing; the only
things it starts are interpreters, to ask what they can find.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ci_agent.sandbox import Command, Sandbox

MOST_FILES = 20_000  # looked at, the nearest to the root first
MOST_READ = 400  # test files opened
LONGEST_READ = 200_000  # bytes of one file
PROBE_SECONDS = 30.0
LEFT_OUT = frozenset(
    {"node_modules", "vendor", "venv", "env", "site-packages", "third_party", "target", "build", "dist"}
)  # and every folder whose name begins with a dot


@dataclass(frozen=True)
class Project:
    """A project in the folder `root`; everything is looked up when asked for and then remembered."""

    root: Path
    sandbox: Sandbox
    without: tuple[str, ...] = ()  # folders, ending in `/`, whose files are not listed
    _texts: dict[str, str] = field(default_factory=dict)
    _answers: dict[tuple[str, ...], tuple[int | None, str]] = field(default_factory=dict)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Paths relative to the root, the nearest first."""
        found = (path for path, _ in zip(_walk(self.root), range(MOST_FILES), strict=False))
        return tuple(path for path in found if not path.startswith(self.without))

    def has(self, path: str) -> bool:
        """Whether there is such a file, followed links included; hidden and left out folders too."""
        return (self.root / path).is_file()

    def matching(self, pattern: str) -> Iterator[str]:
        """The files whose whole path is like `pattern`."""
        return (path for path in self.files if re.fullmatch(pattern, path))

    def text(self, path: str) -> str:
        """The beginning of a file; nothing where it can't be read."""
        if path not in self._texts:
            self._texts[path] = _beginning(self.root / path)
        return self._texts[path]

    def json(self, path: str) -> dict[str, Any]:
        """The object in a JSON file; an empty one where there is none."""
        try:
            value = json.loads(self.text(path))
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def first(self, pattern: str, holds: str) -> str:
        """The first file of a name like `pattern` with a line like `holds`, or nothing."""
        candidates = (path for path, _ in zip(self.matching(pattern), range(MOST_READ), strict=False))
        return next((path for path in candidates if re.search(holds, self.text(path), re.MULTILINE)), "")

    def toml(self, path: str) -> dict[str, Any]:
        """The table in a TOML file; an empty one where there is none."""
        try:
            return tomllib.loads(self.text(path).replace("\r\n", "\n"))
        except (ValueError, RecursionError):
            return {}

    def ask(self, words: Sequence[str]) -> int | None:
        """The exit code of a question to a program, which must run nothing of the project."""
        return self.answer(words)[0]

    def answer(self, words: Sequence[str]) -> tuple[int | None, str]:
        """The exit code, and what was printed; the same question is asked only once."""
        key = tuple(words)
        if key not in self._answers:
            with tempfile.TemporaryDirectory(prefix="ci-agent-") as folder:
                output = Path(folder, "output")
                done = self.sandbox.run(Command(words, self.root, PROBE_SECONDS, output, {}, 100_000))
                said = output.read_text("utf-8", "replace") if output.exists() else ""
                self._answers[key] = (done.exit_code, said)
        return self._answers[key]

    def on_path(self, program: str) -> bool:
        """Whether commands find this program; it is not started."""
        return self.ask(["sh", "-c", 'command -v "$1"', "sh", program]) == 0


def _beginning(path: Path) -> str:
    try:
        # A pipe in the place of a file must not block.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            return file.read(LONGEST_READ).decode("utf-8", "replace") if regular else ""
    except (OSError, ValueError):  # or a name that holds a NUL
        return ""


def _walk(root: Path) -> Iterator[str]:
    folders = [""]
    while folders:
        below: list[str] = []
        for folder in folders:
            try:
                with os.scandir(root / folder) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except OSError:  # closed to us, or gone meanwhile
                continue
            for entry in entries:
                path = f"{folder}{entry.name}"
                if entry.is_file(follow_symlinks=False):
                    yield path
                elif entry.is_dir(follow_symlinks=False) and not _left_out(entry.name):
                    below.append(f"{path}/")
        folders = below


def _left_out(name: str) -> bool:
    return name in LEFT_OUT or name.startswith(".")
