"""The runners we know, one module per language. Data, and functions that look at a project and run nothing of it.

`RUNNERS` is in the order of precedence: those that tell results by test case first, then those that a manifest
stands for, `make` last, because it usually wraps one of the others. To add a language, write a module with
its `RUNNERS` and name it here.
"""

from __future__ import annotations

from ci_agent.verification.ecosystems import (
    c,
    dotnet,
    elixir,
    go,
    java,
    javascript,
    make,
    php,
    python,
    ruby,
    rust,
    shell,
)
from ci_agent.verification.runner import Runner

RUNNERS: tuple[Runner, ...] = (
    *python.RUNNERS,
    *javascript.RUNNERS,
    *go.RUNNERS,
    *rust.RUNNERS,
    *java.RUNNERS,
    *ruby.RUNNERS,
    *php.RUNNERS,
    *dotnet.RUNNERS,
    *elixir.RUNNERS,
    *c.RUNNERS,
    *shell.RUNNERS,
    *make.RUNNERS,
)


def named(name: str) -> Runner | None:
    """The runner of that name; nothing for a command that none of them knows."""
    return next((runner for runner in RUNNERS if runner.name == name), None)
