"""A whole journal in which any text may be an attack: whatever is made of it for people and machines stays inert."""

from __future__ import annotations

import dataclasses
import io
import re
import unicodedata
from collections.abc import Callable, Mapping
from enum import Enum
from html.parser import HTMLParser
from typing import Any

import pytest
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ci_agent.ci.output import QuietLog
from ci_agent.guard import Guard
from ci_agent.journal import Event
from ci_agent.journal.events import Submitted, TestsCompared, TestsRan
from ci_agent.platforms.gitlab.reading import inert
from ci_agent.platforms.text import fitted, marked
from ci_agent.reporting import merge_request, replies
from ci_agent.reporting.commit_message import commit_message
from ci_agent.reporting.evidence import evidence
from ci_agent.reporting.findings import findings
from ci_agent.reporting.job_summary import job_summary
from ci_agent.reporting.junit import junit_report
from ci_agent.reporting.progress import progress_comment
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.terminal import PlainLog, closing, concluding
from ci_agent.reporting.trajectory import header, steps
from tests.reporting.test_text import GITHUB_CLOSES, GITLAB_CLOSES, MENTION, SKIPS
from tests.support import stories
from tests.support.ci_logs import BORDER, carried_out

pytestmark = pytest.mark.slow

ATTACKS = [
    "\n/merge", "\n\r/merge", "\x0c/close", "\u2028/approve", "~~~\n/merge\n~~~", "> /merge", "/merge", "\n- /merge",
    "@all", "`@all`", "<b>@dana</b>", "cc @group/team.", "Closes #1", "fixes: https://e.org/o/r/issues/1", "Resolves\n#1",
    "implements GH-7", "[skip ci]", "***NO_CI***", "skip-checks: true", "![x](https://evil.example/?d)", "<img src=//evil.example>",
    "[a](javascript:x)", "[safe](https://evil.example)", "<script>x</script>", "<!-- ci-agent: progress -->", "-->", "<!--",
    "</details>", "<details>", "a|b", "`", "```", "~~~", "\n\n", "\n", "\r", "\t", "    ", "# x", "---", "\\", "|", "\n| a | b |\n|---|---|\n",
    "::error::x", "\n::add-mask::x", " ::set-output name=a::b", "##[group]x", "a ##[error]x", "\ufe0f::error::x", ":\u2060:error::x",
    "#\U000e0041#[error]x", "section_start:1:x\r\x1b[0K", "\x1b[31m", "\x1b]8;;https://evil.example\x07x\x1b]8;;\x07", "\x9b31m",
    "\x00", "\ud800", "]]>", "&#10;", "\ufffe", "\u202e", "\u200b", "\U000e0041", "\x07", "\x85", "Signed-off-by: x <x@e.org>",
    "\n\nCo-authored-by: Eve <e@e.org>", "Draft: ", "fixup! ", "\n---\n", "diff --git a/x b/x", "[^1]", "[x]: y", "$x$", "word", "",
]  # fmt: skip
HOSTILE = st.lists(st.sampled_from(ATTACKS), min_size=1, max_size=2).map("".join)

STORIES: Mapping[str, Callable[[], list[Event]]] = {
    made.__name__: made
    for made in (
        stories.working, stories.success, stories.second_try, stories.added_only, stories.remarks, stories.worse,
        stories.several, stories.set_up_fails, stories.unchanged, stories.needs_human, stories.no_tests,
        stories.question, stories.plan_waits, stories.change_waits, stories.planned, stories.cancelled, stories.not_handed_over, stories.limit, stories.only_words, stories.no_change,
    )
}  # fmt: skip
# Words of the harness and of git.
OURS = ("session", "platform", "place", "reference", "purpose", "base_sha", "head_sha", "sha", "tree")
LINKED = ("url", "job_url")  # fields that hold an address the platform gave us


def poisoned(value: Any, put: Callable[[str, str], str], name: str = "") -> Any:
    """`value` with `put(field, text)` in the place of each text in it, dictionaries of the models' own included."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return put(name, value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changes = {
            field.name: poisoned(getattr(value, field.name), put, field.name)
            for field in dataclasses.fields(value)
        }
        return dataclasses.replace(value, **changes)
    if isinstance(value, tuple | list):
        return type(value)(poisoned(one, put, name) for one in value)
    if isinstance(value, dict):
        return {key: poisoned(one, put, key) for key, one in value.items()}
    return value


@st.composite
def journals(draw: st.DrawFn) -> list[Event]:
    """A story with attacks in some of its texts, or in all of them."""
    told = STORIES[draw(st.sampled_from(sorted(STORIES)))]()
    attacks = draw(st.lists(HOSTILE, min_size=1, max_size=6))
    choice = draw(st.randoms(use_true_random=False))
    share = choice.choice([0.05, 0.3, 1.0])

    def put(name: str, text: str) -> str:
        if name in OURS or choice.random() > share:
            return text  # ours
        attack = choice.choice(attacks)
        return choice.choice([attack, f"{text}{attack}", f"{attack}{text}"])

    return [dataclasses.replace(event, fact=poisoned(_shorter(event.fact), put)) for event in told]


def _shorter(fact: Any) -> Any:
    return dataclasses.replace(fact, cases=fact.cases[-5:]) if isinstance(fact, TestsRan) else fact


# --- what platforms make of Markdown ----------------------------------------------------------------------

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
REFERENCE = re.compile(r"^(?:Closes|Refs) #12(?= |$)", re.MULTILINE)  # what closes the issue, or names it
GITLAB_ACTION = re.compile(r"^/[a-z_]+", re.MULTILINE | re.IGNORECASE)


def of_markdown(events: list[Event]) -> dict[str, str]:
    """Every text in Markdown that is made of a journal, as it goes to the platform."""
    hints = {
        "next_step": "Comment `/agent retry`.",
        "to_answer": "Reply to this issue.",
        "when_mended": "Mend it.",
        "while_working": "Comment `/agent stop`.",
    }
    comment = fitted(marked("progress", progress_comment(events, **hints)), 65_000)
    request = merge_request.text(events, fetch_hint="git fetch", feedback_hint="Comment `/agent retry`.")
    return {
        "comment": comment,
        "comment on GitLab": inert(comment),
        "merge request": request,
        "merge request on GitLab": inert(request),
        "job summary": job_summary(events, links={}),
        "evidence": evidence(stories.alone(events), version="1"),
    }


def tokens(markdown: str) -> list[Token]:
    return [each for token in PARSER.parse(markdown) for each in (token, *(token.children or ()))]


class Page(HTMLParser):
    """What a browser makes of it: elements with their attributes, comments, and the words outside of code."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.comments: list[str] = []
        self.words = ""
        self._in_code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags |= {tag, *(f"{tag} {name}" for name, _ in attrs)}
        self._in_code += tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self._in_code -= tag == "code"

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        self.words += " " if self._in_code else data


def page_of(markdown: str) -> Page:
    page = Page()
    page.feed(PARSER.render(markdown))
    page.close()
    return page


OUR_TAGS = {
    "details", "summary", "sub", "code", "p", "ul", "ol", "ol start", "li", "blockquote", "strong", "em", "br", "table", "thead", "tbody",
    "tr", "th", "td", "th style", "td style", "h2", "h3", "pre", "code class", "a", "a href",
}  # fmt: skip


@given(journals())
def test_no_text_for_a_platform_does_anything(events: list[Event]) -> None:
    asked_by = {text for event in events for name, text in _texts(event.fact) if name == "mention"} - {"all"}
    addresses = {str(value) for event in events for name, value in _texts(event.fact) if name in LINKED}
    for place, markdown in of_markdown(events).items():
        page = page_of(markdown)
        assert page.tags <= OUR_TAGS, place
        assert page.comments == [" ci-agent: progress "] * place.startswith("comment"), place
        assert {one[1:] for one in MENTION.findall(page.words)} <= asked_by, place
        links = {str(token.attrGet("href")) for token in tokens(markdown) if token.type == "link_open"}
        assert links <= {PARSER.normalizeLink(one) for one in addresses}, place
        raw = REFERENCE.sub("", markdown)
        assert not GITLAB_CLOSES.search(raw), place
        assert not GITHUB_CLOSES.search(raw), place
        assert not SKIPS.search(raw), place
        assert not GITLAB_ACTION.search(markdown.replace("\r", "")), place
        assert not any(map(_unseen, markdown)), place


def _texts(value: Any, name: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []

    def note(field: str, text: str) -> str:
        found.append((field, text))
        return text

    poisoned(value, note, name)
    return found


def _unseen(character: str) -> bool:
    return character not in "\n\t\ufe0f" and unicodedata.category(character) in (
        "Cc",
        "Cf",
        "Cs",
        "Cn",
        "Zl",
        "Zp",
    )


@given(journals())
def test_titles_and_commit_messages_are_words_only(events: list[Event]) -> None:
    message, title = commit_message(events), merge_request.title(events)
    for text in (message, title):
        raw = re.sub(r"^(?:Closes|Refs): #12$", "", text, flags=re.MULTILINE)
        assert not GITLAB_CLOSES.search(raw)
        assert not GITHUB_CLOSES.search(raw)
        assert not MENTION.search(re.sub(r"^Co-authored-by: .*<.*>$", "", raw, flags=re.MULTILINE))
        assert not SKIPS.search(raw)
        assert not GITLAB_ACTION.search(raw)
        assert not any(map(_unseen, text))
    assert "\n" not in title
    assert not re.match(r"draft|wip|fixup!|squash!", title, re.IGNORECASE)
    assert not re.search(r"^(?:---|diff -|#)", message, re.MULTILINE)
    last = message.rstrip("\n").split("\n\n")[-1].split("\n")
    trailers = [
        line for line in message.split("\n")[1:] if re.match(r"[A-Za-z-]+-[Bb]y:|Closes:|Refs:", line)
    ]
    assert set(trailers) <= set(last)
    assert len(trailers) <= 2


@given(journals())
def test_nothing_in_a_log_is_a_command_or_a_border(events: list[Event]) -> None:
    stream = io.StringIO()
    quiet = QuietLog(stream, Guard())
    log = PlainLog(quiet)  # as a job has it
    for event in events:
        log.observe(event)
    for text in (closing(events, places={}), concluding(events, places={})):
        print(text, file=quiet)
    print(
        *(text for event in events for _, text in _texts(event.fact)), sep="\n", file=quiet
    )  # as an error would
    quiet.finish()
    written = stream.getvalue()
    assert carried_out(written) == []
    assert not BORDER.search(written)
    assert not any(map(_unseen, written))


@given(journals())
def test_nothing_on_a_terminal_is_more_than_text(events: list[Event]) -> None:
    stream = io.StringIO()
    log = PlainLog(stream)
    for event in events:
        log.observe(event)
    told = [line.text for line in (*header(Summary.of(events)), *steps(events, full=True))]
    told += [closing(events, places={}), concluding(events, places={}), stream.getvalue()]
    assert not any(_unseen(character) for text in told for character in text)


@given(journals())
def test_the_junit_report_is_whole_whatever_tests_are_called(events: list[Event]) -> None:
    text = junit_report(events, lambda name: f"{name}]]>\x00\x1b[31m\ud800\ufffe")
    root = ElementTree.fromstring(text.encode())
    assert root.tag == "testsuites"
    assert {one.tag for one in root.iter()} <= {
        "testsuites", "testsuite", "testcase", "properties", "property", "failure", "error", "skipped", "system-out",
        "system-err", "flakyFailure", "stackTrace",
    }  # fmt: skip
    assert not any(
        unicodedata.category(character) == "Cc" and character not in "\n\t\r" for character in text
    )


@given(journals())
def test_annotations_name_places_in_the_repository_only(events: list[Event]) -> None:
    for found in findings(events):
        assert not found.file.startswith("/")
        assert ".." not in found.file.split("/")
        for text in (found.title, found.message, found.file):
            assert "\n" not in text
            assert not any(map(_unseen, text))


@given(HOSTILE, HOSTILE)
def test_answers_to_strangers_are_inert(one: str, other: str) -> None:
    said = [
        replies.unknown(one, [], []),
        replies.refused(one, "write"),
        replies.label_of_nobody(one),
        replies.issue_edited(one),
        replies.not_stopped(one, other),
        replies.could_not_begin(one, other),
        replies.busy(one),
        replies.waiting(2, 2, 1, one),
        replies.stopped_waiting(one),
        replies.not_begun(one),
        replies.going_on(other),
    ]
    for markdown in said:
        assert page_of(markdown).tags <= OUR_TAGS
        assert not any(token.type == "link_open" for token in tokens(markdown))
        assert not GITLAB_CLOSES.search(markdown)
        assert not GITLAB_ACTION.search(markdown)
        assert not any(map(_unseen, markdown))


@pytest.mark.parametrize("name", sorted(STORIES))
def test_each_story_is_told_in_full_where_nobody_attacks(name: str) -> None:
    """The reports are not inert for being empty."""
    assert all(len(text) > 100 for text in of_markdown(STORIES[name]()).values())


def limited(problem: str) -> list[Event]:
    """The limit was reached; the tests after it did not end, and the runner says why in words of its own."""
    told = [
        dataclasses.replace(event, fact=dataclasses.replace(event.fact, reason=problem))
        if isinstance(event.fact, TestsCompared)
        else event
        for event in stories.limit()
    ]
    return [
        dataclasses.replace(event, fact=dataclasses.replace(event.fact, problem=problem))
        if isinstance(event.fact, TestsRan)
        else event
        for event in told
    ]


def test_what_a_runner_says_of_its_end_is_no_markup_in_the_comment() -> None:
    comment = progress_comment(limited("it said <img src=//evil.example> @all"))
    assert "img" not in page_of(comment).tags
    assert not MENTION.search(page_of(comment).words)


def test_no_line_of_the_tests_in_a_commit_message_is_an_order() -> None:
    for words in range(1, 30):  # wherever the lines end
        message = commit_message(limited(f"{'x ' * words}/tag v1 {'y ' * words}#12"))
        assert "/tag" in message
        assert not re.search(r"^[/#]", message, re.MULTILINE)


@pytest.mark.parametrize("name", ["Eve [skip ci]", "Closes #1", "x fixes https://e.org/i/1"])
def test_a_name_that_is_an_order_is_not_credited(name: str) -> None:
    told = stories.success()
    first = dataclasses.replace(told[0], fact=stories.started(requester=f"{name} <eve@example.org>"))
    assert "Eve" not in commit_message([first, *told[1:]])
    assert "Co-authored-by" not in commit_message([first, *told[1:]])


def test_a_title_that_begins_as_a_quick_action_is_none() -> None:
    told = [
        dataclasses.replace(event, fact=Submitted("> /merge it", "x"))
        if isinstance(event.fact, Submitted)
        else event
        for event in stories.success()
    ]
    assert merge_request.title(told) == '"/merge" it'
