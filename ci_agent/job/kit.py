"""What somebody sets up on a platform, in words and files: which file goes where, which token it takes, and what only
a person can do. For `init` and `doctor`, which look up and do the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ci_agent.platforms import Label
from ci_agent.platforms.github import administration as github
from ci_agent.platforms.gitlab import administration as gitlab

GITHUB_COPY: Final = "your-org/ci-agent"  # as the examples have it
GITLAB_COPY: Final = "your-group/ci-agent"
NO_COMMIT: Final = "0" * 40
_PLACEHOLDERS = re.compile(
    rf"(?:{GITHUB_COPY}|{GITLAB_COPY})(?:@{NO_COMMIT})?|@{NO_COMMIT}|gitlab\.example\.org"
)


@dataclass(frozen=True, slots=True)
class Kit:
    """One platform's part."""

    file: str  # where a job begins, from the top of the repository
    example: str  # what goes into it, by its name among the examples
    version: str  # what stands there for the version of ci-agent's own copy
    variable: str  # holds the token
    token: str  # what the token has to be
    strong: str  # and what it has to be for changing settings
    secrets: str  # what jobs need and no API can give, and where
    by_hand: Callable[[Sequence[Label]], Sequence[tuple[str, str]]]  # what else, and where


KITS: Final = {
    "github": Kit(
        file=".github/workflows/ci-agent.yml",
        example="github-issues.yml",
        version="commit",
        variable="GITHUB_TOKEN",
        token=github.WANTED,
        strong="the token of an administrator of the repository (classic: scope repo; fine-grained: Administration and "
        "Issues, read and write)",
        secrets="Settings → Secrets and variables → Actions → New repository secret: LLM_API_KEY",
        by_hand=github.by_hand,
    ),
    "gitlab": Kit(
        file=".gitlab-ci.yml",
        example="gitlab.yml",
        version="tag (v1)",
        variable="GITLAB_TOKEN",
        token=gitlab.WANTED,
        strong="the token of a Maintainer of the project, with the scope api",
        secrets="Settings → CI/CD → Variables, each masked and protected: LLM_API_KEY, and GITLAB_TOKEN with "
        f"{gitlab.WANTED}",
        by_hand=gitlab.by_hand,
    ),
}


def left_in(text: str) -> str:
    """What an example has that everybody puts their own in the place of, with its lines, in words; empty: nothing.
    Comments don't count."""
    lines: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        for found in _PLACEHOLDERS.findall("" if line.lstrip().startswith("#") else line):
            lines.setdefault(found.replace(NO_COMMIT, "000…"), []).append(str(number))
    return ", ".join(
        f"{name} (line{'s' * (len(where) > 1)} {' and '.join(where)})" for name, where in lines.items()
    )
