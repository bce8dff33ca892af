"""What a command finds in its environment, and what it must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_agent.sandbox.environment import build

_HOME, _TEMPORARY = Path("/sandbox/home"), Path("/sandbox/tmp")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "OPENAI_API_KEY",
            "LLM_API_KEY",
            "GITHUB_TOKEN",
            "CI_JOB_TOKEN",
            "GITLAB_TOKEN",
            "ACTIONS_RUNTIME_TOKEN",
        ),
        *("AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK", "GIT_ASKPASS", "GITHUB_ENV", "GITHUB_PATH", "SHELL"),
        *("BASH_ENV", "LD_PRELOAD", "PYTHONPATH", "GIT_DIR", "GIT_CONFIG_PARAMETERS", "EVERYTHING_ELSE"),
    ],
)
def test_what_nobody_named_does_not_get_in(name: str) -> None:
    assert name not in build({name: "s3cret"}, _HOME, _TEMPORARY)


@pytest.mark.parametrize(
    "name",
    ["PATH", "LANG", "LC_COLLATE", "TZ", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "JAVA_HOME", "RUSTUP_HOME"],
)
def test_what_toolchains_need_gets_in(name: str) -> None:
    assert build({name: "value"}, _HOME, _TEMPORARY)[name] == "value"


def test_names_that_were_asked_for_get_in_and_win() -> None:
    source = {"DATABASE_URL": "postgres://", "CI": "true", "TOKEN": "no"}
    built = build(source, _HOME, _TEMPORARY, ["DATABASE_URL", "CI", "NOT_THERE"])
    assert built["DATABASE_URL"] == "postgres://"
    assert built["CI"] == "true"
    assert not {"TOKEN", "NOT_THERE"} & built.keys()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "PIP_INDEX_URL", "npm_config_registry"])
def test_addresses_get_in_unless_they_hold_credentials(name: str) -> None:
    assert build({name: "http://proxy:3128"}, _HOME, _TEMPORARY)[name] == "http://proxy:3128"
    assert name not in build({name: "http://me:pass@proxy:3128"}, _HOME, _TEMPORARY)


def test_home_and_temporary_folder_are_the_sandboxs_own() -> None:
    built = build({"HOME": "/home/me", "TMPDIR": "/var/tmp"}, _HOME, _TEMPORARY)
    assert (built["HOME"], built["TMPDIR"]) == (str(_HOME), str(_TEMPORARY))


def test_installations_below_the_real_home_are_found_and_caches_are_not(tmp_path: Path) -> None:
    for name in (".rustup", ".config/nvm", ".cargo", ".gradle"):
        (tmp_path / name).mkdir(parents=True)
    built = build({"HOME": str(tmp_path), "CARGO_HOME": str(tmp_path / ".cargo")}, _HOME, _TEMPORARY)
    assert built["RUSTUP_HOME"] == str(tmp_path / ".rustup")
    assert built["NVM_DIR"] == str(tmp_path / ".config" / "nvm")
    assert "PYENV_ROOT" not in built
    assert not {"CARGO_HOME", "GRADLE_USER_HOME"} & built.keys()


def test_private_caches_are_what_package_managers_use_unless_a_person_says_otherwise() -> None:
    source = {"GOCACHE": "/home/me/.cache/go-build", "MINE": "yes"}
    built = build(source, _HOME, _TEMPORARY, caches={"GOCACHE": "/private", "GOPATH": "/private/go"})
    assert (built["GOCACHE"], built["GOPATH"]) == ("/private", "/private/go")
    built = build(source, _HOME, _TEMPORARY, ["GOCACHE"], caches={"GOCACHE": "/private"})
    assert built["GOCACHE"] == "/home/me/.cache/go-build"


def test_java_is_told_the_home_and_the_temporary_folder_where_there_is_java(tmp_path: Path) -> None:
    assert "JAVA_TOOL_OPTIONS" not in build({"PATH": str(tmp_path)}, _HOME, _TEMPORARY)
    built = build({"PATH": str(tmp_path), "JAVA_HOME": "/opt/java"}, _HOME, _TEMPORARY)
    assert built["JAVA_TOOL_OPTIONS"] == f"-Duser.home={_HOME} -Djava.io.tmpdir={_TEMPORARY}"


def test_an_empty_environment_still_makes_a_usable_one() -> None:
    built = build({}, _HOME, _TEMPORARY)
    assert "/usr/bin" in built["PATH"].split(":")
    assert built["GIT_TERMINAL_PROMPT"] == "0"


def test_where_git_stops_looking_is_set_only_when_it_is_named() -> None:
    built = build({"GIT_CEILING_DIRECTORIES": "/elsewhere"}, _HOME, _TEMPORARY, ceiling=Path("/sandbox"))
    assert built["GIT_CEILING_DIRECTORIES"] == "/sandbox"
    assert "GIT_CEILING_DIRECTORIES" not in build({"GIT_CEILING_DIRECTORIES": "/x"}, _HOME, _TEMPORARY)
