"""Downloads are copied as they are; what is installed, built or elsewhere is not."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ci_agent.sandbox.caches import private_caches
from ci_agent.sandbox.downloads import copy_downloads


def files(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def copied(tmp_path: Path, most: int = 1_000_000) -> list[str]:
    """What a copy of `tmp_path/first` has."""
    copy_downloads(tmp_path / "first", tmp_path / "second", most)
    copy = tmp_path / "second"
    return sorted(str(path.relative_to(copy)) for path in copy.rglob("*") if not path.is_dir())


def test_what_was_downloaded_is_copied_and_what_was_installed_or_set_is_not(tmp_path: Path) -> None:
    kept = (
        "cargo/git/db/x",
        "cargo/registry/cache/r/a.crate",
        "cargo/registry/index/r/a",
        "go/pkg/mod/cache/download/a/@v/v1.zip",
        "gradle/caches/modules-2/files-2.1/a.jar",
        "gradle/wrapper/dists/gradle-9/hash/gradle-9/bin/gradle",
        "maven/repository/g/a/1/a-1.jar",
        "npm/_cacache/content-v2/x",
        "nuget/a/1/a.nupkg",
        "pip/http-v2/a/b",
        "pnpm/v10/files/00/x",
        "uv/archive-v0/x/a.py",
        "uv/wheels-v5/pypi/a/1.http",
        "yarn/v6/npm-a-1/package.json",
    )
    not_kept = (
        "cargo/bin/a",
        "cargo/config.toml",
        "cargo/registry/src/r/a/lib.rs",
        "go/bin/a",
        "go/pkg/mod/a@v1/a.go",
        "gradle/caches/modules-2/modules-2.lock",
        "gradle/caches/modules-2/gc.properties",
        "gradle/init.d/a.gradle",
        "maven/settings.xml",
        "maven/repository/ours/maven-metadata-local.xml",
        "maven/repository/ours/1/ours-1.jar",
        "python/lib/python3.12/site-packages/a.py",
        "settings/pip.conf",
        "uv/sdists-v9/path/x/a.whl",
        "uv/sdists-v9/editable/x/a.whl",
    )
    files(tmp_path / "first", **dict.fromkeys((*kept, *not_kept), "x"))
    assert tuple(copied(tmp_path)) == kept


def test_a_copy_has_the_time_and_may_be_run_where_the_file_may(tmp_path: Path) -> None:
    files(tmp_path / "first", **{"pnpm/tool": "sh", "pnpm/read-only": "x"})
    (tmp_path / "first/pnpm/tool").chmod(0o755)
    (tmp_path / "first/pnpm/read-only").chmod(0o444)
    os.utime(tmp_path / "first/pnpm/tool", (1_000, 2_000))
    copied(tmp_path)
    tool, other = (tmp_path / "second/pnpm" / name for name in ("tool", "read-only"))
    assert (tool.stat().st_mtime, stat.S_IMODE(tool.stat().st_mode)) == (2_000, 0o755)
    assert stat.S_IMODE(other.stat().st_mode) == 0o644
    tool.write_text("changed")
    assert (tmp_path / "first/pnpm/tool").read_text() == "sh"


def test_links_within_lead_to_the_copy_and_links_out_are_left_out(tmp_path: Path) -> None:
    files(tmp_path, **{"first/uv/archive-v0/x/a.py": "x", "machine/a": "secret"})
    links = tmp_path / "first/uv/wheels"
    links.mkdir()
    for name, to in {
        "near": "../archive-v0/x",
        "whole": str(tmp_path / "first/uv/archive-v0/x"),
        "out": str(tmp_path / "machine/a"),
        "up": "../../../machine/a",
    }.items():
        (links / name).symlink_to(to)
    assert copied(tmp_path) == ["uv/archive-v0/x/a.py"]
    second = tmp_path / "second/uv"
    assert {path.name for path in (second / "wheels").iterdir()} == {"near", "whole"}
    assert {path.resolve() for path in (second / "wheels").iterdir()} == {second / "archive-v0/x"}


def test_a_cache_that_is_too_large_is_left_out_as_a_whole(tmp_path: Path) -> None:
    files(tmp_path / "first", **{"pip/a": "x" * 60, "pip/b": "x" * 60, "uv/a": "x" * 60, "yarn/a": "x" * 60})
    assert copied(tmp_path, 100) == ["uv/a"]


def test_what_the_machine_has_changes_nothing_of_what_was_downloaded(tmp_path: Path) -> None:
    index = "npm/_cacache/index-v5/x"
    files(tmp_path, **{f"first/{index}": "both", "home/.npm/_cacache/index-v5/x": "one", "home/.npm/y": ""})
    copied(tmp_path)
    private_caches(tmp_path / "second", {"HOME": str(tmp_path / "home")}, {"npm"})
    assert (tmp_path / "second" / index).read_text() == "both"
