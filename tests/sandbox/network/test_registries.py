"""Package managers are asked for their registries: real ones, as far as this machine has them, and stand-ins that hang."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ci_agent.sandbox.network.hosts import WEB_PORTS, Reach, Rule, normalised
from ci_agent.sandbox.network.registries import Registry, _rule_of, ask
from ci_agent.sandbox.network.registries.managers import MANAGERS
from tests.sandbox.network.origins import head_of, origin, runner, saying


def _needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(program), reason=f"needs {program}")


def _environment(home: Path, proxy: int | None = None, **more: str) -> dict[str, str]:
    """A runner's, which reaches the network through a proxy of its own, if at all."""
    through = (
        {} if proxy is None else dict.fromkeys(("http_proxy", "https_proxy"), f"http://127.0.0.1:{proxy}")
    )
    return {**runner(), "HOME": str(home), **through, **more}


def _private(name: str, *ports: int) -> Rule:
    return Rule(name, WEB_PORTS | set(ports), Reach.PRIVATE)


@_needs("npm")
def test_npm_says_its_registry_and_those_of_scopes(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text(
        "registry=https://npm.example.org/all/\n@corp:registry=https://corp.example.org:8443/\n"
        "//npm.example.org/:_authToken=abc\nproxy=http://no.example.org:3128\n"
    )
    with origin(saying("", "404 Not Found")) as proxy:
        found = ask({"npm"}, tmp_path, _environment(tmp_path, proxy))
    assert set(found) == {
        Registry(_private("npm.example.org"), "npm config"),
        Registry(_private("corp.example.org", 8443), "npm config"),
    }


@_needs("go")
def test_go_says_its_proxies_and_its_database(tmp_path: Path) -> None:
    proxies = "https://go.example.org/a,http://10.1.2.3:8081|http://localhost:3000,direct"
    database = "sum.example.org+033de0ae+Ac4z https://db.example.org/sum"
    found = ask({"go"}, tmp_path, _environment(tmp_path, GOPROXY=proxies, GOSUMDB=database))
    assert found == tuple(
        Registry(rule, "go env")
        for rule in (
            _private("go.example.org"),
            _private("10.1.2.3", 8081),
            Rule("localhost", WEB_PORTS | {3000}, Reach.LOOPBACK),
            _private("db.example.org"),
        )
    )
    assert ask({"go"}, tmp_path, _environment(tmp_path, GOPROXY="off", GOSUMDB="off")) == ()


@_needs("cargo")
def test_cargo_says_its_registries_and_asks_for_the_one_it_uses(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text(
        '[registries.corp]\nindex = "sparse+https://corp.example.org/index/"\ntoken = "https://secret.example.org"\n'
        '[source.crates-io]\nreplace-with = "mirror"\n'
        '[source.mirror]\nregistry = "sparse+https://mirror.example.org/index/"\n'
        '[http]\nproxy = "http://no.example.org:3128"\n[net]\nretry = 0\n'
    )
    with origin(saying("", "404 Not Found")) as proxy:
        found = ask({"cargo"}, tmp_path, _environment(tmp_path, proxy, CARGO_HOME=str(tmp_path / "home")))
    assert {registry.rule for registry in found} == {
        _private("corp.example.org"),
        _private("mirror.example.org"),
    }


@_needs("pip")
def test_pip_s_index_names_the_host_of_the_files(tmp_path: Path) -> None:
    def index(peer: socket.socket) -> None:
        asks_for_page = b"/simple/" in head_of(peer).split(b"\r\n")[0]
        page = '<a href="http://files.example.org/six-1.0-py3-none-any.whl">six</a>' if asks_for_page else ""
        head = f"HTTP/1.1 {'200 OK' if page else '404 Not Found'}\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
        peer.sendall((head + page).encode())

    with origin(index) as proxy:
        settings = {
            "PIP_INDEX_URL": "http://user:secret@index.example.org:8080/simple",
            "PIP_TRUSTED_HOST": "index.example.org files.example.org",
            "PIP_PROXY": "",
        }
        found = ask({"pip"}, tmp_path, _environment(tmp_path, proxy, **settings))
    assert found == (
        Registry(_private("index.example.org", 8080), "pip config"),
        Registry(_private("files.example.org"), "pip asked for it"),
    )


@pytest.mark.parametrize(
    "program",
    [pytest.param(name, marks=[pytest.mark.slow] if name in {"mvn", "gradle"} else []) for name in MANAGERS],
)
def test_defaults_are_known_even_where_nothing_can_be_reached(program: str, tmp_path: Path) -> None:
    if not shutil.which(program):
        pytest.skip(f"needs {program}")
    with origin(saying("", "404 Not Found")) as proxy:
        found = ask({program}, tmp_path, _environment(tmp_path, proxy), seconds=60)
    assert found
    assert all(registry.rule.reach is Reach.PRIVATE for registry in found)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("tmp")]


@_needs("npm")
def test_files_of_a_repository_have_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "package.json").write_text("{}")
    (tmp_path / "repository" / ".npmrc").write_text("registry=https://evil.example.org/\n")
    monkeypatch.chdir(tmp_path / "repository")
    with origin(saying("", "404 Not Found")) as proxy:
        found = ask({"npm"}, tmp_path, _environment(tmp_path, proxy))
    assert found
    assert "evil.example.org" not in {registry.rule.name for registry in found}


def _program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_who_hangs_is_ended_and_the_others_are_heard(tmp_path: Path) -> None:
    _program(tmp_path / "bin", "gem", "echo https://gems.example.org/; sleep 600 & wait")
    _program(tmp_path / "bin", "go", "echo https://go.example.org; echo off")
    started = time.monotonic()
    found = ask({"gem", "go"}, tmp_path, {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}, seconds=1)
    assert time.monotonic() - started < 10
    assert {registry.rule.name for registry in found} == {"gems.example.org", "go.example.org"}


def test_only_what_the_project_uses_and_this_machine_has_is_asked(tmp_path: Path) -> None:
    _program(tmp_path / "bin", "gem", "echo https://gems.example.org/")
    environment = {"PATH": str(tmp_path / "bin")}
    assert ask({"go", "npm", "unknown"}, tmp_path, environment) == ()
    assert len(ask({"go", "gem"}, tmp_path, environment)) == 1


def test_a_program_that_is_let_through_is_told_how_and_nobody_else_is(tmp_path: Path) -> None:
    _program(
        tmp_path / "bin",
        "pnpm",
        'echo "$HTTPS_PROXY" > "$HOME/told"; echo "no_proxy=$no_proxy" >> "$HOME/told"',
    )
    ask({"pnpm"}, tmp_path, {"PATH": f"{tmp_path / 'bin'}:/bin", "HOME": str(tmp_path), "no_proxy": "*"})
    url, exceptions = (tmp_path / "told").read_text().split()
    assert len(url.partition("ci-agent:")[2].partition("@")[0]) >= 40
    assert exceptions == "no_proxy="


_text: Callable[[], st.SearchStrategy[str]] = st.text


@given(
    st.builds(
        "{}://{}{}".format,
        st.sampled_from(["http", "https"]),
        _text(),
        st.sampled_from(["", ":8080/a", ":0", ":x"]),
    )
)
@example("https://[::1]:3141/")
@example("https://127.0.0.1/")
@example("https://0x7f.1/")
@example("https://[v1.a]/")
def test_any_address_makes_a_rule_for_its_host_or_none(url: str) -> None:
    rule = _rule_of(url)
    if rule is None:
        return
    assert rule.ports >= WEB_PORTS
    if rule.reach is Reach.LOOPBACK:
        assert (
            rule.name in {"localhost", "::1"}
            or rule.name.startswith("127.")
            or rule.name.endswith(".localhost")
        )
    if ":" not in rule.name and not rule.name.rpartition(".")[2].isdigit():
        assert normalised(rule.name) == rule.name
