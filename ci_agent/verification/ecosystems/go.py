"""Go's own runner."""

from __future__ import annotations

from collections.abc import Sequence

from ci_agent.verification.ecosystems.words import appended, call, fixed, named
from ci_agent.verification.runner import Runner


def _run(command: str, words: Sequence[str]) -> str:
    return appended(command, words if words[0].startswith("-") else ["-run", "|".join(words)])


RUNNERS = (
    Runner(
        name="go test",
        language="Go",
        why="it is a Go module",
        sign=named("go.mod"),
        command=fixed("go test ./..."),
        called=call("go test"),
        tests=r"(.*/)?([^/]*_test\.go|testdata/.*)",
        select=_run,
    ),
)
