"""Which runs on the base are remembered, and what is never believed."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ci_agent.evidence import baseline
from ci_agent.journal.events import Case, Moment, Result, SetupChosen, TestsChosen, TestsRan

TREE = "t" * 40
GOOD = TestsRan(
    Moment.BEFORE,
    "pytest",
    TREE,
    0,
    1.0,
    False,
    "",
    True,
    (Case("a", Result.PASSED),),
    "tests-before.log",
    "",
)


def test_a_run_comes_back_as_it_was_but_without_its_log(tmp_path: Path) -> None:
    baseline.keep(tmp_path / "new", "k", GOOD)
    assert baseline.recall(tmp_path / "new", "k", TREE) == replace(GOOD, reused=True, log="")
    assert baseline.recall(tmp_path / "new", "other", TREE) is None
    assert baseline.recall(tmp_path / "new", "k", "u" * 40) is None
    assert baseline.recall(None, "k", TREE) is None


@pytest.mark.parametrize(
    "run",
    [
        replace(GOOD, problem="it did not end"),
        replace(GOOD, exit_code=1),
        replace(GOOD, cases=()),
        replace(GOOD, cases=(Case("a", Result.FAILED),)),
        replace(GOOD, some="only some"),
        replace(GOOD, moment=Moment.AFTER),
    ],
)
def test_only_whole_runs_without_a_failure_are_kept_and_believed(tmp_path: Path, run: TestsRan) -> None:
    import msgspec

    baseline.keep(tmp_path, "k", run)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "k.json").write_bytes(msgspec.json.encode(run))
    assert baseline.recall(tmp_path, "k", TREE) is None


@pytest.mark.parametrize("days", [-8, 3650])
def test_neither_old_ones_nor_those_of_the_future_are_used(tmp_path: Path, days: int) -> None:
    baseline.keep(tmp_path, "k", GOOD)
    moment = time.time() + days * 24 * 3600
    os.utime(tmp_path / "k.json", (moment, moment))
    assert baseline.recall(tmp_path, "k", TREE) is None


def test_whatever_lies_in_its_place_neither_blocks_nor_ends_the_work(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.json")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    baseline.keep(tmp_path, "real", GOOD)
    (tmp_path / "odd.json").write_bytes(b"\xff\xfe{")
    (tmp_path / "folder.json").mkdir()
    for name in ("fifo", "link", "odd", "folder"):
        assert baseline.recall(tmp_path, name, TREE) is None
    (tmp_path / "file").write_text("")
    baseline.keep(tmp_path / "file" / "below", "k", GOOD)
    baseline.keep(tmp_path, "k", replace(GOOD, command="caf\udce9"))


def test_what_a_run_depends_on_is_in_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    setup, suites = SetupChosen("make", ""), [TestsChosen("pytest", "pytest", "")]
    names = {baseline.key(TREE, setup, suites, "", ())}
    names.add(baseline.key("u" * 40, setup, suites, "", ()))
    names.add(baseline.key(TREE, SetupChosen("", ""), suites, "", ()))
    names.add(baseline.key(TREE, setup, [TestsChosen("pytest", "pytest", "", "web")], "", ()))
    names.add(baseline.key(TREE, setup, suites, "a.xml", ()))
    for value in ("1", "2"):
        monkeypatch.setenv("DATABASE", value)
        names.add(baseline.key(TREE, setup, suites, "", ("DATABASE",)))
    monkeypatch.setenv("PATH", "/nowhere")
    names.add(baseline.key(TREE, setup, suites, "", ()))
    assert len(names) == 8
