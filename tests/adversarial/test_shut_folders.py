"""A command that takes away the rights to the session's own folders, which no confinement keeps from their owner. The
harness is that owner as well: what it can't open it can't save.
"""

from __future__ import annotations

import re
import stat
import time
from pathlib import Path

import pytest

from ci_agent.journal import read
from ci_agent.journal.events import CasesRetried, SessionEnded, Stability, WorkspaceReady
from ci_agent.task import Ending
from tests.adversarial.ground import JOB, SETTINGS, Call, Deed, Ground, ground, kill
from tests.support.jobs import BREAK, FIX, SUBMIT, TESTS
from tests.support.profiles import Profile

pytestmark = pytest.mark.slow
# Where the rights to a folder count: root has to do without the capability to pass over them.
BOUND = pytest.mark.parametrize(
    ("profile", "platform"),
    [(Profile.DOCKER_UID, "github"), (Profile.DOCKER_CAPLESS, "gitlab")],
    indirect=["profile"],
)
EARLIER = "mkdir notes && echo kept > notes/kept.md"
SHUT = {
    "the checkout": "chmod 0 notes/kept.md notes .",
    "what is above, up to the session's folder": "chmod 0 notes . .. ../..",
    "all of it, to be read only": "find . -depth -exec chmod u-w {} + && chmod 0500 .. ../.. ../../control.git",
    "what it knows the name of": (
        "cd ../.. && chmod 0 session.jsonl control.git/info/exclude control.git/packed-refs control.git/info "
        "control.git/objects control.git/worktrees/* control.git logs outputs work ."
    ),
    "HOME and TMPDIR": 'mkdir -p "$TMPDIR/a/b/c" && chmod 0 "$TMPDIR/a/b" "$TMPDIR/a" "$TMPDIR" "$HOME"',
}


def shutting(place: Ground, *commands: str) -> Deed:
    """A session whose model runs the commands, then does its work and hands it in."""
    calls: list[Call] = [("bash", {"command": command}) for command in commands]
    place.plays([*([call] for call in calls), [FIX], [SUBMIT]])
    return place.session()


@BOUND
@pytest.mark.parametrize("what", SHUT)
def test_work_goes_on_and_is_saved_whatever_of_its_own_a_command_shuts(
    profile: Profile, platform: str, what: str
) -> None:
    with ground(profile, platform) as place:
        deed = shutting(place, EARLIER, f'echo "TMPDIR=$TMPDIR"; {SHUT[what]}')
        said = "\n".join((*deed.answers, deed.done.log))
        assert deed.done.exit_code == 0, said
        [end] = [event.fact for event in deed.done.events if isinstance(event.fact, SessionEnded)]
        assert end.ending is Ending.SUBMITTED
        assert place.project.labels(1) == ["ai-review"]
        assert "+    return a + b" in place.pushed()
        assert "+kept" in place.pushed()
        [temporary] = re.findall("TMPDIR=(/.*)", said)
        assert not Path(temporary).exists()
        [ready] = [event.fact for event in deed.done.events if isinstance(event.fact, WorkspaceReady)]
        left = {path.name for path in Path(ready.path).parents[1].iterdir()}
        assert left == {"session.jsonl", "logs", "outputs", "diff.patch", "merge-request.md"}


NEEDS_DEPS = TESTS.replace(
    "    def test_double(self):\n", "    def test_double(self):\n        open('deps').close()\n"
)
SET_UP = f"{SETTINGS}verification:\n  setup: touch deps\n"


@BOUND
def test_a_command_takes_nothing_from_the_room_of_the_base(profile: Profile, platform: str) -> None:
    """What breaks is run again there: were the test to fail there as well, the change would not be what broke it."""
    with ground(profile, platform, {"test_calculator.py": NEEDS_DEPS, ".ci-agent.yml": SET_UP}) as place:
        guess = 'chmod 0 "../../base/checkout/$(basename "$PWD")/deps"; ls ../..'
        place.plays([[FIX], [BREAK], [("bash", {"command": guess})], *([SUBMIT] for _ in range(4))])
        deed = place.session()
        [*_, again] = [event.fact for event in deed.done.events if isinstance(event.fact, CasesRetried)]
        assert [case.stability for case in again.cases] == [Stability.BROKEN], deed.done.log
        assert "ls: cannot open directory '../..': Permission denied" in deed.answers[2]


@BOUND
@pytest.mark.parametrize("above", ["../../..", "../../../.."])
def test_a_session_whose_folder_is_out_of_reach_still_ends_with_a_true_word(
    profile: Profile, platform: str, above: str
) -> None:
    with ground(profile, platform) as place:
        deed = shutting(place, f"chmod 0 {above}")
        assert deed.done.exit_code == 1, deed.done.log
        [(_, text)] = place.project.said(1)
        assert text.startswith("**Not solved.** The work could not be handed over as asked: the checkout ")
        assert "can't be reached: Permission denied" in text
        assert place.project.labels(1) == ["ai-failed"]
        [checkout] = re.findall(r"the checkout (\S+) can't", text)
        journal = read(Path(checkout.replace("\\", "")).parents[1] / "session.jsonl")
        [end] = [event.fact for event in journal if isinstance(event.fact, SessionEnded)]
        assert end.ending is Ending.ENVIRONMENT


def shut(folder: Path) -> bool:
    return not stat.S_IMODE(folder.stat().st_mode)


@BOUND
def test_the_last_word_on_a_job_that_was_killed_while_its_folder_was_shut(
    profile: Profile, platform: str
) -> None:
    with ground(profile, platform) as place:
        place.plays([[("bash", {"command": "chmod 0 ../.. && sleep 60"})]])
        environment = place.environment()
        scratch = Path(environment.get("RUNNER_TEMP") or f"{place.project.checkout.path}.tmp")
        with place.started(environment, JOB) as job:
            end = time.monotonic() + 60
            while not any(shut(folder) for folder in scratch.glob("ci-agent-*/sessions/*")):
                assert time.monotonic() < end
                time.sleep(0.02)  # nothing tells us otherwise; the condition decides, not the time
            kill(job)
        last = place.ended(environment, [*JOB, "--final-word"]).done
        assert last.exit_code == 0, last.log
        [(_, text)] = place.project.said(1)
        assert text.startswith("**Cancelled.** The CI job ended before its work was done: ")
        assert place.project.labels(1) == ["ai-failed"]
        assert [event for event in last.events if isinstance(event.fact, SessionEnded)]
