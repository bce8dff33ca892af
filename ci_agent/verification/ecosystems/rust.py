"""Cargo's own runner."""

from __future__ import annotations

from collections.abc import Sequence

from ci_agent.verification.ecosystems.words import appended, call, fixed, named
from ci_agent.verification.runner import Runner


def _filter(command: str, words: Sequence[str]) -> str:
    dashes = [] if words[0].startswith("-") or " -- " in command else ["--"]
    return appended(command, [*dashes, *words])


RUNNERS = (
    Runner(
        name="cargo test",
        language="Rust",
        why="it is a Cargo package",
        sign=named("Cargo.toml"),
        command=fixed("cargo test"),
        called=call("cargo test"),
        tests=r"(.*/)?tests/.*",
        inline=True,
        select=_filter,
    ),
)
