"""What jobs keep for each other at the platform, in git: a few files and, for some, the work in progress, at a ref each.

What is of one kind has a `Shelf`: refs such as `refs/ci-agent/issues/NUMBER`, which clones don't fetch and CIs don't build;
where the remote refuses those, branches such as `ci-agent/state/NUMBER`. A ref's commit has the files as its tree and the
work as its one parent, which keeps the work's objects alive; it is replaced whole, and only by who knows what it replaces.
What the files mean is no matter here. Whoever may push can write there, so what is read is bounded before it is touched, and
believed by nobody yet.
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ci_agent.errors import CheckpointError, CiAgentError, GitError, MovedError, UsageError
from ci_agent.workspace import objects, stored
from ci_agent.workspace.fetched import DEPTH
from ci_agent.workspace.files import borrow_objects
from ci_agent.workspace.git import git, text
from ci_agent.workspace.landing import Author, commit_tree
from ci_agent.workspace.remote import WAITS, Remote, fetch, hasty, listed, remote_error, send, told
from ci_agent.workspace.source import object_format, refs
from ci_agent.workspace.stored import Stored

NUMBER: Final = r"[1-9][0-9]{0,9}"  # of an issue
_AUTHOR = Author("ci-agent", "ci-agent@users.noreply.invalid")
# What a push is refused with while somebody else is at the same ref.
_BUSY = re.compile(
    r"stale info|fetch first|cannot lock ref|failed to (update ref|lock)|incorrect old value|reference already exists|"
    r"unable to create .*\.lock",
    re.IGNORECASE,
)
_IN_THE_WAY = "; cannot create"  # a branch `ci-agent`, for example
# What a server says, or git for it, where a commit or what belongs to it is missing or broken.
_BROKEN = re.compile(
    r"remote: (error|fatal): ((could not|unable to) (read|parse) (\w+ )?[0-9a-f]{40}|.*parents of commit|"
    r".*\btree (object|entry)|(bad|missing) (blob|tree|commit))|did not send all necessary objects|fsck error",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Shelf:
    """One kind of what is kept, and where."""

    kind: str  # for people: `checkpoint`
    refs: str  # what its refs begin with
    branches: str  # the same for the branches that stand in for them
    names: str = NUMBER  # a regular expression for the rest of the ref
    one: str = "{}"  # what people call the one of a name

    def holds(self, name: str) -> bool:
        """Whether something of this kind can have that name."""
        return re.fullmatch(self.names, name) is not None


CHECKPOINTS: Final = Shelf(
    "checkpoint",
    "refs/ci-agent/issues/",
    "refs/heads/ci-agent/state/",
    one="the checkpoint of issue {}",
)


def _quoted(path: Path) -> bytes:
    """A line with the path for git, in double quotes as in C: it may hold any character."""
    named = os.fsencode(path).replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"%b"\n' % named


class _RefusedError(Exception):
    """The remote lets nobody, or not us, write this ref; its words."""


def store_at(remote: Remote, folder: Path, shelf: Shelf = CHECKPOINTS, *, at_once: bool = False) -> Store:
    """What is kept on `shelf` at `remote`, to be looked at in `folder`, where a repository is made for that; `at_once`: the
    first look follows now, and goes by what is listed here. Raises what `remote_error` gives."""
    try:
        found = listed(remote, "HEAD", f"{shelf.refs}*", f"{shelf.branches}*")
    except GitError as error:
        raise remote_error(remote, error) from error
    commits = [name for ref, name in found.items() if not ref.startswith("ref: ")]
    kind = object_format(commits[0] if commits else "")
    git("init", "--quiet", "--bare", "--template=", kind, folder)
    return Store(folder, remote, shelf, opened=found if at_once else None)


class Store:
    """What is kept on one shelf of one repository, by name: a checkpoint's is the number of its issue.

    Objects are written to `git_dir`, a repository of ours, and fetched into it from `remote`; `remote` None: `git_dir`
    is the repository itself. A lost connection is tried again after each of `waits`, in seconds. The first look goes by the
    refs that were there when it was `opened`, where somebody has just listed them. Everything may raise
    `AuthenticationError` or `UsageError` where the remote does not let us in or can't be reached, and `UsageError` for
    what is no name there.
    """

    def __init__(
        self,
        git_dir: Path,
        remote: Remote | None,
        shelf: Shelf = CHECKPOINTS,
        waits: Sequence[float] = WAITS,
        opened: Mapping[str, str] | None = None,
    ) -> None:
        self._git_dir = git_dir.resolve()
        self._remote = remote
        self._shelf = shelf
        self._waits = waits
        self._place = remote.url if remote else str(git_dir)  # for people
        self._prefers_branches = False  # as soon as there are some
        self._dates: dict[str, int] = {}  # of commits of ours
        self._opened = opened
        self._last: dict[str, Mapping[str, str]] = {}  # the places of a name as they were seen, or made, last
        self._unsure: dict[str, str] = {}  # commits of ours that may have arrived; what each was to replace

    def use(self, git_dir: Path) -> None:
        """From now on `git_dir` is the repository that has the work."""
        self._git_dir = git_dir.resolve()

    def hurry(self, seconds: int) -> None:
        """From now on nothing is tried again, and a server that falls silent for so long is given up."""
        self._waits = ()
        self._remote = hasty(self._remote, seconds) if self._remote else None

    def name_of(self, name: str) -> str:
        """What people call what is kept under `name`."""
        return self._shelf.one.format(name)

    def all(self) -> Mapping[str, str]:
        """All names, each with its commit; where one has two, that of its branch."""
        return {ref.rpartition("/")[2]: commit for ref, commit in self._listed().items()}

    def read(self, name: str, *, work: bool = True, known: Stored | None = None) -> Stored | None:
        """What is kept under `name`, the newer one where there are two; None: nothing. Without `work` its objects are not
        fetched, which is for a repository that was made to look only: its history is cut short. What is `known` already
        is not fetched again. Raises `CheckpointError` where what is there is nothing that we keep."""
        places = self._last[name] = self._places(name)
        if not places:
            return None
        try:
            ref = self._newest(places)
            if known is not None and known.commit == places[ref]:
                return known
            self._fetch(ref, places[ref], alone=not work)
        except CiAgentError:
            if self._places(name) == places:
                raise
            return self.read(name, work=work, known=known)  # somebody replaced it meanwhile
        try:
            return replace(stored.read(self._git_dir, places[ref], work=work), ref=ref)
        except (CheckpointError, GitError) as error:
            raise self._strange(ref, str(error)) from error

    def write(self, name: str, files: Mapping[str, bytes], work: str | None, expected: str) -> str:
        """Replace what is kept under `name`, whose commit is `expected` (empty: there is none), by `files` and the commit
        `work` of `git_dir`; the new commit.

        Raises `MovedError` where another commit is there, `CheckpointError` for files that could not be read again,
        `UsageError` where the remote takes nothing of this kind, with its words.
        """
        it = self.name_of(name)
        if trouble := stored.trouble({file: len(content) for file, content in files.items()}):
            raise CheckpointError(f"{it} can't be kept: it {trouble}")
        refs_of_it = self._refs(name)
        places, held = self._before(name, expected)
        if not self._knows(places.get(held, ""), expected):
            raise MovedError(f"somebody else moved {it} meanwhile")
        # The clock of the runner that made the one before may be ahead of ours.
        after = self._date(held, places[held]) if held else 0
        date = max(int(time.time()), min(after + 1, stored.LATEST))
        commit = self._commit(files, work, date)
        self._dates[commit] = date
        self._unsure[commit] = expected
        first = held or refs_of_it[-1 if self._prefers_branches else 0]
        put = self._put(commit, sorted(refs_of_it, key=lambda ref: ref != first), places)
        del self._unsure[commit]
        self._last[name] = {put: commit}
        return commit

    def delete(self, name: str, expected: str) -> bool:
        """Delete what is kept under `name`, whose commit is `expected`; so that there is none, if there was. False:
        another commit is there. Raises `UsageError` where the remote does not let us."""
        places = self._places(name)
        held = self._newest(places)
        if places and not self._knows(places[held], expected):
            return False
        # Were the older one left, it would count again.
        for ref in sorted(places, key=lambda ref: ref == held):
            try:
                self._move(ref, "", places[ref])
            except MovedError:
                return False
            except _RefusedError as error:
                raise UsageError(f"{self._place} does not let us delete {ref}: {error}") from error
        return True

    # --- which ref ----------------------------------------------------------------------------------------

    def _refs(self, name: str) -> tuple[str, ...]:
        """Where `name` may be kept. A person's own branches are theirs."""
        shelf = self._shelf
        if not shelf.holds(name):
            raise UsageError(f"no {shelf.kind} can have the name {name[:40]!r}")
        return (f"{shelf.refs}{name}", *([f"{shelf.branches}{name}"] if self._remote else []))

    def _listed(self) -> dict[str, str]:
        """All refs of the shelf, branches last, each with its commit."""
        shelf = self._shelf
        opened, self._opened = self._opened, None
        if self._remote is None:
            found = refs(self._git_dir, shelf.refs)
        elif opened is not None:
            found = dict(opened)
        else:
            try:
                found = listed(self._remote, f"{shelf.refs}*", f"{shelf.branches}*", waits=self._waits)
            except GitError as error:
                raise remote_error(self._remote, error) from error
        ours = {
            ref: found[ref]
            for start in (shelf.refs, shelf.branches)
            for ref in sorted(found)
            if ref.startswith(start) and shelf.holds(ref.removeprefix(start))
        }
        self._prefers_branches |= any(ref.startswith(shelf.branches) for ref in ours)
        return ours

    def _places(self, name: str) -> dict[str, str]:
        """The refs where something is kept under `name`, each with its commit: one, none, or, where the remote's rules
        have changed, two."""
        wanted, there = self._refs(name), self._listed()
        return {ref: there[ref] for ref in wanted if ref in there}

    def _before(self, name: str, expected: str) -> tuple[Mapping[str, str], str]:
        """The places of `name` before a write, and the one that counts. Where what was seen last is what is `expected`, it is
        not looked at again: the server compares."""
        last = self._last.pop(name, None)
        if (
            last is not None
            and len(last) <= 1
            and not self._unsure
            and [*last.values()] == ([expected] if expected else [])
        ):
            return last, self._newest(last)
        places = self._places(name)
        return places, self._newest(places)

    def _newest(self, places: Mapping[str, str]) -> str:
        """The ref that counts; empty: there is none."""
        if len(places) <= 1:
            return next(iter(places), "")
        return max(places, key=lambda ref: self._date(ref, places[ref]))

    def _date(self, ref: str, commit: str) -> int:
        """When it was written, in seconds since 1970; 0 where nothing can be made of it."""
        if commit in self._dates:
            return self._dates[commit]
        if objects.sizes(self._git_dir, [commit]) == [objects.MISSING]:
            with suppress(CheckpointError):
                self._fetch(ref, commit)
        head = stored.head(self._git_dir, commit)
        return head.date if head else 0

    def _knows(self, commit: str, expected: str) -> bool:
        """Whether who expects `expected` knows of `commit`, too: it may be one of ours that arrived, only the answer did
        not."""
        return commit == expected or self._unsure.get(commit) == expected

    # --- reading ------------------------------------------------------------------------------------------

    def _fetch(self, ref: str, commit: str, *, alone: bool = False) -> None:
        """Get the commit with all that belongs to it, or `alone`, without its parent. Nothing points to it here."""
        there = self._remote
        if there is None:
            return
        try:
            shallow = (self._git_dir / "shallow").exists()
            depth = ["--depth=1"] if alone else self._depth(there, commit) if shallow else []
            fetch(there, self._git_dir, commit, more=["--no-tags", *depth], waits=self._waits)
        except GitError as error:
            if _BROKEN.search(str(error)):
                raise self._strange(ref, f"is broken at the server, which says: {told(error)}") from error
            raise remote_error(there, error) from error

    def _depth(self, there: Remote, commit: str) -> list[str]:
        """How much to fetch where our own history is cut short. Where what the work was made on is not in it, git would
        fetch all that was ever before; where it is, a depth could cut ours shorter still. Which it is can be seen in a
        repository for that alone."""
        with tempfile.TemporaryDirectory(dir=self._git_dir) as folder:
            look = Path(folder)
            git("init", "--quiet", "--bare", "--template=", object_format(commit), look)
            borrow_objects(look, self._git_dir)
            fetch(there, look, commit, more=["--no-tags", "--depth=2"], waits=self._waits)
            bases = [base for work in stored.parents(look, commit) for base in stored.parents(look, work)]
        known = objects.MISSING not in objects.sizes(self._git_dir, bases)
        return [] if known else [f"--depth={DEPTH}"]

    def _strange(self, ref: str, what: str) -> CheckpointError:
        way = f"git push {self._place} :{ref}" if self._remote else f"git update-ref -d {ref}"
        return CheckpointError(
            f"{ref} of {self._place} is no {self._shelf.kind}: it {what}. Somebody else may have written it; "
            f"it can be deleted with `{way}`"
        )

    # --- writing ------------------------------------------------------------------------------------------

    def _commit(self, files: Mapping[str, bytes], work: str | None, date: int) -> str:
        here = ("--git-dir", self._git_dir)
        names = self._blobs(files)
        entries = "".join(f"{stored.PLAIN} blob {sha}\t{name}\0" for name, sha in names.items())
        tree = text(git(*here, "mktree", "-z", stdin=entries.encode()))
        # No two are the same commit, or two that write the same would both be told that they were first.
        message = f"Kept by ci-agent, for its next job\n\n[skip ci]\nWrite: {secrets.token_hex(16)}\n"
        at = datetime.fromtimestamp(date, UTC)
        return commit_tree(self._git_dir, tree, work, message.encode(), _AUTHOR, at=at)

    def _blobs(self, files: Mapping[str, bytes]) -> dict[str, str]:
        """Write the contents of files, by one git; the object of each."""
        words = ("--git-dir", self._git_dir, "hash-object", "-w", "--no-filters", "--stdin-paths")
        try:
            with tempfile.TemporaryDirectory(dir=self._git_dir) as folder:
                paths = [Path(folder) / str(number) for number in range(len(files))]
                for path, content in zip(paths, files.values(), strict=True):
                    path.write_bytes(content)
                shas = text(git(*words, stdin=b"".join(map(_quoted, paths)))).split()
        except OSError as error:
            raise GitError(f"{self._git_dir} can't be written to: {error}") from error
        return dict(zip(files, shas, strict=True))

    def _put(self, commit: str, order: Sequence[str], places: Mapping[str, str]) -> str:
        """Put `commit` at the first ref of `order` that may be written, and take away what is at the other one; that ref."""
        refusals = []
        for ref in order:
            try:
                self._move(ref, commit, places.get(ref, ""))
            except _RefusedError as error:
                refusals.append(f"{ref}: {error}")
                continue
            for other in places.keys() - {ref}:
                with suppress(CiAgentError, _RefusedError):  # it is the older one, so it does not count
                    self._move(other, "", places[other])
            return ref
        allowed = " or ".join(f"{ref.rpartition('/')[0]}/*" for ref in sorted(order))
        raise UsageError(
            f"{self._place} takes no {self._shelf.kind}s. {'. '.join(refusals)}. Let the token's owner create, replace and "
            f"delete {allowed} there"
        )

    def _move(self, ref: str, new: str, old: str) -> None:
        """Put `ref` from the commit `old` to `new`, each empty for none. Raises `MovedError` where it is elsewhere,
        `_RefusedError`, or what `remote_error` gives.

        What a lock keeps us from is no refusal: who holds it may be about to win, and then nobody else must."""
        for wait in (*self._waits, None):
            try:
                self._send(ref, new, old)
            except GitError as error:
                now = self._listed().get(ref, "")
                if now == new:  # an earlier try arrived, only its answer did not
                    return
                if now != old:
                    raise MovedError(f"somebody else moved {ref} meanwhile") from error
                if self._remote and "rejected]" not in str(error):
                    raise remote_error(self._remote, error) from error
                words = str(error)
                unseen = wait is None and "stale info" in words  # a ref that pushes meet and nobody is shown
                if unseen or _IN_THE_WAY in words or not _BUSY.search(words):
                    raise _RefusedError(told(error)) from error
                if wait is None:
                    raise UsageError(f"{ref} of {self._place} is being written to: {told(error)}") from error
                time.sleep(wait)
            else:
                break
        if new and not old and ref not in self._listed():
            raise _RefusedError("it is taken, but shown to nobody")

    def _send(self, ref: str, new: str, old: str) -> None:
        if self._remote:
            send(self._remote, self._git_dir, new, ref, known=old, waits=self._waits)
        else:
            what = (ref, new, old) if new else ("-d", ref, old)
            git("--git-dir", self._git_dir, "update-ref", "--no-deref", *what)
