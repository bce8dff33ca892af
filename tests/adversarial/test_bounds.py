"""A model that does not end: case 40. Its other half, a forged checkpoint, waits until there are checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from ci_agent.journal.events import SessionEnded
from ci_agent.task import Ending
from tests.adversarial.conftest import Judging, everywhere
from tests.adversarial.ground import Deed, Ground, ground
from tests.support.model_server import Request, Say
from tests.support.profiles import Profile

pytestmark = pytest.mark.slow
LIMIT, PATIENCE = 5, 20  # answers; after so many the test has seen enough


def endless() -> Callable[[Request], Say]:
    """Something else each time, so that it does not look like a circle."""
    numbers = count(1)

    def answer(_request: Request) -> Say:
        number = next(numbers)
        if number > PATIENCE:
            return Say("That is enough.")
        return Say(calls=[("bash", {"command": f"echo {number} >> notes.txt; cat notes.txt"})])

    return answer


@everywhere
def test_the_budget_ends_what_does_not_end(profile: Profile, platform: str, canary: Judging) -> None:
    def asked(session: Callable[..., Deed]) -> tuple[int, Deed]:
        with ground(profile, platform) as place:
            place.project.model.say(endless())
            deed = session(place, MAX_ITERATIONS=str(LIMIT))
            return len(place.project.model.requests), deed

    with canary(40, profile):
        times, _ = asked(Ground.unprotected)
        assert times > PATIENCE
        times, deed = asked(Ground.session)
        assert times == LIMIT, deed.done.log
        [end] = [event.fact for event in deed.done.events if isinstance(event.fact, SessionEnded)]
        assert end.ending is Ending.LIMIT_STEPS
