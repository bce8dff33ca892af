"""On a kernel without Landlock and user notification the level is `none`, everybody is told, and only a setting lets
work go on. What the attacks reach then shows that it was the confinement that kept them out.
"""

from __future__ import annotations

import pytest

from ci_agent.journal.events import SandboxProved
from tests.adversarial.ground import SETTINGS, ground
from tests.adversarial.test_confinement import attack, taken
from tests.support.profiles import Profile

pytestmark = pytest.mark.slow
KEPT_OUT = {10, 15, 17, 18, 19, 20, 21, 22, 24}  # by what the kernel offers, and by nothing else
UNCONFINED = pytest.mark.parametrize(
    ("profile", "platform"),
    [(Profile.DOCKER_UID, "gitlab"), (Profile.HOSTED, "github")],
    indirect=["profile"],
)


@UNCONFINED
def test_without_the_kernels_help_nothing_is_begun(profile: Profile, platform: str) -> None:
    with ground(profile, platform, old_kernel=True) as place:
        done = place.session().done
    assert done.exit_code != 0
    assert place.project.model.requests == []
    assert "set `sandbox.allow: none`" in place.written()


@UNCONFINED
def test_where_a_setting_allows_it_the_level_says_what_is_open(profile: Profile, platform: str) -> None:
    assert _level_and_taken(profile, platform) == ("none", KEPT_OUT)


@pytest.mark.parametrize("profile", [Profile.DOCKER_ROOT], indirect=True)
def test_root_in_docker_still_gives_up_what_lets_it_see_other_processes(profile: Profile) -> None:
    assert _level_and_taken(profile, "gitlab") == ("secrets", KEPT_OUT - {10})


def _level_and_taken(profile: Profile, platform: str) -> tuple[str, set[int]]:
    """The level that people are told of, and the cases that succeeded."""
    with ground(profile, platform, {".ci-agent.yml": f"{SETTINGS}  allow: none\n"}, old_kernel=True) as place:
        place.plays(attack(place))
        deed = place.session()
        [proved] = [event.fact for event in deed.done.events if isinstance(event.fact, SandboxProved)]
        assert proved.open
        assert f"sandbox: {proved.level}" in deed.done.log
        assert f"sandbox: `{proved.level}`" in place.written()
        assert all(path in place.written() for path in proved.open)
        return proved.level, {case for case, succeeded in taken(place, deed).items() if succeeded}
