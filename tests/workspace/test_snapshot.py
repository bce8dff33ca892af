"""A tree of a real repository, as the policy looks at it."""

from __future__ import annotations

from pathlib import Path

from ci_agent.config.definitions import PolicySettings
from ci_agent.workspace import judge
from ci_agent.workspace.policy import Entry
from ci_agent.workspace.snapshot import Snapshot
from tests.support.repositories import make_repository


def test_it_says_what_is_where_how_large_and_what_is_in_it(tmp_path: Path) -> None:
    odd = "a\nb ü\udcff"
    repository = make_repository(tmp_path / "r", {"d/x": b"one\ntwo", odd: b"\0", "empty": b""})
    (repository.path / "link").symlink_to("d/x")
    (repository.path / "vendor").mkdir()
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor")
    repository.commit({})
    tree = Snapshot(repository.path / ".git", "HEAD")
    assert {path: entry.mode for path, entry in tree.entries.items()} == {
        odd: "100644", "d/x": "100644", "empty": "100644", "link": "120000", "vendor": "160000",
    }  # fmt: skip
    assert tree.entries["d/x"] == Entry("100644", repository.git("rev-parse", "HEAD:d/x"))
    assert tree.sizes(["vendor", odd, "d/x", "empty"]) == {odd: 1, "d/x": 7, "empty": 0}
    assert tree.contents(["link", "vendor", "empty", "d/x"]) == {
        "link": b"d/x",
        "empty": b"",
        "d/x": b"one\ntwo",
    }
    assert tree.contents([]) == {}


def test_a_real_change_is_judged(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a": "1"})
    base = Snapshot(repository.path / ".git", repository.git("rev-parse", "HEAD"))
    (repository.path / "out").symlink_to("/etc")
    repository.commit({"a": "2", ".gitlab-ci.yml": "x", "data": b"\0" * 1_500_000})
    found = judge(base, Snapshot(repository.path / ".git", "HEAD"), PolicySettings())
    assert {finding.rule: finding.files for finding in found} == {
        "policy.ci": (".gitlab-ci.yml",),
        "policy.links": ("out",),
        "policy.large": ("data (1.5 MB, binary)",),
    }
