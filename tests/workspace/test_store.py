"""What a session keeps for its next job: at one ref, replaced by who knows what it replaces, read from anybody."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ci_agent.errors import (
    AuthenticationError,
    CheckpointError,
    CiAgentError,
    GitError,
    MovedError,
    UsageError,
)
from ci_agent.workspace import Shelf, Store, Stored
from ci_agent.workspace.stored import BYTES, FILES
from tests.support.git_server import Loss
from tests.support.repositories import Repository, long_history, make_repository, watched_git
from tests.workspace.project import PASSWORD, Project, work

_PUSHED = r"/git-receive-pack$"  # the address of the second half of a push, which does it
_LISTED = r"service=git-upload-pack$"
_STATE = {"state.json": b'{"a": 1}', "journal.jsonl.gz": b"\x1f\x8b\0\xff"}
_REF, _BRANCH = "refs/ci-agent/issues/7", "refs/heads/ci-agent/state/7"


def _ours(project: Project, name: str = "ours.git") -> Path:
    """A repository of ours, empty at first."""
    folder = project.folder / name
    if not folder.exists():
        project.person.git("init", "--quiet", "--bare", str(folder))
    return folder


def _job(
    project: Project, git_dir: Path | None = None, *, password: str = "", waits: Sequence[float] = (0, 0)
) -> Store:
    """What a job looks at the checkpoints with, in a repository of its own unless one is given."""
    there = project.login(password).remote()
    number = len(list(project.folder.glob("ours-*.git")))
    return Store(git_dir or _ours(project, f"ours-{number}.git"), there, waits=waits)


def _refs(project: Project) -> dict[str, str]:
    """All refs of the origin."""
    listing = project.origin.git("for-each-ref", "--format=%(refname) %(objectname)")
    return dict(line.split(" ") for line in listing.splitlines())


def _hook(project: Project, script: str) -> None:
    hook = project.origin.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)


def _refuse_namespace(project: Project, how: str) -> None:
    if how == "hook":
        _hook(
            project,
            "while read -r _ _ ref; do case $ref in refs/heads/*) ;; *)\n"
            "echo 'GH013: Repository rule violations found' >&2; exit 1;; esac; done",
        )
    else:
        project.origin.git("config", f"{how}.hideRefs", "refs/ci-agent")


def _pushes(project: Project) -> int:
    return len([address for address in project.server.addresses if re.search(_PUSHED, address)])


@dataclass(frozen=True)
class Stranger:
    """Somebody who may write whatever git can hold into a repository."""

    repository: Repository

    def _object(self, kind: str, content: bytes) -> str:
        words = ["git", "hash-object", "--literally", "-w", "-t", kind, "--stdin"]
        done = subprocess.run(words, cwd=self.repository.path, input=content, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def blob(self, content: bytes = b"x") -> str:
        return self._object("blob", content)

    def tree(self, *entries: tuple[str, bytes, str]) -> str:
        """Mode, name and object of each entry, as they are."""
        return self._object(
            "tree",
            b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(sha) for mode, name, sha in entries),
        )

    def commit(self, tree: str, *parents: str, date: float | str = "1700000000", more: str = "") -> str:
        person = f"R <r@example.org> {date if isinstance(date, str) else int(date)} +0000"
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {person}"]
        return self._object("commit", "\n".join([*lines, f"committer {person}", "", f"x{more}\n"]).encode())

    def tag(self, sha: str) -> str:
        return self._object(
            "tag", f"object {sha}\ntype commit\ntag x\ntagger R <r@x> 1 +0000\n\nx\n".encode()
        )

    def put(self, sha: str, ref: str = _REF) -> str:
        self.repository.git("update-ref", "--no-deref", ref, sha)
        return sha

    def checkpoint(
        self, content: bytes, *parents: str, ref: str = _REF, date: float | str = "1700000000"
    ) -> str:
        return self.put(
            self.commit(self.tree(("100644", b"a", self.blob(content))), *parents, date=date), ref
        )


@pytest.fixture
def stranger(project: Project) -> Stranger:
    return Stranger(project.origin)


# --- from job to job --------------------------------------------------------------------------------------


def test_what_one_job_keeps_another_one_reads(project: Project) -> None:
    done = work(project, {"b": "ours"})
    before = _refs(project)
    commit = _job(project, done.workspace.control.git_dir).write("7", _STATE, done.sha, "")
    assert _refs(project) == before | {_REF: commit}
    git_dir = _ours(project)
    later = _job(project, git_dir)
    assert later.all() == {"7": commit}
    assert later.read("7") == Stored(commit, _STATE, done.sha)
    assert later.read("8") is None
    assert Repository(git_dir).git("show", f"{done.sha}:b") == "ours"
    assert Repository(git_dir).git("fsck", "--no-dangling") == ""
    assert Repository(git_dir).git("for-each-ref") == ""


def test_a_checkpoint_is_replaced_whole_and_has_no_history(project: Project) -> None:
    done = work(project, {"b": "ours"})
    job = _job(project, done.workspace.control.git_dir)
    first = job.write("7", _STATE, done.sha, "")
    second = job.write("7", {"state.json": b"2"}, None, first)
    assert _job(project).read("7") == Stored(second, {"state.json": b"2"}, None)
    about = project.origin.git("log", "-1", "--format=%P|%an <%ae>", second)
    assert about == "|ci-agent <ci-agent@users.noreply.invalid>"


def test_a_checkpoint_without_files_is_one_too(project: Project) -> None:
    commit = _job(project).write("7", {}, None, "")
    assert _job(project).read("7") == Stored(commit, {}, None)


def test_a_checkpoint_is_deleted_and_nothing_else_is(project: Project) -> None:
    before = _refs(project)
    job = _job(project)
    first, other = job.write("7", _STATE, None, ""), job.write("77", _STATE, None, "")
    assert job.delete("7", first)
    assert job.delete("7", first)
    assert _refs(project) == before | {"refs/ci-agent/issues/77": other}
    assert job.all() == {"77": other}


def test_work_that_is_not_in_our_repository_can_not_be_kept(project: Project) -> None:
    with pytest.raises(GitError):
        _job(project).write("7", _STATE, "1" * 40, "")
    assert _REF not in _refs(project)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({f"f{number}": b"" for number in range(FILES + 1)}, "more than 20 files"),
        ({"a": b"0" * BYTES, "b": b"0"}, "more than 40,000,000 bytes"),
        ({"../a": b""}, "a name that none has"),
        ({"a\n": b""}, "a name that none has"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(
    files: dict[str, bytes], why: str, project: Project
) -> None:
    with pytest.raises(
        CheckpointError, match=rf"checkpoint of issue 7 can't be kept: it ha.*{why}|holds {why}"
    ):
        _job(project).write("7", files, None, "")
    assert _REF not in _refs(project)


def test_as_much_as_is_allowed_comes_back(project: Project) -> None:
    names = [f"{chr(97 + number)}{'-' * 40}" for number in range(FILES)]
    files = {name: name.encode() for name in names[1:]} | {names[0]: b"0" * (BYTES - 41 * (FILES - 1))}
    _job(project).write("7", files, None, "")
    read = _job(project).read("7")
    assert read is not None
    assert read.files == files


@pytest.mark.parametrize(
    "issue",
    [
        "",
        "0",
        "07",
        "-7",
        "7 ",
        "7\n",
        "a",
        "7/8",
        "../7",
        "*",
        "\uff17",
        "1\uff17",
        "1" * 11,
        "7^",
        "7:main",
    ],
)
def test_what_is_no_number_is_no_issue(issue: str, project: Project) -> None:
    job = _job(project)
    for call in (
        lambda: job.read(issue),
        lambda: job.write(issue, {}, None, ""),
        lambda: job.delete(issue, ""),
    ):
        with pytest.raises(UsageError, match="no checkpoint can have the name"):
            call()
    assert project.server.addresses == []


def test_what_is_of_another_kind_has_refs_and_names_of_its_own(project: Project) -> None:
    lists = Shelf(
        "list", "refs/ci-agent/lists/", "refs/heads/ci-agent/lists/", names="a|b", one="the list {}"
    )
    there = project.login().remote()
    job = Store(_ours(project), there, lists)
    with pytest.raises(UsageError, match="no list can have the name '7'"):
        job.read("7")
    commit = job.write("a", _STATE, None, "")
    assert _refs(project)["refs/ci-agent/lists/a"] == commit
    assert (dict(job.all()), dict(_job(project).all())) == ({"a": commit}, {})
    with pytest.raises(MovedError, match="somebody else moved the list a meanwhile"):
        Store(_ours(project, "other.git"), there, lists).write("a", _STATE, None, "")


def test_what_is_known_already_is_not_fetched_again(project: Project) -> None:
    job, other = _job(project), _job(project)
    first = job.write("7", _STATE, None, "")
    known = other.read("7")
    asked = len(project.server.addresses)
    assert other.read("7", known=known) is known
    assert all("upload-pack" in address for address in project.server.addresses[asked:])
    assert len(project.server.addresses) - asked == 2  # the listing
    second = job.write("7", {"state.json": b"2"}, None, first)
    found = other.read("7", known=known)
    assert found is not None
    assert (found.commit, found.files) == (second, {"state.json": b"2"})


def test_refs_that_only_look_like_checkpoints_are_none(project: Project, stranger: Stranger) -> None:
    sha = project.origin.git("rev-parse", "main")
    for ref in (
        "refs/ci-agent/issues/x",
        "refs/ci-agent/issues/07",
        "refs/ci-agent/issues/7/8",
        f"refs/heads/{_REF}",
        f"refs/tags/{_BRANCH}",
        "refs/heads/ci-agent/state/x",
        "refs/heads/ci-agent/9",
    ):
        stranger.put(sha, ref)
    job = _job(project)
    assert job.all() == {}
    assert job.read("7") is None


def test_a_repository_with_long_names_of_objects_has_checkpoints_too(
    project: Project, tmp_path: Path
) -> None:
    for name in ("git/acme/long.git", "long.git"):
        project.person.git("init", "--quiet", "--bare", "--object-format=sha256", str(tmp_path / name))
    there = project.login().remote()
    there = type(there)(project.server.url("acme/long.git"), _renamed(there.environment), True)
    job = Store(tmp_path / "long.git", there, waits=(0, 0))
    commit = job.write("7", _STATE, None, "")
    assert len(commit) == 64
    assert job.read("7") == Stored(commit, _STATE, None)
    assert job.delete("7", commit)


def _renamed(environment: dict[str, str]) -> dict[str, str]:
    return {name: value.replace("widget.git", "long.git") for name, value in environment.items()}


# --- who is first -----------------------------------------------------------------------------------------


def _at_once(jobs: Sequence[Callable[[], str]]) -> list[str | CiAgentError]:
    """What each of them comes to, when all begin at the same moment."""
    together = threading.Barrier(len(jobs))

    def run(job: Callable[[], str]) -> str | CiAgentError:
        together.wait()
        try:
            return job()
        except CiAgentError as error:
            return error

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def test_of_eight_jobs_that_begin_at_once_one_is_first(project: Project) -> None:
    """All of them write the same, so that nothing but the order tells them apart."""
    jobs = [_job(project, waits=(0.5, 2)) for _ in range(8)]
    ends = _at_once([lambda job=job: job.write("7", _STATE, None, "") for job in jobs])  # type: ignore[misc]
    winners = [end for end in ends if isinstance(end, str)]
    assert len(winners) == 1
    assert len([end for end in ends if isinstance(end, MovedError)]) == 7
    assert {ref: sha for ref, sha in _refs(project).items() if "ci-agent" in ref} == {_REF: winners[0]}


def test_of_eight_jobs_that_go_on_at_once_one_is_first(project: Project) -> None:
    first = _job(project).write("7", _STATE, None, "")
    jobs = [_job(project, waits=(0.5, 2)) for _ in range(8)]
    ends = _at_once([lambda job=job: job.write("7", _STATE, None, first) for job in jobs])  # type: ignore[misc]
    assert sorted(type(end).__name__ for end in ends) == [*["MovedError"] * 7, "str"]


def test_who_does_not_know_what_is_there_does_not_replace_it(project: Project) -> None:
    job, other = _job(project), _job(project)
    first = job.write("7", _STATE, None, "")
    second = job.write("7", _STATE, None, first)
    for stale in ("", first, "1" * 40):
        for who in (job, other):
            with pytest.raises(MovedError, match="somebody else moved the checkpoint of issue 7 meanwhile"):
                who.write("7", {}, None, stale)
            assert not who.delete("7", stale)
    assert other.all() == {"7": second}


def test_who_is_faster_at_the_very_moment_wins(project: Project, stranger: Stranger) -> None:
    """The hook replaces the checkpoint after our look at it."""
    job = _job(project)
    first = job.write("7", _STATE, None, "")
    theirs = stranger.commit(stranger.tree())
    _hook(
        project,
        "unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\n"
        f"git update-ref {_REF} {theirs}",
    )
    with pytest.raises(MovedError):
        job.write("7", {}, None, first)
    assert _refs(project)[_REF] == theirs
    project.origin.git("update-ref", _REF, first)
    assert not job.delete("7", first)


def test_a_ref_that_somebody_is_just_writing_is_waited_for(project: Project) -> None:
    lock = project.origin.path / f"{_REF}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    _hook(project, f"[ -e second ] && rm -f {_REF}.lock; touch second")
    commit = _job(project).write("7", _STATE, None, "")
    assert _refs(project)[_REF] == commit


def test_a_ref_that_stays_locked_is_no_reason_to_write_elsewhere(project: Project) -> None:
    """Who holds the lock may be about to win."""
    before = _refs(project)
    lock = project.origin.path / f"{_REF}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    with pytest.raises(UsageError, match=f"{_REF} of .* is being written to: .*lock"):
        _job(project).write("7", _STATE, None, "")
    assert _refs(project) == before


# --- connections and rights -------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True])
def test_a_connection_that_is_lost_costs_nothing(after: bool, project: Project) -> None:
    job = _job(project)
    for losing in (_PUSHED, _LISTED):
        project.server.losses.append(Loss(losing, after=after))
    first = job.write("7", _STATE, None, "")
    project.server.losses.append(Loss(_PUSHED, after=after))
    second = job.write("7", {}, None, first)
    assert _refs(project)[_REF] == second
    project.server.losses += [Loss(r"/git-upload-pack$", after=after), Loss(_PUSHED, after=after)]
    assert _job(project).read("7") == Stored(second, {}, None)
    assert job.delete("7", second)
    assert [loss.times for loss in project.server.losses] == [0] * 5
    assert _REF not in _refs(project)


def test_an_answer_that_is_lost_for_good_is_asked_for(project: Project) -> None:
    project.server.losses.append(Loss(_PUSHED, after=True))
    commit = _job(project, waits=()).write("7", _STATE, None, "")
    assert _refs(project)[_REF] == commit


def test_a_write_that_arrived_unheard_of_is_our_own_later(project: Project) -> None:
    """The network is gone with the answer; when it is back, nobody else has been there."""
    job = _job(project, waits=())
    first = job.write("7", _STATE, None, "")
    for number in range(2):
        # The second time it looks first, since it does not know what became of its own write.
        project.server.losses = [Loss(_PUSHED, after=True), Loss(_LISTED, spared=number)]
        with pytest.raises(UsageError, match="can't be reached"):
            job.write("7", {"number": b"%d" % number}, None, first)
    assert _refs(project)[_REF] != first
    with pytest.raises(MovedError):
        _job(project).write("7", {}, None, first)
    second = job.write("7", {"number": b"3"}, None, first)
    assert _job(project).read("7") == Stored(second, {"number": b"3"}, None)
    with pytest.raises(MovedError):
        job.write("7", {}, None, first)


def test_a_connection_that_is_lost_each_time_is_given_up(project: Project) -> None:
    project.server.losses.append(Loss(_PUSHED, times=100))
    with pytest.raises(UsageError, match="can't be reached"):
        _job(project).write("7", _STATE, None, "")
    assert project.server.losses[0].times <= 97
    assert not [ref for ref in _refs(project) if "ci-agent" in ref]


def test_a_token_that_may_only_read_is_told_what_it_needs(project: Project) -> None:
    commit = _job(project).write("7", _STATE, None, "")
    project.server.readers.add("r3ader")
    reader = _job(project, password="r3ader")
    assert reader.read("7") == Stored(commit, _STATE, None)
    for call in (lambda: reader.write("7", {}, None, commit), lambda: reader.delete("7", commit)):
        with pytest.raises(AuthenticationError, match=r"does not let us in.*contents: write"):
            call()
    with pytest.raises(AuthenticationError) as caught:
        _job(project, password="wr0ng").read("7")
    assert "wr0ng" not in f"{caught.value} {caught.value.__cause__}"


def test_the_token_is_in_the_environment_of_single_calls_and_nowhere_else(project: Project) -> None:
    git_dir = _ours(project)
    job = _job(project, git_dir)
    with watched_git(project.folder / "watched") as watched:
        job.delete("7", job.write("7", _STATE, None, job.write("7", _STATE, None, "")))
        job.write("8", _STATE, None, "")
        job.read("8")
    secrets = (PASSWORD, "eC1hY2Nlc3MtdG9rZW46Z2hzX3MzY3JldFQwa2Vu")  # as it is, and as HTTP sends it
    shown = [call.words for call in watched.calls() if any(secret in call.environment for secret in secrets)]
    verbs = ("fetch", "ls-remote", "push")
    assert {next(word for word in words if word in verbs) for words in shown} == set(verbs)
    for secret in secrets:
        assert secret not in watched.arguments()
        assert not [
            file for file in git_dir.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()
        ]


def test_what_the_user_has_set_for_pushes_is_not_for_ours(project: Project) -> None:
    (project.folder / "home" / ".gitconfig").write_text(
        "[push]\n\tpushOption = x\n\tfollowTags = true\n\tgpgSign = true\n[fetch]\n\tprune = true\n\tpruneTags = true\n"
        "\tfsckObjects = true\n[commit]\n\tgpgSign = true\n[core]\n\tlogAllRefUpdates = always\n"
    )
    done = work(project, {"b": "ours"})
    git_dir = done.workspace.control.git_dir
    before, ours = _refs(project), Repository(git_dir).git("for-each-ref")
    job = _job(project, git_dir)
    commit = job.write("7", _STATE, done.sha, "")
    assert job.read("7") == Stored(commit, _STATE, done.sha)
    assert _refs(project) == before | {_REF: commit}
    assert Repository(git_dir).git("for-each-ref") == ours


# --- where the namespace is refused -----------------------------------------------------------------------


@pytest.mark.parametrize("how", ["transfer", "receive", "uploadpack", "hook"])
def test_a_branch_does_where_the_namespace_is_refused_or_shown_to_nobody(how: str, project: Project) -> None:
    before = _refs(project)
    _refuse_namespace(project, how)
    job = _job(project)
    first = job.write("7", _STATE, None, "")
    second = job.write("7", {}, None, first)
    refs = {ref: sha for ref, sha in _refs(project).items() if how != "uploadpack" or ref != _REF}
    assert refs == before | {_BRANCH: second}
    later = _job(project)
    assert later.all() == {"7": second}
    assert later.read("7") == Stored(second, {}, None)
    third = later.write("7", _STATE, None, second)
    assert later.delete("7", third)
    assert {ref for ref in _refs(project) if ref != _REF} == before.keys()
    fourth = _job(project).write("7", _STATE, None, "")  # with what is left of the first time in the way
    assert later.all() == {"7": fourth}


def test_a_refusal_is_remembered_and_found_by_what_is_there(project: Project) -> None:
    _refuse_namespace(project, "receive")
    job = _job(project)
    first = job.write("7", _STATE, None, "")
    assert _pushes(project) == 2
    job.write("7", {}, None, first)
    job.write("8", {}, None, "")
    _job(project).write("9", {}, None, "")
    assert _pushes(project) == 5
    assert sorted(_job(project).all()) == ["7", "8", "9"]


def test_a_refusal_is_remembered_when_no_branch_is_left(project: Project) -> None:
    _refuse_namespace(project, "hook")
    job = _job(project)
    assert job.delete("7", job.write("7", _STATE, None, ""))
    pushes = _pushes(project)
    job.write("8", _STATE, None, "")
    assert _pushes(project) == pushes + 1


def test_where_both_are_refused_the_server_is_quoted_with_what_to_allow(project: Project) -> None:
    project.server.protect("acme/widget.git", "ci-agent/state/7")
    project.origin.git("config", "receive.hideRefs", "refs/ci-agent")
    before = _refs(project)
    with pytest.raises(UsageError) as caught:
        _job(project).write("7", _STATE, None, "")
    said = str(caught.value)
    assert "deny updating a hidden ref" in said
    assert "GitLab: You are not allowed to push code to protected branches" in said
    assert "replace and delete refs/ci-agent/issues/* or refs/heads/ci-agent/state/* there" in said
    assert _refs(project) == before


def test_a_branch_that_may_not_be_replaced_is_told(project: Project) -> None:
    project.origin.git("config", "receive.hideRefs", "refs/ci-agent")
    job = _job(project)
    first = job.write("7", _STATE, None, "")
    project.origin.git("config", "receive.denyNonFastForwards", "true")
    project.origin.git("config", "receive.denyDeletes", "true")
    with pytest.raises(UsageError, match="non-fast-forward"):
        job.write("7", {}, None, first)
    with pytest.raises(UsageError, match=f"does not let us delete {_BRANCH}: .*deletion prohibited"):
        job.delete("7", first)
    assert _refs(project)[_BRANCH] == first


def test_a_branch_in_the_way_is_left_alone_and_told(project: Project, stranger: Stranger) -> None:
    project.origin.git("config", "receive.hideRefs", "refs/ci-agent")
    project.push("ci-agent")
    before = _refs(project)
    with pytest.raises(UsageError, match=r"takes no checkpoints\..*'refs/heads/ci-agent' exists"):
        _job(project).write("7", _STATE, None, "")
    assert _refs(project) == before


def test_somebodys_branch_beside_the_checkpoints_is_not_touched(project: Project, stranger: Stranger) -> None:
    _refuse_namespace(project, "hook")
    theirs = {"refs/heads/ci-agent/state/mine", "refs/heads/ci-agent/other"}
    for ref in theirs:
        stranger.put(project.origin.git("rev-parse", "main"), ref)
    before = _refs(project)
    job = _job(project)
    assert job.delete("7", job.write("7", _STATE, None, job.write("7", _STATE, None, "")))
    assert _refs(project) == before


# --- where the rules have changed -------------------------------------------------------------------------


def test_rules_that_change_lose_nothing_and_leave_one_in_the_end(project: Project) -> None:
    first = _job(project).write("7", {"a": b"1"}, None, "")
    _refuse_namespace(project, "receive")
    second = _job(project).write("7", {"a": b"2"}, None, first)
    assert _refs(project).items() >= {_REF: first, _BRANCH: second}.items()  # the old one can't be taken away
    later = _job(project)
    assert later.all() == {"7": second}
    assert later.read("7") == Stored(second, {"a": b"2"}, None)
    with pytest.raises(MovedError):
        later.write("7", {}, None, first)
    with pytest.raises(UsageError, match=f"does not let us delete {_REF}"):
        later.delete("7", second)
    assert later.read("7") == Stored(second, {"a": b"2"}, None)
    project.origin.git("config", "--unset", "receive.hideRefs")
    third = later.write("7", {"a": b"3"}, None, second)
    assert {ref: sha for ref, sha in _refs(project).items() if "ci-agent" in ref} == {_BRANCH: third}


def test_branches_that_are_refused_later_lead_back(project: Project) -> None:
    _refuse_namespace(project, "receive")
    first = _job(project).write("7", {"a": b"1"}, None, "")
    project.origin.git("config", "--unset", "receive.hideRefs")
    project.server.protect("acme/widget.git", "ci-agent/state/7")
    job = _job(project)
    second = job.write("7", {"a": b"2"}, None, first)
    assert _refs(project).items() >= {_REF: second, _BRANCH: first}.items()
    assert _job(project).read("7") == Stored(second, {"a": b"2"}, None)
    third = job.write("7", {"a": b"3"}, None, second)
    assert _job(project).read("7") == Stored(third, {"a": b"3"}, None)


def test_the_newer_one_is_found_although_a_clock_was_ahead(project: Project, stranger: Stranger) -> None:
    first = stranger.checkpoint(b"1", date=time.time() + 5_000)
    job = _job(project)
    assert job.read("7") == Stored(first, {"a": b"1"}, None)
    _refuse_namespace(project, "receive")
    second = job.write("7", {"a": b"2"}, None, first)
    assert first in _refs(project).values()
    assert _job(project).read("7") == Stored(second, {"a": b"2"}, None)


def test_of_two_the_older_one_goes_first(project: Project, stranger: Stranger) -> None:
    stranger.checkpoint(b"old", date="1600000000")
    new = stranger.checkpoint(b"new", ref=_BRANCH)
    _hook(project, f'read -r _ _ ref; [ $ref != {_BRANCH} ] || [ -z "$(git for-each-ref {_REF})" ]')
    assert _job(project).delete("7", new)
    assert not [ref for ref in _refs(project) if "ci-agent" in ref]


# --- what is fetched --------------------------------------------------------------------------------------


def _downloaded(git_dir: Path) -> set[str]:
    """The objects that are in a repository itself, not in one that it borrows from."""
    found = {f"{path.parent.name}{path.name}" for path in (git_dir / "objects").glob("??/*")}
    for index in (git_dir / "objects" / "pack").glob("*.idx"):
        words = ["git", "show-index"]
        shown = subprocess.run(words, input=index.read_bytes(), capture_output=True, check=True).stdout
        found |= {line.split(" ")[1] for line in shown.decode().splitlines()}
    return found


def _kept(project: Project) -> tuple[str, str]:
    """A checkpoint with work on top of `main`, as an earlier job left it; its commit and the work's."""
    done = work(project, {"b": "ours"})
    return _job(project, done.workspace.control.git_dir).write("7", _STATE, done.sha, ""), done.sha


def _grow(project: Project, length: int) -> str:
    """Somebody pushes commits to `main`."""
    project.person.git("checkout", "--quiet", "--detach")
    long_history(project.person, "main", length)
    project.person.git("push", "--quiet", str(project.origin.path), "main")
    project.person.git("checkout", "--quiet", "main")
    return project.person.git("rev-parse", "main")


@pytest.mark.parametrize("depth", [None, 1, 3])
def test_what_the_work_was_made_on_is_not_fetched_again(depth: int | None, project: Project) -> None:
    commit, sha = _kept(project)
    project.push("other", {"big": "x" * 1000})
    git_dir = project.open(project.clone(*([f"--depth={depth}"] if depth else []))).git_dir
    before = _downloaded(git_dir)
    commits = Repository(git_dir).git("rev-list", "--count", "--all")
    assert _job(project, git_dir).read("7") == Stored(commit, _STATE, sha)
    assert (
        len(_downloaded(git_dir) - before) == 7
    )  # two commits, their trees, two files, and what was written
    repository = Repository(git_dir)
    assert repository.git("rev-list", "--count", "--all") == commits
    assert repository.git("show", f"{sha}:b") == "ours"
    assert repository.git("fsck", "--no-dangling", "--connectivity-only", sha) == ""
    assert not list(git_dir.glob("tmp*"))


def test_of_a_long_history_only_what_is_near_the_work_comes_into_a_short_one(project: Project) -> None:
    _grow(project, 300)
    commit, sha = _kept(project)
    base = project.person.git("rev-parse", "main")
    _grow(project, 200)
    git_dir = project.open(project.clone("--depth=1")).git_dir
    assert _job(project, git_dir).read("7") == Stored(commit, _STATE, sha)
    repository = Repository(git_dir)
    assert repository.git("rev-parse", f"{sha}^") == base
    assert int(repository.git("rev-list", "--count", sha)) == 49
    assert repository.git("fsck", "--no-dangling", "--connectivity-only", sha) == ""
    assert repository.git("show", f"{base}:a") == "5"


def test_a_history_that_is_long_enough_is_not_cut_shorter(project: Project) -> None:
    _grow(project, 300)
    commit, sha = _kept(project)
    _grow(project, 20)
    git_dir = project.open(project.clone("--depth=200")).git_dir
    repository = Repository(git_dir)
    before = repository.git("rev-list", "refs/remotes/origin/main")
    assert _job(project, git_dir).read("7") == Stored(commit, _STATE, sha)
    assert repository.git("rev-list", "refs/remotes/origin/main") == before
    base = repository.git("rev-parse", f"{sha}^")
    assert repository.git("merge-base", sha, "refs/remotes/origin/main") == base


@pytest.mark.parametrize("depth", [None, 1])
def test_a_server_that_speaks_gits_first_protocol_gives_no_less(depth: int | None, project: Project) -> None:
    (project.folder / "home" / ".gitconfig").write_text("[protocol]\n\tversion = 0\n")
    commit, sha = _kept(project)
    git_dir = project.open(project.clone(*([f"--depth={depth}"] if depth else []))).git_dir
    assert _job(project, git_dir).read("7") == Stored(commit, _STATE, sha)


def test_a_job_with_a_short_history_writes_too(project: Project) -> None:
    done = work(project, {"b": "ours"}, project.clone("--depth=1"))
    job = _job(project, done.workspace.control.git_dir)
    commit = job.write("7", _STATE, done.sha, job.write("7", _STATE, done.sha, ""))
    assert _job(project).read("7") == Stored(commit, _STATE, done.sha)
    assert project.origin.git("rev-list", "--count", done.sha) == "6"


def test_a_checkpoint_that_is_replaced_while_we_read_is_read_anew(
    project: Project, stranger: Stranger
) -> None:
    """The server forgets the first one as soon as its ref has been listed."""
    commit = _job(project).write("7", _STATE, None, "")
    later = stranger.commit(stranger.tree())
    wrapper = project.folder / "bin" / "git"
    wrapper.parent.mkdir()
    real = subprocess.run(["which", "git"], capture_output=True, check=True, text=True).stdout.strip()
    wrapper.write_text(
        f'#!/bin/sh\ncase " $* " in *" fetch "*{commit}*) cd {project.origin.path} && {real} update-ref {_REF} {later} &&'
        f' {real} -c gc.auto=0 prune --expire=now; esac\ncd {project.folder} && exec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{wrapper.parent}:{real.rpartition('/')[0]}:/bin")
        assert _job(project).read("7") == Stored(later, {}, None)


# --- what anybody may have written ------------------------------------------------------------------------


def _plain(stranger: Stranger, *more: tuple[str, bytes, str]) -> str:
    return stranger.tree(("100644", b"a", stranger.blob()), *more)


def _files(stranger: Stranger, count: int) -> Iterator[tuple[str, bytes, str]]:
    content = stranger.blob()
    return (("100644", b"f%05d" % number, content) for number in range(count))


_HOSTILE: dict[str, tuple[Callable[[Stranger], str], str]] = {
    "link": (
        lambda who: who.commit(_plain(who, ("120000", b"b", who.blob(b"/etc/passwd")))),
        "holds something else than plain files: 'b'",
    ),
    "program": (
        lambda who: who.commit(_plain(who, ("100755", b"b", who.blob()))),
        "holds something else than plain files: 'b'",
    ),
    "folder": (
        lambda who: who.commit(_plain(who, ("40000", b"b", _plain(who)))),
        "holds something else than plain files: 'b'",
    ),
    "submodule": (
        lambda who: who.commit(_plain(who, ("160000", b"b", "1" * 40))),
        "holds something else than plain files: 'b'",
    ),
    "folder that says it is a file": (
        lambda who: who.commit(who.tree(("100644", b"b", _plain(who)))),
        "lacks",
    ),
    "huge file": (
        lambda who: who.commit(_plain(who, ("100644", b"b", who.blob(b"0" * BYTES)))),
        "holds more than 40,000,000 bytes",
    ),
    "many files": (
        lambda who: who.commit(
            who.tree(*_files(who, 10_000))
        ),
        "has too many files",
    ),
    "one file too many": (
        lambda who: who.commit(who.tree(*_files(who, 21))),
        "has more than 20 files",
    ),
    "long name": (lambda who: who.commit(_plain(who, ("100644", b"b" * 42, who.blob()))), "a name that none has"),
    "very long name": (lambda who: who.commit(_plain(who, ("100644", b"b" * 5_000, who.blob()))), "names that are too"),
    "way out": (lambda who: who.commit(who.tree(("100644", b"../b", who.blob()))), r"none has: '\.\./b'"),
    "git's own": (lambda who: who.commit(who.tree(("100644", b".git", who.blob()))), r"none has: '\.git'"),
    "no name": (lambda who: who.commit(who.tree(("100644", b"", who.blob()))), "empty filename"),
    "colours": (lambda who: who.commit(who.tree(("100644", b"\x1b[31m\n", who.blob()))), r"none has: '\\x1b\[31m\\n'"),
    "no text": (lambda who: who.commit(who.tree(("100644", b"b\xff", who.blob()))), r"none has: 'b\\\\xff'"),
    "twice the same": (
        lambda who: who.commit(_plain(who, ("100644", b"a", who.blob(b"y")))),
        "holds a file twice: 'a'",
    ),
    "two parents": (
        lambda who: who.commit(_plain(who), who.commit(_plain(who)), who.commit(_plain(who), more="2")),
        "has more than one parent",
    ),
    "parent that is missing": (lambda who: who.commit(_plain(who), "1" * 40), "lacks|Could not read 1111"),
    "file that is missing": (lambda who: who.commit(_plain(who, ("100644", b"b", "1" * 40))), "lacks|unable to read 1111"),
    "tree that is missing": (lambda who: who.commit("1" * 40), "lacks|bad tree object 1111"),
    "tag": (lambda who: who.tag(who.commit(_plain(who))), "is no commit as ci-agent makes them"),
    "long story": (lambda who: who.commit(_plain(who), more="x" * 20_000), "is no commit as ci-agent makes them"),
    "odd date": (lambda who: who.commit(_plain(who), date="99999999999999"), "is no commit as ci-agent makes them"),
    "tree": (_plain, "is no commit as ci-agent makes them"),
    "file": (lambda who: who.blob(), "is no commit as ci-agent makes them"),
}  # fmt: skip


@pytest.mark.parametrize("where", ["remote", "local"])
@pytest.mark.parametrize("kind", _HOSTILE)
def test_what_is_no_checkpoint_is_told_and_can_be_deleted_or_replaced(
    kind: str, where: str, project: Project, stranger: Stranger
) -> None:
    make, why = _HOSTILE[kind]
    sha = stranger.put(make(stranger))
    job = _job(project) if where == "remote" else Store(project.origin.path, None, waits=())
    with (
        watched_git(project.folder / "watched") as watched,
        pytest.raises(CheckpointError, match=why) as caught,
    ):
        job.read("7")
    place = project.server.url("acme/widget.git") if where == "remote" else str(project.origin.path)
    said = str(caught.value)
    assert said.startswith(f"{_REF} of {place} is no checkpoint: it ")
    way = f"git push {place} :{_REF}" if where == "remote" else f"git update-ref -d {_REF}"
    assert said.endswith(f"it can be deleted with `{way}`")
    assert said.isprintable(), repr(said)
    contents = [call for call in watched.calls() if any(word.startswith("--batch=") for word in call.words)]
    assert len(contents) <= 2  # of the commit, to see which one is newer and what it is made of
    assert job.all() == {"7": sha}
    commit = job.write("7", _STATE, None, sha)
    assert job.read("7") == Stored(commit, _STATE, None)
    assert job.delete("7", commit)


def test_a_strange_one_beside_a_newer_good_one_is_in_nobodys_way(
    project: Project, stranger: Stranger
) -> None:
    stranger.put(stranger.blob())
    good = stranger.checkpoint(b"1", ref=_BRANCH)
    job = _job(project)
    assert job.read("7") == Stored(good, {"a": b"1"}, None)
    later = job.write("7", {}, None, good)
    assert {ref: sha for ref, sha in _refs(project).items() if "ci-agent" in ref} == {_BRANCH: later}


def test_what_git_itself_does_not_take_is_told(project: Project, stranger: Stranger) -> None:
    (project.folder / "home" / ".gitconfig").write_text("[fetch]\n\tfsckObjects = true\n")
    stranger.put(stranger.commit(stranger.tree(("100644", b".git", stranger.blob()))))
    with pytest.raises(CheckpointError, match="fsck error"):
        _job(project).read("7")


@dataclass(frozen=True)
class Ground:
    """A repository of a stranger's, with objects to make checkpoints of."""

    stranger: Stranger
    objects: dict[str, str]


_CONTENTS = {"empty": b"", "small": b"{}", "binary": b"\0\xff" * 300}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    repository = make_repository(tmp_path_factory.mktemp("ground") / "r", {"a": "1"})
    stranger = Stranger(repository)
    others = {
        "commit": repository.git("rev-parse", "HEAD"),
        "tree": stranger.tree(),
        "nothing": "1" * 40,
        "huge": stranger.blob(b"0" * (BYTES + 1)),
    }
    files = {name: stranger.blob(content) for name, content in _CONTENTS.items()}
    return Ground(stranger, files | others)


_PLAIN = ("100644", "100664")  # the second one is of git's first days, and is the first one to it
_ENTRIES = some.tuples(
    some.sampled_from([*["100644"] * 20, *_PLAIN, "100755", "120000", "40000", "160000"]),
    some.one_of(
        some.text("abz", min_size=1, max_size=4).map(str.encode),
        some.text("abz09.-", min_size=1, max_size=44).map(str.encode),
        some.binary(min_size=1, max_size=10).map(lambda name: name.replace(b"\0", b"0")),
    ),
    some.sampled_from([*list(_CONTENTS) * 8, "commit", "tree", "nothing", "huge"]),
)
_PARENTS = some.sampled_from([[], [], ["commit"], ["commit"], ["commit", "commit"], ["nothing"], ["huge"]])


@given(entries=some.lists(_ENTRIES, max_size=FILES + 4), parents=_PARENTS)
@settings(max_examples=60)
def test_of_any_tree_either_all_is_read_or_nothing(
    ground: Ground, entries: list[tuple[str, bytes, str]], parents: list[str]
) -> None:
    stranger, objects = ground.stranger, ground.objects
    tree = stranger.tree(*((mode, name, objects[content]) for mode, name, content in entries))
    sha = stranger.put(stranger.commit(tree, *(objects[parent] for parent in parents)))
    job = Store(stranger.repository.path / ".git", None)
    names = [name for _, name, _ in entries]
    if (
        len(names) == len(set(names)) <= FILES
        and parents in ([], ["commit"])
        and all(mode in _PLAIN and content in _CONTENTS for mode, _, content in entries)
        and all(re.fullmatch(rb"[a-z][a-z0-9.-]{0,40}", name) for name in names)
    ):
        files = {name.decode(): _CONTENTS[content] for _, name, content in entries}
        assert job.read("7") == Stored(sha, files, objects["commit"] if parents else None)
    else:
        with pytest.raises(CheckpointError):
            job.read("7")


# --- in a person's own repository -------------------------------------------------------------------------


@pytest.fixture
def person(tmp_path: Path) -> Repository:
    repository = make_repository(tmp_path / "shop", {"a": "1", "d/b": "2"})
    repository.git("branch", "ci-agent/state/7")
    hook = repository.path / ".git" / "hooks" / "reference-transaction"
    hook.write_text("#!/bin/sh\necho moved >> ran\n")
    hook.chmod(0o755)
    return repository


def test_on_the_local_platform_it_is_kept_in_the_persons_repository(person: Repository) -> None:
    before, refs = person.fingerprint(), person.git("for-each-ref")
    job = Store(person.path / ".git", None)
    assert job.all() == {}
    first = job.write("7", _STATE, person.git("rev-parse", "HEAD"), "")
    assert job.all() == {"7": first}
    assert job.read("7") == Stored(first, _STATE, person.git("rev-parse", "HEAD"))
    with pytest.raises(MovedError):
        job.write("7", {}, None, "")
    second = job.write("7", {}, None, first)
    assert not job.delete("7", first)
    assert person.git("for-each-ref", "refs/ci-agent") == f"{second} commit\t{_REF}"
    assert person.git("fsck", "--no-dangling") == ""
    assert job.delete("7", second)
    assert job.delete("7", second)
    assert (person.fingerprint(), person.git("for-each-ref")) == (before, refs)


def test_on_the_local_platform_of_eight_that_begin_at_once_one_is_first(person: Repository) -> None:
    jobs = [Store(person.path / ".git", None, waits=(0.5, 2)) for _ in range(8)]
    ends = _at_once([lambda job=job: job.write("7", _STATE, None, "") for job in jobs])  # type: ignore[misc]
    assert sorted(type(end).__name__ for end in ends) == [*["MovedError"] * 7, "str"]
    assert jobs[0].all() == {"7": next(end for end in ends if isinstance(end, str))}


def test_on_the_local_platform_a_lock_that_is_left_is_told(person: Repository) -> None:
    lock = person.path / ".git" / f"{_REF}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    with pytest.raises(UsageError, match=f"{_REF} of .* is being written to: .*lock"):
        Store(person.path / ".git", None, waits=(0,)).write("7", {}, None, "")


def test_on_the_local_platform_a_branch_is_never_made(person: Repository) -> None:
    person.git("update-ref", "refs/ci-agent/issues", "HEAD")
    before = person.git("for-each-ref")
    with pytest.raises(UsageError, match=r"takes no checkpoints\..*'refs/ci-agent/issues' exists"):
        Store(person.path / ".git", None, waits=()).write("8", {}, None, "")
    assert person.git("for-each-ref") == before


def test_a_ref_that_leads_to_a_branch_does_not_move_the_branch(person: Repository) -> None:
    head = person.git("rev-parse", "main")
    person.git("symbolic-ref", _REF, "refs/heads/main")
    job = Store(person.path / ".git", None)
    commit = job.write("7", {}, None, head)
    assert person.git("rev-parse", "main") == head
    assert job.all() == {"7": commit}
    person.git("symbolic-ref", _REF, "refs/heads/main")
    assert job.delete("7", head)
    assert person.git("rev-parse", "main") == head


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / 'a "b"\n\\c \udce4'
    make_repository(folder, {"a": "a"})
    job = Store(folder / ".git", None)
    commit = job.write("7", _STATE, None, "")
    assert job.read("7") == Stored(commit, _STATE, None)


def test_the_folder_that_we_are_in_changes_nothing(
    person: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a submodule, whose git directory knows where its files are."""
    person.git("config", "core.worktree", str(person.path))
    monkeypatch.chdir(person.path / "d")
    job = Store(Path("../.git"), None)
    commit = job.write("7", _STATE, None, "")
    assert job.read("7") == Stored(commit, _STATE, None)
