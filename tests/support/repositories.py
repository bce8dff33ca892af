"""Real git repositories for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Dana Example",
    "GIT_AUTHOR_EMAIL": "dana@example.org",
    "GIT_COMMITTER_NAME": "Dana Example",
    "GIT_COMMITTER_EMAIL": "dana@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


@dataclass(frozen=True)
class Repository:
    """A person's repository, as the tests look at it: through plain git, not through our own code."""

    path: Path

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=self.path,
            env=os.environ | _IDENTITY,
            check=True,
            capture_output=True,
        )
        return os.fsdecode(done.stdout).strip()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, files: Mapping[str, str | bytes], message: str = "Change something") -> str:
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def show(self, revision: str, path: str) -> str:
        return self.git("show", f"{revision}:{path}")

    def fingerprint(self) -> dict[str, str]:
        """Everything a person would call theirs: files, index, HEAD, configuration, hooks."""
        found = {}
        for path in sorted(self.path.rglob("*")):
            name = path.relative_to(self.path).as_posix()
            ours = not name.startswith(".git/") or name in (".git/index", ".git/HEAD", ".git/config")
            if path.is_file() and (ours or name.startswith(".git/hooks/")):
                found[name] = f"{path.lstat().st_mode:o} {sha256(path.read_bytes()).hexdigest()}"
        return found


def make_repository(path: Path, files: Mapping[str, str | bytes] | None = None) -> Repository:
    """A repository with one commit of `files` on `main`; with `files` None, without any commit."""
    path.mkdir(parents=True)
    repository = Repository(path)
    repository.git("init", "--quiet", "--initial-branch=main")
    if files is not None:
        repository.commit(files, "First commit")
    return repository


@dataclass(frozen=True)
class Call:
    """One time git was started."""

    words: list[str]
    environment: str


@dataclass(frozen=True)
class WatchedGit:
    """What a git before the real one on PATH wrote down."""

    folder: Path

    def calls(self) -> list[Call]:
        found = []
        for path in sorted(self.folder.glob("call.*.words")):
            words = path.read_text().splitlines()
            found.append(Call(words, path.with_suffix(".environment").read_text()))
        return found

    def arguments(self) -> str:
        """The arguments of every process that git started, as git traces them."""
        return (self.folder / "trace").read_text()


@contextmanager
def watched_git(folder: Path) -> Iterator[WatchedGit]:
    """Within, every git that is started writes down how."""
    folder.mkdir(parents=True)
    real = shutil.which("git")
    wrapper = folder / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f'#!/bin/sh\ncall=$(mktemp "{folder}/call.XXXXXXXX")\nprintf "%s\\n" "$@" > "$call.words"\n'
        f'env > "$call.environment"\nexport GIT_TRACE2_EVENT="{folder}/trace" GIT_TRACE2_REDACT=0\n'
        f'exec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{wrapper.parent}:{before}"
    try:
        yield WatchedGit(folder)
    finally:
        os.environ["PATH"] = before


def long_history(repository: Repository, branch: str, length: int) -> None:
    """Put `length` empty commits onto `branch`, in a moment."""
    parent = repository.git("rev-parse", branch)
    lines = []
    for number in range(length):
        lines += [
            f"commit refs/heads/{branch}",
            "committer Dana Example <dana@example.org> 1700000000 +0000",
            "data <<.",
            f"Step {number}",
            ".",
            *([f"from {parent}"] if number == 0 else []),
            "",
        ]
    subprocess.run(
        ["git", "fast-import", "--quiet", "--force"],
        cwd=repository.path,
        input="\n".join(lines).encode(),
        check=True,
    )
