"""Links that lead out of the tree, against what a real file system makes of them."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workspace.policy.trees import Files, Link, broken


@pytest.mark.parametrize(
    "files",
    [
        {"a": Link("/etc/passwd")},
        {"a": Link("..")},
        {"d/a": Link("../../x")},
        {"d/a": Link("./../d/../..//x")},
        {"a": Link(".git/config")},
        {"d/a": Link("../.GIT/hooks")},
        {"a": Link("git~1/config")},
        {"a": Link("d/..\\..\\x")},
        {"a": Link("C:\\Windows")},
        {"a": Link("\\\\host\\share")},
    ],
)
def test_a_link_that_leads_out_is_noticed(files: Files) -> None:
    assert broken({}, files) == {"links": tuple(files)}


def test_links_are_followed_through_others() -> None:
    base: Files = {"up": Link("d/e/.."), "d/e/f": "x"}
    assert broken(base, {"x": Link("up/../y")}) == {}
    assert broken(base, {"x": Link("up/../../y")}) == {"links": ("x",)}
    assert broken(base, {"x": Link("UP/../../y")}) == {"links": ("x",)}


def test_an_old_link_that_leads_out_by_a_new_one_is_noticed() -> None:
    base: Files = {"a": Link("b/../c"), "b/x": "1", "c": "x"}
    assert broken(base, {"b": Link("c/d"), "c": "x"}, gone=["b/x"]) == {}
    assert broken(base, {"b": Link("deep/er/../../.."), "deep/er/x": "1"}, gone=["b/x"]) == {
        "links": ("a", "b")
    }


def test_a_link_that_led_out_before_is_nothing_new() -> None:
    base: Files = {"a": Link("/etc"), "b": "1"}
    assert broken(base, {"b": "2"}) == {}


def test_links_that_go_round_in_circles_lead_nowhere() -> None:
    assert broken({}, {"a": Link("b"), "b": Link("a")}) == {}


_STEPS = st.sampled_from(["a", "b", "d", "..", ".", "e", ""])
_TARGETS = (
    st.lists(_STEPS, min_size=1, max_size=6).map("/".join).filter(lambda target: target.strip("/") != "")
)


@given(st.dictionaries(st.sampled_from(["a", "b", "d/a", "d/b", "d/e/a"]), _TARGETS, max_size=5))
def test_what_leads_out_of_a_real_folder_is_always_noticed(targets: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place).resolve() / "outer" / "root"
        (root / "d" / "e").mkdir(parents=True)
        for path, target in targets.items():
            (root / path).symlink_to(target)
        out = {path for path in targets if not _inside(root / path, root)}
    found = broken({}, {path: Link(target) for path, target in targets.items()})
    assert out <= set(found.get("links", ()))


def _inside(link: Path, root: Path) -> bool:
    try:
        link.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return True  # it leads nowhere
    real = os.path.realpath(link)
    return real == str(root) or real.startswith(f"{root}/")
