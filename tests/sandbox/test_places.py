"""What is on the list of places: what development needs, and nothing that is somebody's secret.

The machines are made of folders here; what confinement makes of the list is tested in test_world.py.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.sandbox import system
from ci_agent.sandbox.places import Places, machine_places
from ci_agent.sandbox.toolchains import Toolchains


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made.resolve()


def made(root: Path, *names: str) -> Path:
    """Files in `root`, programs where they are in a `bin`."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return root


def toolchains(home: Path, *closed: Path, **environment: object) -> set[Path]:
    return Toolchains(home, closed).of({name: str(value) for name, value in environment.items()})


def open_to(places: Places, path: Path) -> bool:
    """Whether a command may read it."""
    real = path.resolve()
    return any(real.is_relative_to(place) for place in (*places.readable, *places.writable))


# --- the system -------------------------------------------------------------------------------------------


def test_the_fewest_paths_that_every_user_may_read(tmp_path: Path) -> None:
    made(tmp_path, "a/one", "a/two", "b/secret", "b/shown", "b/deep/x", "c")
    (tmp_path / "b" / "secret").chmod(0o600)
    (tmp_path / "d").mkdir(mode=0o750)
    (tmp_path / "link").symlink_to(tmp_path / "b" / "secret")
    tmp_path.chmod(0o755)
    names = ("a", "b/deep", "b/shown", "c")
    assert sorted(system.public(tmp_path)) == [tmp_path / name for name in names]
    (tmp_path / "b" / "secret").chmod(0o644)
    (tmp_path / "d").chmod(0o755)
    assert system.public(tmp_path) == [tmp_path]


@pytest.mark.parametrize("name", [".runner", ".credentials", "buildkite-agent.cfg"])
def test_the_folder_of_a_runner_is_not_read(tmp_path: Path, name: str) -> None:
    made(tmp_path, f"agents/one/{name}", "agents/one/bin/x", "tools/node/bin/node")
    tmp_path.chmod(0o755)
    assert system.public(tmp_path, depth=2) == [tmp_path / "tools"]


_MODES = st.sampled_from([0o600, 0o640, 0o644, 0o755, 0o700])
_NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)


@given(st.dictionaries(_NAMES, _MODES, max_size=6))
def test_nothing_private_is_below_a_public_path(
    tmp_path_factory: pytest.TempPathFactory, modes: Mapping[str, int]
) -> None:
    root = tmp_path_factory.mktemp("etc")
    root.chmod(0o755)
    files = []
    for name, mode in modes.items():
        path = root / name / "file"
        made(root, f"{name}/file")
        path.chmod(mode)
        files.append(path)
    public = system.public(root)
    for path in files:
        reachable = any(path.is_relative_to(place) for place in public)
        assert reachable == bool(path.stat().st_mode & 0o004)


def test_of_this_machine_the_system_is_open_and_private_things_are_not(tmp_path: Path, home: Path) -> None:
    places = machine_places({"PATH": "/usr/bin:/bin"}, {"HOME": str(home)})
    for path in ("/bin/sh", "/usr/lib", "/etc/passwd", "/proc/self/status", "/dev/null", "/dev/shm"):
        assert open_to(places, Path(path)), path
    closed = (
        "/etc/shadow",
        "/run",
        "/root",
        "/home",
        "/tmp",
        "/var/log",
        "/mnt",
        "/srv",
        "/dev",
        "/",
        "/var/lib",
    )
    for path in (*closed, str(home), str(tmp_path)):
        assert not open_to(places, Path(path)), path
    assert not any(
        place.is_relative_to(other)
        for place in places.readable
        for other in places.readable
        if place != other
    )


# --- toolchains -------------------------------------------------------------------------------------------


def test_an_installation_is_what_lies_beside_its_programs(tmp_path: Path, home: Path) -> None:
    made(tmp_path, "node/bin/node", "node/lib/x", "node/secret/x")
    assert toolchains(home, PATH=tmp_path / "node" / "bin") == {
        tmp_path / "node" / "bin",
        tmp_path / "node" / "lib",
    }


def test_a_virtual_environment_brings_the_interpreter_it_is_made_of(tmp_path: Path, home: Path) -> None:
    made(tmp_path, "base/bin/python3", "base/lib/os.py", "venv/bin/pytest")
    (tmp_path / "venv" / "pyvenv.cfg").write_text(f"version = 3.12\nhome = {tmp_path}/base/bin\n")
    found = toolchains(home, PATH=tmp_path / "venv" / "bin")
    assert {tmp_path / "venv", tmp_path / "base" / "bin", tmp_path / "base" / "lib"} <= found


def test_links_and_first_lines_lead_to_installations_elsewhere(tmp_path: Path, home: Path) -> None:
    made(home, ".local/bin/script", "tools/uv/bin/python", "tools/uv/lib/x", "apps/tool.sh", "apps/secret")
    made(tmp_path, "venvs/black/bin/python", "venvs/black/lib/x")
    (home / ".local" / "bin" / "python").symlink_to(home / "tools" / "uv" / "bin" / "python")
    (home / ".local" / "bin" / "tool").symlink_to(home / "apps" / "tool.sh")
    (home / ".local" / "bin" / "round").symlink_to(home / ".local" / "bin" / "round")
    (home / ".local" / "bin" / "script").write_text(f"#!{tmp_path}/venvs/black/bin/python\n")
    found = toolchains(home, PATH=home / ".local" / "bin")
    assert {home / "tools/uv/lib", home / "apps/tool.sh", tmp_path / "venvs/black/lib"} <= found
    assert home / "apps" not in found


def test_a_home_and_a_repository_with_a_bin_are_no_installations(tmp_path: Path, home: Path) -> None:
    made(home, "bin/x", "lib/notes", ".local/bin/y", ".local/share/keyrings/z", "go/bin/gopls", "go/src/work")
    made(
        tmp_path,
        "repository/bin/z",
        "repository/lib/z",
        "repository/.git/config",
        "session/bin/x",
        "session/lib/x",
    )
    path = (
        home / "bin",
        home / ".local/bin",
        home / "go/bin",
        tmp_path / "repository/bin",
        tmp_path / "session/bin",
    )
    found = toolchains(home, tmp_path / "session" / "control", PATH=os.pathsep.join(map(str, path)))
    assert found == set(path)


@pytest.mark.parametrize("value", ["/", "/home", "{home}", "{home}/..", "/nowhere", "relative", ""])
def test_a_variable_never_opens_the_home_or_what_is_above(home: Path, value: str) -> None:
    assert not toolchains(home, JAVA_HOME=value.format(home=home), PATH="/nowhere")


def test_settings_with_a_password_in_an_installation_stay_closed(tmp_path: Path, home: Path) -> None:
    made(tmp_path, "venv/bin/python", "venv/lib/x", "venv/pyvenv.cfg")
    (tmp_path / "venv" / "pip.conf").write_text("[global]\nindex-url = https://me:secret@index/simple\n")
    environment = {"PATH": str(tmp_path / "venv" / "bin")}
    places = machine_places(environment, {"HOME": str(home)})
    assert open_to(places, tmp_path / "venv" / "lib" / "x")
    assert not open_to(places, tmp_path / "venv" / "pip.conf")
    (tmp_path / "venv" / "pip.conf").write_text("[global]\nindex-url = https://index/simple\n")
    assert open_to(machine_places(environment, {"HOME": str(home)}), tmp_path / "venv" / "pip.conf")


# --- what the settings add --------------------------------------------------------------------------------


def test_the_settings_add_places_and_what_is_not_there_is_named(tmp_path: Path, home: Path) -> None:
    made(home, "data/x")
    made(tmp_path, "cache/x")
    (home / "link").symlink_to(tmp_path / "cache")
    places = machine_places(
        {"PATH": "/usr/bin"},
        {"HOME": str(home)},
        ["~/data", "~/nothing"],
        ["~/link", "/nowhere", "~/nothing"],
    )
    assert home / "data" in places.readable
    assert (tmp_path / "cache").resolve() in places.writable
    assert places.missing == ("~/nothing", "/nowhere")


def test_places_can_be_added_and_only_what_is_there_is(tmp_path: Path) -> None:
    made(tmp_path, "a/b/c", "d/e")
    places = Places((tmp_path / "a" / "b",), ()).adding([tmp_path / "a", tmp_path / "x"], [tmp_path / "d"])
    assert places == Places((tmp_path / "a",), (tmp_path / "d",))
