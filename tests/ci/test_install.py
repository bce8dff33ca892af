"""The shell text that installs ci-agent, in what images may hold: uv, pip, ci-agent itself, or none of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ci_agent.ci.child_pipeline import install_script
from tests.support.packages import offline, source, uv

PYTHON = Path(sys.executable).resolve()


def image(folder: Path, *programs: Path) -> Path:
    """A folder with all the programs there are, beside what each system has."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    for name in ("sh", "mkdir", "ln", "rm"):
        (bin_folder / name).symlink_to(shutil.which(name) or "")
    for program in programs:
        (bin_folder / program.name).symlink_to(program)
    return bin_folder


def install(folder: Path, bin_folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(bin_folder), "HOME": str(folder), **offline(), **variables}
    words = [str(bin_folder / "sh"), "-c", install_script()]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def version(program: Path) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True, env={}).stdout


def test_an_image_that_has_ci_agent_needs_no_package(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "ci-agent"
    done = install(tmp_path, image(tmp_path, program))
    assert done.returncode == 0, done.stderr
    assert version(tmp_path / ".ci-agent/ci-agent").startswith("ci-agent")
    assert (tmp_path / ".ci-agent/.gitignore").read_text(encoding="utf-8") == "*\n"


def test_without_a_package_and_without_ci_agent_the_next_step_is_said(tmp_path: Path) -> None:
    done = install(tmp_path, image(tmp_path))
    assert done.returncode == 1
    assert "CI_AGENT_PACKAGE" in done.stderr
    assert "CI_AGENT_IMAGE" in done.stderr


def test_without_python_and_uv_the_next_step_is_said(tmp_path: Path) -> None:
    done = install(tmp_path, image(tmp_path), CI_AGENT_PACKAGE="ci-agent")
    assert done.returncode == 1
    assert "ci-agent needs uv, or Python 3.11 or newer with pip" in done.stderr


def test_a_python_that_is_too_old_is_none(tmp_path: Path) -> None:
    bin_folder = image(tmp_path)
    old = bin_folder / "python3"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")  # as Python answers the question for its version
    old.chmod(0o755)
    done = install(tmp_path, bin_folder, CI_AGENT_PACKAGE="ci-agent")
    assert done.returncode == 1
    assert "ci-agent needs uv, or Python 3.11" in done.stderr


@pytest.mark.parametrize("tool", ["uv", "pip"])
@pytest.mark.slow
def test_it_is_installed_from_source_without_a_network(tmp_path: Path, tool: str) -> None:
    programs = [PYTHON.parent / "python3"] + ([uv()] if tool == "uv" else [])
    package = source(tmp_path / "package")
    done = install(
        tmp_path, image(tmp_path, *programs), CI_AGENT_PACKAGE=str(package), CI_PROJECT_DIR=str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert version(tmp_path / ".ci-agent/ci-agent").startswith("ci-agent")
    assert (tmp_path / ".ci-agent/ci-agent").readlink() == Path("venv/bin/ci-agent")


def test_a_package_that_is_not_there_fails_the_job(tmp_path: Path) -> None:
    done = install(tmp_path, image(tmp_path, uv(), PYTHON.parent / "python3"), CI_AGENT_PACKAGE="./nowhere")
    assert done.returncode != 0
    assert not (tmp_path / ".ci-agent/ci-agent").exists()
