"""What happens to text on its way to a platform, whoever wrote it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ci_agent.platforms.text import fitted, marked, marker_in, one_line, without_marker

LINES = st.lists(
    st.one_of(
        st.sampled_from(
            ["```", "```text", "~~~~", "    ```", "<details><summary>x</summary>", "</details>", ""]
        ),
        st.text(max_size=30),
    ),
    max_size=60,
)


@given(LINES, st.integers(300, 900))
def test_a_text_is_cut_to_what_fits_and_says_so(lines: list[str], limit: int) -> None:
    text = "\n".join(lines)
    kept = fitted(text, limit)
    assert len(kept) <= limit
    if len(text) <= limit:
        assert kept == text
    else:
        assert kept.endswith("\n\n*Cut here: the rest is too long for this place.*")
        assert text.startswith(kept[:10])


def test_what_is_open_where_a_text_is_cut_is_closed() -> None:
    within = "~~~~text\n```\nnot the end of it\n" + "x\n" * 500
    kept = fitted("<details>\n\n<details>\n\n</details>\n\n" + within, 600)
    assert kept.endswith("x\n~~~~\n</details>\n\n*Cut here: the rest is too long for this place.*")
    closed = fitted("```\ncode\n```\n" + "y\n" * 500, 600)
    assert closed.endswith("y\n\n*Cut here: the rest is too long for this place.*")
    assert closed.count("```") == 2


def test_a_text_of_one_line_is_cut_within_it() -> None:
    assert fitted("z" * 5_000, 3_000).startswith("z" * 2_000)


@given(st.from_regex(r"[a-z0-9][a-z0-9 .-]*[a-z0-9]", fullmatch=True), st.text())
def test_a_marker_is_found_again_and_hides_nothing_of_the_text(marker: str, text: str) -> None:
    made = marked(marker, text)
    assert (marker_in(made), without_marker(made)) == (marker, text)
    assert marker_in(made.replace("\n", "\r\n", 1)) == marker


@given(st.text())
def test_what_is_not_our_first_line_is_no_marker(text: str) -> None:
    assert marker_in(f"x{marked('m', text)}") == ""
    assert marker_in(f"\n{marked('m', text)}") == ""


@given(st.text(), st.integers(1, 300))
def test_a_title_is_one_line_and_fits(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
