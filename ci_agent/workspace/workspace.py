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
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ci_agent.errors import GitError, UsageError
from ci_agent.journal.events import FileChanged
from ci_agent.workspace import files
from ci_agent.workspace.git import git, text
from ci_agent.workspace.landing import Author, Landed, Way, commit_tree, land, push
from ci_agent.workspace.remote import WAITS
from ci_agent.workspace.source import Source

_LINK_MODE = "160000"  # a submodule's entry in git's index
_ONE_BY_ONE = 2_000  # files that are given to git singly, where it can't take all at once


class Workspace:
    """One checkout for one session, in `folder`, made from `source`."""

    def __init__(self, source: Source, folder: Path) -> None:
        self.source = source
        self.start: str | None = None  # the commit the agent's work began on; None: it has not begun
        self.troubles: list[str] = []  # what git could not take into the last tree, in its words
        self._folder = folder
        self._work = folder / "work"
        self.root = self._work / (re.sub(r"[^A-Za-z0-9._-]+", "-", source.name).strip("-.") or "repository")
        self._control = folder / "control.git"
        self._worktree = self._control  # until `lay_out` knows the name git gave the worktree
        self._aside = folder / "aside"
        self._known: dict[bytes, files.Stamp] = {}  # untracked files that are no work of the agent

    # --- laying out ---------------------------------------------------------------------------------------

    def lay_out(self) -> None:
        """Make the control repository and the checkout, at the base commit. Raises `GitError`."""
        source = self.source
        kind = text(git("--git-dir", source.git_dir, "rev-parse", "--show-object-format"))
        git("init", "--quiet", "--bare", "--template=", f"--object-format={kind}", self._control)
        files.borrow_objects(self._control, source.git_dir)
        files.write_lines(self._control / "info" / "exclude", files.DROPPINGS)
        self._copy_refs()
        self._work.mkdir(parents=True, exist_ok=True)
        sha = source.base_sha
        git("--git-dir", self._control, "worktree", "add", "--quiet", "--detach", self.root, sha)
        pointer = self.root / ".git"
        self._worktree = Path(text(pointer.read_bytes()).removeprefix("gitdir: "))
        # After the checkout, or files that are tracked although they match would be in doubt.
        files.write_lines(self._control / "info" / "exclude", source.ignored())
        self._give_repository(sha)

    def open_for_agent(self, sha: str) -> None:
        """Put the checkout at `sha`, where the agent's work begins."""
        self._git("reset", "--quiet", "--hard", sha)
        self._give_repository(sha)
        self._know(self._untracked())
        self.start = sha

    def _give_repository(self, sha: str) -> None:
        """A repository of the commands' own in the checkout, to look at history with.

        Made elsewhere and moved in, in place of whatever a command left there: a link would lead us to write
        into a repository of somebody else's.
        """
        made = self._folder / "commands"
        files.discard(made)
        kind = text(git("--git-dir", self._control, "rev-parse", "--show-object-format"))
        git("init", "--quiet", "--template=", f"--object-format={kind}", "--initial-branch=work", made)
        own = made / ".git"
        files.borrow_objects(own, self._control)
        (own / "packed-refs").write_bytes((self._control / "packed-refs").read_bytes())
        git("--git-dir", own, "update-ref", "refs/heads/work", sha)
        shutil.copyfile(self._control / "info" / "exclude", files.made(own / "info") / "exclude")
        shutil.copyfile(self._worktree / "index", own / "index")
        files.discard(self.root / ".git")
        own.rename(self.root / ".git")
        files.discard(made)

    def _copy_refs(self) -> None:
        """Tags (versions are made from them) and the base branch, for `git describe` and `git log`."""
        here = ("--git-dir", self.source.git_dir)
        listing = text(git(*here, "for-each-ref", "--format=%(objectname) %(refname)", "refs/tags"))
        lines = listing.splitlines() if listing else []
        if self.source.base != self.source.base_sha:
            lines.append(f"{self.source.base_sha} refs/remotes/origin/{self.source.base}")
        lines.sort(key=lambda line: line.split(" ", 1)[1])
        head = "# pack-refs with: sorted \n"
        (self._control / "packed-refs").write_bytes(
            os.fsencode("".join([head, *(f"{line}\n" for line in lines)]))
        )

    # --- looking ------------------------------------------------------------------------------------------

    def tree(self) -> str:
        """The checkout as it stands now, written down as a git tree; its id.

        Ignored files and what `harness_running` saw being made are not in it, nor is anything inside
        a submodule or inside a repository that a command made within the checkout. What git can't take at all
        is left out as well and said in `troubles`.
        """
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
        before, changed = self._untracked(), self._changed()
        try:
            yield
        finally:
            self.root.mkdir(parents=True, exist_ok=True)  # tests that delete it delete no work
            self._git("checkout-index", "--all", "--force", "--quiet")
            listing = self._git("ls-files", "-z", "--others", "--exclude-standard", "--directory")
            names = [os.fsdecode(name) for name in listing.split(b"\0") if name]
            files.write_lines(
                self._control / "info" / "exclude", ["/" + files.pattern(name) for name in names]
            )
            # What the run rewrote is the run's; what the agent had changed before stays changed.
            made = self._untracked() - before
            self._know(made | (self._known.keys() - changed))

    def _know(self, names: Iterable[bytes]) -> None:
        self._known |= {name: files.stamp(self.root / os.fsdecode(name)) for name in names}

    def _changed(self) -> set[bytes]:
        known = self._known.items()
        return {name for name, stamp in known if files.stamp(self.root / os.fsdecode(name)) != stamp}

    def left_out(self) -> list[str]:
        """What commands of the agent left outside of the tree: ignored files, things they installed, whole
        repositories. None of it will be in the commit."""
        left = self._untracked() - self._known.keys()
        return sorted(os.fsdecode(name) for name in left if not files.is_cache(name))

    def changed_outside(self) -> list[str]:
        """Files outside of the tree that set-up or tests made and commands of the agent changed; no commit will
        hold that. What builds write anew each time is not among them."""
        names = (os.fsdecode(name) for name in self._changed() if not files.is_cache(name))
        return sorted(name for name in names if not files.BUILT.intersection(name.split("/")))

    def set_aside(self) -> list[str]:
        """Move away what is left out, so that tests see only what will be in the commit and what set-up made.
        Gives the names; `bring_back` puts them back."""
        names = self.left_out()
        for name in names:
            source, target = self.root / name, self._aside / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                source.rename(target)
            except OSError as error:
                self.troubles.append(f"{name} could not be set aside, the tests saw it: {error.strerror}")
            with contextlib.suppress(OSError):  # a folder that is not empty stays
                for folder in source.relative_to(self.root).parents[:-1]:
                    (self.root / folder).rmdir()
        return names

    def bring_back(self, names: Sequence[str]) -> None:
        """Put back what was set aside, where nothing else has come in its place."""
        for name in names:
            source, target = self._aside / name, self.root / name
            if os.path.lexists(source) and not os.path.lexists(target):
                with contextlib.suppress(OSError):  # something else has come in the place of its folder
                    target.parent.mkdir(parents=True, exist_ok=True)
                    source.rename(target)
        files.discard(self._aside)

    def _untracked(self) -> set[bytes]:
        """Every file in the checkout that the tree does not hold, ignored or not; repositories as a whole."""
        return {name.rstrip(b"/") for name in self._git("ls-files", "-z", "--others").split(b"\0") if name}

    def tree_of(self, sha: str) -> str:
        return text(self._git("rev-parse", "--verify", f"{sha}^{{tree}}"))

    def titles(self, since: str, until: str) -> tuple[str, ...]:
        """The titles of the commits after `since` up to `until`, oldest first."""
        listing = self._git("log", "--reverse", "--format=%s", f"{since}..{until}")
        return tuple(listing.decode("utf-8", "replace").splitlines())

    def messages(self, since: str, until: str) -> tuple[str, ...]:
        """The whole messages of the commits after `since` up to `until`, oldest first."""
        listing = self._git("log", "--reverse", "-z", "--format=%B", f"{since}..{until}")
        return tuple(text.strip() for text in listing.decode("utf-8", "replace").split("\0") if text.strip())

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
        return tuple(files.numstat(self._git(*words, self.source.base_sha, sha)))

    def diff(self, sha: str) -> bytes:
        """The whole change against the base as a patch that `git apply` takes, binary files included."""
        words = ("diff", "--binary", "-M", "--no-ext-diff", "--no-textconv", "--no-color")
        return self._git(*words, self.source.base_sha, sha)

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

    def commit(self, tree: str, parent: str, message: str, author: Author) -> str:
        """Make a commit of `tree` on top of `parent`; its id. Nothing is moved yet."""
        return commit_tree(self._control, tree, parent, message.encode("utf-8", "replace"), author)

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
            moved = "[rejected]" in str(error) or "checked out" in str(error)
            why = ", because somebody else moved it meanwhile or has it checked out" if moved else ""
            raise GitError(
                f"the branch {branch} can't be moved to the work ({sha[:12]}){why}. {error}"
            ) from error

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
            push(self._control, source.remote, sha, branch, known=None, waits=waits)
            return Landed(branch, sha, Way.AS_MADE)
        start = self.start or source.base_sha
        return land(
            self._control, source.remote, sha, branch, start=start, known=known, author=author, waits=waits
        )

    def remove(self) -> None:
        """Delete the checkout and the control repository. What was handed over stays."""
        for folder in (self._work, self._control, self._aside):
            files.discard(folder)

    def _git(
        self, *words: str | Path, stdin: bytes = b"", environment: dict[str, str] | None = None
    ) -> bytes:
        if self.root.is_symlink():
            raise GitError(f"{self.root} was replaced by a link, so the checkout is gone")
        place = ("--git-dir", self._worktree, "--work-tree", self.root)
        return git(*place, *words, directory=self.root, stdin=stdin, environment=environment)


def check_branch_name(branch: str) -> None:
    """Raises `UsageError` when git would not take `branch` as a branch's name."""
    try:
        git("check-ref-format", "--branch", branch)
    except GitError as error:
        raise UsageError(f"{branch!r} can't be a branch name: see `git help check-ref-format`") from error
