"""Of a git bundle that anybody may have made only one commit on one branch is let in, and only what git finds sound."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ci_agent.errors import UsageError
from ci_agent.workspace import incoming
from ci_agent.workspace.incoming import take_in
from tests.support.repositories import Repository, make_repository

BRANCH = "feat/ai-task-1"


@dataclass
class Ground:
    """Somebody's repository, with the work on a branch, and a copy without it."""

    theirs: Repository
    ours: Path
    start: str

    def bundle(self, *words: str) -> bytes:
        file = self.theirs.path / "bundle"
        self.theirs.git("bundle", "create", "--quiet", str(file), *words)
        return file.read_bytes()

    def work(self, branch: str = BRANCH) -> bytes:
        return self.bundle(f"^{self.start}", f"refs/heads/{branch}")

    def take(self, bundle: bytes, branch: str = BRANCH) -> str:
        return take_in(self.ours, bundle, branch, self.start)

    def point(self, tree: str, branch: str = BRANCH) -> None:
        """Put a commit of `tree` onto the branch."""
        sha = self.theirs.git("commit-tree", tree, "-p", self.start, "-m", "Evil")
        self.theirs.git("update-ref", f"refs/heads/{branch}", sha)

    def tree(self, *entries: tuple[str, str, str]) -> str:
        """Write a tree that git itself would not: mode, name, object."""
        content = b"".join(
            f"{mode} {name}".encode() + b"\0" + bytes.fromhex(sha) for mode, name, sha in entries
        )
        words = ["git", "hash-object", "--literally", "-w", "-t", "tree", "--stdin"]
        done = subprocess.run(words, cwd=self.theirs.path, input=content, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def blob(self, content: bytes = b"x\n") -> str:
        words = ["git", "hash-object", "-w", "--stdin"]
        done = subprocess.run(words, cwd=self.theirs.path, input=content, capture_output=True, check=True)
        return done.stdout.decode().strip()


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    theirs = make_repository(tmp_path / "theirs", {"a": "1\n", "sub/b": "2\n"})
    start = theirs.git("rev-parse", "HEAD")
    theirs.git("clone", "--quiet", "--bare", str(theirs.path), str(tmp_path / "ours.git"))
    theirs.git("checkout", "--quiet", "-b", BRANCH)
    theirs.commit({"a": "2\n"}, "Work")
    return Ground(theirs, tmp_path / "ours.git", start)


def test_the_work_comes_in_and_nothing_points_to_it(ground: Ground) -> None:
    before = Repository(ground.ours).git("for-each-ref")
    assert ground.take(ground.work()) == ground.theirs.git("rev-parse", f"{BRANCH}^{{tree}}")
    assert Repository(ground.ours).git("for-each-ref") == before


def test_more_branches_are_refused(ground: Ground) -> None:
    ground.theirs.git("branch", "other")
    with pytest.raises(UsageError, match="is no git bundle with one branch"):
        ground.take(ground.bundle(f"^{ground.start}", f"refs/heads/{BRANCH}", "refs/heads/other"))


def test_a_tag_is_no_branch(ground: Ground) -> None:
    ground.theirs.git("tag", "v1")
    with pytest.raises(UsageError, match="is no git bundle with one branch"):
        ground.take(ground.bundle(f"^{ground.start}", "refs/tags/v1"))


def test_another_branch_is_refused(ground: Ground) -> None:
    ground.theirs.git("branch", "other")
    with pytest.raises(UsageError, match="is of another branch than the issue's"):
        ground.take(ground.work("other"))


def test_two_commits_are_refused(ground: Ground) -> None:
    ground.theirs.commit({"a": "3\n"}, "More")
    with pytest.raises(UsageError, match="is not one commit on top of the one"):
        ground.take(ground.work())


def test_a_whole_history_is_refused(ground: Ground) -> None:
    with pytest.raises(UsageError, match="begins at another commit than its journal says"):
        ground.take(ground.bundle(f"refs/heads/{BRANCH}"))


def test_a_commit_elsewhere_is_refused(ground: Ground) -> None:
    with pytest.raises(UsageError, match="begins at another commit than its journal says"):
        take_in(ground.ours, ground.work(), BRANCH, "1" * 40)


@pytest.mark.parametrize("name", [".git", ".GIT", "..", "."])
def test_what_git_itself_would_not_lay_out_is_refused(ground: Ground, name: str) -> None:
    ground.point(ground.tree(("40000", name, ground.tree(("100644", "config", ground.blob())))))
    with pytest.raises(UsageError, match="holds objects that git does not take"):
        ground.take(ground.work())


def test_objects_that_are_missing_are_refused(ground: Ground) -> None:
    ground.point(ground.tree(("100644", "a", ground.blob())))
    whole = ground.work()
    ground.take(whole)  # the control
    lacking = ground.theirs.git("rev-parse", f"{BRANCH}^{{tree}}")
    pack = subprocess.run(
        ["git", "pack-objects", "--stdout"],
        cwd=ground.theirs.path,
        input=f"{ground.theirs.git('rev-parse', BRANCH)}\n".encode(),
        capture_output=True,
        check=True,
    ).stdout
    Repository(ground.ours).git("cat-file", "-e", lacking)
    other = Ground(ground.theirs, make_repository(ground.ours.with_name("new")).path / ".git", ground.start)
    Repository(other.ours).git("fetch", "--quiet", str(ground.theirs.path), "main")
    with pytest.raises(UsageError, match="holds objects that git does not take"):
        other.take(whole[: whole.index(b"PACK")] + pack)


def test_few_folders_that_make_billions_of_files_are_refused(ground: Ground) -> None:
    tree = ground.tree(*(("100644", f"f{number}", ground.blob()) for number in range(10)))
    for _ in range(9):
        tree = ground.tree(*(("40000", f"d{number}", tree) for number in range(10)))
    ground.point(tree)
    with pytest.raises(UsageError, match="has more than 1,000,000 files"):
        ground.take(ground.work())


def test_folders_without_end_are_refused(ground: Ground) -> None:
    tree = ground.tree(("100644", "f", ground.blob()))
    for _ in range(incoming._DEPTH + 1):
        tree = ground.tree(("40000", "d", tree))
    ground.point(tree)
    with pytest.raises(UsageError, match="has folders nested deeper than 500"):
        ground.take(ground.work())


@pytest.mark.slow
def test_a_small_bundle_of_very_much_is_refused(ground: Ground) -> None:
    size = 400_000_000
    names = [ground.blob(bytes([number]) * size) for number in range(3)]
    ground.point(ground.tree(*(("100644", f"f{number}", name) for number, name in enumerate(names))))
    bundle = ground.work()
    assert len(bundle) < 10_000_000
    with pytest.raises(UsageError, match="holds more than 1,000,000,000 bytes when it is unpacked"):
        ground.take(bundle)


@given(some.binary(max_size=400))
def test_any_bytes_are_refused_in_words(content: bytes) -> None:
    with pytest.raises(UsageError):
        take_in(Path("/nowhere"), content, BRANCH, "1" * 40)


def test_a_changed_pack_is_refused(ground: Ground) -> None:
    whole = ground.work()
    for at in range(whole.index(b"PACK"), len(whole), 17):
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        with pytest.raises(UsageError):
            ground.take(changed)
    ground.take(whole)
