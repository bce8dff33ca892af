"""A repository on a person's machine may be a stranger's: what its file can't open there, and how it is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.jobs import Runner, calculator

FILE = "sandbox:\n  readable: [/srv/secrets]\n"
SAID = (
    "ci-agent: .ci-agent.yml:2 asks for `sandbox.readable: /srv/secrets`. That counts only in a CI job; if you want it on "
    "this machine, set CI_AGENT_SANDBOX_READABLE=/srv/secrets\n"
)


@pytest.mark.parametrize(
    "command", [["config", "show"], ["verify", "--base", "main", "--setup", "none", "--test", "none"]]
)
def test_a_strangers_file_opens_nothing_and_the_person_is_told(tmp_path: Path, command: list[str]) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": FILE})
    repository.git("switch", "--quiet", "-c", "work")
    repository.git("commit", "--quiet", "--allow-empty", "-m", "Nothing")
    done = subprocess.run(
        [sys.executable, "-m", "ci_agent", *command, "--repo", str(repository.path)],
        cwd=tmp_path,
        env=Runner(tmp_path).environment(None),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == SAID
    assert "/srv/secrets" not in done.stdout
