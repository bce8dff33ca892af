"""What every platform must do, as functions that take a `Rig`: one platform and the hands of its people.

A platform's own test file runs each function of `CONTRACT` on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypedDict

import pytest

from ci_agent.errors import UsageError
from ci_agent.platforms import Label, Permission, Platform
from ci_agent.task import Account


class _Said(TypedDict):
    title: str
    text: str
    draft: bool
    add_labels: list[Label]
    remove_labels: list[str]


_PLAIN: _Said = {"title": "T", "text": "", "draft": False, "add_labels": [], "remove_labels": []}


class Rig(Protocol):
    """A platform that holds nothing yet, and what people do there without us."""

    def open(self) -> Platform:
        """The platform as a new job opens it."""
        ...

    def write_issue(self, title: str, text: str) -> str:
        """Somebody writes an issue; its number."""
        ...

    def write_comment(self, number: str, text: str) -> None:
        """Somebody else comments on it."""
        ...

    def close_merge_request(self, number: str) -> None:
        """Somebody closes it without merging."""
        ...


def an_issue_is_read_as_it_was_written(rig: Rig) -> None:
    first = rig.write_issue("Blanks 'in' \"names\" 🐛", "What I did:\n\n---\n\n`slug('A  b')`")
    second = rig.write_issue("Another", "")
    issue = rig.open().issue(first)
    assert (issue.number, issue.title) == (first, "Blanks 'in' \"names\" 🐛")
    assert issue.text == "What I did:\n\n---\n\n`slug('A  b')`"
    assert issue.open
    assert issue.author.login
    assert issue.url != rig.open().issue(second).url
    assert rig.open().issue(second).text == ""


def an_issue_that_is_not_there_is_an_error_for_people(rig: Rig) -> None:
    rig.write_issue("One", "")
    for number in ("999999", "", "x", "../1", "0", "-1", "1/comments/1"):
        with pytest.raises(UsageError, match="no issue"):
            rig.open().issue(number)
        with pytest.raises(UsageError, match="no issue"):
            rig.open().comments(number)
        with pytest.raises(UsageError, match="no issue"):
            rig.open().ensure_comment(number, "m", "text")
        with pytest.raises(UsageError, match="no issue"):
            rig.open().change_labels(number, [Label("a")], [])


def comments_come_oldest_first_and_ours_are_told_from_others(rig: Rig) -> None:
    number = rig.write_issue("One", "")
    assert list(rig.open().comments(number)) == []
    for count in range(11):
        rig.write_comment(number, f"comment {count}")
    rig.open().ensure_comment(number, "progress", "ours")
    comments = rig.open().comments(number)
    assert [comment.text for comment in comments] == [*(f"comment {count}" for count in range(11)), "ours"]
    assert [comment.ours for comment in comments] == [False] * 11 + [True]
    assert [comment.created for comment in comments] == sorted(comment.created for comment in comments)
    assert len({comment.id for comment in comments}) == 12


def a_comment_with_a_marker_is_made_once_and_edited_in_place(rig: Rig) -> None:
    number = rig.write_issue("One", "")
    first = rig.open().ensure_comment(number, "progress 1", "working\n\n- [ ] read")
    same = rig.open().ensure_comment(number, "progress 1", "working\n\n- [ ] read")
    rig.write_comment(number, "hello")
    edited = rig.open().ensure_comment(number, "progress 1", "done")
    assert (first.created, same.created, edited.created) == (True, False, False)
    assert first.item == same.item
    assert (edited.item.id, edited.item.created, edited.item.url) == (
        first.item.id,
        first.item.created,
        first.item.url,
    )
    assert [comment.text for comment in rig.open().comments(number)] == ["done", "hello"]


def each_marker_and_each_issue_has_a_comment_of_its_own(rig: Rig) -> None:
    one, two = rig.write_issue("One", ""), rig.write_issue("Two", "")
    for number, marker in ((one, "a"), (one, "a b"), (two, "a")):
        assert rig.open().ensure_comment(number, marker, f"{marker} of {number}").created
    assert [comment.text for comment in rig.open().comments(one)] == [f"a of {one}", f"a b of {one}"]
    assert [comment.text for comment in rig.open().comments(two)] == [f"a of {two}"]


def a_comment_of_somebody_else_is_not_ours_because_it_carries_our_marker(rig: Rig) -> None:
    number = rig.write_issue("One", "")
    rig.write_comment(number, "<!-- ci-agent: progress -->\nnot yours")
    assert rig.open().ensure_comment(number, "progress", "ours").created
    theirs, ours = rig.open().comments(number)
    assert (theirs.ours, ours.ours) == (False, True)
    assert "not yours" in theirs.text
    assert ours.text == "ours"


def labels_are_added_and_removed_and_the_others_stay(rig: Rig) -> None:
    number = rig.write_issue("One", "")
    for _ in range(2):
        rig.open().change_labels(number, [Label("a"), Label("b: c"), Label("ä")], ["never there"])
        assert set(rig.open().issue(number).labels) == {"a", "b: c", "ä"}
    for _ in range(2):
        rig.open().change_labels(number, [Label("d")], ["b: c"])
        assert set(rig.open().issue(number).labels) == {"a", "ä", "d"}
    assert rig.open().issue(number).title == "One"


def a_merge_request_is_opened_once_and_brought_up_to_date(rig: Rig) -> None:
    def ensure(title: str, text: str, labels: list[str], *, draft: bool) -> tuple[str, bool]:
        written = rig.open().ensure_merge_request(
            "work/1",
            "main",
            title=title,
            text=text,
            draft=draft,
            add_labels=[Label(label) for label in labels],
            remove_labels=[label for label in ("needs human", "other") if label not in labels],
        )
        request = written.item
        assert (request.title, request.text, request.draft) == (title, text, draft)
        assert (request.source, request.target, request.open) == ("work/1", "main", True)
        assert set(request.labels) == set(labels)
        assert rig.open().find_merge_request("work/1") == request
        return request.number, written.created

    number, created = ensure("Mend it", "Closes #1\n\n---\n| a |", ["needs human"], draft=True)
    assert created
    assert ensure("Mend it", "Closes #1\n\n---\n| a |", ["needs human"], draft=True) == (number, False)
    assert ensure("Mend it well", "Closes #1", [], draft=False) == (number, False)


def a_closed_merge_request_stays_closed_and_a_new_one_is_opened(rig: Rig) -> None:
    def ensure() -> tuple[str, bool]:
        written = rig.open().ensure_merge_request("w", "main", **_PLAIN)
        return written.item.number, written.created

    closed, _ = ensure()
    rig.close_merge_request(closed)
    found = rig.open().find_merge_request("w")
    assert found is not None
    assert (found.number, found.open) == (closed, False)
    second, created = ensure()
    assert created
    assert second != closed
    assert ensure() == (second, False)
    newest = rig.open().find_merge_request("w")
    assert newest is not None
    assert (newest.number, newest.open) == (second, True)


def merge_requests_are_told_apart_by_both_branches(rig: Rig) -> None:
    numbers = [
        rig.open().ensure_merge_request(source, target, **_PLAIN).item.number
        for source, target in (("w", "main"), ("w", "stable"), ("w2", "main"))
    ]
    assert len(set(numbers)) == 3
    found = rig.open().find_merge_request("w")
    assert found is not None
    assert found.number == numbers[1]
    assert rig.open().find_merge_request("nobody's") is None


def guidance_names_the_branch_and_how_to_go_on(rig: Rig) -> None:
    number = rig.write_issue("One", "")
    guidance = rig.open().guidance(number, "work/1")
    assert "work/1" in guidance.fetch
    assert guidance.feedback
    assert guidance.go_on
    assert guidance.answer


def nobody_may_do_anything_without_a_name(rig: Rig) -> None:
    assert rig.open().permission(Account("")) is Permission.NONE


CONTRACT: tuple[Callable[[Rig], None], ...] = (
    an_issue_is_read_as_it_was_written,
    an_issue_that_is_not_there_is_an_error_for_people,
    comments_come_oldest_first_and_ours_are_told_from_others,
    a_comment_with_a_marker_is_made_once_and_edited_in_place,
    each_marker_and_each_issue_has_a_comment_of_its_own,
    a_comment_of_somebody_else_is_not_ours_because_it_carries_our_marker,
    labels_are_added_and_removed_and_the_others_stay,
    a_merge_request_is_opened_once_and_brought_up_to_date,
    a_closed_merge_request_stays_closed_and_a_new_one_is_opened,
    merge_requests_are_told_apart_by_both_branches,
    guidance_names_the_branch_and_how_to_go_on,
    nobody_may_do_anything_without_a_name,
)
