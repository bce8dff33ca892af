"""What commands shut is opened again for us, and nothing else is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ci_agent.sandbox.reclaiming import CHANGE, READ, reclaim


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def made(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def test_all_folders_and_files_below_are_ours_again(tmp_path: Path) -> None:
    made(tmp_path, "top/a/b/file", "top/a/tool")
    for name, shut in (("a/b/file", 0o044), ("a/tool", 0o555), ("a/b", 0), ("a", 0o500), ("", 0)):
        (tmp_path / "top" / name).chmod(shut)
    reclaim(tmp_path / "top", READ)
    found = {name: mode(tmp_path / "top" / name) for name in ("", "a", "a/b", "a/b/file", "a/tool")}
    assert found == {"": 0o700, "a": 0o700, "a/b": 0o700, "a/b/file": 0o444, "a/tool": 0o555}
    reclaim(tmp_path / "top", CHANGE)
    assert mode(tmp_path / "top/a/tool") == 0o755


def test_a_folder_that_is_left_is_ours_and_what_is_in_it_is_as_it_was(tmp_path: Path) -> None:
    made(tmp_path, "place/inside/file", "other/file")
    for folder in ("place/inside", "place", "other"):
        (tmp_path / folder).chmod(0)
    reclaim(tmp_path, CHANGE, [tmp_path / "place"])
    assert [mode(tmp_path / name) for name in ("place", "place/inside", "other")] == [0o700, 0, 0o700]


def test_nothing_outside_is_reached_by_links_of_either_kind(tmp_path: Path) -> None:
    made(tmp_path, "outside/file", "outside/second")
    made(tmp_path, "top/file")
    (tmp_path / "top" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "top" / "to-a-file").symlink_to(tmp_path / "outside" / "file")
    os.link(tmp_path / "outside" / "second", tmp_path / "top" / "second")
    (tmp_path / "linked").symlink_to(tmp_path / "outside")
    for name in ("outside/file", "outside/second", "outside"):
        (tmp_path / name).chmod(0)
    for top in ("top", "linked"):
        reclaim(tmp_path / top, CHANGE)
    assert mode(tmp_path / "outside") == 0
    (tmp_path / "outside").chmod(0o700)
    assert [mode(tmp_path / "outside" / name) for name in ("file", "second")] == [0, 0]


def test_what_is_gone_is_no_trouble(tmp_path: Path) -> None:
    reclaim(tmp_path / "nothing", CHANGE)
