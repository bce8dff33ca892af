"""What an installation of ci-agent in a CI job needs, without a network: its source, and the wheels of its dependencies.

`prepare()` fetches the wheels, once for each list of dependencies; `make test-tools` calls it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"
_UV = "uv==0.13.8"
_SOURCE = ("pyproject.toml", "README.md", "LICENSE", "action.yml")


def prepare() -> None:
    """Fetch what is not there yet."""
    folder = _wheels()
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        _pip("wheel", "--wheel-dir", str(partial), *_required())
        partial.rename(folder)
    if not uv().exists():
        _pip("install", "--target", str(CACHE / "uv"), "--upgrade", _UV)


def offline() -> dict[str, str]:
    """The environment in which pip and uv find the wheels and nothing else, and programs reach no other machine."""
    nowhere = "http://127.0.0.1:9"  # the port for what is thrown away; nobody listens there
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(_existing(_wheels())),
        "UV_OFFLINE": "1",
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(_wheels()),
        "http_proxy": nowhere,
        "https_proxy": nowhere,
        "no_proxy": "127.0.0.1,localhost",
    }


def uv() -> Path:
    """The program uv, in a folder with nothing else to find."""
    return CACHE / "uv" / "bin" / "uv"


def source(folder: Path) -> Path:
    """A copy of ci-agent's source as a release has it, without what lies about in a working copy."""
    shutil.copytree(ROOT / "ci_agent", folder / "ci_agent", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "docs" / "examples", folder / "docs" / "examples")
    for name in _SOURCE:
        shutil.copy(ROOT / name, folder / name)
    return folder


def _existing(path: Path) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: `make test-tools` fetches it")
    return path


def _wheels() -> Path:
    wanted = hashlib.sha256(json.dumps([_required(), sys.version]).encode()).hexdigest()
    return CACHE / "wheels" / wanted[:16]


def _required() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [*project["build-system"]["requires"], *project["project"]["dependencies"]]


def _pip(*words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words], check=True
    )
