"""Files that decide how tests are run, and which of them a change edits. A change must not choose how it is tested;
where it has to, people shall know. And files that have no say in it: documents, settings of a CI. Pure.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable
from typing import Any

_FILES = re.compile(
    r"(.*/)?("
    r"\.?pytest\.(ini|toml)|tox\.(ini|toml)|noxfile\.py|\.coveragerc|hatch\.toml|sitecustomize\.py|usercustomize\.py"
    r"|(jest|vitest|vite|ava|babel)\.config\.\w+|\.mocharc\.\w+|\.mocharc|\.nycrc(\.\w+)?|\.c8rc(\.\w+)?"
    r"|\.rspec|phpunit\.xml(\.dist)?|\.config/nextest\.toml|\.cargo/config(\.toml)?"
    r")"
)
_MAKE = re.compile(r"(.*/)?([Mm]akefile|GNUmakefile)")
# A module of this name at the top of a repository is loaded instead of the runner's own.
_IN_ITS_PLACE = re.compile(r"(pytest|_pytest|pluggy|unittest|xdist|coverage)(\.py|/.*)")

_APART = re.compile(
    r"(.*/)?([^/]+\.(md|markdown|rst|adoc|org|png|jpe?g|gif|svg)|(LICEN[CS]E|COPYING|NOTICE|AUTHORS|README|CHANGELOG|CHANGES)[^/.]*)"
    r"|\.(github|gitlab|circleci)/.*|\.gitlab-ci\.yml|\.travis\.yml|\.pre-commit-config\.yaml|\.editorconfig|(.*/)?\.gitignore"
    r"|\.readthedocs\.ya?ml|renovate\.json|CODEOWNERS",
    re.IGNORECASE,
)

Content = bytes | None  # of a file; None: there is none


def steers(
    path: str, commands: Iterable[str], before: Callable[[], Content], after: Callable[[], Content]
) -> bool:
    """Whether a file of a change, at `path` in the repository, decides how tests are run by `commands`, and does so
    otherwise than before. Of manifests with many a purpose only the parts count that do: they are read."""
    name = path.rpartition("/")[2]
    parts = _PARTS.get(name)
    if parts:
        return bool(parts(before()) != parts(after()))
    by_make = _MAKE.fullmatch(path) and any(re.search(r"\bmake\b", command) for command in commands)
    return bool(by_make or _FILES.fullmatch(path) or _IN_ITS_PLACE.fullmatch(path))


def is_apart(path: str) -> bool:
    """Whether a file is for people or for a CI alone, as far as its name tells: the program and its tests do without."""
    return bool(_APART.fullmatch(path))


def _of_pyproject(content: Content) -> Any:
    try:
        tools = tomllib.loads((content or b"").decode()).get("tool", {})
    except (ValueError, RecursionError):
        return content
    if not isinstance(tools, dict):
        return None
    hatch = tools.get("hatch")
    environments = hatch.get("envs") if isinstance(hatch, dict) else None
    return environments, {name: tools.get(name) for name in ("pytest", "tox", "coverage", "poe")}


_SECTION = re.compile(r"^\[((?:tool:pytest|coverage:|tox)[^\]]*\][^\[]*)", re.MULTILINE)


def _of_setup_cfg(content: Content) -> Any:
    return _SECTION.findall((content or b"").decode("utf-8", "replace"))


def _of_package_json(content: Content) -> Any:
    try:
        manifest = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        return content
    if not isinstance(manifest, dict):
        return None
    scripts = manifest.get("scripts")
    named = scripts if isinstance(scripts, dict) else {}
    tests = {name: text for name, text in named.items() if "test" in name}
    return tests, {name: manifest.get(name) for name in ("jest", "vitest", "mocha", "ava", "nyc", "c8")}


_PARTS: dict[str, Callable[[Content], Any]] = {
    "pyproject.toml": _of_pyproject,
    "setup.cfg": _of_setup_cfg,
    "package.json": _of_package_json,
}
