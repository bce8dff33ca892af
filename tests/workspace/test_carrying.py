"""Saved work on top of what the repository has become meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_agent.workspace import Carried, Source, carried, open_source
from tests.support.repositories import Repository, make_repository

WORK = "feat/ai-task-1"
LINES = "".join(f"line {number}\n" for number in range(20))


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    return make_repository(tmp_path / "shop", {"a": LINES, "b": "b\n", "c": "c\n"})


def saved(project: Repository, files: dict[str, str], onto: str = "main") -> str:
    """The work in progress of a session that began on `onto`; it is on no branch."""
    project.git("checkout", "--quiet", "--detach", onto)
    sha = project.commit(files)
    project.git("checkout", "--quiet", "main")
    return sha


def pushed(project: Repository, files: dict[str, str], onto: str) -> str:
    """Somebody has the work branch at a commit of `files` on top of `onto`, whatever was there before."""
    sha = saved(project, files, onto)
    project.git("branch", "--force", WORK, sha)
    return sha


def opened(project: Repository) -> Source:
    return open_source(str(project.path), "main", project.path / "unused").continuing(WORK, None)


def content(project: Repository, found: Carried, path: str) -> str:
    return project.git("show", f"{found.tree}:{path}")


def test_where_nothing_moved_the_work_is_as_it_was(project: Repository) -> None:
    began = project.git("rev-parse", "main")
    work = saved(project, {"b": "work\n"})
    found = carried(opened(project), WORK, work, began)
    assert (found.head, found.said, found.files, found.kept) == (began, "", (), True)
    assert found.tree == project.git("rev-parse", f"{work}^{{tree}}")


def test_work_goes_on_top_of_a_base_that_moved(project: Repository) -> None:
    began = project.git("rev-parse", "main")
    work = saved(project, {"b": "work\n"})
    head = project.commit({"c": "theirs\n"})
    found = carried(opened(project), WORK, work, began)
    assert (found.source.base_sha, found.head, found.files) == (head, head, ("c",))
    assert [content(project, found, name) for name in "bc"] == ["work", "theirs"]
    assert found.said == f"Meanwhile main moved to {head[:12]}; the work was put on top of that."


def test_work_stays_where_it_began_when_the_base_does_not_go_with_it(project: Repository) -> None:
    began = project.git("rev-parse", "main")
    work = saved(project, {"b": "work\n"})
    project.commit({"b": "theirs\n", "c": "theirs\n"})
    found = carried(opened(project), WORK, work, began)
    assert (found.source.base_sha, found.head, found.files) == (began, began, ("b", "c"))
    assert content(project, found, "b") == "work"
    assert found.said.endswith("which does not go together with the work; it stays where it began.")


def test_work_does_not_overwrite_what_somebody_pushed_to_its_branch(project: Repository) -> None:
    began = project.git("rev-parse", "main")
    work = saved(project, {"b": "work\n"})
    head = pushed(project, {"b": "theirs\n"}, onto="main")
    found = carried(opened(project), WORK, work, began)
    assert (found.head, found.kept, found.files) == (head, False, ("b",))
    assert content(project, found, "b") == "theirs"


def test_of_a_branch_that_somebody_went_on_with_only_their_change_is_told(project: Repository) -> None:
    """The session had pushed its work, and waits for an answer."""
    began = project.git("rev-parse", "main")
    work = pushed(project, {"b": "work\n"}, onto="main")
    head = pushed(project, {"c": "theirs\n"}, onto=work)
    found = carried(opened(project), WORK, work, began)
    assert (found.head, found.tree) == (head, project.git("rev-parse", f"{head}^{{tree}}"))
    assert (found.said, found.files) == (f"Meanwhile the branch {WORK} moved to {head[:12]}.", ("c",))


@pytest.mark.parametrize(("changed", "fits"), [("c", ""), ("b", ", which conflicts with it")])
def test_what_the_base_got_since_a_branch_was_pushed_is_told(
    changed: str, fits: str, project: Repository
) -> None:
    began = project.git("rev-parse", "main")
    work = pushed(project, {"b": "work\n"}, onto="main")
    tip = project.commit({changed: "theirs\n"})
    found = carried(opened(project), WORK, work, began)
    assert (found.source.base_sha, found.head, found.files, found.kept) == (began, work, (), True)
    assert found.said == (
        f"main moved to {tip[:12]}{fits}; the branch was pushed, so it stays where it began, without what changed "
        f"there: {changed}."
    )


def test_a_branch_that_somebody_put_on_a_newer_base_holds_the_work_once(project: Repository) -> None:
    began = project.git("rev-parse", "main")
    work = saved(project, {"b": "work\n"})
    newer = project.commit({"c": "theirs\n"})
    pushed(project, {"b": "work\n"}, onto=newer)
    found = carried(opened(project), WORK, work, began)
    assert (found.source.base_sha, found.files) == (newer, ("c",))
    assert [content(project, found, name) for name in "bc"] == ["work", "theirs"]


def test_what_this_session_pushed_itself_is_no_news(project: Repository) -> None:
    """The job was killed after its push, and the checkpoint is that of before."""
    began = project.git("rev-parse", "main")
    work = saved(project, {"b": "work\n"})
    head = pushed(project, {"b": "work\n"}, onto="main")
    project.git("commit", "--quiet", "--allow-empty", "-m", "Something else")
    found = carried(opened(project), WORK, work, began)
    assert (found.head, found.said, found.kept) == (head, "", True)


def test_a_base_that_moved_is_told_where_there_is_no_work_yet(project: Repository) -> None:
    """The model has read the files as they were: it asked before it changed any."""
    began = project.git("rev-parse", "main")
    head = project.commit({"a": "theirs\n"})
    found = carried(opened(project), WORK, "", began)
    assert (found.head, found.files) == (head, ("a",))
    assert found.said == f"Meanwhile main moved to {head[:12]}."


def test_a_commit_without_a_change_is_no_news(project: Repository) -> None:
    began = project.git("rev-parse", "main")
    project.commit({})
    assert carried(opened(project), WORK, "", began).said == ""


def test_a_base_that_was_rewritten_is_told_without_a_list(project: Repository) -> None:
    """What was there is in nobody's repository any more."""
    found = carried(opened(project), WORK, "", "1" * 40)
    assert found.said.startswith("Meanwhile main moved to")
    assert found.files == ()


def test_work_on_a_base_that_was_rewritten_stays_on_it(project: Repository) -> None:
    began = project.git("rev-parse", "main")
    work = saved(project, {"b": "work\n"})
    project.git("checkout", "--quiet", "--orphan", "new")
    project.commit({"c": "rewritten\n"})
    project.git("branch", "--force", "main", "HEAD")
    project.git("checkout", "--quiet", "main")
    found = carried(opened(project), WORK, work, began)
    assert (found.head, content(project, found, "b")) == (began, "work")


def test_a_clean_merge_in_one_file_keeps_both(project: Repository) -> None:
    began = project.git("rev-parse", "main")
    work = saved(project, {"a": LINES.replace("line 1\n", "work\n")})
    project.commit({"a": LINES.replace("line 18\n", "theirs\n")})
    found = carried(opened(project), WORK, work, began)
    assert {"work", "theirs"} <= set(content(project, found, "a").splitlines())
    assert found.files == ("a",)
