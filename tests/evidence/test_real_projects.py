"""`ci-agent verify` on real projects: a good, a breaking, a flaky and a cheating change to each, and the page that
shows what it says of them."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import pytest

from ci_agent.journal.events import CasesRetried, Grade, ProofRan, Stability, TestsCompared, Without
from tests.evidence.shows import HEADING, PAGE, Seen, rows, section, seen
from tests.evidence.stories import STORIES, Kind, Story

F = TypeVar("F")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.project.name)
def test_a_real_project(story: Story, tmp_path: Path) -> None:
    found = seen(story, tmp_path)
    by_kind = {each.kind: each for each in found}
    _good(by_kind[Kind.GOOD], story)
    _breaking(by_kind[Kind.BREAKING], story)
    _flaky(by_kind[Kind.FLAKY], story)
    _cheating(by_kind[Kind.CHEATING], story)
    again = "python -m tests.evidence.shows writes what is so now"
    assert "\n".join(rows(story, found)) in PAGE.read_text(encoding="utf-8"), again


def test_the_page_shows_each_project_and_each_change_once() -> None:
    table = [
        line for line in PAGE.read_text(encoding="utf-8").partition(HEADING)[2].splitlines() if "|" in line
    ]
    assert len(table) == 2 + len(STORIES) * len(Kind)
    assert PAGE.read_text(encoding="utf-8").endswith(HEADING + section(table[2:]))


def _good(change: Seen, story: Story) -> None:
    assert (change.exit_code, change.judged.grade) == (0, Grade.VERIFIED), change.said
    compared = _fact(change, TestsCompared)
    assert _ends([case.id for case in compared.fixed], story.sees)
    assert _ends([case.id for case in compared.added], story.adds)
    proof = _fact(change, ProofRan)
    assert _ends([case.id for case in proof.cases if case.without is Without.FAILS], story.adds)


def _breaking(change: Seen, story: Story) -> None:
    assert (change.exit_code, change.judged.grade) == (1, Grade.BROKEN), change.said
    assert _ends([case.id for case in _fact(change, TestsCompared).newly_broken], story.broken)
    again = [case.id for case in _fact(change, CasesRetried).cases if case.stability is Stability.BROKEN]
    assert _ends(again, story.broken)


def _flaky(change: Seen, story: Story) -> None:
    assert (change.exit_code, change.judged.grade) == (0, Grade.REMARKS), change.said
    compared = _fact(change, TestsCompared)
    (name,) = (case.id for case in compared.flaky)
    assert name.endswith(story.shaky)
    assert any(
        f"`{name}` (failed 2 of 4 runs, 1 of 4 on the base)" in remark for remark in change.judged.remarks
    )


def _cheating(change: Seen, story: Story) -> None:
    assert (change.exit_code, change.judged.grade) == (1, Grade.NOT_VERIFIED), change.said
    compared = _fact(change, TestsCompared)
    assert compared.fixed == ()
    (name,) = (case.id for case in compared.lost)
    assert name.endswith(story.sees)
    assert f"`{name}`" in change.judged.reasons[0]


def _ends(names: list[str], end: str) -> bool:
    return any(name.endswith(end) for name in names)


def _fact(change: Seen, kind: type[F]) -> F:
    (found,) = (fact for fact in change.facts if isinstance(fact, kind))
    return found
