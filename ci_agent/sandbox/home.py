"""The folders of a command's own: HOME and TMPDIR."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

# In the sandbox's home and not in the environment, where it would win over what a test configures. The
# workspace may belong to another user than the job's, as checkouts in containers do.
_GIT_CONFIG = """\
[user]
\tname = ci-agent sandbox
\temail = ci-agent-sandbox@localhost
[safe]
\tdirectory = *
"""


def prepare(home: Path, temporary: Path) -> None:
    """Make them where they are missing, with a configuration for git."""
    for folder in (home, temporary):
        folder.mkdir(parents=True, exist_ok=True)
    with (
        suppress(FileExistsError),
        (home / ".gitconfig").open("x") as file,
    ):  # a command's link is not followed
        file.write(_GIT_CONFIG)
