"""What must not be in a change."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.journal.events import PolicyAction, PolicyFinding
from ci_agent.session.gate import objections
from tests.support.repositories import make_repository

_CONFLICT = "a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> other\n"


def _patch(folder: Path, files: dict[str, str]) -> bytes:
    repository = make_repository(folder / "r", {"a.py": "a\nold\n", "README.md": "text\n"})
    repository.write(files)
    repository.git("add", "--all")
    words = ("git", "-C", str(repository.path), "diff", "-U0", "-M", "--cached", "HEAD")
    return subprocess.run(words, capture_output=True, check=True).stdout


def test_a_usual_change_has_nothing_against_it(tmp_path: Path) -> None:
    patch = _patch(
        tmp_path,
        {
            "a.py": "a\nnew\nimport pdbx\n",
            "tests/test_repro.py": "def test_x(): pass\n",
            "README.md": "text\n<<<<<<< is how a conflict begins\n",
            "docs/debugging.md": "Call `breakpoint()`.\nbreakpoint()\n",
        },
    )
    assert not objections(patch)


def test_a_conflict_is_never_right(tmp_path: Path) -> None:
    said = objections(_patch(tmp_path, {"a.py": _CONFLICT}))
    assert said.fatal == ("Conflict markers are left in a.py:2.",)
    assert said.doubtful == ()


def test_what_the_policy_found_is_an_objection_of_its_own() -> None:
    found = PolicyFinding("policy.ci", PolicyAction.REFUSE, "files", ("x",))
    said = objections(b"", [found])
    assert said
    assert (said.fatal, said.doubtful, said.policy) == ((), (), (found,))


@pytest.mark.parametrize(
    "name",
    [
        "a.py.orig",
        "sub/x.rej",
        "notes.txt~",
        "repro.py",
        "sub/debug_slug.py",
        "scratch.md",
        "x.pyc",
        ".DS_Store",
    ],
)
def test_scratch_files_are_named(tmp_path: Path, name: str) -> None:
    said = objections(_patch(tmp_path, {name: "x\n"}))
    assert said.doubtful == (f"The change adds what looks like scratch or leftover files: {name}.",)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.py", "    breakpoint()"),
        ("a.py", "import pdb; pdb.set_trace()"),
        ("b.ts", "  debugger;"),
        ("c.rb", "binding.pry"),
        ("d.rs", "    let x = dbg!(y);"),
    ],
)
def test_debugging_is_named_with_its_place(tmp_path: Path, name: str, line: str) -> None:
    said = objections(_patch(tmp_path, {name: f"a\n{line}\n"}))
    assert said.doubtful == (f"The change leaves debugging in the code: {name}:2.",)


def test_a_scratch_file_that_was_there_before_is_nobodys_leftover(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"repro.py": "x\n"})
    repository.write({"repro.py": "y\n"})
    words = ("git", "-C", str(repository.path), "diff", "-U0", "HEAD")
    assert not objections(subprocess.run(words, capture_output=True, check=True).stdout)


def test_of_many_places_the_first_are_named(tmp_path: Path) -> None:
    said = objections(_patch(tmp_path, {f"{n}.orig": "x\n" for n in range(9)}))
    assert said.doubtful[0].endswith("0.orig, 1.orig, 2.orig, 3.orig, 4.orig and 4 more.")


@given(st.binary(max_size=500))
def test_any_patch_can_be_read(patch: bytes) -> None:
    objections(patch)
