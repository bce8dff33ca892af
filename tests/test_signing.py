"""What was signed with a key for a purpose counts for that, and nothing else does."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ci_agent.signing import (
    Digest,
    MalformedError,
    UnsignedError,
    WeakSecretError,
    checked,
    derived,
    signed,
)

KEY = b"k" * 32
PURPOSE = "ci-agent test 1"


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    files: dict[str, Digest] = {}
    rest: object = None


DIGESTS = st.binary(max_size=50).map(Digest.of)
DOCUMENTS = st.builds(Document, st.text(), st.dictionaries(st.text(), DIGESTS, max_size=3))
PURPOSES = st.text(st.characters(codec="utf-8", exclude_characters="\n")).filter(
    lambda text: text != "ci-agent key"
)


def hmac_by_the_book(key: bytes, text: bytes) -> bytes:
    """RFC 2104, section 2, for keys of up to 64 bytes."""
    padded = key.ljust(64, b"\0")
    inner, outer = bytes(byte ^ 0x36 for byte in padded), bytes(byte ^ 0x5C for byte in padded)
    return hashlib.sha256(outer + hashlib.sha256(inner + text).digest()).digest()


@given(DOCUMENTS, PURPOSES, st.binary())
def test_what_was_signed_is_read_back(document: Document, purpose: str, key: bytes) -> None:
    content, signature = signed(document, key, purpose)
    assert checked(content, signature, key, purpose, Document) == document


def test_both_files_are_as_they_always_were() -> None:
    document = Document("x", {"a": Digest.of(b"abc")}, "y")
    content, signature = signed(document, KEY, PURPOSE)
    assert content == (
        b'{\n  "title": "x",\n  "files": {\n    "a": {\n      "size": 3,\n      "sha256": '
        b'"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"\n    }\n  },\n  "rest": "y"\n}\n'
    )
    assert signature == hmac_by_the_book(KEY, b"ci-agent test 1\n" + content).hex().encode() + b"\n"


@given(DOCUMENTS, st.integers(0, 10_000), st.integers(1, 255), st.sampled_from([0, 1]))
def test_a_changed_byte_is_seen(document: Document, at: int, bits: int, which: int) -> None:
    files = [bytearray(part) for part in signed(document, KEY, PURPOSE)]
    files[which][at % len(files[which])] ^= bits
    with pytest.raises(UnsignedError):
        checked(bytes(files[0]), bytes(files[1]), KEY, PURPOSE, Document)


@given(PURPOSES, PURPOSES)
def test_what_was_signed_for_one_purpose_does_not_count_for_another(one: str, other: str) -> None:
    assume(one != other)
    content, signature = signed(Document("x"), KEY, one)
    with pytest.raises(UnsignedError):
        checked(content, signature, KEY, other, Document)


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_another_key_does_not_count(one: bytes, other: bytes) -> None:
    assume(one.ljust(64, b"\0") != other.ljust(64, b"\0"))  # HMAC fills keys up with zeros
    content, signature = signed(Document("x"), one, PURPOSE)
    with pytest.raises(UnsignedError):
        checked(content, signature, other, PURPOSE, Document)


@given(st.binary(), st.binary())
def test_a_strangers_files_are_refused_whatever_they_hold(content: bytes, signature: bytes) -> None:
    with pytest.raises(UnsignedError):
        checked(content, signature, KEY, PURPOSE, Document)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"[]", b'{"title": 1}', b'{"more": 1}', b'{"title": "x", "rest": ' + b"[" * 100_000],
)
def test_a_signed_document_that_is_none_is_refused(content: bytes) -> None:
    signature = hmac_by_the_book(KEY, f"{PURPOSE}\n".encode() + content).hex().encode() + b"\n"
    with pytest.raises(MalformedError):
        checked(content, signature, KEY, PURPOSE, Document)


@pytest.mark.parametrize("purpose", ["a\nb", "ci-agent test 1\n", "ci-agent key"])
def test_no_purpose_signs_what_another_one_does_or_what_a_key_is_derived_of(purpose: str) -> None:
    with pytest.raises(ValueError, match="can't be the purpose of a signature"):
        signed(Document("x"), KEY, purpose)


@given(st.text(min_size=16, max_size=20), st.text())
def test_a_derived_key_is_the_hmac_of_its_purpose(secret: str, purpose: str) -> None:
    assume(len(secret.strip()) >= 16 and len(secret.encode()) <= 64)
    expected = hmac_by_the_book(secret.encode(), b"ci-agent key\n" + purpose.encode())
    assert derived(secret, purpose) == expected


def test_bytes_in_an_environment_that_are_no_text_make_a_key_too() -> None:
    assert len(derived("\udcff" * 16, "x")) == 32


@pytest.mark.parametrize("secret", ["", "x" * 15, " " * 40, f"  {'x' * 15}\n"])
def test_a_secret_that_could_be_guessed_is_refused(secret: str) -> None:
    with pytest.raises(WeakSecretError, match="fewer than 16 characters"):
        derived(secret, "x")
