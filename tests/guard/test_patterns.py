"""What looks like somebody's key is told; what was there before, or only looks odd, is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ci_agent.guard.patterns import Suspicious, suspicious

# Put together here, so that nobody who looks through this repository takes them for keys.
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"
SLACK = "https://hooks.slack.com/services/" + "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"
PRIVATE = "-----BEGIN RSA " + "PRIVATE KEY-----"


def patch(tmp_path: Path, before: str, after: str) -> bytes:
    """As the control repository writes it."""
    for name, text in (("a", before), ("b", after)):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "x.py").write_text(text)
    words = ("git", "diff", "--no-index", "-U0", "--no-prefix", "a/x.py", "b/x.py")
    return subprocess.run(words, cwd=tmp_path, capture_output=True, check=False).stdout


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (f"key = '{AWS}'", "AWS Access Key"),
        (f"token: {GITHUB}", "GitHub Token"),
        (f"url = {SLACK!r}", "Slack Token"),
        (PRIVATE, "Private Key"),
    ],
)
def test_keys_of_services_are_told_with_their_place(tmp_path: Path, line: str, kind: str) -> None:
    assert suspicious(patch(tmp_path, "one\ntwo\n", f"one\ntwo\n{line}\n")) == [Suspicious("x.py", 3, kind)]


@pytest.mark.parametrize(
    "line",
    [
        "password = 'changeme-please-1234'",
        "https://user:password@example.org/",
        "sha = '1ecfd275763eff1d6b4844ea3168962458c9f27a'",
        "integrity sha512-Ql1Kd9yBzB0m3a1b2c3d4e5f6g7h8i9j0kAAAABBBBCCCCDDDD==",
        "def test_api_key_is_hidden(secret_key: str) -> None:",
        "++ token",
    ],
)
def test_what_only_looks_odd_is_not(tmp_path: Path, line: str) -> None:
    assert suspicious(patch(tmp_path, "one\n", f"one\n{line}\n")) == []


def test_what_stood_there_before_does_not_count(tmp_path: Path) -> None:
    before = f"a\nkey = '{AWS}'\nb\n"
    assert suspicious(patch(tmp_path, before, f"a\nb\n  key = '{AWS}'\n")) == []
    assert suspicious(patch(tmp_path, before, before.replace("b", "c"))) == []
    assert suspicious(patch(tmp_path, before, "")) == []


@given(st.binary(max_size=300))
@example(b"@@ ")
@example(b"@@ -1,2 +, @@")
def test_any_patch_is_read(content: bytes) -> None:
    suspicious(content)
    suspicious(b"+++ b/x\n@@ -1,2 +3,4 @@\n" + content)
