"""Normal development does not notice the confinement: the same work, without and with it.

What it may not do is in the other direction: nothing of the machine's is changed by it, and nothing private read.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ci_agent.sandbox import Command, Sandbox
from ci_agent.sandbox.caches import Caches, private_caches
from ci_agent.sandbox.confined import Confined, World
from ci_agent.sandbox.environment import TOOLCHAINS, build
from ci_agent.sandbox.home import prepare
from ci_agent.sandbox.keeper.messages import Bounds, Plan
from ci_agent.sandbox.keeping import Keeper
from ci_agent.sandbox.places import machine_places
from ci_agent.sandbox.plain import Plain
from tests.sandbox.developer_commands import WORK, Work

_PLANS = {
    "full": Plan(landlock=True, filter=True, supervised=True),
    "files": Plan(landlock=True, filter=True, supervised=False, loopback_only=False),
    "secrets": Plan(landlock=False, filter=True, supervised=False, loopback_only=False),
}
_BOUNDS = Bounds(memory=8 << 30, processes=4_096, file_size=4 << 30, open_files=65_536, free_disk=1 << 20)
_TIMEOUT = 110.0  # seconds; the first build of Go's own library takes one minute on a slow machine
_REPOSITORY = Path(__file__).parents[2]
SOURCE = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def keeper() -> Iterator[Keeper]:
    made = Keeper()
    yield made
    made.close()


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Caches:
    return private_caches(tmp_path_factory.mktemp("caches"), SOURCE, {"cargo", "go", "maven", "npm", "pip"})


@pytest.fixture
def folder() -> Iterator[Path]:
    """A session's own, with a short name: the address of a socket has 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="w-", dir="/tmp", ignore_cleanup_errors=True) as name:
        yield Path(name)


def confined(
    keeper: Keeper, plan: Plan, folder: Path, caches: Caches, source: Mapping[str, str] = SOURCE
) -> Confined:
    """A sandbox as a session makes it, for commands in `folder`."""
    home, temporary, root = (folder / name for name in ("home", "tmp", "work"))
    prepare(home, temporary)
    root.mkdir()
    caches.link_into(home)
    environment = build(source, home, temporary, ceiling=folder, caches=caches.environment)
    places = machine_places(environment, source, closed=[_REPOSITORY, folder])
    places = places.adding(caches.readable, [root, home, temporary, caches.folder])
    world = World(environment, places.readable, (), places.writable, disks=(folder,))
    return Confined(keeper, plan, _BOUNDS, world, lambda _: {}, lambda _: None)


def plain(folder: Path, caches: Caches) -> Plain:
    made = Plain(folder / "home", folder / "tmp", caches=caches)
    return made.within(Path(sys.executable).parents[1])


def done(sandbox: Sandbox, folder: Path, work: Work) -> tuple[int | None, str]:
    """The exit code and the output of the work."""
    root = folder / "work" / "project"
    root.mkdir(parents=True)
    for name, text in work.files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    log = folder / "log"
    if "make.py" in work.files:
        sandbox.run(Command([sys.executable, "make.py"], root, _TIMEOUT, log, {}))
    ran = sandbox.run(Command(sandbox.shell(work.script), root, _TIMEOUT, log, {}))
    return ran.exit_code, log.read_text(errors="replace")


# Without Landlock, nothing but the filter keeps debuggers from ci-agent's own process, and it keeps them from all.
_NO_DEBUGGERS = "secrets"


def _cases() -> list[object]:
    return [
        pytest.param(level, name, id=f"{name}-{level}", marks=[pytest.mark.slow] if work.slow else [])
        for name, work in WORK.items()
        for level in ("plain", *_PLANS)
        if not (work.traces and level == _NO_DEBUGGERS)
    ]


@pytest.mark.parametrize(("level", "name"), _cases())
def test_developers_do_not_notice(
    level: str, name: str, folder: Path, keeper: Keeper, caches: Caches
) -> None:
    work = WORK[name]
    if missing := [program for program in work.needs if not shutil.which(program)]:
        pytest.skip(f"there is no {missing[0]} here")
    sandbox = plain(folder, caches) if level == "plain" else confined(keeper, _PLANS[level], folder, caches)
    code, output = done(sandbox, folder, work)
    assert code == 0, output
    assert work.says in output


# --- the other direction ----------------------------------------------------------------------------------

_SECRETS = (
    *(".ssh/id_ed25519", ".netrc", ".npmrc", ".pypirc", ".git-credentials", ".docker/config.json"),
    *(
        ".cargo/credentials.toml",
        ".m2/settings.xml",
        ".m2/settings-security.xml",
        ".gradle/gradle.properties",
    ),
    *(
        ".config/gh/hosts.yml",
        ".local/share/keyrings/login",
        ".aws/credentials",
        ".kube/config",
        ".pip/pip.conf",
    ),
    *(".config/pip/pip.conf", ".config/go/env", "go/src/mine/x.go", ".bash_history"),
)
_READ_ALL = (
    'for path in "$@"; do cat "$path"; done; grep -rs s3cret "$HOME" "$CARGO_HOME" "$GRADLE_USER_HOME"; true'
)


@pytest.fixture
def person(folder: Path) -> Path:
    """The home of somebody who keeps secrets where one keeps them, and programs beside them."""
    home = folder / "person"
    for name in (*_SECRETS, ".cargo/bin/x", ".local/bin/x", "go/bin/x", "bin/x"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("password = s3cret\n")
        (home / name).chmod(0o755)
    return home


def _source(person: Path) -> dict[str, str]:
    programs = ":".join(str(person / name) for name in (".cargo/bin", ".local/bin", "go/bin", "bin"))
    mine = {name: value for name, value in SOURCE.items() if name not in TOOLCHAINS}
    return mine | {"HOME": str(person), "PATH": f"{SOURCE['PATH']}:{programs}"}


def test_secrets_beside_toolchains_and_in_settings_are_not_read(
    folder: Path, person: Path, keeper: Keeper
) -> None:
    source = _source(person)
    caches = private_caches(folder / "caches", source, set())
    secrets = [str(person / name) for name in _SECRETS]
    log = folder / "log"

    def read(sandbox: Sandbox) -> str:
        words = [*sandbox.shell(_READ_ALL), "-", *secrets]
        sandbox.run(Command(words, folder / "work", _TIMEOUT, log, {}))
        return log.read_text()

    confinement = confined(keeper, _PLANS["full"], folder, caches, source)
    assert read(Plain(folder / "home", folder / "tmp", caches=caches)).count("s3cret") == len(_SECRETS)
    said = read(confinement)
    assert "s3cret" not in said
    assert said.count("Permission denied") == len(_SECRETS)


def test_what_only_the_administrator_may_read_is_closed_to_the_administrators_commands_too(
    folder: Path, keeper: Keeper, caches: Caches
) -> None:
    sandbox = confined(keeper, _PLANS["full"], folder, caches)
    words = sandbox.shell("cat /etc/passwd; cat /etc/shadow; ls /run /root /tmp /home; echo x > /etc/new")
    sandbox.run(Command(words, folder / "work", _TIMEOUT, folder / "log", {}))
    said = (folder / "log").read_text()
    assert "root:x:0:0" in said
    assert said.count("Permission denied") == 6


def test_a_command_changes_no_cache_but_the_private_one(folder: Path, person: Path, keeper: Keeper) -> None:
    real = person / ".m2/repository/a/1/a-1.jar"
    real.parent.mkdir(parents=True)
    real.write_text("x" * 5_000)
    source = _source(person)
    caches = private_caches(folder / "caches", source, {"maven"})
    sandbox = confined(keeper, _PLANS["full"], folder, caches, source)
    script = f"""cd ~/.m2/repository/a/1 && wc -c < a-1.jar; echo bad > a-1.jar; echo bad > {real}; rm {real}
ln {real} hard; echo bad > hard; echo bad > {real.parent}/new; mv a-1.jar away && echo mine > a-1.jar && cat a-1.jar"""
    sandbox.run(Command(sandbox.shell(script), folder / "work", _TIMEOUT, folder / "log", {}))
    said = (folder / "log").read_text().splitlines()
    assert (said[0], said[-1]) == ("5000", "mine")
    assert real.read_text() == "x" * 5_000
    assert [path.name for path in real.parent.iterdir()] == ["a-1.jar"]


def test_go_takes_modules_from_the_machines_cache_without_a_network(
    folder: Path, person: Path, keeper: Keeper
) -> None:
    if not shutil.which("go"):
        pytest.skip("there is no go here")
    fetched = person / "go/pkg/mod/cache/download/example.com/dep/@v"
    fetched.mkdir(parents=True)
    (fetched / "list").write_text("v1.0.0\n")
    (fetched / "v1.0.0.info").write_text('{"Version": "v1.0.0"}')
    (fetched / "v1.0.0.mod").write_text("module example.com/dep\n")
    with zipfile.ZipFile(fetched / "v1.0.0.zip", "w") as packed:
        packed.writestr("example.com/dep@v1.0.0/go.mod", "module example.com/dep\n")
        packed.writestr("example.com/dep@v1.0.0/dep.go", 'package dep\n\nconst Said = "done"\n')
    (person / ".config/go/env").write_text("GOPROXY=off\nGOSUMDB=off\nGOFLAGS=-mod=mod\n")
    source = _source(person)
    caches = private_caches(folder / "caches", source, {"go"})
    sandbox = confined(keeper, _PLANS["full"], folder, caches, source)
    work = Work(
        "go list -m all && go list -f '{{.Dir}}' example.com/dep && go clean -modcache && echo done",
        {
            "go.mod": "module it\n\ngo 1.21\n\nrequire example.com/dep v1.0.0\n",
            "it.go": 'package it\n\nimport _ "example.com/dep"\n',
        },
    )
    code, output = done(sandbox, folder, work)
    assert code == 0, output
    assert f"{caches.folder}/go/pkg/mod/example.com/dep@v1.0.0" in output
