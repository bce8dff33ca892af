"""The source of a CI job: the repository as the platform has it now, fetched into a repository of our own.

The truth is the remote, not the job's checkout: its branches may be from an earlier job, and its configuration may
hold somebody's credentials. Only its objects are borrowed, so that nothing is downloaded twice. Tags come along as
far as the history does. A submodule's content and the files that Git LFS keeps elsewhere are not fetched; their
pointers stay as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from ci_agent.errors import GitError, UsageError
from ci_agent.workspace import files
from ci_agent.workspace.git import git, text
from ci_agent.workspace.remote import Remote, fetch, listed, remote, remote_error
from ci_agent.workspace.source import Source, object_format, resolve

_HEADS = "refs/heads/"
_HOST = re.compile(r"^[a-z0-9+.-]+://[^/]*|^[^/]+:", re.IGNORECASE)  # of a URL, or as SSH has it
_NAMED = 10  # branches in an error's text
DEPTH = 50  # commits of each branch, where the checkout has but few and a work branch is gone on with
_DEEPER = 500  # commits more, before the whole history is fetched


@dataclass(frozen=True, slots=True)
class Login:
    """An address with the credentials for it. They travel in the environment of single calls of git only."""

    url: str  # without credentials
    user: str
    password: str = field(repr=False)

    def remote(self) -> Remote:
        """The remote for git. SSH brings its own keys, as `GIT_SSH_COMMAND` says."""
        if not urlsplit(self.url).scheme.startswith("http"):
            return remote(self.url, None)
        scheme, _, rest = self.url.partition("://")
        pair = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return remote(f"{scheme}://{pair}@{rest}", None)


def open_fetched(
    login: Login, *, base: str, branch: str, checkout: Path | None, folder: Path, name: str
) -> Source:
    """The repository at `login.url` with its branch `base` and, where it is there, `branch`, in `folder`.

    `checkout` is the job's own checkout, whose objects are borrowed if it is one of the same repository; without it
    the whole history of the two branches is fetched. `name` is the repository's. Raises `UsageError` where there is no
    such base, `branch` is not one to work on, or the remote can't be reached; `AuthenticationError` where we
    are not let in.
    """
    there = login.remote()
    try:
        refs = listed(there, "HEAD", f"{_HEADS}*")
    except GitError as error:
        raise remote_error(there, error) from error
    default = refs.get("ref: HEAD", "").removeprefix(_HEADS)
    branches = [ref.removeprefix(_HEADS) for ref in refs if ref.startswith(_HEADS)]
    _check(there.url, branches, default, base, branch)
    wanted = [wish for wish in (base, branch) if wish in branches]
    kind = object_format(refs[f"{_HEADS}{base}"])
    folder = folder.resolve()
    _gather(folder, there, kind, wanted, _lender(checkout, login.url) if checkout else None)
    sha = resolve(folder, f"refs/remotes/origin/{base}")
    if sha is None:
        raise UsageError(f"{there.url} gave no commit for its branch {base}")
    return Source(
        name=name,
        address=there.url,
        git_dir=folder,
        base=base,
        base_sha=sha,
        uncommitted=(),
        remote=there,
        never=(default,),
    )


def _check(url: str, branches: list[str], default: str, base: str, branch: str) -> None:
    """Whatever would be in the way of a push at the end is said before any work begins."""
    if base not in branches:
        more = f" and {len(branches) - _NAMED} more" if len(branches) > _NAMED else ""
        raise UsageError(
            f"{url} has no branch {base} to start from; there is: "
            f"{', '.join(sorted(branches)[:_NAMED]) or 'none at all'}{more}. See `git.base`, or `--base` of the command"
        )
    if branch in (base, default):
        what = "the branch the work starts from" if branch == base else "the default branch"
        raise UsageError(f"{branch} is {what}; the work needs a branch of its own, see `git.branch`")
    for other in branches:
        if branch.startswith(f"{other}/") or other.startswith(f"{branch}/"):
            raise UsageError(
                f"there can be no branch {branch} beside the branch {other}: git keeps no name inside another; "
                "choose another one with `git.branch`"
            )


def _lender(checkout: Path, url: str) -> Path | None:
    """The git directory of the checkout whose objects can be borrowed; None: they can't, so all is fetched.

    It must be one of the repository at `url`. A partial clone will not do: it lacks objects that it would fetch when
    asked, with credentials that we do not have.
    """
    try:
        found = checkout / text(git("-C", checkout, "rev-parse", "--git-common-dir", as_user=True))
        words = ("config", "--local", "--get-regexp", r"^remote\..*\.(url|promisor)$")
        listing = text(git("--git-dir", found, *words))
    except GitError:
        return None
    settings = [line.partition(" ") for line in listing.splitlines()]
    if any(key.endswith(".promisor") for key, _, _ in settings):
        return None
    same = any(same_repository(address, url) for key, _, address in settings if key.endswith(".url"))
    return found.resolve() if same else None


def same_repository(address: str, url: str) -> bool:
    """Whether two addresses are likely to be of one repository, whichever way it is reached."""
    path, wanted = _path(address), _path(url)
    return bool(wanted) and (path == wanted or path.endswith(f"/{wanted}"))


def _path(address: str) -> str:
    place = _HOST.sub("", address)
    return place.strip("/").removesuffix(".git").lower()


def _gather(folder: Path, there: Remote, kind: str, branches: list[str], lender: Path | None) -> None:
    """Fetch `branches` into a new repository in `folder`, with the objects of `lender` at hand. `kind` is that of
    the names of its objects."""
    files.discard(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    git("init", "--quiet", "--bare", "--template=", kind, folder)
    if lender:
        files.borrow_objects(folder, lender)
    shallow = (folder / "shallow").exists()
    _fetch(folder, there, branches, *([f"--depth={DEPTH}"] if shallow and len(branches) > 1 else []))
    for more in (f"--deepen={_DEEPER}", "--unshallow"):
        # Where the history was cut short, the commit at which the branches parted may be missing.
        if (folder / "shallow").exists() and not _related(folder, branches):
            _fetch(folder, there, branches, more)


def _fetch(git_dir: Path, there: Remote, branches: list[str], *more: str) -> None:
    specs = [f"+{_HEADS}{name}:refs/remotes/origin/{name}" for name in branches]
    try:
        fetch(there, git_dir, *specs, more=more)
    except GitError as error:
        raise remote_error(there, error) from error


def _related(git_dir: Path, branches: list[str]) -> bool:
    """Whether a commit is there that all of them hold."""
    try:
        git(
            "--git-dir",
            git_dir,
            "merge-base",
            "--octopus",
            *(f"refs/remotes/origin/{name}" for name in branches),
        )
    except GitError:
        return False
    return True
