"""Rust: packages and workspaces of Cargo, tested by `cargo test`, or by cargo-nextest where the project chose it.

Entries of data and the pure functions in them; nothing of the project is run here. Flags:
https://doc.rust-lang.org/cargo/commands/cargo-test.html, https://nexte.st/docs/running/. Neither has a seed.
nextest is from its documentation alone, and so is cargo-llvm-cov.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from ci_agent.verification.ecosystems.words import appended, call, into, named
from ci_agent.verification.project import Project
from ci_agent.verification.runner import Report, Runner

_NEXTEST = ".config/nextest.toml"
_TESTS = r"(.*/)?tests/.*|(.*/)?(tests?|[^/]*_tests?)\.rs"


def _workspace(project: Project) -> dict[str, Any] | None:
    """The table `[workspace]` of the manifest; none where there is none, or no manifest that can be read."""
    try:
        table = tomllib.loads(project.text("Cargo.toml")).get("workspace")
    except (ValueError, RecursionError):
        return None
    return table if isinstance(table, dict) else None


def _whole(command: str, project: Project) -> str:
    """In a workspace with a package in its root, Cargo would test that package only."""
    return command if _workspace(project) is None else f"{command} --workspace"


def _covers(project: Project, folder: str) -> bool:
    """What is below a workspace is a member of it, or excluded; otherwise Cargo refuses to test it."""
    workspace = _workspace(project)
    if workspace is None:
        return False
    excluded = workspace.get("exclude")
    patterns = (
        [str(PurePosixPath(str(pattern))) for pattern in excluded] if isinstance(excluded, list) else []
    )
    above = [folder, *map(str, PurePosixPath(folder).parents)]
    return not any(fnmatchcase(place, pattern) for place in above for pattern in patterns)


def _setup(project: Project) -> tuple[str, str]:
    if not re.search(r"^source = ", project.text("Cargo.lock"), re.MULTILINE):
        return "", ""
    return "cargo fetch --locked", "Cargo.lock names crates that have to be fetched"


def _nextest_sign(project: Project) -> str:
    chosen = project.has("Cargo.toml") and project.has(_NEXTEST)
    return _NEXTEST if chosen and project.ask(["cargo", "nextest", "--version"]) == 0 else ""


# --- narrowing ----------------------------------------------------------------------------------------------


def _filters(command: str, words: Sequence[str]) -> str:
    """Words for the test programs go behind `--`."""
    return appended(command if re.search(r" -- ", f"{command} ") else f"{command} --", words)


def _select(command: str, words: Sequence[str]) -> str:
    return appended(command, words) if words[0].startswith("-") else _filters(command, words)


# Ids are `crate::path::to::test`, `crate::tests/file.rs::test`, and `crate (doc)::src/lib.rs - name` of doc tests.
_ID = re.compile(r"(?P<crate>[^:]+)::(?:[^:]+\.rs::)?(?P<name>.+)", re.DOTALL)


def _cases(command: str, ids: Sequence[str]) -> str:
    """Each test program is asked for the names of all of them.

    The name of a doc test ends in a line, which ids leave out, so that with one of them it is parts of names.
    """
    parts = [_ID.fullmatch(case) for case in ids]
    names = dict.fromkeys(match["name"] if match else case for case, match in zip(ids, parts, strict=True))
    doc = any(match and match["crate"].endswith(" (doc)") for match in parts)
    return _filters(command, [*([] if doc else ["--exact"]), *names])


def _nextest_cases(command: str, ids: Sequence[str]) -> str:
    """A filter of names, https://nexte.st/docs/filtersets/reference/; one that it can't write is left whole.

    Ids are `crate::test`, or `crate::program::test`, which looks the same, so that both readings are asked for.
    """
    names: dict[str, None] = {}
    for case in ids:
        _, _, rest = case.partition("::")
        names |= dict.fromkeys(filter(None, ("" if "/" in rest else rest, rest.partition("::")[2])))
    if not names or not all(re.fullmatch(r"[\w:]+", name) for name in names):
        return command
    return appended(command, ["-E", " | ".join(f"test(={name})" for name in names)])


def _files(command: str, paths: Sequence[str]) -> str:
    """A file in `tests/` is a program of its own, called as the file or its folder is. Any other means all."""
    found = [re.fullmatch(r"(?:.*/)?tests/([\w-]+)(?:\.rs|/.*)", path) for path in paths]
    if not all(found) or re.search(r" -- ", f"{command} "):
        return command
    programs = dict.fromkeys(match[1] for match in found if match)
    return appended(command, [word for program in programs for word in ("--test", program)])


# --- what it leaves -----------------------------------------------------------------------------------------


def _all_results(command: str, _folder: Path) -> str:
    return (
        command
        if "--no-fail-fast" in command
        else into(command, r"cargo (?:nextest run|test)", "--no-fail-fast")
    )


def _measured(command: str, folder: Path) -> str:
    """llvm-cov is `cargo test` with other flags; it does not measure doc tests."""
    lcov = shlex.quote(str(folder / "lcov.info"))
    plain = re.sub(r"\bcargo test\b", "cargo llvm-cov", command, count=1)
    return into(plain, "cargo llvm-cov", f"--no-fail-fast --lcov --output-path {lcov}")


def _has_llvm_cov(project: Project, command: str) -> bool:
    return "cargo test" in command and project.ask(["cargo", "llvm-cov", "--version"]) == 0


_LINES = (("cargo llvm-cov", Report(format="lcov", command=_measured, here=_has_llvm_cov)),)

RUNNERS = (
    Runner(
        name="cargo nextest",
        language="Rust",
        why="the project has settings for cargo-nextest",
        sign=_nextest_sign,
        command=lambda project: _whole("cargo nextest run", project),
        called=call(r"cargo nextest (?:run|r)"),
        setup=_setup,
        tests=_TESTS,
        inline=True,
        reports=(Report(format="nextest", printed=True, command=_all_results),),
        select=appended,
        files=_files,
        cases=_nextest_cases,
        covers=_covers,
    ),
    Runner(
        name="cargo test",
        language="Rust",
        why="it is a Cargo package",
        sign=named("Cargo.toml"),
        command=lambda project: _whole("cargo test", project),
        called=call(r"cargo (?:test|t)"),
        setup=_setup,
        tests=_TESTS,
        inline=True,
        reports=(Report(format="libtest", printed=True, command=_all_results),),
        coverage=_LINES,
        select=_select,
        # Not by files: what cargo prints of single test targets does not say whose they are.
        cases=_cases,
        covers=_covers,
    ),
)
