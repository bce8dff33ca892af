"""How a case is judged and noted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.support.profiles import Profile, missing

# The profiles with a platform each whose jobs run in such a place.
PLACES = (
    (Profile.DOCKER_ROOT, "gitlab"),
    (Profile.DOCKER_UID, "github"),
    (Profile.DOCKER_CAPLESS, "gitlab"),
    (Profile.HOSTED, "github"),
)
everywhere = pytest.mark.parametrize(("profile", "platform"), PLACES, indirect=["profile"])

Judging = Callable[[int, Profile], AbstractContextManager[None]]


@pytest.fixture
def canary(subtests: pytest.Subtests, record_property: Callable[[str, object], None]) -> Judging:
    """`with canary(9, profile): assert …` is the judgement of case 9; others go on where it fails. What came of it is a
    property of the test, from which `tests.adversarial.shows` makes its table."""

    @contextmanager
    def judging(case: int, profile: Profile) -> Iterator[None]:
        held = False
        with subtests.test(f"case {case}"):
            try:
                yield
                held = True
            finally:
                record_property("canary", (case, str(profile), held))

    return judging


@pytest.fixture
def profile(request: pytest.FixtureRequest) -> Profile:
    """The parameter, where this machine can imitate it."""
    wanted = Profile(request.param)
    if reason := missing(wanted):
        pytest.skip(reason)
    return wanted
