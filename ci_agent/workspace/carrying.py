"""Work that was saved goes on where the repository has moved meanwhile: put on top of what is there now."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from ci_agent.errors import GitError
from ci_agent.workspace.git import git, text
from ci_agent.workspace.source import Source, is_ancestor, resolve

_SHOWN = 12  # digits of a commit
_NAMED = 10  # files in a sentence


@dataclass(frozen=True, slots=True)
class Carried:
    """Where saved work goes on. All commits and trees are in the source's repository."""

    source: Source  # it starts from here
    head: str  # the commit that the next one goes on top of
    tree: str  # the files with the work
    said: str = ""  # what became of it on the way, in sentences; empty: nothing moved
    files: tuple[str, ...] = field(
        default=()
    )  # that are not as they were; where the work stays, those that changed there
    kept: bool = True  # False: the work could not be put on top, and is not in the files


def carried(source: Source, branch: str, work: str, began: str) -> Carried:
    """The commit `work` (empty: there is none), of a session that began on the commit `began`, on what there is now.

    Where the work branch is at the remote, that is its end, whoever pushed to it; else it is the base. What was pushed
    is never rewritten, and what it lacks of the base is said. A base that moved under work that is on no branch yet is taken
    over if the two go together, else the work stays where it began. Needs git 2.38 for that; an older one merges nothing.
    """
    pushed = source.branch_sha(branch)
    put = _put(source, branch, work, began, pushed)
    lacks = _lacks(source, pushed) if pushed else ""
    return replace(put, said=" ".join(filter(None, [put.said, lacks])))


def _put(source: Source, branch: str, work: str, began: str, pushed: str | None) -> Carried:
    here = source.git_dir
    head = pushed or source.base_sha
    where = f"the branch {branch}" if pushed else source.base
    moved = f"Meanwhile {where} moved to {head[:_SHOWN]}"
    there = _tree(here, head)
    if not work or is_ancestor(here, work, head):  # nothing is to be put on top
        seen = work or began
        files = _changed(here, seen, head)
        nothing_new = not files and resolve(here, seen) is not None
        return Carried(source, head, there, "" if nothing_new else f"{moved}.", files)
    tree, old = _tree(here, work), resolve(here, f"{work}^")
    if old is None or head == old or tree == there:
        return Carried(source, head, tree)
    merged = _merged(here, head, work)
    if merged:
        said = f"{moved}; the work was put on top of that."
        return Carried(source, head, merged, said, _changed(here, work, merged))
    if pushed:
        said = (
            f"{moved}, and the work that was on no branch yet does not go together with that, so it is not in the "
            "files: look at them, and make the change again where it lacks."
        )
        return Carried(source, head, there, said, _changed(here, work, head), kept=False)
    said = f"{moved}, which does not go together with the work; it stays where it began."
    return Carried(replace(source, base_sha=old), old, tree, said, _changed(here, old, head))


def _lacks(source: Source, head: str) -> str:
    """What the base has got since the pushed commit `head` left it, as a sentence; empty: nothing."""
    here, tip = source.git_dir, source.branch_sha(source.base)
    files = _changed(here, source.base_sha, tip) if tip and not is_ancestor(here, tip, head) else ()
    if not tip or not files:
        return ""
    named = ", ".join(files[:_NAMED]) + (f" and {len(files) - _NAMED:,} more" if len(files) > _NAMED else "")
    conflicts = ", which conflicts with it" if _is_conflict(here, head, tip) else ""
    return (
        f"{source.base} moved to {tip[:_SHOWN]}{conflicts}; the branch was pushed, so it stays where it began, without what "
        f"changed there: {named}."
    )


def _tree(git_dir: Path, commit: str) -> str:
    return text(git("--git-dir", git_dir, "rev-parse", f"{commit}^{{tree}}"))


def _merged(git_dir: Path, head: str, work: str) -> str:
    """The tree of both together; empty: they conflict, or git can't tell."""
    try:
        return text(git("--git-dir", git_dir, "merge-tree", "--write-tree", head, work)).splitlines()[0]
    except GitError:
        return ""


def _is_conflict(git_dir: Path, one: str, other: str) -> bool:
    """Whether two commits conflict; no, where git is too old to tell."""
    try:
        git("--git-dir", git_dir, "merge-tree", "--write-tree", "--name-only", one, other)
    except GitError as error:
        return str(error).endswith(": exit code 1")  # and not a word of why; of a fault it says more
    return False


def _changed(git_dir: Path, old: str, new: str) -> tuple[str, ...]:
    """The paths in which a commit and another one, or a tree, differ; none where the first is not there any more."""
    if resolve(git_dir, old) is None:
        return ()
    listing = git(
        "--git-dir", git_dir, "diff", "--name-only", "-z", "--no-ext-diff", "--no-textconv", old, new, "--"
    )
    return tuple(name.decode("utf-8", "replace") for name in listing.split(b"\0") if name)
