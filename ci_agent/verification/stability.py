"""What running a case again says of it: broken by the change, flaky, or dependent on the others. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ci_agent.journal.events import Result, Stability


def stability(
    result_alone: Sequence[Result], base_alone: Sequence[Result], together: Result | None
) -> Stability:
    """What a case is that was bad on the result and not on the base, when all other cases ran with it.

    `result_alone` and `base_alone` are its further runs by itself on the two sides, `together` one more run
    on the result with all the others (None: not done). A skipped run is none that failed.

    On the result alone it

    - passes and fails: *flaky*;
    - always passes: *flaky* if it passes together with the others too, else *order-dependent*: that it failed with
      them is what was seen, and nothing speaks against it;
    - always fails: *newly broken* if it passes alone on the base or was not run there, *flaky* if it passes
      and fails there, *order-dependent* if it always fails there: it had passed only because of the others.

    Never run again on the result it is *newly broken*: nothing speaks against what was seen.
    """
    bad = {result.bad for result in result_alone}
    if bad == {True, False}:
        return Stability.FLAKY
    if bad == {False}:
        return Stability.ORDER if together is None or together.bad else Stability.FLAKY
    bad_on_base = {result.bad for result in base_alone}
    if not bad or bad_on_base <= {False}:
        return Stability.BROKEN
    return Stability.ORDER if bad_on_base == {True} else Stability.FLAKY
