from __future__ import annotations

from itertools import product

import pytest

from ci_agent.journal.events import Result, Stability
from ci_agent.verification.stability import stability

GOOD, BAD, MIXED, NONE = "good", "bad", "mixed", "none"
RUNS = {
    GOOD: (Result.PASSED, Result.SKIPPED, Result.PASSED),
    BAD: (Result.FAILED, Result.ERROR, Result.FAILED),
    MIXED: (Result.FAILED, Result.PASSED, Result.FAILED),
    NONE: (),
}
TOGETHER = {GOOD: Result.PASSED, BAD: Result.FAILED, NONE: None}

# alone on the result, alone on the base, once more together with the others
EXPECTED = {
    **{(MIXED, base, again): Stability.FLAKY for base, again in product(RUNS, TOGETHER)},
    **{(GOOD, base, again): Stability.ORDER for base, again in product(RUNS, (BAD, NONE))},
    **{(GOOD, base, GOOD): Stability.FLAKY for base in RUNS},
    **{(BAD, base, again): Stability.BROKEN for base, again in product((GOOD, NONE), TOGETHER)},
    **{(BAD, MIXED, again): Stability.FLAKY for again in TOGETHER},
    **{(BAD, BAD, again): Stability.ORDER for again in TOGETHER},
    **{(NONE, base, again): Stability.BROKEN for base, again in product(RUNS, TOGETHER)},
}


def test_the_table_has_every_combination() -> None:
    assert set(EXPECTED) == set(product(RUNS, RUNS, TOGETHER))


@pytest.mark.parametrize(("runs", "expected"), EXPECTED.items(), ids="-".join)
def test_what_further_runs_say(runs: tuple[str, str, str], expected: Stability) -> None:
    alone, base, again = runs
    assert stability(RUNS[alone], RUNS[base], TOGETHER[again]) is expected


@pytest.mark.parametrize("base", [(), (Result.PASSED,)])
def test_one_run_is_enough_to_tell(base: tuple[Result, ...]) -> None:
    assert stability((Result.ERROR,), base, None) is Stability.BROKEN
    assert stability((Result.PASSED,), base, Result.PASSED) is Stability.FLAKY
