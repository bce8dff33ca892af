"""The short comments: what they say, and that strangers' words in them are only words."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ci_agent.reporting import replies
from ci_agent.triggers import commands

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
WITH_WORDS: dict[str, Callable[[str], str]] = {
    "unknown": lambda words: replies.unknown(words, KNOWN, OPTIONS),
    "could_not_begin": lambda words: replies.could_not_begin(words, words),
    "label_of_nobody": replies.label_of_nobody,
    "busy": replies.busy,
    "status": lambda words: replies.status(working=True, progress=words, runs=1, merge_request=words),
}


@pytest.mark.parametrize("name", sorted(WITH_WORDS))
@given(words=EVIL)
def test_words_of_strangers_stay_words(name: str, words: str) -> None:
    text = WITH_WORDS[name](words)
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert "<img" not in html
    assert "<!--" not in html
    assert not re.search(r"^/\w", text, re.MULTILINE)
    outside = re.sub(r"<code>.*?</code>", "", html, flags=re.DOTALL)
    assert not re.search(r"(?<![\w&])@dana|(?<![\w&])#[12]\b|(?<!\w)!3\b", outside)


@given(st.text())
def test_only_a_name_that_can_be_one_is_mentioned(login: str) -> None:
    for text in (replies.refused(login, "write"), replies.comment_edited(login), replies.issue_edited(login)):
        named = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}", login)
        outside = re.sub(r"(`+).*?\1", "", text)
        assert bool(named) == bool(re.search(r"(?<!\w)@\w", outside))


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


def test_a_job_that_could_not_begin_says_why_and_where_its_log_is() -> None:
    text = replies.could_not_begin("the branch main is protected", "https://ci/1")
    assert text.startswith("**Could not begin.** the branch main is protected · [log](https://ci/1)\n")
    assert text.endswith("comment `/agent retry`.")
