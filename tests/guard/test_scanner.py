"""Known secrets are found in every form, wherever they stand and however they come; what is like them is not."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ci_agent.guard import Guard, Secret
from ci_agent.guard.scanner import Scan
from tests.guard.forms import FORMS

KEY = "sk-Qv7_tR2x9+LmZ0aW/4nBc8Ke=Yd31"
OTHER = "sk-Qv7_tR2x9+LmZ0bW/4nBc8Ke=Yd31"  # one character is another
GUARD = Guard(
    [Secret("LLM_API_KEY", KEY), Secret("TOKEN", "glpat-0123456789abcdef"), Secret("PIN", "Pa55!w")]
)
AROUND = ("", "x", "key = '", "Zm9vYmFy", "a%20b\\n&amp;", "ü€\u200b\x00", "0123456789" * 9)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_found_wherever_it_stands_and_a_similar_value_is_not(form: str) -> None:
    for before in AROUND:
        for after in ("", "'", " end"):
            text = f"{before} {FORMS[form](KEY)}{after}"
            assert {found.secret for found in GUARD.found(text)} == {"LLM_API_KEY"}, text
            assert not GUARD.found(f"{before} {FORMS[form](OTHER)}{after}")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 61])
@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_found_over_the_borders_of_pieces(form: str, size: int) -> None:
    for key, expected in ((KEY, {"LLM_API_KEY"}), (OTHER, set())):
        content = f"some text before, {FORMS[form](key)} and after".encode()
        scan = GUARD.scan()
        for start in range(0, len(content), size):
            scan.feed(content[start : start + size])
        assert {found.secret for found in scan.finish()} == expected


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_masked_and_the_rest_is_kept(form: str) -> None:
    masked = GUARD.masked(f"before: {FORMS[form](KEY)} :after")
    assert masked.startswith("before: ")
    assert masked.endswith(" :after")
    assert "***" in masked
    assert not GUARD.found(masked)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (KEY, "as text"),
        (FORMS["base64"](KEY), "base64"),
        (FORMS["hex"](KEY), "hexadecimal"),
        (FORMS["reversed"](KEY), "reversed"),
        (FORMS["base64 twice"](KEY), "base64 of base64"),
    ],
)
def test_what_is_found_has_the_name_of_the_secret_and_its_form(text: str, form: str) -> None:
    assert list(map(str, GUARD.found(text))) == [f"LLM_API_KEY ({form})"]


@pytest.mark.parametrize(
    ("secret", "harmless"),
    [
        ("not-needed", "This is not needed any more."),
        ("postgres1", "It runs on postgres 1 and later."),
        ("Pa55!w", "Pa55 w"),
        ("sk-no-key-required", "sk no key required"),
        ("hunter2-hunter2", "HUNTER2-hunter2"),
    ],
)
def test_words_that_stand_in_texts_anyway_are_found_as_they_are_only(secret: str, harmless: str) -> None:
    guard = Guard([Secret("KEY", secret)])
    assert guard.found(f"it is {secret}!")
    assert guard.found(FORMS["base64"](secret))
    assert not guard.found(harmless)


SECRETS = st.text(string.ascii_letters + string.digits + "-_.+/=!$&#äß%", min_size=24, max_size=64).filter(
    lambda text: (
        sum(one.isascii() and one.isalnum() for one in text) >= 20
        and len(set(text)) > 8
        and not any(escape in text for escape in "%&")
    )
)
TEXTS = st.text(max_size=60)


@given(SECRETS, st.sampled_from(sorted(FORMS)), TEXTS, TEXTS, st.lists(st.integers(1, 40), min_size=1))
def test_any_secret_is_found_in_any_text_and_no_statement_holds_it(
    secret: str, form: str, before: str, after: str, sizes: list[int]
) -> None:
    guard = Guard([Secret("KEY", secret)])
    # What stands in front must not change the meaning: a lone `\\` or `%` does.
    text = f"{before} {FORMS[form](secret)} {after}"
    content, scan = text.encode("utf-8", "surrogatepass"), guard.scan()
    for number in range(len(content)):
        size = sizes[number % len(sizes)]
        scan.feed(content[:size])
        content = content[size:]
        if not content:
            break
    assert scan.finish() == guard.found(text)
    said = guard.cleared(text, "comment")
    assert said.startswith("This comment was withheld: it held the value of KEY (")
    assert not guard.found(said)
    assert not guard.found(guard.masked(text))


@given(st.text(alphabet=string.ascii_lowercase + " \n.,%&\\0123456789", max_size=500))
def test_text_without_the_secret_is_never_withheld(text: str) -> None:
    guard = Guard([Secret("KEY", "QWXZ-JKVB-9QWX-ZJKV-BQ7")])
    assert guard.cleared(text, "comment") is text
    assert guard.masked(text) is text


@given(st.binary(max_size=400), st.binary(min_size=1, max_size=90), st.integers(1, 50))
@example(b"\\", b"\\", 1)
def test_any_bytes_are_looked_at_without_a_crash_and_the_same_in_pieces(
    content: bytes, secret: bytes, size: int
) -> None:
    guard = Guard([Secret("KEY", secret.decode("latin-1"))])
    scan: Scan = guard.scan()
    for start in range(0, len(content), size):
        scan.feed(content[start : start + size])
    assert scan.finish() == guard.found(content)
    guard.masked_bytes(content)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_masking_takes_out_all_there_is(before: bytes, after: bytes) -> None:
    masked = GUARD.masked_bytes(before + KEY.encode() + after)
    assert not GUARD.found(masked)


def test_a_large_log_takes_time_by_its_size() -> None:
    """Twenty megabytes of what logs are made of, the key at the very end of it; seconds, not minutes."""
    line = random.Random(5).randbytes(300).hex() + " PASSED [ 42%]\n"
    content = line.encode() * (20_000_000 // len(line)) + KEY.encode()
    assert GUARD.found(content)
