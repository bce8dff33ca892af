"""A bundle is taken only as it was signed: by us, for this pipeline and issue, not long ago. Nothing else crashes."""

from __future__ import annotations

import hmac
import os
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ci_agent.config import Config
from ci_agent.errors import AuthenticationError
from ci_agent.job.split.manifest import BundleError
from ci_agent.job.split.reading import Bundle, read_bundle
from ci_agent.signing import Digest
from tests.job.split.bundles import FILES, JOB, NOW, SETTINGS, make
from tests.job.split.conftest import KEY

NAMES = ["manifest.json", "manifest.hmac", *FILES]


def take(folder: Path) -> Bundle | None:
    return read_bundle(folder, SETTINGS, JOB, "1", lambda: NOW)


def test_one_that_is_whole_is_taken(tmp_path: Path) -> None:
    found = take(make(tmp_path / "b"))
    assert found == Bundle(NOW, FILES["session.jsonl"], FILES["work.bundle"])


def test_none_is_none(tmp_path: Path) -> None:
    assert take(tmp_path / "nowhere") is None
    (tmp_path / "empty").mkdir()
    assert take(tmp_path / "empty") is None


def test_it_takes_a_key(tmp_path: Path) -> None:
    with pytest.raises(AuthenticationError, match="set CI_AGENT_BUNDLE_KEY"):
        read_bundle(make(tmp_path / "b"), Config(), JOB, "1", lambda: NOW)


@given(name=some.sampled_from(NAMES), at=some.integers(0, 10_000), bits=some.integers(1, 255))
def test_a_changed_byte_anywhere_is_seen(name: str, at: int, bits: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = make(Path(place) / "b")
        content = bytearray((folder / name).read_bytes())
        content[at % len(content)] ^= bits
        (folder / name).write_bytes(content)
        with pytest.raises(BundleError, match=r"not signed|changed since"):
            take(folder)


@given(some.dictionaries(some.sampled_from([*NAMES, "other"]), some.binary(max_size=300)))
def test_whatever_lies_there_is_refused_and_nothing_crashes(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as place:
        for name, content in files.items():
            (Path(place) / name).write_bytes(content)
        try:
            assert take(Path(place)) is None
        except BundleError:
            assert files
        else:
            assert not files


@given(some.binary(max_size=300))
def test_a_signed_manifest_that_is_none_is_refused(content: bytes) -> None:

    with tempfile.TemporaryDirectory() as place:
        signature = (
            hmac.digest(KEY.encode(), b"ci-agent bundle 1\n" + content, "sha256").hex().encode() + b"\n"
        )
        (Path(place) / "manifest.json").write_bytes(content)
        (Path(place) / "manifest.hmac").write_bytes(signature)
        with pytest.raises(BundleError, match="manifest that is none"):
            take(Path(place))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"platform": "gitlab"}, "is of another platform"),
        ({"repository": "acme/other"}, "is of another repository"),
        ({"pipeline": "100"}, "is of another pipeline"),
        ({"issue": "2"}, "is of another issue"),
        ({"made": NOW - timedelta(hours=73)}, r"is older than 72 hours \(`bundle.max_age`\)"),
        ({"made": NOW + timedelta(hours=1)}, "was made in the future"),
        ({"made": NOW.replace(tzinfo=None)}, "was made in the future"),
    ],
)
def test_one_of_another_time_or_place_is_refused(tmp_path: Path, more: dict[str, object], why: str) -> None:
    with pytest.raises(BundleError, match=why):
        take(make(tmp_path / "b", says=more))


def test_another_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not signed with this repository's key"):
        take(make(tmp_path / "b", key="0" * 48))


def _more(folder: Path) -> None:
    (folder / "more").write_text("x")


def _less(folder: Path) -> None:
    (folder / "work.bundle").unlink()


def _link(folder: Path) -> None:
    (folder / "work.bundle").rename(folder.with_name("real"))
    (folder / "work.bundle").symlink_to(folder.with_name("real"))


def _pipe(folder: Path) -> None:
    (folder / "session.jsonl").unlink()
    os.mkfifo(folder / "session.jsonl")


def _folder(folder: Path) -> None:
    (folder / "session.jsonl").unlink()
    (folder / "session.jsonl").mkdir()


def _linked_manifest(folder: Path) -> None:
    (folder / "manifest.json").rename(folder.with_name("real"))
    (folder / "manifest.json").symlink_to(folder.with_name("real"))


def _longer(folder: Path) -> None:
    with (folder / "session.jsonl").open("ab") as file:
        file.write(b"x")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_more, "holds other files than it says"),
        (_less, "holds other files than it says"),
        (_link, "has no plain file work.bundle"),
        (_pipe, "has no plain file session.jsonl"),
        (_folder, "has no plain file session.jsonl"),
        (_linked_manifest, "has no plain file manifest.json"),
        (_longer, "has a larger session.jsonl than it says"),
    ],
)
def test_what_is_no_plain_file_as_signed_is_refused(
    tmp_path: Path, change: Callable[[Path], None], why: str
) -> None:
    folder = make(tmp_path / "b")
    assert take(folder)  # the control
    change(folder)
    with pytest.raises(BundleError, match=why):
        take(folder)


def test_a_link_to_a_bundle_is_none(tmp_path: Path) -> None:
    make(tmp_path / "b")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    with pytest.raises(BundleError, match="is no folder"):
        take(tmp_path / "link")


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/hostname", "sub/session.jsonl", "session.jsonl\0", "x.py"]
)
def test_a_signed_manifest_can_name_no_other_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_bytes(b"{}\n")
    digests = {"session.jsonl": Digest.of(b"{}\n"), name: Digest.of(b"{}\n")}
    with pytest.raises(BundleError, match="holds other files than it says"):
        take(make(tmp_path / "b", {"session.jsonl": b"{}\n"}, says={"files": digests}))


def test_a_large_one_is_refused_before_it_is_read(tmp_path: Path) -> None:
    digests = {name: Digest(200_000_000, "0" * 64) for name in FILES}
    with pytest.raises(BundleError, match=r"is larger than 100 MB \(`bundle.max_size`\)"):
        take(make(tmp_path / "b", says={"files": digests}))


def test_one_without_a_journal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="has no journal"):
        take(make(tmp_path / "b", {"work.bundle": b"x"}))
