"""The control repository: the harness's own git directory, which watches checkouts from outside.

It borrows the objects of the person's repository and shares nothing else with it. Commands never get it to see: each
checkout has a repository of the commands' own in its `.git`, made here, and whatever happens to that means nothing.
So a command can neither move a person's branch nor leave a hook or a filter behind that the harness would run.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ci_agent.errors import GitError
from ci_agent.journal.events import FileChanged
from ci_agent.workspace import files
from ci_agent.workspace.git import git, text
from ci_agent.workspace.landing import Author, commit_tree
from ci_agent.workspace.snapshot import Snapshot
from ci_agent.workspace.source import Source, object_format

_SEARCHING = 10  # seconds for what is only a courtesy


class Control:
    """The control repository of one session (or of one comparison) on `source`, in `folder`."""

    def __init__(self, source: Source, folder: Path) -> None:
        self.source = source
        self.git_dir = folder / "control.git"
        # Some projects look at the name of the folder they are in.
        self.name = re.sub(r"[^A-Za-z0-9._-]+", "-", source.name).strip("-.") or "repository"

    def make(self) -> None:
        """Make it. Raises `GitError`."""
        source = self.source
        git("init", "--quiet", "--bare", "--template=", object_format(source.base_sha), self.git_dir)
        files.borrow_objects(self.git_dir, source.git_dir)
        self.exclude(files.DROPPINGS)
        self._copy_refs()

    def exclude(self, patterns: Sequence[str]) -> None:
        """From now on untracked files like these are no part of any tree."""
        files.write_lines(self.git_dir / "info" / "exclude", patterns)

    def _copy_refs(self) -> None:
        """Tags (versions are made from them) and the base branch, for `git describe` and `git log`."""
        here = ("--git-dir", self.source.git_dir)
        listing = text(git(*here, "for-each-ref", "--format=%(objectname) %(refname)", "refs/tags"))
        lines = listing.splitlines() if listing else []
        if self.source.base != self.source.base_sha:
            lines.append(f"{self.source.base_sha} refs/remotes/origin/{self.source.base}")
        lines.sort(key=lambda line: line.split(" ", 1)[1])
        head = "# pack-refs with: sorted \n"
        (self.git_dir / "packed-refs").write_bytes(
            os.fsencode("".join([head, *(f"{line}\n" for line in lines)]))
        )

    @property
    def objects(self) -> tuple[Path, ...]:
        """The folders that the repositories of the commands' own read objects from."""
        return (self.git_dir / "objects", *files.lenders(self.source.git_dir))

    # --- checkouts ----------------------------------------------------------------------------------------

    def check_out(self, root: Path, sha: str) -> Path:
        """A new checkout of the commit `sha` in `root`, with nothing in it yet; its git directory."""
        root.parent.mkdir(parents=True, exist_ok=True)
        if (self.git_dir / "worktrees").exists():  # perhaps one of an earlier checkout in the same place
            self._git("worktree", "prune", "--expire=now")
        self._git("worktree", "add", "--quiet", "--detach", "--no-checkout", root, sha)
        return Path(text((root / ".git").read_bytes()).removeprefix("gitdir: "))

    def give_repository(self, root: Path, worktree: Path, sha: str) -> None:
        """A repository of the commands' own in the checkout `root`, to look at history with.

        Made elsewhere and moved in, in place of whatever a command left there: a link would lead us to write
        into a repository of somebody else's.
        """
        made = self.git_dir.with_name("commands")
        files.discard(made)
        git("init", "--quiet", "--template=", object_format(sha), "--initial-branch=work", made)
        own = made / ".git"
        files.borrow_objects(own, self.git_dir)
        (own / "packed-refs").write_bytes((self.git_dir / "packed-refs").read_bytes())
        files.write_lines(own / "refs" / "heads" / "work", [sha])
        shutil.copyfile(self.git_dir / "info" / "exclude", files.made(own / "info") / "exclude")
        shutil.copyfile(worktree / "index", own / "index")
        files.discard(root / ".git")
        own.rename(root / ".git")
        files.discard(made)

    # --- looking ------------------------------------------------------------------------------------------

    def tree_of(self, sha: str) -> str:
        return text(self._git("rev-parse", "--verify", f"{sha}^{{tree}}"))

    def titles(self, since: str, until: str) -> tuple[str, ...]:
        """The titles of the commits after `since` up to `until`, oldest first."""
        if since == until:
            return ()
        listing = self._git("log", "--reverse", "--format=%s", f"{since}..{until}")
        return tuple(listing.decode("utf-8", "replace").splitlines())

    def messages(self, since: str, until: str) -> tuple[str, ...]:
        """The whole messages of the commits after `since` up to `until`, oldest first."""
        listing = self._git("log", "--reverse", "-z", "--format=%B", f"{since}..{until}")
        return tuple(text.strip() for text in listing.decode("utf-8", "replace").split("\0") if text.strip())

    def title_of(self, sha: str) -> str:
        """The first line of a commit's message."""
        return self._git("log", "-1", "--format=%s", sha).decode("utf-8", "replace").strip()

    def snapshot(self, sha: str) -> Snapshot:
        """The tree of a commit, or the tree itself, as the policy looks at it."""
        return Snapshot(self.git_dir, sha)

    def files(self, sha: str) -> list[str]:
        """The paths of all files of a commit."""
        listing = self._git("ls-tree", "-r", "-z", "--name-only", sha)
        return [os.fsdecode(name) for name in listing.split(b"\0") if name]

    def lines_like(self, sha: str, pattern: str) -> list[str]:
        """The lines of a commit's text files that match an extended regular expression, each `path:number:text`."""
        words = ("grep", "-nIE", "--max-count=9", "--no-color", "--full-name", "-e", pattern, sha, "--")
        try:
            found = git("--git-dir", self.git_dir, *words, timeout=_SEARCHING)
        except (
            GitError
        ):  # git says by its exit code that there is none; nor does anything wait for what takes long
            return []
        lines = found.decode("utf-8", "replace").splitlines()
        return [line.removeprefix(f"{sha}:") for line in lines]

    def content(self, sha: str, path: str) -> bytes | None:
        """What is in the file at `path` of a commit or tree; None: there is no such file."""
        listing = self._git("ls-tree", "-z", sha, "--", path)
        if b" blob " not in listing[:64]:
            return None
        return self._git("cat-file", "blob", listing.split(b"\t")[0].split(b" ")[2].decode())

    def differing(self, one: str, other: str) -> list[str]:
        """The paths of the files in which two commits or trees differ. Raises `GitError` where one is not there."""
        listing = self._git("diff", "--name-only", "-z", *_PLAIN_DIFF, one, other, "--")
        return [os.fsdecode(name) for name in listing.split(b"\0") if name]

    def changes(self, sha: str, since: str | None = None) -> tuple[FileChanged, ...]:
        """What the commit (or tree) `sha` changes against `since`, else against the base, file by file."""
        words = ("diff", "--numstat", "-z", "-M", *_PLAIN_DIFF)
        return tuple(files.numstat(self._git(*words, since or self.source.base_sha, sha)))

    def diff(self, sha: str, since: str | None = None) -> bytes:
        """The whole change against `since`, else against the base, as a patch that `git apply` takes, binary files
        included."""
        words = ("diff", "--binary", "-M", *_PLAIN_DIFF, "--no-color")
        return self._git(*words, since or self.source.base_sha, sha)

    def changed_lines(self, sha: str) -> bytes:
        """The change against the base as a patch without any lines around it, and without binary content."""
        words = ("diff", "-U0", "-M", "--no-color", "--src-prefix=a/", "--dst-prefix=b/", *_PLAIN_DIFF)
        return self._git(*words, self.source.base_sha, sha)

    def with_files_of(self, tree: str, other: str, paths: Sequence[str]) -> str:
        """The tree `tree`, but with the files at `paths` as they are in the tree `other`: there, changed or gone."""
        listing = self._git("ls-tree", "-r", "-z", other)
        entries = dict(_entry(line) for line in listing.split(b"\0") if line)
        gone = b"0 " + b"0" * len(tree)  # as `git update-index --index-info` has it
        names = [os.fsencode(path) for path in paths]
        lines = [entries.get(name, gone) + b"\t" + name for name in names]
        index = self.git_dir / "mixed-index"
        environment = {"GIT_INDEX_FILE": str(index)}
        try:
            self._git("read-tree", tree, environment=environment)
            self._git("update-index", "-z", "--index-info", stdin=b"\0".join(lines), environment=environment)
            return text(self._git("write-tree", environment=environment))
        finally:
            index.unlink(missing_ok=True)

    # --- handing over -------------------------------------------------------------------------------------

    def commit(
        self, tree: str, parent: str, message: str, author: Author, *, at: datetime | None = None
    ) -> str:
        """Make a commit of `tree` on top of `parent`, dated `at`, else now; its id. Nothing is moved yet."""
        return commit_tree(self.git_dir, tree, parent, message.encode("utf-8", "replace"), author, at=at)

    def hand_over(self, sha: str, branch: str) -> None:
        """Move `branch` of the person's repository forward to `sha`.

        Raises `GitError` when it can't go forward: somebody else moved it meanwhile, or has it checked out.
        """
        self._git("update-ref", f"refs/heads/{branch}", sha)
        words = ("fetch", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        ref = f"refs/heads/{branch}"
        try:
            git("--git-dir", self.source.git_dir, *words, self.git_dir, f"{ref}:{ref}")
        except GitError as error:
            moved = "[rejected]" in str(error) or "checked out" in str(error)
            why = ", because somebody else moved it meanwhile or has it checked out" if moved else ""
            raise GitError(
                f"the branch {branch} can't be moved to the work ({sha[:12]}){why}. {error}"
            ) from error

    def _git(
        self, *words: str | Path, stdin: bytes = b"", environment: dict[str, str] | None = None
    ) -> bytes:
        return git("--git-dir", self.git_dir, *words, stdin=stdin, environment=environment)


# A repository's own settings must not decide how a change is written down.
_PLAIN_DIFF = ("--no-ext-diff", "--no-textconv")


def _entry(line: bytes) -> tuple[bytes, bytes]:
    """The path and `mode name` of a line of `git ls-tree`: `mode type name TAB path`."""
    about, _, path = line.partition(b"\t")
    mode, _, name = about.split(b" ")
    return path, mode + b" " + name
