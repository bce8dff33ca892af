"""Where the work comes from and goes back to: a person's repository on this machine, or a clone of a URL.

Reads the repository, and at the end moves one branch in it. A person's checkout and index are not touched.
"""

from __future__ import annotations

import getpass
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from ci_agent.errors import GitError, UsageError
from ci_agent.workspace.git import git, text
from ci_agent.workspace.remote import Remote, is_url, remote, remote_error

_SHA256 = 64  # digits of such an object's name


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
    never: tuple[str, ...] = ()  # branches besides the base that nothing is pushed to
    head_dir: Path | None = None  # the git directory of the person's checkout: its HEAD is there

    @property
    def place(self) -> str:
        """Where the work branch can be found on this machine."""
        return str(self.git_dir) if self.is_copy else self.address

    @property
    def is_copy(self) -> bool:
        """Whether this repository is a copy of ours, of one that is elsewhere."""
        return is_url(self.address)

    def belongs_to_other(self, branch: str, reference: str) -> bool:
        """Whether `branch` is there already, and not for the issue that `reference` names."""
        sha = self.branch_sha(branch)
        return sha is not None and reference not in self._issues_of(sha)

    def branch_sha(self, branch: str) -> str | None:
        """The commit of `branch`, here or at its origin, the newer one; None: there is no such branch."""
        local, origins = f"refs/heads/{branch}", f"refs/remotes/origin/{branch}"
        found = refs(self.git_dir, local, origins)
        here, there = found.get(local), found.get(origins)
        if here is None or there is None:
            return here or there
        return there if is_ancestor(self.git_dir, here, there) else here

    def known_at_remote(self, branch: str) -> str | None:
        """The commit `branch` had at the remote when this copy was made, empty for no such branch; None: this is no
        copy, so nobody knows."""
        if not self.is_copy:
            return None
        return resolve(self.git_dir, f"refs/remotes/origin/{branch}") or ""

    def continuing(self, branch: str, reference: str | None) -> Source:
        """The same source, started where `branch` left the base: the base may have moved on since then.

        `reference` names the issue; None: any will do. Raises `UsageError` when a branch of that name has
        nothing to do with the base, or is not for this issue.
        """
        sha = self.branch_sha(branch)
        if sha is None:
            return self
        if reference is not None and self.belongs_to_other(branch, reference):
            issues = ", ".join(sorted(self._issues_of(sha)))
            whose = f"belongs to another issue ({issues})" if issues else "is not one that ci-agent made"
            raise UsageError(
                f"the branch {branch} is there already and {whose}; choose another branch with --branch, "
                f"or name this one with --branch {branch} to go on with it"
            )
        common = _fork(self.git_dir, sha, self.base_sha)
        if common is None:
            raise UsageError(
                f"the branch {branch} is there already and has no commit in common with {self.base}; "
                "choose another with --branch"
            )
        return replace(self, base_sha=common)

    def between(self, base: str | None, head: str) -> tuple[Source, str]:
        """The same source, started where `head` left `base` (None: the default branch), and the commit that `head`
        stands for. Both are branches, tags, commits or what else git takes for one, as seen from the person's checkout.

        Raises `UsageError` where one of them stands for no commit, or there is nothing to compare.
        """
        name = base or self._default_branch()
        if name is None:
            hint = self._shallow_hint() or "name one with --base"
            raise UsageError(f"there is no default branch to compare with; {hint}")
        start, sha = self._commit(name), self._commit(head)
        common = _fork(self.git_dir, start, sha)
        if common is None:
            hint = self._shallow_hint()
            raise UsageError(f"{head} has no commit in common with {name}{'; ' + hint if hint else ''}")
        if sha == start:
            hint = (
                self._shallow_hint() or "commit the work to a branch, or name the two with --base and --head"
            )
            raise UsageError(
                f"{head} is the same commit as {name} ({sha[:12]}), so there is nothing to compare; {hint}"
            )
        if common == sha:
            raise UsageError(
                f"{head} ({sha[:12]}) is in {name} ({start[:12]}), so there is nothing to compare; is it the other "
                "way round? See --base and --head"
            )
        return replace(self, base=name.removeprefix("origin/"), base_sha=common), sha

    def _commit(self, name: str) -> str:
        """As git resolves it in the checkout, with its own HEAD; else a branch of the remote."""
        # A name that begins with a dash would be an option.
        sha = None if name.startswith("-") else resolve(self.head_dir or self.git_dir, name)
        sha = sha or resolve(self.git_dir, f"refs/remotes/origin/{name}")
        if sha is None:
            hint = self._shallow_hint()
            said = f"there is no branch, tag or commit {name!r} in {self.address}"
            raise UsageError(said + (f"; {hint}" if hint else ""))
        return sha

    def _shallow_hint(self) -> str:
        """What to do where a repository has only some of its commits, as CI's checkouts often do."""
        if text(git("--git-dir", self.git_dir, "rev-parse", "--is-shallow-repository")) != "true":
            return ""
        return "this is a shallow clone: fetch the rest with `git fetch --unshallow origin`, or check out with depth 0"

    def _default_branch(self) -> str | None:
        """The remote's default branch as this repository knows it, else `main` or `master` if there is one."""
        try:
            known = text(
                git("--git-dir", self.git_dir, "symbolic-ref", "--short", "refs/remotes/origin/HEAD")
            )
        except GitError:
            known = ""
        names = [known, "main", "master"] if not self.is_copy else [self.base]
        places = ("", "refs/remotes/origin/")
        return next(
            (name for name in names if name and any(resolve(self.git_dir, f"{p}{name}") for p in places)),
            None,
        )

    def _issues_of(self, sha: str) -> set[str]:
        """Which issues the commits up to `sha` that are not in the base say they are for."""
        form = "--format=%(trailers:key=Closes,key=Refs,valueonly)"
        listing = git("--git-dir", self.git_dir, "log", form, f"{self.base_sha}..{sha}")
        return {line for line in listing.decode("utf-8", "replace").splitlines() if line}

    def in_the_way(self, branch: str) -> str | None:
        """Another branch whose name leaves no room for `branch`: git keeps `a` and `a/b` never both."""
        parts = branch.split("/")
        above = ["refs/heads/" + "/".join(parts[:length]) for length in range(1, len(parts))]
        below = f"refs/heads/{branch}/"
        there = refs(self.git_dir, *above, below)
        blocking = next((name for name in there if name in above or name.startswith(below)), None)
        return blocking and blocking.removeprefix("refs/heads/")

    def has(self, sha: str) -> bool:
        """Whether the commit is in this repository."""
        return resolve(self.git_dir, sha) is not None

    def file(self, path: str) -> bytes | None:
        """The content of `path` at the base commit; None: there is none."""
        try:
            return git("--git-dir", self.git_dir, "cat-file", "blob", f"{self.base_sha}:{path}")
        except GitError:
            return None

    def files(self) -> list[str]:
        """The paths of all files at the base commit."""
        listing = git("--git-dir", self.git_dir, "ls-tree", "-r", "-z", "--name-only", self.base_sha)
        return [os.fsdecode(name) for name in listing.split(b"\0") if name]

    def ignored(self) -> list[str]:
        """The patterns of files that the person, not the repository, wants out of sight: they may be secrets."""
        named = _persons(self.git_dir).get("core.excludesfile", "")
        files = [Path(named).expanduser() if named else _usual_ignore(), self.git_dir / "info" / "exclude"]
        lines = [line for file in files if file.is_file() for line in file.read_bytes().splitlines()]
        return [os.fsdecode(line) for line in lines if line.strip() and not line.startswith(b"#")]

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
    if is_url(repository.strip()):
        return _open_url(repository.strip(), base, clones)
    return _open_path(Path(repository), base)


def identity(source: Source) -> str:
    """Who works here, as `Name <mail>`, from git's configuration; the login name where that says nothing."""
    config = _persons(source.git_dir)
    name, mail = config.get("user.name"), config.get("user.email")
    return f"{name} <{mail}>" if name and mail else _login()


def _persons(git_dir: Path) -> dict[str, str]:
    """What git's configuration files say of the person, and which files they want out of sight; by the key in small
    letters. Settings on our command line are none of theirs."""
    keys = r"^(user\.(name|email)|core\.excludesfile)$"
    words = ("config", "--show-scope", "-z", "--get-regexp", keys)
    try:
        parts = os.fsdecode(git("--git-dir", git_dir, *words, as_user=True)).split("\0")
    except GitError:  # how git says that there is none
        return {}
    entries = (
        entry.partition("\n")
        for scope, entry in zip(parts[::2], parts[1::2], strict=False)
        if scope != "command"
    )
    return {key: value.strip() for key, _, value in entries}


def _usual_ignore() -> Path:
    """Where git looks for `core.excludesFile` when it is not set."""
    home = Path(os.environ.get("HOME", os.devnull))
    return Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "git" / "ignore"


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "user"


def resolve(git_dir: Path, name: str) -> str | None:
    """The commit that `name` stands for, or None."""
    try:
        return text(git("--git-dir", git_dir, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"))
    except GitError:
        return None


def object_format(sha: str) -> str:
    """The option of `git init` for a repository whose objects have names like `sha`."""
    return f"--object-format={'sha256' if len(sha) == _SHA256 else 'sha1'}"


def refs(git_dir: Path, *patterns: str) -> dict[str, str]:
    """The full names of the refs that are, or lie below, one of `patterns`, each with the object it stands for."""
    listing = git("--git-dir", git_dir, "for-each-ref", "--format=%(refname) %(objectname)", *patterns)
    pairs = (line.rpartition(" ") for line in text(listing).splitlines())
    return {name: sha for name, _, sha in pairs}


def is_ancestor(git_dir: Path, old: str, new: str) -> bool:
    """Whether `new` holds `old`, both commits; False where one of them is not there."""
    try:
        git("--git-dir", git_dir, "merge-base", "--is-ancestor", old, new)
    except GitError:
        return False
    return True


def _fork(git_dir: Path, one: str, other: str) -> str | None:
    """The commit at which two commits parted."""
    try:
        return text(git("--git-dir", git_dir, "merge-base", one, other))
    except GitError:
        return None


def _open_path(path: Path, base: str | None) -> Source:
    if not path.is_dir():
        raise UsageError(f"{path} does not exist; give a repository with --repo PATH or --repo URL")
    if "\n" in str(path.resolve()):
        raise UsageError("the repository's path has a line break in it, which git can't work with here")
    head_dir, git_dir, top = _found(path)
    head = resolve(head_dir, "HEAD")
    if head is None and base is None:
        raise UsageError(
            f"the repository {top or git_dir} has no commit yet; the work needs one to start from: "
            "`git add -A && git commit -m 'First commit'`"
        )
    name, sha = _base(git_dir, base) if base else (_current_branch(head_dir) or str(head), str(head))
    origin = _origin(path)
    return Source(
        name=_last_part(str(top or git_dir)),
        address=str(top or git_dir),
        git_dir=git_dir,
        base=name,
        base_sha=sha,
        uncommitted=_uncommitted(head_dir, top),
        remote=remote(origin, top or git_dir, _access(path)) if origin else None,
        head_dir=head_dir,
    )


def _origin(path: Path) -> str | None:
    """Where the person's own `git push origin` goes, with their abbreviations spelled out."""
    try:
        return text(git("-C", path, "remote", "get-url", "--push", "origin", as_user=True))
    except GitError:
        return None


def _access(path: Path) -> list[tuple[str, str]]:
    """What the repository's own configuration says of getting in: CI's checkouts keep their token there."""
    keys = r"^(http\..*|core\.sshcommand|credential\..*)$"
    try:
        listing = git("-C", path, "config", "--local", "-z", "--get-regexp", keys, as_user=True)
    except GitError:
        return []
    entries = (os.fsdecode(entry).partition("\n") for entry in listing.split(b"\0") if entry)
    return [(key, value) for key, _, value in entries]


def _found(path: Path) -> tuple[Path, Path, Path | None]:
    """The repository around `path` as git itself finds it, who owns it included: the git directory of this checkout,
    the common one, and the top of the checkout (None: `path` is in none)."""
    words = ("--git-dir", "--git-common-dir", "--is-inside-work-tree", "--show-cdup")
    try:
        found = os.fsdecode(git("-C", path, "rev-parse", *words, as_user=True)).split("\n")
    except GitError as error:
        if "not a git repository" in str(error):
            raise UsageError(
                f"{path.resolve()} is not in a git repository; "
                "give one with --repo PATH or --repo URL, or make one with `git init` and a first commit"
            ) from error
        raise UsageError(f"{path.resolve()} is not a repository to work with: {error}") from error
    head_dir, git_dir, inside, up = found[:4]
    top = (path / up).resolve() if inside == "true" else None
    return (path / head_dir).resolve(), (path / git_dir).resolve(), top


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
    there = remote(url, None)
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", there.url).strip("-.")[-120:]
    git_dir = (clones / f"{slug}.git").resolve()
    if not git_dir.exists():
        git_dir.parent.mkdir(parents=True, exist_ok=True)
        git("init", "--quiet", "--bare", "--template=", git_dir)
    environment = there.environment
    try:
        heads = text(git("ls-remote", "--symref", there.url, "HEAD", environment=environment, as_user=True))
        git(
            "--git-dir",
            git_dir,
            "fetch",
            "--quiet",
            "--prune",
            "--tags",
            "--force",
            there.url,
            "+refs/heads/*:refs/remotes/origin/*",
            environment=environment,
            as_user=True,
        )
    except GitError as error:
        raise remote_error(there, error) from error
    default = re.search(r"^ref: refs/heads/(\S+)\s+HEAD$", heads, re.MULTILINE)
    if base is None and not default:
        raise UsageError(f"{there.url} has no default branch with a commit; choose one with --base")
    name, sha = _base(git_dir, base or str(default and default.group(1)))
    return Source(
        name=_last_part(there.url),
        address=there.url,
        git_dir=git_dir,
        base=name,
        base_sha=sha,
        uncommitted=(),
        remote=there,
    )


def _last_part(address: str) -> str:
    """A folder's name for the checkout; some projects look at it."""
    name = re.split(r"[/:]", address.rstrip("/"))[-1].removesuffix(".git")
    return name if name.strip(". ") else "repository"
