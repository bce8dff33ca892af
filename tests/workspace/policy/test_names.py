"""Names that are something else on another system, against git's own opinion."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_agent.workspace.policy.names import is_git
from tests.support.repositories import make_repository
from tests.workspace.policy.trees import Link, Submodule, broken


@pytest.mark.parametrize(
    "path",
    [
        ".GIT/config",
        "sub/.git/hooks/x",
        "git~1/config",
        ".git ./x",
        ".git::$INDEX_ALLOCATION/x",
        ".g\u200cit/config",
        "a\\.git\\config",
        "..\\x",
        "a\x1b[2Jb",
        "two\nlines",
    ],
)
def test_a_dangerous_name_is_noticed(path: str) -> None:
    (said,) = broken({}, {path: "x"})["names"]
    assert said.startswith(f"{path} (")


@pytest.mark.parametrize(
    "path", [".github/x.md", ".gitignore", "git~2", "digit~1", "größe.txt", "\udcff", ".git-x"]
)
def test_a_usual_name_is_fine(path: str) -> None:
    assert broken({}, {path: "x"}) == {}


def test_a_link_or_submodule_and_something_else_of_the_same_name_in_other_case() -> None:
    assert broken({"A": Link("x")}, {"a/hook": "x"}) == {
        "names": ("a/hook (is the same as A on some systems)",)
    }
    assert broken({"a/hook": "x"}, {"A": Link("x")}) == {"names": ("A (is the same as a on some systems)",)}
    assert broken({"M": Submodule("1" * 40)}, {"m": "x"}) == {
        "names": ("m (is the same as M on some systems)",)
    }
    assert broken({"readme": "x"}, {"README": "x"}) == {}


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bool]:
    """Whether git takes a name, with all its protections on."""
    repository = make_repository(tmp_path_factory.mktemp("names") / "r", {"a": "x"})
    blob = repository.git("rev-parse", "HEAD:a")

    def ask(name: str) -> bool:
        words = ["git", "-c", "core.protectHFS=true", "-c", "core.protectNTFS=true", "update-index", "--add"]
        words += ["--cacheinfo", f"100644,{blob},{name}"]
        return subprocess.run(words, cwd=repository.path, capture_output=True, check=False).returncode == 0

    return ask


_PARTS = st.sampled_from(
    [
        ".git",
        ".GiT",
        "git~1",
        "GIT~1",
        " ",
        ".",
        ":",
        "::$DATA",
        "\u200c",
        "\ufeff",
        "\u2060",
        "x",
        "\\",
        "g",
        "it",
        "~1",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_PARTS, min_size=1, max_size=5).map("".join).filter(lambda name: name.strip(".")))
def test_what_git_refuses_is_noticed_too(taken: Callable[[str], bool], name: str) -> None:
    assert taken(name) or is_git(name) or "\\" in name
