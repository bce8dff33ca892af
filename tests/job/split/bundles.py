"""Bundles made by hand, signed or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ci_agent.ci import Happening, Job
from ci_agent.config import Config
from ci_agent.job.split.manifest import MANIFEST, SIGNATURE, Manifest, signed
from ci_agent.signing import Digest
from tests.job.split.conftest import KEY

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SETTINGS = replace(Config(), bundle=replace(Config().bundle, key=KEY))
JOB = Job(
    platform="github",
    repository="acme/widget",
    api_url="https://api.github.example",
    happening=Happening("issues", {}, NOW),
    actor=None,
    default_branch="main",
    url="https://github.example/acme/widget/actions/runs/101",
    run="101",
    pipeline="101",
    checkout=None,
    scratch=Path("/nowhere"),
)
FILES = {"session.jsonl": b"{}\n", "work.bundle": b"# v2 git bundle\n", "comment.md": b"**Done**\n"}


def make(
    folder: Path, files: Mapping[str, bytes] = FILES, key: str = KEY, says: Mapping[str, object] | None = None
) -> Path:
    """A bundle of `files`, whose manifest `says` other things than usual."""
    folder.mkdir(parents=True, exist_ok=True)
    digests = {name: Digest.of(content) for name, content in files.items()}
    usual = Manifest("github", "acme/widget", "101", "1", NOW, digests)
    manifest, signature = signed(msgspec.structs.replace(usual, **(says or {})), key.encode())
    for name, content in {**files, MANIFEST: manifest, SIGNATURE: signature}.items():
        (folder / name).write_bytes(content)
    return folder


def sign_again(folder: Path, key: str = KEY) -> None:
    """Sign what is in the folder now, as somebody would who got hold of the key."""
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    names = {path.name for path in folder.iterdir()} - {MANIFEST, SIGNATURE}
    files = {name: Digest.of((folder / name).read_bytes()) for name in names}
    content, signature = signed(msgspec.structs.replace(manifest, files=files), key.encode())
    (folder / MANIFEST).write_bytes(content)
    (folder / SIGNATURE).write_bytes(signature)
