"""The short comments: what they say, and that strangers' words in them are only words."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ci_agent.reporting import replies
from ci_agent.reporting.progress import progress_comment
from ci_agent.triggers import commands
from tests.support.stories import success, working

CLOSES = re.compile(r"\b[Cc]loses:? +[^\s`]*#\d")
KNOWN = [(entry.usage, entry.does) for entry in commands.LIST]
OPTIONS = [(entry.usage, entry.does) for entry in commands.OPTIONS]
EVIL = st.lists(
    st.sampled_from(
        [
            "@dana",
            "#1",
            "Closes #2",
            "\n/merge",
            "<img src=x>",
            "<!-- ",
            "[a](http://x)",
            "|",
            "`",
            "\r/close",
            "!3",
        ]
    )
    | st.text(max_size=6),
    max_size=8,
).map("".join)
WITHOUT_WORDS: dict[str, Callable[[], str]] = {
    "help": lambda: replies.help_text(KNOWN, OPTIONS),
    "closed": replies.closed,
    "confidential": replies.confidential,
    "too_many": lambda: replies.too_many(10),
    "from_fork": replies.from_fork,
    "not_ours": replies.not_ours,
    "stopping": replies.stopping,
    "nothing_to_stop": replies.nothing_to_stop,
    "asked_back": lambda: replies.asked_back("ai-task"),
    "nothing_waits": lambda: replies.nothing_waits("approve"),
    "nothing_asked": lambda: replies.nothing_waits("answer"),
    "too_late": replies.too_late,
    "begun_anew": replies.begun_anew,
    "question_waits": replies.question_waits,
    "decided_before": replies.decided_before,
    "approved_with_words": replies.approved_with_words,
    "not_kept": lambda: replies.not_kept("ai-plan-first"),
    "not_apart": lambda: replies.not_apart("ai-plan-first"),
}
WITH_WORDS: dict[str, Callable[[str], str]] = {
    "refused": lambda words: replies.refused(words, "write"),
    "issue_edited": replies.issue_edited,
    "unknown": lambda words: replies.unknown(words, KNOWN, OPTIONS),
    "could_not_begin": lambda words: replies.could_not_begin(words, words),
    "label_of_nobody": replies.label_of_nobody,
    "busy": replies.busy,
    "waiting": lambda words: replies.waiting(2, 2, 1, words),
    "waited": lambda words: replies.waited(2, 20.0, words or "ai-task"),
    "stopped_waiting": replies.stopped_waiting,
    "not_begun": replies.not_begun,
    "status": lambda words: replies.status(working=True, progress=words, runs=1, merge_request=words),
}


@pytest.mark.parametrize("name", sorted(WITH_WORDS))
@given(words=EVIL)
def test_words_of_strangers_stay_words(name: str, words: str) -> None:
    text = WITH_WORDS[name](words)
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert "<img" not in html
    assert "<!--" not in html
    assert set(re.findall(r'href="([^"]*)"', html)) <= {words}
    assert not re.search(r"^\s*/\w", text, re.MULTILINE)
    assert not CLOSES.search(text)
    assert commands.parse(text) is None
    outside = re.sub(r"<code>.*?</code>", "", html, flags=re.DOTALL)
    assert not re.search(r"(?<![\w&])@dana|(?<![\w&])#[12]\b|(?<!\w)!3\b", outside)


@pytest.mark.parametrize("name", sorted(WITHOUT_WORDS))
def test_what_we_say_ourselves_is_no_command_and_tells_nobody(name: str) -> None:
    """Else we would answer ourselves, on a platform that does not show us our own mark."""
    text = WITHOUT_WORDS[name]()
    assert commands.parse(text) is None
    assert "@" not in text
    assert text[0].isupper()
    assert "`/agent" in text or name in ("confidential", "from_fork", "not_ours", "nothing_to_stop")


def test_a_refusal_of_an_account_named_all_tells_not_all() -> None:
    """`@all` on GitLab is everybody in the project."""
    assert "@" not in replies.refused("All", "write")
    assert "@allan may not" in replies.refused("allan", "write")


def test_what_was_not_understood_ends_as_one_sentence() -> None:
    asked = replies.unknown("there is no command `rerun`; did you mean `/agent retry`?", KNOWN, OPTIONS)
    assert asked.startswith(
        "I did not understand that: there is no command `rerun`; did you mean `/agent retry`? "
        "`/agent help` lists what I do.\n\n<details>"
    )
    assert replies.unknown("`--x` is no option", KNOWN, OPTIONS).startswith(
        "I did not understand that: `--x` is no option. `/agent help` lists what I do.\n\n<details>"
    )


def test_the_list_is_folded_behind_what_was_not_understood_and_open_in_the_help() -> None:
    asked = replies.unknown("`--x` is no option", KNOWN, OPTIONS, platform="github")
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(asked)
    before, _, folded = html.partition("<details>")
    assert "<code>/agent stop</code>" not in before
    assert "<td><code>/agent stop</code></td>" in folded.partition("</details>")[0]
    known = replies.help_text(KNOWN, OPTIONS, platform="github")
    assert f"\n\n{known}\n\n</details>" in asked
    assert "<details>" not in known
    assert known.count("|---|---|") == 1


@given(st.text() | st.from_regex(r"[A-Za-z0-9_.-]{1,9}", fullmatch=True))
def test_only_a_name_that_can_be_one_is_mentioned(login: str) -> None:
    for text in (replies.refused(login, "write"), replies.issue_edited(login)):
        named = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}", login) and login.lower() != "all"
        outside = re.sub(r"(`+).*?\1", "", text)
        assert re.findall(r"(?<!\w)@[\w.-]+", outside) == ([f"@{login}"] if named else [])


def test_the_help_has_every_command_and_option_with_what_it_does() -> None:
    text = replies.help_text(KNOWN, OPTIONS)
    html = MarkdownIt("commonmark").enable("table").render(text)
    for usage, does in [*KNOWN, *OPTIONS]:
        assert f"<td><code>{usage}</code></td>\n<td>" in html
        assert does.split("`")[0] in html


def test_a_refusal_says_who_may_and_what_they_can_do() -> None:
    assert replies.refused("guest", "admin") == (
        "Only people who administer this repository can start me; @guest may not, or the platform does not let me see "
        "it. Somebody who may can comment `/agent run`."
    )


def test_the_status_says_how_it_stands() -> None:
    assert "have not worked" in replies.status(working=False, progress="", runs=0, merge_request="")
    assert replies.status(working=True, progress="https://x/1", runs=2, merge_request="https://x/2") == (
        "I am at work on it · [progress](https://x/1) · [merge request](https://x/2) · 2 runs so far"
    )
    assert "not at work" in replies.status(working=False, progress="https://x/1", runs=1, merge_request="")


def test_the_status_of_who_waits_says_so_before_anything_was_begun() -> None:
    said = replies.waiting(busy=2, most=2, position=1, job_url="")
    assert said.startswith("**Waiting**: 2 of 2 agents busy; position 1\n")
    assert replies.status(
        working=False, waiting=True, progress="https://x/1", runs=0, merge_request="", said=said
    ) == ("I wait for my turn: 2 of 2 agents busy; position 1 · [progress](https://x/1) · 0 runs so far")


def test_who_waited_in_vain_says_whether_a_schedule_goes_on() -> None:
    assert replies.waited(1, 20.2, "ai-task") == (
        "**Not begun.** It was not my turn within 20 minutes: 1 agent may work at a time. The label `ai-task` stays, so that "
        "a schedule (`ci-agent poll`) picks it up; `/agent run` asks at once.\n"
    )
    assert replies.waited(2, 0.0, "") == (
        "**Not begun.** It was not my turn: 2 agents may work at a time. No schedule picks it up, because the issue does not "
        "have the label; `/agent run` asks again.\n"
    )


def test_the_status_tells_the_outcome_or_how_far_it_is() -> None:
    there = {"progress": "https://x/1", "runs": 2, "merge_request": "https://x/2", "platform": "github"}
    done = progress_comment(success())
    said = replies.status(working=False, said=done, **there)  # type: ignore[arg-type]
    first = done.split("\n")[0]
    assert first.startswith("**Done: ")
    assert said == (
        f"{first}\n\nI am not at work on it now · [how it ended](https://x/1) · [pull request](https://x/2) · "
        "2 runs so far"
    )
    said = replies.status(working=True, said=progress_comment(working()), **there)  # type: ignore[arg-type]
    assert said.startswith(
        "I am at work on it · coding · 3 min 54 s, as of 12:03 UTC · $0.05 of $3.00 · [progress]"
    )
    assert "x" * 900 not in replies.status(working=False, said="x" * 1001, **there)  # type: ignore[arg-type]


def test_on_github_the_replies_speak_of_pull_requests() -> None:
    for platform, word in (("github", "pull request"), ("gitlab", "merge request")):
        for text in (
            replies.help_text(KNOWN, OPTIONS, platform=platform),
            replies.unknown("that", KNOWN, OPTIONS, platform=platform),
            replies.from_fork(platform),
            replies.not_ours(platform),
            replies.status(
                working=False, progress="", runs=1, merge_request="https://x/2", platform=platform
            ),
        ):
            assert set(re.findall(r"(?:pull|merge) request", text)) == {word}


def test_a_job_that_could_not_begin_says_why_and_where_its_log_is() -> None:
    text = replies.could_not_begin("the branch main is protected", "https://ci/1")
    assert text.startswith("**Could not begin.** the branch main is protected · [log](https://ci/1)\n")
    assert text.endswith("comment `/agent retry`.")
