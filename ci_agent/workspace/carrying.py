"""Work that was saved goes on where the repository has moved meanwhile: put on top of what is there now."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from ci_agent.errors import GitError
from ci_agent.workspace.git import git, text
from ci_agent.workspace.source import Source, resolve

_SHOWN = 12  # digits of a commit


@dataclass(frozen=True, slots=True)
class Carried:
    """Where saved work goes on. All commits and trees are in the source's repository."""

    source: Source  # it starts from here
    head: str  # the commit that the next one goes on top of
    tree: str  # the files with the work
    said: str = ""  # what became of it on the way, in sentences; empty: nothing moved
    files: tuple[str, ...] = field(default=())  # that others changed meanwhile
    kept: bool = True  # False: the work could not be put on top, and is not in the files


def carried(source: Source, branch: str, work: str, began: str) -> Carried:
    """The commit `work`, saved by a job that began on the commit `began`, on what there is now.

    Where the work branch is at the remote, that is its end, whoever pushed to it; else it is the base. What was pushed
    is never rewritten. A base that moved under work that is on no branch yet is taken over if the two go together, else
    the work stays where it began. Needs git 2.38 for that; an older one merges nothing.
    """
    pushed = source.branch_sha(branch)
    head = pushed or source.base_sha
    where = f"the branch {branch}" if pushed else source.base
    old = text(git("--git-dir", source.git_dir, "rev-parse", f"{work}^")) if work else began
    tree = _tree(source.git_dir, work or head)
    if not work or head == old or tree == _tree(source.git_dir, head):
        return Carried(source, head, tree)
    files = _changed(source.git_dir, old, head)
    moved = f"Meanwhile {where} moved from {old[:_SHOWN]} to {head[:_SHOWN]}"
    merged = _merged(source.git_dir, head, work)
    if merged:
        return Carried(
            source, head, merged, f"{moved}; your work was put on top of that. Changed there:", files
        )
    if pushed:
        return Carried(
            source,
            head,
            _tree(source.git_dir, head),
            f"{moved}, and what you had not handed in does not go together with that, so it is not in the files: look "
            "at them, and make the change again where it lacks. Changed there:",
            files,
            kept=False,
        )
    stays = replace(source, base_sha=old)
    said = f"{moved}, which does not go together with your work; it stays where it began. Changed there:"
    return Carried(stays, old, tree, said, files)


def _tree(git_dir: Path, commit: str) -> str:
    return text(git("--git-dir", git_dir, "rev-parse", f"{commit}^{{tree}}"))


def _merged(git_dir: Path, head: str, work: str) -> str:
    """The tree of both together; empty: they conflict, or git can't tell."""
    try:
        return text(git("--git-dir", git_dir, "merge-tree", "--write-tree", head, work)).splitlines()[0]
    except GitError:
        return ""


def _changed(git_dir: Path, old: str, new: str) -> tuple[str, ...]:
    if resolve(git_dir, old) is None:
        return ()
    listing = git(
        "--git-dir", git_dir, "diff", "--name-only", "-z", "--no-ext-diff", "--no-textconv", old, new, "--"
    )
    return tuple(name.decode("utf-8", "replace") for name in listing.split(b"\0") if name)
