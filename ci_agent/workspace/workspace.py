"""The checkout the agent edits, and the control repository that watches it from outside.

The workspace is a git worktree of the *control repository*, a bare repository of our own which borrows the
objects of the person's repository and shares nothing else with it. The `.git` inside the workspace is another
one, made for the agent's own `git diff` and `git log`: whatever happens to it means nothing, because the
harness asks the control repository only. So a command can neither move a person's branch nor leave a hook or
a filter behind that the harness would run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_agent.errors import GitError, UsageError
from ci_agent.journal.events import FileChanged
from ci_agent.workspace.git import git, text
from ci_agent.workspace.source import Remote, Source, network_environment, remote_error

# What builds and tests leave lying around; never part of a commit unless the repository tracks it.
_DROPPINGS = (
    "__pycache__/",
    "*.pyc",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    ".hypothesis/",
    ".tox/",
    ".nox/",
    ".venv/",
    "*.egg-info/",
    ".coverage",
    ".coverage.*",
    "node_modules/",
    ".DS_Store",
)

_LINK_MODE = "160000"  # a submodule's entry in git's index


@dataclass(frozen=True, slots=True)
class Author:
    name: str
    mail: str


class Workspace:
    """One checkout for one session, in `folder`, made from `source`."""

    def __init__(self, source: Source, folder: Path) -> None:
        self.source = source
        self.root = folder / "work" / source.name
        self.start: str | None = None  # the commit the agent's work began on; None: it has not begun
        self._control = folder / "control.git"
        self._worktree = self._control  # until `lay_out` knows the name git gave the worktree

    # --- laying out ---------------------------------------------------------------------------------------

    def lay_out(self) -> None:
        """Make the control repository and the checkout, at the base commit. Raises `GitError`."""
        kind = text(git("--git-dir", self.source.git_dir, "rev-parse", "--show-object-format"))
        git("init", "--quiet", "--bare", "--template=", f"--object-format={kind}", self._control)
        _borrow_objects(self._control, self.source.git_dir)
        _write_lines(self._control / "info" / "exclude", _DROPPINGS)
        self._copy_refs()
        self.root.parent.mkdir(parents=True, exist_ok=True)
        sha = self.source.base_sha
        git("--git-dir", self._control, "worktree", "add", "--quiet", "--detach", self.root, sha)
        pointer = self.root / ".git"
        self._worktree = Path(text(pointer.read_bytes()).removeprefix("gitdir: "))
        pointer.unlink()

    def exclude_what_is_there(self) -> None:
        """What lies around now, from set-up and the tests before, is no part of the work to come."""
        listing = self._git("ls-files", "-z", "--others", "--exclude-standard", "--directory")
        found = [os.fsdecode(name) for name in listing.split(b"\0") if name]
        _write_lines(self._control / "info" / "exclude", ["/" + _pattern(name) for name in found])

    def open_for_agent(self, sha: str, branch: str) -> None:
        """Put the checkout at `sha`, and give the agent a repository of its own to look at history with."""
        self._git("reset", "--quiet", "--hard", sha)
        own = self.root / ".git"
        kind = text(git("--git-dir", self._control, "rev-parse", "--show-object-format"))
        words = ("init", "--quiet", "--template=", f"--object-format={kind}", f"--initial-branch={branch}")
        git(*words, self.root)
        _borrow_objects(own, self._control)
        (own / "packed-refs").write_bytes((self._control / "packed-refs").read_bytes())
        git("--git-dir", own, "update-ref", f"refs/heads/{branch}", sha)
        shutil.copyfile(self._control / "info" / "exclude", _made(own / "info") / "exclude")
        shutil.copyfile(self._worktree / "index", own / "index")
        self.start = sha

    def _copy_refs(self) -> None:
        """Tags (versions are made from them) and the base branch, for `git describe` and `git log`."""
        here = ("--git-dir", self.source.git_dir)
        listing = text(git(*here, "for-each-ref", "--format=%(objectname) %(refname)", "refs/tags"))
        lines = listing.splitlines() if listing else []
        lines.append(f"{self.source.base_sha} refs/ci-agent/base")
        if self.source.base != self.source.base_sha:
            lines.append(f"{self.source.base_sha} refs/remotes/origin/{self.source.base}")
        lines.sort(key=lambda line: line.split(" ", 1)[1])
        head = "# pack-refs with: sorted \n"
        (self._control / "packed-refs").write_bytes(os.fsencode(head + "\n".join(lines) + "\n"))

    # --- looking ------------------------------------------------------------------------------------------

    def tree(self) -> str:
        """The checkout as it stands now, written down as a git tree; its id.

        Ignored files and what was left out by `exclude_what_is_there` are not in it, nor is anything inside
        a submodule or inside a repository that a command made within the checkout.
        """
        links = self._links()
        strange = self._repositories_within()
        skip = [f":(exclude,top,literal){name}" for name in [*links, *strange]]
        self._git("add", "--all", "--", ":(top)", *skip)
        return text(self._git("write-tree"))

    def tree_of(self, sha: str) -> str:
        return text(self._git("rev-parse", "--verify", f"{sha}^{{tree}}"))

    def titles(self, since: str, until: str) -> tuple[str, ...]:
        """The titles of the commits after `since` up to `until`, oldest first."""
        listing = self._git("log", "--reverse", "--format=%s", f"{since}..{until}")
        return tuple(listing.decode("utf-8", "replace").splitlines())

    def title_of(self, sha: str) -> str:
        """The first line of a commit's message."""
        return self._git("log", "-1", "--format=%s", sha).decode("utf-8", "replace").strip()

    def files(self, sha: str) -> list[str]:
        """The paths of all files of a commit."""
        listing = self._git("ls-tree", "-r", "-z", "--name-only", sha)
        return [os.fsdecode(name) for name in listing.split(b"\0") if name]

    def changes(self, sha: str) -> tuple[FileChanged, ...]:
        """What the commit (or tree) `sha` changes against the base, file by file."""
        words = ("diff", "--numstat", "-z", "-M", "--no-ext-diff", "--no-textconv")
        return tuple(_numstat(self._git(*words, self.source.base_sha, sha)))

    def diff(self, sha: str) -> bytes:
        """The whole change against the base as a patch that `git apply` takes, binary files included."""
        words = ("diff", "--binary", "-M", "--no-ext-diff", "--no-textconv", "--no-color")
        return self._git(*words, self.source.base_sha, sha)

    def _links(self) -> list[str]:
        entries = self._git("ls-files", "-z", "--stage").split(b"\0")
        marked = (entry.partition(b"\t") for entry in entries if entry.startswith(_LINK_MODE.encode()))
        return [os.fsdecode(path) for _, _, path in marked]

    def _repositories_within(self) -> list[str]:
        # Git lists a repository inside the checkout as one name that ends with a slash.
        listing = self._git("ls-files", "-z", "--others", "--exclude-standard")
        names = (os.fsdecode(name) for name in listing.split(b"\0") if name)
        return [name.rstrip("/") for name in names if name.endswith("/")]

    # --- handing over -------------------------------------------------------------------------------------

    def commit(self, tree: str, parent: str, message: str, author: Author) -> str:
        """Make a commit of `tree` on top of `parent`; its id. Nothing is moved yet."""
        person = {
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.mail,
            "GIT_COMMITTER_NAME": author.name,
            "GIT_COMMITTER_EMAIL": author.mail,
        }
        words = ("commit-tree", tree, "-p", parent, "-F", "-")
        made = self._git(*words, stdin=message.encode("utf-8", "replace"), environment=person)
        return text(made)

    def hand_over(self, sha: str, branch: str) -> None:
        """Move `branch` of the person's repository forward to `sha`.

        Raises `GitError` when it can't go forward: somebody else moved it meanwhile, or has it checked out.
        """
        self._git("update-ref", f"refs/heads/{branch}", sha)
        words = ("fetch", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        ref = f"refs/heads/{branch}"
        try:
            git("--git-dir", self.source.git_dir, *words, self._control, f"{ref}:{ref}")
        except GitError as error:
            raise GitError(
                f"the branch {branch} can't be moved to the work ({sha[:12]}), because somebody else moved it "
                f"meanwhile or has it checked out. {error}"
            ) from error

    def push(self, sha: str, branch: str, remote: Remote) -> None:
        """Push `sha` to `branch` of `remote`, forward only.

        Raises `AuthenticationError` or `UsageError` when the remote does not take it.
        """
        environment = remote.environment | network_environment()
        spec = f"{sha}:refs/heads/{branch}"
        try:
            self._git("push", "--quiet", "--no-verify", remote.url, spec, environment=environment)
        except GitError as error:
            raise remote_error(remote.url, error) from error

    def remove(self) -> None:
        """Delete the checkout and the control repository. What was handed over stays."""
        for folder in (self.root.parent, self._control):
            if folder.exists():
                shutil.rmtree(folder, onerror=_make_writable_and_try_again)

    def _git(
        self, *words: str | Path, stdin: bytes = b"", environment: dict[str, str] | None = None
    ) -> bytes:
        place = ("--git-dir", self._worktree, "--work-tree", self.root)
        return git(*place, *words, directory=self.root, stdin=stdin, environment=environment)


def check_branch_name(branch: str) -> None:
    """Raises `UsageError` when git would not take `branch` as a branch's name."""
    try:
        git("check-ref-format", "--branch", branch)
    except GitError as error:
        raise UsageError(f"{branch!r} can't be a branch name: see `git help check-ref-format`") from error


def _borrow_objects(git_dir: Path, lender: Path) -> None:
    _write_lines(_made(git_dir / "objects" / "info") / "alternates", [str(lender / "objects")])
    with contextlib.suppress(FileNotFoundError):  # only a shallow clone has this file
        shutil.copyfile(lender / "shallow", git_dir / "shallow")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    _made(path.parent)
    with path.open("ab") as file:
        file.writelines(os.fsencode(line) + b"\n" for line in lines)


def _pattern(name: str) -> str:
    """`name` as a gitignore pattern that matches just it."""
    special = "".join("\\" + character if character in "\\*?[]!# " else character for character in name)
    return special.replace("\n", "?")


def _numstat(output: bytes) -> list[FileChanged]:
    """Reads `git diff --numstat -z`: `added TAB removed TAB path NUL`; a rename has an empty path there and
    then `old NUL new NUL`."""
    parts = iter(output.split(b"\0"))
    found = []
    for part in parts:
        if not part:
            continue
        added, removed, path = part.split(b"\t", 2)
        previous = b""
        if not path:
            previous, path = next(parts), next(parts)
        found.append(
            FileChanged(_shown(path), _lines(added), _lines(removed), _shown(previous) if previous else "")
        )
    return found


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "replace")


def _lines(number: bytes) -> int | None:
    return None if number == b"-" else int(number)


def _make_writable_and_try_again(_function: object, path: str, _error: object) -> None:
    """Tests leave read-only folders behind; what still can't be deleted then is left where it is."""
    with contextlib.suppress(OSError):
        Path(path).parent.chmod(0o700)
        Path(path).chmod(0o700)
        if Path(path).is_dir() and not Path(path).is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            Path(path).unlink()
