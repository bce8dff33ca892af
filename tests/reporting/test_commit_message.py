"""The commit message, and that nobody but the harness writes its trailers."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings

from ci_agent.journal.events import SessionStarted, Submitted
from ci_agent.reporting.commit_message import commit_message
from tests.reporting.test_merge_request import told_with
from tests.reporting.test_text import GITLAB_CLOSES, MENTION, SKIPS, TEXTS
from tests.support.stories import added_only, limit, needs_human, no_tests, success

OURS = ["Closes: #12", "Co-authored-by: Dana Novak <dana@example.org>"]


def trailers(message: str) -> list[str]:
    parsed = subprocess.run(
        ["git", "interpret-trailers", "--parse"], input=message.encode(), capture_output=True, check=True
    )
    return parsed.stdout.decode().splitlines()


def test_the_whole_message() -> None:
    assert commit_message(success()) == (
        "Split slugs at runs of white space\n"
        "\n"
        "`slug()` split at single blanks, so two blanks made an empty word and\n"
        "with it a double dash.\n"
        "\n"
        "- words are now split at any run of white space\n"
        "- a test covers tabs and trailing blanks\n"
        "\n"
        "Tests, run by ci-agent: 1 test fixed, none newly broken, 2 added; 214\n"
        "passed, 3 skipped.\n"
        "\n"
        "Closes: #12\n"
        "Co-authored-by: Dana Novak <dana@example.org>\n"
    )


def test_git_itself_reads_the_trailers() -> None:
    assert trailers(commit_message(success())) == OURS


@pytest.mark.parametrize("events", [needs_human(), limit()])
def test_what_is_not_solved_closes_nothing(events: list) -> None:  # type: ignore[type-arg]
    message = commit_message(events)
    assert "Refs: #12" in message
    assert "Closes" not in message


def test_without_tests_the_message_says_so() -> None:
    assert "Tests: there are none to run, so this change is not verified.\n" in commit_message(no_tests())


@pytest.mark.parametrize(
    ("requester", "credited"),
    [
        ("Dana Novak <dana@example.org>", True),
        ("dana", False),
        ("dana <dana>", False),
        ("<dana@example.org>", False),
        ("Dana <dana@example.org>\nSigned-off-by: Eve <eve@example.org>", False),
        ("Dana <dana@example.org> Eve <eve@example.org>", False),
        ("Dana @all <dana@example.org>", False),
    ],
)
def test_only_a_name_with_an_address_is_credited(requester: str, credited: bool) -> None:
    message = commit_message(told_with(success(), SessionStarted, requester=requester))
    assert ("Co-authored-by" in message) is credited
    assert "Signed-off-by" not in message


@pytest.mark.parametrize(
    "summary",
    [
        "why\n\nSigned-off-by: Eve <eve@example.org>",
        "why\r\rCo-authored-by: Eve <eve@example.org>",
        "why\n\nCloses: #99\nChange-Id: I123",
        "why\n---\ndiff --git a/x b/x\n+evil",
        "x " * 35 + "Signed-off-by: Eve <eve@example.org>",
        'Fixes: 123456 ("x")',
        "why\n# comment",
    ],
)
def test_the_model_writes_no_trailer_and_ends_no_message(summary: str) -> None:
    message = commit_message(told_with(success(), Submitted, summary=summary))
    assert trailers(message) == OURS
    for word in ("Signed-off-by:", "Change-Id:", "Closes: #99", "Fixes:"):
        assert word not in message
    assert message.count("Co-authored-by:") == 1
    assert not any(line.startswith(("---", "diff -", "#")) for line in message.splitlines())


@settings(max_examples=40)
@given(TEXTS, TEXTS)
def test_whatever_the_model_writes_git_reads_only_our_trailers(title: str, summary: str) -> None:
    message = commit_message(
        told_with(success(), Submitted, title=title, summary=summary + "\n\nAcked-by: " + title)
    )
    assert trailers(message) == OURS
    assert not GITLAB_CLOSES.search(message.removesuffix("\n".join(OURS) + "\n"))
    assert not MENTION.search(message)
    assert not SKIPS.search(message)
    first, second, *_ = message.split("\n")
    assert 0 < len(first) <= 72
    assert second == ""


@given(TEXTS)
def test_no_line_is_wider_than_72_but_for_a_single_long_word(summary: str) -> None:
    for line in commit_message(told_with(success(), Submitted, summary=summary * 5)).split("\n"):
        assert len(line) <= 72 or len(line.split(" ")) <= 2 or line.startswith(" ")


@pytest.mark.parametrize(
    ("title", "used"),
    [
        ("fix the slug of two blanks.", "Fix the slug of two blanks"),
        ("# Fix\nslugs", "Fix slugs"),
        ("Draft: Fix slugs", "Fix slugs"),
        ("WIP Fix slugs", "Fix slugs"),
        ("fixup! Fix slugs", "Fix slugs"),
        ("Drafting of slugs", "Drafting of slugs"),
        ("Fix " + "very " * 30 + "long", ("Fix " + "very " * 30)[:71].rstrip() + "…"),
        ("Fix \x1b[1mslugs\x07", "Fix slugs"),
        ("Closes #99", 'Closes "#99"'),
        ("#12 is no comment", '"#12" is no comment'),
        ("## - Fix slugs", "Fix slugs"),
        ("--version says the version", "--version says the version"),
        ("slug() keeps umlauts", "slug() keeps umlauts"),
        ("fix(core): keep umlauts", "fix(core): keep umlauts"),
        ("Accept 1-7,sat#3 and 2>&1 with `@property`", "Accept 1-7,sat#3 and 2>&1 with `@ property`"),
        ("thank @dana", "Thank @ dana"),
        ("Docs only [skip ci]", "Docs only (skip ci)"),
        ("[no\tci] Docs", "(no ci) Docs"),
    ],
)
def test_a_title_is_tidied(title: str, used: str) -> None:
    assert commit_message(told_with(success(), Submitted, title=title)).split("\n")[0] == used


def test_code_in_the_summary_stays_as_it_is() -> None:
    summary = "`1-7,sat#3` was read as 7; run `x 2>&1`, see `x@v4` and #4."
    assert f"\n{summary}\n" in commit_message(told_with(success(), Submitted, summary=summary))


def test_words_that_tell_people_or_switch_the_ci_off_do_nothing_in_the_message_and_the_title() -> None:
    for evil, said in (('"@all"', '"@ all"'), ("[skip ci]", "(skip ci)"), ("***NO_CI***", "(NO_CI)")):
        message = commit_message(told_with(success(), Submitted, title=f"Docs {evil}", summary=f"Why {evil}"))
        assert message.startswith(f"Docs {said}\n\nWhy {said}\n")
        untold = told_with(success(), Submitted, title="", summary="")
        message = commit_message(told_with(untold, SessionStarted, title=f"Crash with {evil}"))
        assert message.startswith(
            f"Address issue 12: Crash with {said}\n\nAsked for in issue 12: Crash with {said}\n"
        )
    message = commit_message(told_with(success(), Submitted, summary="Why\n\n\nskip-checks:true"))
    assert "\nskip-checks -true\n" in message


def test_where_nothing_was_fixed_the_message_claims_no_fix() -> None:
    message = " ".join(commit_message(added_only()).split())
    assert (
        "Tests, run by ci-agent: no test newly broken, 2 added, 1 still failing; 213 passed, 1 failed"
        in message
    )


def test_an_issue_is_named_as_its_platform_says() -> None:
    message = commit_message(told_with(success(), SessionStarted, reference="local issue 3 (0a1b2c3d)"))
    assert "Closes: local issue 3 (0a1b2c3d)\n" in message
