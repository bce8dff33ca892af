"""Which of the project's files tell the model how to work, and when."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.agent.markdown import sections, shortened, visible
from ci_agent.agent.rules import Reminder, Rule, Rules, find_rules
from ci_agent.journal.events import Hidden

_CONTRIBUTING = """# Contributing to the test tools

Welcome!

## Code of conduct
Be nice.

## Code style
Use tabs.

### Reporting bugs in the style
Mail us.

### Names
Short ones.

Commit messages
---------------
In the imperative.

## Releasing
Push a tag.
"""


def _rules(files: dict[str, str | bytes]) -> Rules:
    return find_rules(files, _content(files))


def _content(files: dict[str, str | bytes]):  # type: ignore[no-untyped-def]
    def content(path: str) -> bytes | None:
        text = files.get(path)
        return text.encode() if isinstance(text, str) else text

    return content


def _reminder(files: dict[str, str | bytes]) -> Reminder:
    return Reminder(_rules(files).later, files, _content(files))


def test_a_project_without_rules_has_none() -> None:
    assert _rules({"README.md": "Hello"}) == Rules()


def test_agents_comes_before_claude_and_ours_follow_by_name() -> None:
    files: dict[str, str | bytes] = {
        "CLAUDE.md": "not this",
        ".ci-agent/rules/b.md": "Second.",
        ".ci-agent/rules/a.md": "First.",
        ".ci-agent/rules/deep/c.md": "Not ours.",
        "AGENTS.md": "Be brief.",
    }
    told = _rules(files).told
    assert told == (
        Rule("AGENTS.md", "Be brief."),
        Rule(".ci-agent/rules/a.md", "First."),
        Rule(".ci-agent/rules/b.md", "Second."),
    )


@pytest.mark.parametrize(
    "pointer",
    [
        "@docs/agents.md",
        "docs/agents.md",
        "See [the rules](./docs/agents.md).",
        "<!-- x -->\n@docs/agents.md\n",
    ],
)
def test_a_file_that_only_points_to_another_is_followed_once(pointer: str) -> None:
    files: dict[str, str | bytes] = {"CLAUDE.md": pointer, "docs/agents.md": "@CLAUDE.md"}
    assert _rules(files).told == (Rule("docs/agents.md", "@CLAUDE.md"),)


def test_a_sentence_that_names_a_missing_file_is_a_rule() -> None:
    assert _rules({"AGENTS.md": "@nowhere.md"}).told == (Rule("AGENTS.md", "@nowhere.md"),)


def test_of_contributing_only_what_is_about_the_code_is_told() -> None:
    (told,) = _rules({".github/CONTRIBUTING.md": _CONTRIBUTING}).told
    assert told.path == ".github/CONTRIBUTING.md"
    assert told.text == (
        "## Code style\nUse tabs.\n\n### Names\nShort ones.\n\nCommit messages\n---------------\nIn the imperative."
    )


def test_what_is_long_is_cut_and_small_rules_stay_whole() -> None:
    paragraphs = "\n\n".join(f"Rule {number}: {'x' * 90}" for number in range(200))
    told = _rules({"AGENTS.md": paragraphs, ".ci-agent/rules/a.md": "Small."}).told
    assert sum(len(rule.text) for rule in told) <= 8_000
    assert told[1].text == "Small."
    kept, _, note = told[0].text.rpartition("\n")
    assert kept.endswith("x" * 90)
    assert note == f"[… {len(paragraphs) - len(kept):,} characters more in AGENTS.md]"


def test_bytes_that_are_no_text_are_left_out_and_others_are_replaced() -> None:
    assert _rules({"AGENTS.md": b"\x00\x01", "CONTRIBUTING.md": b""}).told == ()
    assert _rules({"AGENTS.md": b"\xef\xbb\xbfcaf\xe9\r\n"}).told == (Rule("AGENTS.md", "caf\ufffd"),)


def test_the_nearest_rules_are_told_when_a_file_below_them_comes_up_and_only_once() -> None:
    reminder = _reminder(
        {
            "AGENTS.md": "Root.",
            "pkg/AGENTS.md": "Outer.",
            "pkg/in/CLAUDE.md": "Inner.",
            "pkg/in/AGENTS.md": "Inner A.",
        }
    )
    assert reminder.for_path("other/x.py") == ""
    assert reminder.for_path("./pkg/in/deep/x.py") == (
        "[rules of pkg/in/AGENTS.md, which count here:\nInner A.]"
    )
    assert reminder.for_path("pkg/in/y.py") == ""
    assert "Outer." in reminder.for_path("pkg/x.py")
    assert reminder.for_path("pkg/x.py") == ""
    reminder.forget()
    assert "Outer." in reminder.for_path("pkg/x.py")


@pytest.mark.parametrize(
    ("head", "covered", "not_covered"),
    [
        ("paths: src/**", "src/a/b.py", "lib/a.py"),
        ("paths: **/*.{ts,tsx}", "a/b.tsx", "a/b.py"),
        ("paths: ['*.sql', \"db/*.py\"]", "x/y.sql", "db/x/y.py"),
        ("title: x\npaths:\n  - src/*.py\n  - docs/\nother: y", "docs/a/b.md", "src/x/a.py"),
        ("paths: src/{a", "src/{a", "src/a"),
    ],
)
def test_rules_for_some_files_are_told_with_these(head: str, covered: str, not_covered: str) -> None:
    files: dict[str, str | bytes] = {".ci-agent/rules/r.md": f"---\n{head}\n---\nMind it."}
    assert _rules(files).told == ()
    reminder = _reminder(files)
    assert reminder.for_path(not_covered) == ""
    assert "Mind it." in reminder.for_path(covered)


def test_what_nobody_sees_is_left_out_and_nothing_else() -> None:
    text = "a <!-- hidden -->b\n```html\n<!-- shown -->\n```\n`<!-- too -->` <!-- never closed\n\n<!-- to the end\nx"
    assert visible(text) == "a b\n```html\n<!-- shown -->\n```\n`<!-- too -->` <!-- never closed\n\n"


@given(st.text(alphabet="a`~<!->\n #"))
def test_text_without_comments_is_untouched(text: str) -> None:
    seen = visible(text)
    assert seen == text or "<!--" in text
    assert set(seen) <= set(text)


@given(st.text(alphabet="a#`~=- \n"))
def test_sections_are_the_whole_document(text: str) -> None:
    assert "".join(section.text for section in sections(text)) == text


@given(st.text(alphabet="ab\n#", max_size=400), st.integers(100, 300))
def test_what_is_shortened_keeps_its_beginning_and_the_limit(text: str, room: int) -> None:
    short = shortened(text, room, "A.md")
    assert len(short) <= room
    assert text.startswith(short.rpartition("\n[…")[0]) or short == text


@given(
    st.dictionaries(
        st.sampled_from(["AGENTS.md", "x/CLAUDE.md", ".ci-agent/rules/a.md", "CONTRIBUTING.md"]), st.binary()
    )
)
def test_no_file_of_rules_can_stop_the_work(files: dict[str, bytes]) -> None:
    rules = find_rules(files, files.get)
    assert sum(len(rule.text) for rule in rules.told) <= 8_000
    Reminder(rules.later, files, files.get).for_path("x/y.py")


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("# x", "x"),
        ("  ### x y ##  ", "x y"),
        ("# x#", "x#"),
        ("# x # #", "x #"),
        ("#", ""),
        ("## ##", ""),
        ("# x\t#", "x"),
        ("# x" + " " * 100_000 + "y", "x" + " " * 100_000 + "y"),
    ],
    ids=lambda value: value[:12],
)
def test_headings_are_read_at_once(line: str, title: str) -> None:
    began = time.process_time()
    assert [section.title for section in sections(f"{line}\n")] == [title]
    assert time.process_time() - began < 1


def test_endless_front_matter_is_read_at_once() -> None:
    began = time.process_time()
    head = f"---\npaths: {',' * 150_000}a\n---\n"
    assert _rules({".ci-agent/rules/a.md": f"{head}Be brief."}).told == (
        Rule(".ci-agent/rules/a.md", "Be brief."),
    )
    assert time.process_time() - began < 2


def test_characters_that_nobody_sees_in_rules_are_left_out_and_counted() -> None:
    told = find_rules(["AGENTS.md"], {"AGENTS.md": "Use tabs.\u200b\U000e0041\U000e0042".encode()}.get).told
    assert told == (
        Rule("AGENTS.md", "Use tabs.", (Hidden("zero-width character", 1, 1), Hidden("tag character", 2, 2))),
    )
