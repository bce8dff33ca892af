"""Real programs that are told of the proxy by their environment alone."""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from ci_agent.sandbox.network import open_gateway, rule
from ci_agent.sandbox.network.variables import variables
from tests.sandbox.network.origins import origin, saying, through

SLOW = [pytest.mark.slow]
_MAVEN = "<settings><mirrors><mirror><id>a</id><mirrorOf>*</mirrorOf><url>{url}</url></mirror></mirrors></settings>"
_POM = """\
<project>
  <modelVersion>4.0.0</modelVersion>
  <parent><groupId>a</groupId><artifactId>missing</artifactId><version>1</version><relativePath/></parent>
  <artifactId>b</artifactId>
</project>
"""
_CRATE = """\
[package]
name = "a"
version = "0.0.0"
edition = "2021"
[lib]
path = "lib.rs"
[dependencies]
missing = { version = "1", registry = "here" }
"""
_CARGO = '[registries.here]\nindex = "sparse+{url}/index/"\n[net]\nretry = 0\n'

# A program, its arguments, files that it needs, and variables. `{url}` is an address beyond the proxy.
PROGRAMS: Mapping[str, tuple[list[str], dict[str, str], dict[str, str]]] = {
    "curl": (["-sS", "{url}/a"], {}, {}),
    "wget": (["-q", "-t1", "-O-", "{url}/a"], {}, {}),
    "git": (["ls-remote", "{url}/a.git"], {}, {}),
    "pip": (["download", "-q", "--retries=0", "--no-deps", "--index-url={url}/simple", "missing"], {}, {}),
    "npm": (["view", "--registry={url}", "--fetch-retries=0", "missing"], {}, {}),
    "cargo": (["fetch", "-q"], {"Cargo.toml": _CRATE, "lib.rs": "", ".cargo/config.toml": _CARGO}, {}),
    "go": (
        ["mod", "download", "example.org/missing@v1.0.0"],
        {"go.mod": "module a\n\ngo 1.20\n"},
        {"GOPROXY": "{url}", "GONOSUMDB": "*", "GOFLAGS": "-mod=mod"},
    ),
    "mvn": (
        ["-q", "-s", "a.xml", "-Dmaven.repo.local=a", "validate"],
        {"pom.xml": _POM, "a.xml": _MAVEN},
        {},
    ),
    "gem": (["fetch", "missing", "--clear-sources", "--source", "{url}"], {}, {}),
}


@pytest.mark.parametrize(
    "program", [pytest.param(name, marks=SLOW if name == "mvn" else []) for name in PROGRAMS]
)
@pytest.mark.parametrize("host", ["files.example.org", "other.example.org"])
def test_programs_go_through_the_proxy(program: str, host: str, tmp_path: Path) -> None:
    if not shutil.which(program):
        pytest.skip(f"needs {program}")

    def filled(text: str) -> str:
        return text.replace("{url}", f"https://{host}")

    words, files, extra = PROGRAMS[program]
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(filled(text))
    environment = {name: filled(value) for name, value in extra.items()}
    with origin(saying("nothing is here", "404 Not Found")) as port:
        # Names can't be looked up here: a proxy of the runner's own has them all.
        gateway = open_gateway([rule("files.example.org")], {"https_proxy": f"http://127.0.0.1:{port}"})
        done = through(gateway.port, [program, *map(filled, words)], tmp_path, environment)
        gateway.close()
    reached, refused = {host for host, _ in gateway.reached()}, {one.host for one in gateway.refused()}
    assert (reached, refused) == (({host}, set()) if host == "files.example.org" else (set(), {host})), done


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_this_machine_is_connected_to_directly(tmp_path: Path) -> None:
    with origin(saying("near")) as port, socket.create_server(("127.0.0.1", 0)) as nobody:
        variables_of = variables(nobody.getsockname()[1])
        for host in ("localhost", "127.0.0.1"):
            words = ["curl", "-sS", f"http://{host}:{port}/"]
            assert through(0, words, tmp_path, variables_of).stdout == "near"


def test_all_that_is_set_names_the_proxy_or_what_is_reached_without_it() -> None:
    found = variables(4321)
    for name, value in found.items():
        assert re.search(r"127\.0\.0\.1(:| -Dhttps?\.proxyPort=)4321", value) or "NO" in name.upper(), name
    assert json.dumps(found).count("[::1]") == 2  # Maven's and Gradle's
    assert found["no_proxy"] == found["NO_PROXY"] == "localhost,127.0.0.1,::1"
