"""A workspace to try the tools in."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ci_agent.sandbox.plain import Plain
from ci_agent.tools import Answer, World, all_tools, call

Do = Callable[..., Answer]


def world_in(folder: Path, *, remaining: float = 1000.0) -> World:
    """A world below `folder`, with an empty git repository as workspace."""
    root = folder / "workspace"
    root.mkdir()
    subprocess.run(["git", "init", "-q", root], check=True)
    return World(
        root=root,
        outputs=folder / "outputs",
        sandbox=Plain(folder / "home", folder / "temporary"),
        remaining=lambda: remaining,
        run_tests=lambda selector: f"ran {selector or 'all'}",
        command_timeout=20,
    )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return world_in(tmp_path)


@pytest.fixture
def do(world: World) -> Do:
    """Calls a tool by name, the way the loop does."""

    def do(name: str, /, **arguments: Any) -> Answer:
        return call(name, json.dumps(arguments), all_tools(), world)

    return do
