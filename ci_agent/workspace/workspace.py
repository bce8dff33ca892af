"""The checkout the agent edits.

It is a checkout of the control repository (see `control.py`), by which the harness looks at it. The `.git` inside
is a repository of the commands' own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ci_agent.errors import GitError, UsageError
from ci_agent.workspace import files
from ci_agent.workspace.control import Control
from ci_agent.workspace.git import git, text
from ci_agent.workspace.landing import Author, Landed, Way, land, push
from ci_agent.workspace.remote import WAITS
from ci_agent.workspace.source import Source

_LINK_MODE = "160000"  # a submodule's entry in git's index
_ONE_BY_ONE = 2_000  # files that are given to git singly, where it can't take all at once


class Workspace:
    """One checkout for one session, in `folder`, made from `source`."""

    def __init__(self, source: Source, folder: Path) -> None:
        self.source = source
        self.control = Control(source, folder)
        self.start: str | None = None  # the commit the agent's work goes on top of; None: it has not begun
        self.began: str | None = None  # the one on which the session did, in an earlier job perhaps
        self.troubles: list[str] = []  # what git could not take into the last tree, in its words
        self._work = folder / "work"
        self.root = self._work / self.control.name
        self._worktree = self.control.git_dir  # until `lay_out` knows the name git gave the worktree
        self._known: dict[bytes, files.Stamp] = {}  # untracked files that are no work of the agent

    # --- laying out ---------------------------------------------------------------------------------------

    def lay_out(self) -> None:
        """Make the control repository and the checkout, at the base commit. Raises `GitError`."""
        self.control.make()
        sha = self.source.base_sha
        self._worktree = self.control.check_out(self.root, sha)
        self._git("reset", "--quiet", "--hard", sha)
        # After the checkout, or files that are tracked although they match would be in doubt.
        self.control.exclude(self.source.ignored())
        self.control.give_repository(self.root, self._worktree, sha)

    def open_for_agent(self, sha: str) -> None:
        """Put the checkout at `sha`, where the agent's work begins."""
        files.reclaim(self.root)
        self._git("reset", "--quiet", "--hard", sha)
        self.control.give_repository(self.root, self._worktree, sha)
        self._know(self._untracked())
        self.start = self.began = sha

    def take_up(self, tree: str, began: str) -> None:
        """Put the files of `tree` into the checkout, the work of an earlier job, which began on the commit `began`."""
        self._git("read-tree", "--reset", "-u", tree)
        self.began = began

    def put_back(self, tree: str) -> list[str]:
        """Put the files back as they are in `tree`, new ones away; the paths of those that differed. What git ignores stays
        as it is."""
        changed = self.control.differing(tree, self.tree())
        if changed:
            self._git("read-tree", "--reset", "-u", tree)
        return changed

    def open_for_publishing(self, sha: str) -> None:
        """Make the control repository and a checkout without files: work that was done elsewhere goes on top of `sha`,
        and nothing of it is laid out here. Raises `GitError`."""
        self.control.make()
        self._worktree = self.control.check_out(self.root, self.source.base_sha)
        self.start = sha

    # --- looking ------------------------------------------------------------------------------------------

    def tree(self) -> str:
        """The checkout as it stands now, written down as a git tree; its id.

        Ignored files and what `harness_running` saw being made are not in it, nor is anything inside
        a submodule or inside a repository that a command made within the checkout. What git can't take at all
        is left out as well and said in `troubles`.
        """
        files.reclaim(self.root)
        # Nobody else is here, so a lock is that of a git that was killed.
        (self._worktree / "index.lock").unlink(missing_ok=True)
        skip = [f":(exclude,top,literal){name}" for name in [*self._links(), *self._repositories_within()]]
        self.troubles = []
        try:
            self._add([":(top)", *skip])
        except GitError:
            self._add_one_by_one(skip)
        return text(self._git("write-tree"))

    def _add(self, specs: Sequence[str]) -> None:
        words = ("add", "--all", "--pathspec-from-file=-", "--pathspec-file-nul")
        self._git(*words, stdin=b"\0".join(os.fsencode(spec) for spec in specs))

    def _add_one_by_one(self, skip: Sequence[str]) -> None:
        """One file that git can't take must not keep the others out. Raises `GitError` for very many."""
        words = (
            "ls-files",
            "-z",
            "--modified",
            "--deleted",
            "--others",
            "--exclude-standard",
            "--",
            ":(top)",
            *skip,
        )
        names = sorted({os.fsdecode(name) for name in self._git(*words).split(b"\0") if name})
        if len(names) > _ONE_BY_ONE:
            raise GitError(f"git can't take some of the {len(names):,} changed files")
        for name in names:
            try:
                self._add([f":(top,literal){name}"])
            except GitError as error:
                self.troubles.append(f"{name}: {error}")

    @contextlib.contextmanager
    def harness_running(self) -> Iterator[None]:
        """Around set-up and each run of the tests: afterwards tracked files are again as the last `tree` saw
        them, or the base while there was none, and what the run made is none of the agent's work.

        Folders that hold nothing else are left out as a whole: reports get new names with every run. A file
        of the agent in such a folder is told to it by `left_out`.
        """
        files.reclaim(self.root)
        before, changed = self._untracked(), self._changed()
        try:
            yield
        finally:
            self.root.mkdir(parents=True, exist_ok=True)  # tests that delete it delete no work
            files.reclaim(self.root)
            self._git("checkout-index", "--all", "--force", "--quiet")
            listing = self._git("ls-files", "-z", "--others", "--exclude-standard", "--directory")
            names = [os.fsdecode(name) for name in listing.split(b"\0") if name]
            self.control.exclude(["/" + files.pattern(name) for name in names])
            # What the run rewrote is the run's; what the agent had changed before stays changed.
            made = self._untracked() - before
            self._know(made | (self._known.keys() - changed))

    def _know(self, names: Iterable[bytes]) -> None:
        self._known |= {name: files.stamp(self.root / os.fsdecode(name)) for name in names}

    def _changed(self) -> set[bytes]:
        known = self._known.items()
        return {name for name, stamp in known if files.stamp(self.root / os.fsdecode(name)) != stamp}

    def left_out(self) -> list[str]:
        """What commands of the agent made or changed outside of the tree: ignored files, things they installed,
        whole repositories. None of it will be in the commit. What builds write anew each time is not told."""
        files.reclaim(self.root)
        made = {name for name in self._untracked() - self._known.keys() if not files.is_cache(name)}
        changed = {name for name in self._changed() if not files.is_rebuilt(name)}
        return sorted(os.fsdecode(name) for name in made | changed)

    def _untracked(self) -> set[bytes]:
        """Every file in the checkout that the tree does not hold, ignored or not; repositories as a whole."""
        return {name.rstrip(b"/") for name in self._git("ls-files", "-z", "--others").split(b"\0") if name}

    def in_large_storage(self, paths: Sequence[str]) -> list[str]:
        """Those of `paths` whose content Git LFS keeps elsewhere, by what `.gitattributes` says of them."""
        listing = self._git("check-attr", "-z", "--stdin", "filter", stdin="\0".join(paths).encode())
        parts = listing.split(b"\0")
        return [
            os.fsdecode(path) for path, value in zip(parts[::3], parts[2::3], strict=False) if value == b"lfs"
        ]

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

    def push(self, sha: str, branch: str, author: Author, waits: Sequence[float] = WAITS) -> Landed:
        """Push the commit `sha` to `branch` of the source's remote, so that nobody's commit is lost; where it got to.

        In a copy of ours it finds another way where somebody pushed to the branch meanwhile, see `land`, with `author`
        for a commit it makes anew. Raises `MovedError` in a person's own repository then, `UsageError` for
        a branch that is not for this or a remote that does not take it, `AuthenticationError` where we are not let in.
        """
        source = self.source
        if source.remote is None:
            raise UsageError("there is no remote called origin to push to")
        if branch in (source.base, *source.never):
            raise UsageError(f"nothing is ever pushed to {branch}, where the work starts from or goes to")
        known = source.known_at_remote(branch)
        if known is None:
            push(self.control.git_dir, source.remote, sha, branch, known=None, waits=waits)
            return Landed(branch, sha, Way.AS_MADE)
        start = self.start or source.base_sha
        return land(
            self.control.git_dir,
            source.remote,
            sha,
            branch,
            start=start,
            known=known,
            author=author,
            waits=waits,
        )

    def remove(self) -> None:
        """Delete the checkout and the control repository. What was handed over stays."""
        for folder in (self._work, self.control.git_dir):
            files.discard(folder)

    def _git(
        self, *words: str | Path, stdin: bytes = b"", environment: dict[str, str] | None = None
    ) -> bytes:
        files.check_place(self.root)
        place = ("--git-dir", self._worktree, "--work-tree", self.root)
        return git(*place, *words, directory=self.root, stdin=stdin, environment=environment)


def check_branch_name(branch: str) -> None:
    """Raises `UsageError` when git would not take `branch` as a branch's name."""
    try:
        # Not with `--branch`, which looks up what `@{-1}` was in the repository that we happen to be in.
        git("check-ref-format", f"refs/heads/{branch}")
        fits = not branch.startswith("-") and branch != "HEAD"
    except (GitError, ValueError):  # a NUL byte can't even be given to git
        fits = False
    if not fits:
        raise UsageError(f"{branch!r} can't be a branch name: see `git help check-ref-format`")
