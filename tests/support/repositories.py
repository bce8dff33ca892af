"""Real git repositories for tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
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
