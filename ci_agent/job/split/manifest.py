"""The manifest of a bundle: what is in it, and which job of which repository made it when. Signed as a whole.

`manifest.json` holds the digests of the other files, `manifest.hmac` its signature, see `ci_agent.signing`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from ci_agent import signing
from ci_agent.config import Config
from ci_agent.errors import AuthenticationError, CiAgentError
from ci_agent.signing import Digest

# What is where in the folder of a bundle.
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.hmac"
JOURNAL: Final = "session.jsonl"
WORK: Final = "work.bundle"  # for git; missing where there is nothing to push
COMMENT: Final = "comment.md"  # for people who look at the bundle; nothing is ever published from these two
MERGE_REQUEST: Final = "merge-request.md"

_PURPOSE: Final = "ci-agent bundle 1"


class BundleError(CiAgentError):
    """A bundle is not published; the message is a clause: it …"""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the first job says of its bundle."""

    platform: str
    repository: str  # as the CI calls it
    pipeline: str  # GitHub's run, GitLab's pipeline
    issue: str
    made: datetime
    files: dict[str, Digest]


def key_of(settings: Config) -> bytes:
    """The key for bundles. Raises `AuthenticationError` where there is none."""
    if not settings.bundle.key:
        raise AuthenticationError(
            "there is no key for the bundle; set CI_AGENT_BUNDLE_KEY for both jobs, for instance to what "
            "`openssl rand -hex 32` prints; see docs/split.md"
        )
    return settings.bundle.key.strip().encode()


def signed(manifest: Manifest, key: bytes) -> tuple[bytes, bytes]:
    """The manifest as it is written, and its signature."""
    return signing.signed(manifest, key, _PURPOSE)


def checked(content: bytes, signature: bytes, key: bytes) -> Manifest:
    """The manifest in `content`. Raises `BundleError` where `signature` is not the one that `key` makes of it."""
    try:
        return signing.checked(content, signature, key, _PURPOSE, Manifest)
    except signing.UnsignedError as error:
        raise BundleError("is not signed with this repository's key, or was changed since") from error
    except signing.MalformedError as error:
        raise BundleError(f"has a manifest that is none: {error}") from error
