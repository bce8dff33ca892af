"""The source of a CI job: the repository as the platform has it now, fetched into a repository of our own.

The truth is the remote, not the job's checkout: its branches may be from an earlier job, and its configuration may
hold somebody's credentials. Only its objects are borrowed, so that nothing is downloaded twice. A submodule's
content and the files that Git LFS keeps elsewhere are not fetched; their pointers stay as they are.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from ci_agent.errors import GitError, UsageError
from ci_agent.workspace import files
from ci_agent.workspace.git import git, text
from ci_agent.workspace.remote import Remote, remote, remote_error
from ci_agent.workspace.source import Source, resolve

_DEEPER = 200  # commits that a shallow history is lengthened by, before all of it is fetched


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

    `checkout` is the job's own checkout, whose objects are borrowed; `name` is the repository's. Raises
    `UsageError` where there is no such base or no reaching it, `AuthenticationError` where we are not let in.
    """
    there = login.remote()
    listed = _listed(there)
    if f"refs/heads/{base}" not in listed:
        names = sorted(ref.removeprefix("refs/heads/") for ref in listed)[:10]
        raise UsageError(
            f"{there.url} has no branch {base} to start from; there is: {', '.join(names) or 'none at all'}. "
            "See `git.base`, or `--base` of the command"
        )
    wanted = [name for name in (base, branch) if f"refs/heads/{name}" in listed]
    git_dir = _repository(folder, checkout)
    _fetch(git_dir, there, wanted)
    if branch in wanted:
        _find_fork(git_dir, there, base, branch)
    sha = resolve(git_dir, f"refs/remotes/origin/{base}")
    if sha is None:
        raise UsageError(f"{there.url} gave no commit for its branch {base}")
    return Source(
        name=name,
        address=there.url,
        git_dir=git_dir,
        base=base,
        base_sha=sha,
        uncommitted=(),
        remote=there,
    )


def _listed(there: Remote) -> dict[str, str]:
    """The branches of the remote, with their commits."""
    try:
        said = text(git("ls-remote", "--heads", there.url, environment=there.environment, as_user=True))
    except GitError as error:
        raise remote_error(there.url, error) from error
    pairs = (line.split("\t", 1) for line in said.splitlines())
    return {ref: sha for sha, ref in pairs}


def _repository(folder: Path, checkout: Path | None) -> Path:
    """A repository of our own, with the objects of the checkout where they can be had."""
    files.discard(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    lender = _objects_of(checkout) if checkout else None
    kind = "sha1"
    if lender is not None:
        kind = text(git("--git-dir", lender, "rev-parse", "--show-object-format"))
    git("init", "--quiet", "--bare", "--template=", f"--object-format={kind}", folder)
    if lender is not None:
        files.write_lines(files.made(folder / "objects" / "info") / "alternates", [str(lender / "objects")])
        if (lender / "shallow").exists():
            shutil.copyfile(lender / "shallow", folder / "shallow")
    return folder


def _objects_of(checkout: Path) -> Path | None:
    """The git directory of the checkout whose objects can be borrowed; None: they can't, so all is fetched.

    A partial clone lacks objects that it would fetch when asked, with credentials that we do not have.
    """
    try:
        words = ("rev-parse", "--path-format=absolute", "--git-common-dir")
        found = Path(text(git("-C", checkout, *words, as_user=True)))
    except GitError:
        return None
    try:
        git("--git-dir", found, "config", "--get-regexp", r"^remote\..*\.promisor$")
    except GitError:  # it has none
        return found
    return None


def _fetch(git_dir: Path, there: Remote, branches: list[str], *more: str) -> None:
    specs = [f"+refs/heads/{name}:refs/remotes/origin/{name}" for name in branches]
    only = ("--quiet", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-gc")
    words = ("fetch", *only, *more, there.url, *specs)
    try:
        git("--git-dir", git_dir, *words, environment=there.environment, as_user=True)
    except GitError as error:
        raise remote_error(there.url, error) from error


def _find_fork(git_dir: Path, there: Remote, base: str, branch: str) -> None:
    """Make sure that the commit is there at which `branch` left the base, where the history was cut short."""
    for more in (f"--deepen={_DEEPER}", "--unshallow"):
        if not (git_dir / "shallow").exists() or _share(git_dir, base, branch):
            return
        _fetch(git_dir, there, [base, branch], more)


def _share(git_dir: Path, base: str, branch: str) -> bool:
    try:
        git(
            "--git-dir", git_dir, "merge-base", f"refs/remotes/origin/{base}", f"refs/remotes/origin/{branch}"
        )
    except GitError:
        return False
    return True
