"""Whatever a stranger or a model writes, what is shown of it does nothing."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ci_agent.reporting.text import cell, clean, code, codes, cut, one_line, plain, prose, quote, shell_block

FRAGMENTS = [
    "@dana", "@", "Closes #12", "closes: group/project#3", "Fixing", "resolve", " ", "  ", "#12", "!3", "&4", "issue ",
    "ABC-12", "https://evil.example/i/1", "www.evil.example", "`", "``", "```", "~~~", "\n", "\r", "\r\n", "\n\n", "\f",
    "\v", "\u2028", "\x85", "/merge", "/", "<script>", "<!-- ci-agent: x -->", "</details>", "&lt;", "[x](https://y.z)",
    "![](//e.x/?q)", "[", "]", "|", "- ", "* ", "1. ", "> ", "# ", "---", "===", "*", "_", "__init__", "$x$", "\\",
    "\u200b", "\u202e", "\u2066", "\U000e0041", "\x1b[31m", "\x1b]8;;http://x\x07", "\x00", "\ud800", "\t", "    code",
    "a|b", "word", "é", ":", ",", "(", ")", '"', "'s", "A1-2", "fix ", "GH-7", "gl-7", "[issue:12]", "issues: ", "2>&1",
    "1-7,sat#3", "@property", "dana@example.org", "checkout@v4", "{", "<", "no-close: ", "@.dana", "[skip ci]", "[CI-Skip]",
    "[no", "ci]", "***NO_CI***", "[skip_ci]", "skip-checks:true", "skip-checks", "true", "NO_CI", "[skip",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join) | st.text(max_size=60)

# GitLab's default `issue_closing_pattern`, with the references it knows, and GitHub's as its documentation has it.
REFERENCE = r"(?:[\w./-]*[#!&]\d+|https?://\S+|GL-\d+|\[issue:[\w./-]*\d+\])"
GITLAB_CLOSES = re.compile(
    r"\b((?:[Cc]los(?:e[sd]?|ing)|\b[Ff]ix(?:e[sd]|ing)?|\b[Rr]esolv(?:e[sd]?|ing)|\b[Ii]mplement(?:s|ed|ing)?)"
    rf"(:?) +(?:(?:issues? +)?{REFERENCE}(?:(?: *,? +and +| *,? *)?)|([A-Z][A-Z0-9_]+-\d+))+)"
)
GITHUB_CLOSES = re.compile(
    r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)\s*:?\s*(?:[\w./-]*#\d+|gh-\d+|https?://\S)", re.IGNORECASE
)
# `User.reference_pattern` of GitLab's source; GitHub's own rule is narrower.
MENTION = re.compile(r"(?<!\w)@[\w.]*\w", re.ASCII)
# `SKIP_PATTERN` of GitLab's source, and the words of GitHub's and Azure's documentation.
SKIPS = re.compile(
    r"\[(?:ci[ _-]skip|skip[ _-]ci|no ci|skip actions|actions skip|(?:skip azp|azp skip))\]|\*\*\*NO_CI\*\*\*",
    re.IGNORECASE,
)
PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HARMLESS = {
    "blockquote_open", "blockquote_close", "paragraph_open", "paragraph_close", "inline", "text", "text_special",
    "code_inline", "softbreak", "hardbreak", "bullet_list_open", "bullet_list_close", "ordered_list_open",
    "ordered_list_close", "list_item_open", "list_item_close",
}  # fmt: skip


def tokens(markdown: str) -> list[Token]:
    found = []
    for token in PARSER.parse(markdown):
        found += [token, *(token.children or [])]
    return found


def shown(markdown: str) -> str:
    return "".join(token.content for token in tokens(markdown) if token.type != "inline")


def squeezed(text: str) -> str:
    return re.sub(r"[`\s]", "", text)


@given(TEXTS)
def test_cleaned_text_has_no_character_that_can_not_be_seen(text: str) -> None:
    for character in clean(text):
        assert character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
        assert unicodedata.bidirectional(character) not in {
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        }
        assert character not in "\u200b\u200c\u200d\u2060\ufeff\u00ad"


@given(TEXTS)
def test_a_quote_is_made_of_harmless_markdown_only(text: str) -> None:
    assert {token.type for token in tokens(quote(text))} <= HARMLESS


@given(TEXTS)
def test_prose_is_one_harmless_paragraph(text: str) -> None:
    found = tokens(prose(text))
    assert {token.type for token in found} <= HARMLESS - {
        "softbreak",
        "hardbreak",
        "blockquote_open",
        "list_item_open",
    }


@given(TEXTS)
def test_prose_reads_as_what_was_written(text: str) -> None:
    assert squeezed(shown(prose(text))) == squeezed(one_line(text))


@given(TEXTS)
def test_inline_code_reads_as_what_was_written(text: str) -> None:
    assert squeezed(shown(code(text))) == squeezed(one_line(text) or "(empty)")


@given(TEXTS)
def test_no_mention_reference_or_link_stands_outside_code(text: str) -> None:
    for markdown in (quote(text), prose(text), code(text)):
        live = "".join(token.content if token.type == "text" else " " for token in tokens(markdown))
        assert not re.search(r"@\w|[#!&]\d|://", live)


@given(TEXTS)
def test_no_line_starts_with_a_slash_behind_quote_marks_and_blanks(text: str) -> None:
    for markdown in (quote(text), prose(text), code(text)):
        for line in re.split(r"[\r\n\f\v\x85\u2028\u2029]", markdown):
            assert not line.lstrip("> \t").startswith("/")
    assert not any(line.lstrip().startswith("/") for line in shell_block([text]).split("\n"))


@given(TEXTS)
def test_nothing_that_closes_an_issue_is_left_for_a_raw_search(text: str) -> None:
    for markdown in (quote(text), prose(text), code(text), cell(text), plain(text)):
        assert not GITLAB_CLOSES.search(markdown)


@given(TEXTS)
def test_nothing_that_switches_the_ci_off_is_left_for_a_raw_search(text: str) -> None:
    for said in (quote(text), prose(text), code(text), cell(text), plain(text)):
        assert not SKIPS.search(said)
    assert not re.search(r"skip-checks\s*:\s*true", plain(text), re.IGNORECASE)


@given(TEXTS)
def test_a_cell_never_breaks_its_row(text: str) -> None:
    table = f"| a | b |\n|---|---|\n| {cell(text)} | end |\n"
    cells = [token for token in PARSER.parse(table) if token.type == "td_open"]
    assert len(cells) == 2
    assert "\n" not in cell(text)


@given(TEXTS)
def test_a_block_of_commands_is_one_block(text: str) -> None:
    assert [token.type for token in PARSER.parse(shell_block(["make", text, "true"]))] == ["fence"]


@given(TEXTS)
def test_plain_text_closes_nothing_and_mentions_nobody(text: str) -> None:
    assert not GITLAB_CLOSES.search(plain(text))
    assert not GITHUB_CLOSES.search(plain(text))
    assert not MENTION.search(plain(text))


@given(TEXTS)
def test_plain_text_differs_from_what_was_written_by_a_few_signs_only(text: str) -> None:
    def bare(line: str) -> str:
        return re.sub(r'["()\[\]*:]| -|(?<=@) ', "", line)

    assert bare(plain(text)) == bare(clean(text))


@pytest.mark.parametrize(
    ("written", "markdown"),
    [
        ("see `a_b` and __init__.py", r"see `a_b` and \_\_init\_\_.py"),
        ("ask @dana", "ask `@dana`"),
        ("!3 (see #12!)", "`!3` (see `#12`!)"),
        ("Closes #12, really", "Closes `#12`, really"),
        ("`Closes #12`", "`Closes` `#12`"),
        ("Docs [skip ci] ***NO_CI***", r"Docs \[skip ci\] \*\*\*NO_CI\*\*\*"),
        ("`[skip ci]` `[ci-skip]` `***NO_CI***`", "`[skip` `ci]` `[ci` `-skip]` `***NO` `_CI***`"),
        ("/merge", r"\/merge"),
        ("a < b && c", "a &lt; b &amp;&amp; c"),
        ("1 * 2 * 3", r"1 \* 2 \* 3"),
        ("snake_case stays", "snake_case stays"),
        ("\x1b[31mred\x1b[0m", "red"),
    ],
)
def test_prose_by_example(written: str, markdown: str) -> None:
    assert prose(written) == markdown


def test_blanks_inside_code_stay_as_they_are() -> None:
    assert code("slug('A  b')") == "`slug('A  b')`"


def test_a_quote_keeps_lists_and_code_lines_and_says_whose_words_they_are() -> None:
    text = "First:\n\n- one\n2) two\n\n```python\nif x:\n    /merge\n```\nlast"
    assert quote(text, lead="*Its words:*").split("\n") == [
        "> *Its words:* First:",
        ">",
        "> - one",
        "> 2) two",
        ">",
        ">",
        "> `if x:`\\",
        "> `\u00a0\u00a0\u00a0\u00a0/merge`\\",
        ">",
        "> last",
    ]


def test_a_quote_that_starts_with_a_list_keeps_the_list() -> None:
    assert quote("- one", lead="*Its words:*") == "> *Its words:*\n>\n> - one"


def test_a_long_text_is_cut_and_says_so() -> None:
    assert cut("abcdef", 4) == "abc…"
    assert cut("abcd", 4) == "abcd"
    assert len(quote("word " * 5000, limit=1000)) < 1100


@pytest.mark.parametrize(
    "code_or_prose",
    [
        "Accept 1-7,sat#3 and mon#1-tue#2",
        "fix 1-7,sat#3",
        "run it with 2>&1 | tee log",
        "write to dana@example.org, use actions/checkout@v4 and HEAD@{1}",
        "$@, @{upstream}, a@b and x_@y",
        "[skip this], [no CI here], [skip city], **NO_CI** and skip-checks: false",
        "see #12, group/project!3 and https://example.org/issues/12",
        "prefix #12, encloses #13, a fix for #14",
        "Fix UTF-8, SHA-256, RFC-822 and CVE-2024-1",
        "fix #define, #include and &amp;",
    ],
)
def test_plain_text_that_no_platform_acts_on_stays_as_it_is(code_or_prose: str) -> None:
    assert plain(code_or_prose) == code_or_prose


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Closes #12", 'Closes "#12"'),
        ("fixes: #1, #2 and #3", 'fixes: "#1", #2 and #3'),
        ("Resolves\n#12", 'Resolves\n"#12"'),
        ("implementing issue group/project#3.", 'implementing issue "group/project#3".'),
        ("implement C#7's", 'implement "C#7"\'s'),  # to GitLab issue 7 of the project C
        ("Closes #1fix #2", 'Closes "#1fix" #2'),  # a quote before `fix` would make it a word
        ("no-close: #12", 'no-close: "#12"'),
        ("fix (#12)", 'fix ("#12")'),
        ("`Closes #12`", '`Closes "#12"`'),
        ("Close https://x.y/i/1.", 'Close "https://x.y/i/1".'),
        ("Fixes ABC-12, fixed gh-3", 'Fixes "ABC-12", fixed "gh-3"'),
        ("closes [issue:12]", 'closes ["issue:12"]'),
        ("ask @dana (or @eve,@bob)", "ask @ dana (or @ eve,@ bob)"),
        ("@all: look", "@ all: look"),
        ('Crash with "@all"', 'Crash with "@ all"'),
        ("see /@dana, '@eve' and x.@y", "see /@ dana, '@ eve' and x.@ y"),
        ("read `@property` once", "read `@ property` once"),
        ("josé@dana, @.dana", "josé@ dana, @ .dana"),
        ("Docs [skip ci]", "Docs (skip ci)"),
        ("[CI Skip][no ci] [skip\nactions]", "(CI Skip)(no ci) (skip\nactions)"),
        ("[skip_ci], [ci-skip]", "(skip_ci), (ci-skip)"),
        ("[actions skip] [azp skip] ****NO_CI****", "(actions skip) (azp skip) (NO_CI)"),
        ("skip-checks:true, Skip-Checks: TRUE", "skip-checks -true, Skip-Checks - TRUE"),
    ],
)
def test_plain_text_that_a_platform_would_act_on_is_broken_up(written: str, said: str) -> None:
    assert plain(written) == said


def test_a_very_long_word_takes_no_longer_than_its_length_asks() -> None:
    # With a pattern that looks back over the word at each character this would take minutes.
    assert len(quote("fix" * 100_000 + "@" * 100_000, limit=1_000_000)) > 1000
    assert one_line("a" + " " * 200_000 + "b" + "\x1b[" * 100_000, 10) == "a…"
    assert len(plain("fix" + " " * 200_000 + "issue" + "a/" * 200_000)) > 1000
    assert len(plain("*" * 200_000 + "[skip" * 50_000 + " " * 200_000 + "skip-checks" + " " * 200_000)) > 1000


def test_several_commands_stay_several() -> None:
    assert codes("make\n\nmake `x`\n") == "`make`, `` make `x` ``"
    assert codes("\n".join("abcdefghijkl")).endswith("`j` …")
    assert shell_block(["a\n  b\n", "/c\n > /d", "e" * 2000]).split("\n")[1:-1] == [
        "a",
        "  b",
        "\\/c",
        " > \\/d",
        "e" * 999 + "…",
    ]


@given(TEXTS)
def test_a_block_of_commands_closes_nothing_and_lets_the_ci_run(text: str) -> None:
    block = shell_block(["make", text])
    assert not GITLAB_CLOSES.search(block)
    assert not SKIPS.search(block)


def test_a_command_that_would_close_an_issue_is_not_there_to_copy() -> None:
    assert shell_block(["pytest 'tests/Closes #12'", "make"]).split("\n") == [
        "```sh",
        "# left out: a command that reads as an order to close an issue or to switch the CI off",
        "make",
        "```",
    ]
