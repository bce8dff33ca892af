"""Front matter and text: whatever is written is read back, whatever is read is a document or an error."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from ci_agent.errors import UsageError
from ci_agent.platforms import Label
from ci_agent.platforms.local import Local
from ci_agent.platforms.local.document import parse, render, title_and_text

NASTY = st.sampled_from(
    [
        "---",
        "\n",
        "\r\n",
        "\r",
        "\t",
        " ",
        ": ",
        "#",
        "'",
        '"',
        "🐛",
        "\ufeff",
        "\x85",
        "\u2028",
        "\x00",
        "\x1b",
        "\\",
    ]
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20) | st.lists(
    NASTY | st.text("ab1-", max_size=3), max_size=12
).map("".join)
WORD = TEXT | st.sampled_from(
    ["1e3", "010", "null", "~", "yes", "2026-01-31", "1:30", "=", "<<", "!x", "&a", "*a", "", "- a"]
)


@given(WORD, st.lists(WORD.filter(bool), unique=True), TEXT)
def test_what_is_written_is_read_back_to_the_letter(word: str, words: list[str], text: str) -> None:
    document = parse(render({"title": word, "labels": words}, text), "x.md")
    assert (document.word("title"), document.words("labels"), document.text) == (word, tuple(words), text)
    again = parse(render(document.plain_head(), document.text), "x.md")
    assert (again.word("title"), again.words("labels"), again.text) == (word, tuple(words), text)


@given(TEXT)
def test_a_text_without_front_matter_loses_only_its_last_line_end(text: str) -> None:
    if text.startswith(("---", "\ufeff")):
        return
    assert parse(f"{text}\n".encode(), "x.md").text == text.removesuffix("\r")


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    document = parse(render({"title": "a\ud800", "labels": ["\udfff"]}, "b\ud800"), "x.md")
    assert (document.word("title"), document.words("labels"), document.text) == ("a?", ("?",), "b?")


@given(
    st.binary()
    | st.lists(NASTY | st.sampled_from(["---\n", "title: ", "[", "{", "&a ", "a\n"]), max_size=20).map(
        lambda parts: "".join(parts).encode()
    )
)
def test_any_file_is_a_document_or_an_error_that_names_it(data: bytes) -> None:
    try:
        document = parse(b"---\n" + data, "x.md")
        document.words("title")
        document.time("title")
        title, _ = title_and_text(document)
    except UsageError as error:
        assert str(error).startswith("x.md")
    else:
        assert title.strip() == title != ""


@given(TEXT.filter(lambda text: bool(text.strip())), TEXT, TEXT, st.booleans())
def test_titles_and_texts_go_through_the_folder_unchanged(
    title: str, text: str, label: str, draft: bool
) -> None:
    with TemporaryDirectory() as folder:
        local = Local(Path(folder), "widgets", user="dana")
        issue = local.create_issue(title, text, "dana")
        assert (issue.title, issue.text) == (title, text)
        assert local.issue(issue.number) == issue
        assert local.ensure_comment("1", "m", text).item.text == text
        assert not local.ensure_comment("1", "m", text).created
        for created in (True, False):
            written = local.ensure_merge_request(
                "w",
                "m",
                title=title,
                text=text,
                draft=draft,
                add_labels=[Label(label or "a")],
                remove_labels=[],
            )
            assert (written.item.title, written.item.text, written.created) == (title, text, created)
            assert written.item.labels == (label or "a",)
