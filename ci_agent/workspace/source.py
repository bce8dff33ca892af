"""Where the work comes from and goes back to: a person's repository on this machine, or a clone of a URL.

Reads the repository, and at the end moves one branch in it. A person's checkout and index are not touched.
"""

from __future__ import annotations

import base64
import getpass
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from ci_agent.errors import AuthenticationError, CiAgentError, GitError, UsageError
from ci_agent.workspace.git import git, text

_URL = re.compile(r"^([a-z][a-z0-9+.-]*://|[^/\s]+@[^/\s:]+:)", re.IGNORECASE)
_REFUSED = re.compile(
    r"authentication failed|could not read (username|password)|permission denied|"
    r"terminal prompts disabled|returned error: 40[13]|repository not found",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Remote:
    """An address to fetch from and push to; its credentials travel in the environment only."""

    url: str  # without credentials
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class Source:
    """A repository and the commit the work starts from."""

    name: str  # the repository's last path component
    address: str  # for people: the path or the URL, without credentials
    git_dir: Path  # the common git directory: objects and branches are there
    base: str  # the branch, or the commit where HEAD is detached
    base_sha: str
    uncommitted: tuple[str, ...]  # files that differ from the last commit in the person's checkout
    remote: Remote | None  # where `--push` goes; None: there is no remote

    @property
    def place(self) -> str:
        """Where the work branch can be found on this machine."""
        return str(self.git_dir) if is_url(self.address) else self.address

    def belongs_to_other(self, branch: str, reference: str) -> bool:
        """Whether `branch` is there already, and not for the issue that `reference` names."""
        sha = self.branch_sha(branch)
        return sha is not None and reference not in self._issues_of(sha)

    def branch_sha(self, branch: str) -> str | None:
        """The commit of `branch`, here or at its origin, the newer one; None: there is no such branch."""
        here = resolve(self.git_dir, f"refs/heads/{branch}")
        there = resolve(self.git_dir, f"refs/remotes/origin/{branch}")
        if here is None or there is None:
            return here or there
        return there if _is_ancestor(self.git_dir, here, there) else here

    def continuing(self, branch: str, reference: str | None) -> Source:
        """The same source, started where `branch` left the base: the base may have moved on since then.

        `reference` names the issue; None: any will do. Raises `UsageError` when a branch of that name has nothing to do with the
        base, or belongs to another issue.
        """
        sha = self.branch_sha(branch)
        if sha is None:
            return self
        others = self._issues_of(sha) - {reference}
        if reference is not None and others:
            raise UsageError(
                f"the branch {branch} is there already and belongs to another issue ({', '.join(sorted(others))}); "
                "choose another branch with --branch"
            )
        try:
            common = text(git("--git-dir", self.git_dir, "merge-base", sha, self.base_sha))
        except GitError as error:
            raise UsageError(
                f"the branch {branch} is there already and has no commit in common with {self.base}; "
                "choose another with --branch"
            ) from error
        return replace(self, base_sha=common)

    def _issues_of(self, sha: str) -> set[str]:
        """Which issues the commit says it is for."""
        form = "--format=%(trailers:key=Closes,key=Refs,valueonly)"
        return {
            line for line in text(git("--git-dir", self.git_dir, "log", "-1", form, sha)).splitlines() if line
        }

    def file(self, path: str) -> bytes | None:
        """The content of `path` at the base commit; None: there is none."""
        try:
            return git("--git-dir", self.git_dir, "cat-file", "blob", f"{self.base_sha}:{path}")
        except GitError:
            return None

    def checked_out(self, branch: str) -> Path | None:
        """The checkout that has `branch` checked out: git will not move such a branch."""
        listing = text(git("--git-dir", self.git_dir, "worktree", "list", "--porcelain"))
        for block in listing.split("\n\n"):
            lines = block.splitlines()
            if f"branch refs/heads/{branch}" in lines:
                return Path(lines[0].removeprefix("worktree "))
        return None


def open_source(repository: str, base: str | None, clones: Path) -> Source:
    """The repository at `repository`, a path (or a folder inside it) or a URL.

    A URL is cloned into a folder of `clones`, or brought up to date there. `base` is the branch, tag or commit
    to start from; None: the branch that is checked out, for a URL the remote's default branch. Raises
    `UsageError` when it is no repository, has no commit, or has no such base; `AuthenticationError` when the
    remote does not let us in.
    """
    if is_url(repository):
        return _open_url(repository, base, clones)
    return _open_path(Path(repository).expanduser(), base)


def identity(source: Source) -> str:
    """Who works here, as `Name <mail>`, from git's configuration; the login name where that says nothing."""
    from git import GitConfigParser

    home = Path(os.environ.get("XDG_CONFIG_HOME", "~/.config")).expanduser()
    files = [home / "git" / "config", Path("~/.gitconfig").expanduser(), source.git_dir / "config"]
    with GitConfigParser([str(file) for file in files if file.exists()], read_only=True) as config:
        name = str(config.get_value("user", "name", default=""))
        mail = str(config.get_value("user", "email", default=""))
    return f"{name} <{mail}>" if name and mail else getpass.getuser()


def is_url(repository: str) -> bool:
    return bool(_URL.match(repository))


def resolve(git_dir: Path, name: str) -> str | None:
    """The commit that `name` stands for, or None."""
    try:
        return text(git("--git-dir", git_dir, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"))
    except GitError:
        return None


def _is_ancestor(git_dir: Path, old: str, new: str) -> bool:
    try:
        git("--git-dir", git_dir, "merge-base", "--is-ancestor", old, new)
    except GitError:
        return False
    return True


def network_environment() -> dict[str, str]:
    """For calls that talk to a remote: the person's own credentials, agents and proxies, nothing of CI's.

    The result replaces the built environment's refusal of the user's configuration.
    """
    names = (
        "HOME",
        "SSH_AUTH_SOCK",
        "GIT_SSH_COMMAND",
        "GIT_ASKPASS",
        "SSH_ASKPASS",
        "DISPLAY",
        "XDG_CONFIG_HOME",
        "http_proxy",
        "https_proxy",
        "HTTPS_PROXY",
        "no_proxy",
        "NO_PROXY",
        "GIT_SSL_CAINFO",
        "SSL_CERT_FILE",
    )
    own = {name: os.environ[name] for name in names if name in os.environ}
    home_config = Path(os.environ.get("HOME", "/nonexistent")) / ".gitconfig"
    if home_config.exists():
        own["GIT_CONFIG_GLOBAL"] = str(home_config)
    return own


def _open_path(path: Path, base: str | None) -> Source:
    from git import InvalidGitRepositoryError, NoSuchPathError, Repo

    try:
        with Repo(path, search_parent_directories=True) as repo:
            git_dir = Path(repo.common_dir).resolve()
            head_dir = Path(repo.git_dir).resolve()
            top = Path(repo.working_tree_dir).resolve() if repo.working_tree_dir else None
            remotes = [remote.url for remote in repo.remotes if remote.name == "origin"]
    except NoSuchPathError as error:
        raise UsageError(
            f"{path} does not exist; give a repository with --repo PATH or --repo URL"
        ) from error
    except InvalidGitRepositoryError as error:
        raise UsageError(
            f"{path.resolve()} is not in a git repository; "
            "give one with --repo PATH or --repo URL, or make one with `git init` and a first commit"
        ) from error
    head = resolve(head_dir, "HEAD")
    if head is None and base is None:
        raise UsageError(
            f"the repository {top or git_dir} has no commit yet; the work needs one to start from: "
            "`git add -A && git commit -m 'First commit'`"
        )
    name, sha = _base(git_dir, base) if base else (_current_branch(head_dir) or str(head), str(head))
    return Source(
        name=(top or git_dir).name.removesuffix(".git"),
        address=str(top or git_dir),
        git_dir=git_dir,
        base=name,
        base_sha=sha,
        uncommitted=_uncommitted(head_dir, top),
        remote=_remote(remotes[0], top or git_dir) if remotes else None,
    )


def _current_branch(head_dir: Path) -> str | None:
    try:
        return text(git("--git-dir", head_dir, "symbolic-ref", "--quiet", "--short", "HEAD"))
    except GitError:
        return None


def _base(git_dir: Path, base: str) -> tuple[str, str]:
    for name in (f"refs/heads/{base}", f"refs/remotes/origin/{base}", base):
        sha = resolve(git_dir, name)
        if sha:
            return base.removeprefix("origin/"), sha
    listing = git("--git-dir", git_dir, "for-each-ref", "--format=%(refname:short)", "refs/heads")
    there = ", ".join(text(listing).splitlines()[:10])
    raise UsageError(f"there is no base branch {base!r} here; there is: {there or 'no branch at all'}")


def _uncommitted(head_dir: Path, top: Path | None) -> tuple[str, ...]:
    if top is None:
        return ()
    # Without optional locks (see git.py) this does not even refresh the person's index.
    listing = git("--git-dir", head_dir, "--work-tree", top, "status", "--porcelain", "-z", directory=top)
    entries = iter(listing.split(b"\0"))
    names = []
    for entry in entries:
        if entry:
            names.append(os.fsdecode(entry[3:]))
            if entry[:1] in (b"R", b"C"):
                next(entries)  # the name before
    return tuple(names)


def _open_url(url: str, base: str | None, clones: Path) -> Source:
    remote = _remote(url, None)
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", remote.url).strip("-.")[-120:]
    git_dir = (clones / f"{slug}.git").resolve()
    if not git_dir.exists():
        git_dir.parent.mkdir(parents=True, exist_ok=True)
        git("init", "--quiet", "--bare", "--template=", git_dir)
    environment = remote.environment | network_environment()
    try:
        heads = text(git("ls-remote", "--symref", remote.url, "HEAD", environment=environment))
        git(
            "--git-dir",
            git_dir,
            "fetch",
            "--quiet",
            "--prune",
            "--tags",
            "--force",
            remote.url,
            "+refs/heads/*:refs/remotes/origin/*",
            environment=environment,
        )
    except GitError as error:
        raise remote_error(remote.url, error) from error
    default = re.search(r"^ref: refs/heads/(\S+)\s+HEAD$", heads, re.MULTILINE)
    if base is None and not default:
        raise UsageError(f"{remote.url} has no default branch with a commit; choose one with --base")
    name, sha = _base(git_dir, base or str(default and default.group(1)))
    return Source(
        name=_last_part(remote.url),
        address=remote.url,
        git_dir=git_dir,
        base=name,
        base_sha=sha,
        uncommitted=(),
        remote=remote,
    )


def _last_part(url: str) -> str:
    return re.split(r"[/:]", url.rstrip("/"))[-1].removesuffix(".git")


def remote_error(url: str, error: GitError) -> CiAgentError:
    """What a person is told when a call to a remote failed."""
    if _REFUSED.search(str(error)):
        return AuthenticationError(
            f"{url} does not let us in: {error}. Check the address, and that `git ls-remote {url}` works here"
        )
    return UsageError(f"{url} can't be reached: {error}")


def _remote(url: str, relative_to: Path | None) -> Remote:
    """Takes the credentials out of an address: they must appear in no argument list and no log."""
    if not re.match(r"^https?://", url):
        if relative_to is not None and not is_url(url):
            url = str((relative_to / url).resolve())
        return Remote(url, {})
    parts = urlsplit(url)
    if parts.username is None:
        return Remote(url, {})
    host = parts.netloc.rpartition("@")[2]
    clean = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    header = "Authorization: Basic " + base64.b64encode(pair.encode()).decode()
    setting = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{parts.scheme}://{host}/.extraHeader",
        "GIT_CONFIG_VALUE_0": header,
    }
    return Remote(clean, setting)
