"""Keys of well-known services, by their patterns: what is probably a secret, though nobody here knows it.

The patterns are those of detect-secrets, of which only what is quiet is used: in 690,000 lines of the standard
library, of well-known packages and of our own tests they found one made-up token. Left out is what guesses (high entropy,
words like `password`) and what stands in every second documentation (`https://user:pass@example.org`).
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from detect_secrets.plugins.base import BasePlugin

_DETECTORS: Final = {
    "artifactory": "ArtifactoryDetector",
    "aws": "AWSKeyDetector",
    "azure_storage_key": "AzureStorageKeyDetector",
    "cloudant": "CloudantDetector",
    "discord": "DiscordBotTokenDetector",
    "github_token": "GitHubTokenDetector",
    "gitlab_token": "GitLabTokenDetector",
    "ibm_cloud_iam": "IbmCloudIamDetector",
    "ibm_cos_hmac": "IbmCosHmacDetector",
    "jwt": "JwtTokenDetector",
    "mailchimp": "MailchimpDetector",
    "npm": "NpmDetector",
    "openai": "OpenAIDetector",
    "private_key": "PrivateKeyDetector",
    "pypi_token": "PypiTokenDetector",
    "sendgrid": "SendGridDetector",
    "slack": "SlackDetector",
    "softlayer": "SoftlayerDetector",
    "square_oauth": "SquareOAuthDetector",
    "stripe": "StripeDetector",
    "telegram_token": "TelegramBotTokenDetector",
    "twilio": "TwilioKeyDetector",
}
_LONGEST_LINE = 2_000  # characters that are looked at; longer lines are data


@dataclass(frozen=True, slots=True)
class Suspicious:
    """A line that looks as if it held a secret of the `kind`."""

    path: str
    line: int  # from 1
    kind: str  # as detect-secrets calls it: `AWS Access Key`

    def __str__(self) -> str:
        return f"{self.path}:{self.line} ({self.kind})"


def suspicious(patch: bytes) -> list[Suspicious]:
    """The lines that `patch`, made with `git diff -U0`, adds and that look like secrets. Lines that it only moves
    don't count."""
    added, removed = _changed_lines(patch)
    return [
        Suspicious(path, number, kind)
        for path, number, text in added
        if text.strip() not in removed
        for kind in _kinds(text)
    ]


def _kinds(text: str) -> Iterator[str]:
    for detector in _detectors():
        if next(iter(detector.analyze_string(text[:_LONGEST_LINE])), None) is not None:
            yield detector.secret_type


# The head of a hunk: `@@ -3,2 +7 @@`, without a number of lines for one.
_HUNK = re.compile(r"@@ -[0-9]{1,12}(?:,([0-9]{1,12}))? \+([0-9]{1,12})(?:,([0-9]{1,12}))? @@")


@functools.cache
def _detectors() -> tuple[BasePlugin, ...]:
    modules = (
        (importlib.import_module(f"detect_secrets.plugins.{file}"), name) for file, name in _DETECTORS.items()
    )
    return tuple(getattr(module, name)() for module, name in modules)


def _changed_lines(patch: bytes) -> tuple[list[tuple[str, int, str]], set[str]]:
    """Path, number and text of each line that is added, and the texts of those that are removed."""
    added, removed = list[tuple[str, int, str]](), set[str]()
    path, number, left = "", 0, 0
    for line in patch.decode("utf-8", "replace").split("\n"):
        if left and line.startswith(("+", "-")):
            left -= 1
            if line[0] == "+":
                added.append((path, number, line[1:]))
                number += 1
            else:
                removed.add(line[1:].strip())
        elif line.startswith("+++ "):
            path = line.removeprefix("+++ ").strip('"\t').removeprefix("b/")
        elif hunk := _HUNK.match(line):
            old, first, new = hunk.groups()
            number, left = int(first), int(old or 1) + int(new or 1)
    return added, removed
