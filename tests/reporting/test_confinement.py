"""What people read of the sandbox: nothing where all is closed and nobody asked for anything."""

from __future__ import annotations

from ci_agent.journal import Event
from ci_agent.journal.events import ConnectionsRefused, PlaceRefused, SandboxProved
from ci_agent.reporting import merge_request
from ci_agent.reporting.progress import progress_comment
from ci_agent.reporting.terminal import line
from tests.support.stories import facts, story, success

FULL = SandboxProved("full", "allowlist", (), (), 0.1)
WEAK = SandboxProved(
    "secrets", "open", ("connections to other machines", "the home folder"), ("Landlock: not there",), 0.1
)


def written(*found: SandboxProved | ConnectionsRefused) -> tuple[str, str]:
    """The merge request and the comment of a session in which this was found."""
    events: list[Event] = story(*facts(success()), *found)
    return merge_request.text(events, fetch_hint="git fetch", feedback_hint=""), progress_comment(events)


def test_all_closed_and_nothing_asked_for_is_one_word() -> None:
    text, comment = written(FULL)
    assert "### The sandbox" not in text
    assert "sandbox: `full`" in comment
    assert line(FULL) == "sandbox: full, network: allowlist"


def test_what_is_open_is_said_everywhere() -> None:
    text, comment = written(WEAK)
    said = "Commands are confined only at level `secrets`. Open to them: connections to other machines; the home folder."
    assert f"### The sandbox\n- {said}" in text
    assert said in comment
    assert line(WEAK) == (
        "sandbox: secrets, network: open; open to commands: connections to other machines; the home folder; "
        "missing: Landlock: not there"
    )


def test_what_is_open_is_said_at_the_strongest_level_too() -> None:
    text, comment = written(SandboxProved("full", "allowlist", ("ending other processes",), (), 0.1))
    said = "Commands are confined at level `full`. Open to them: ending other processes."
    assert said in text
    assert said in comment


def test_what_was_asked_for_in_vain_is_said_with_the_setting() -> None:
    asked = ConnectionsRefused((PlaceRefused("example.org", 3, "is not allowed, add it to sandbox.hosts"),))
    text, _ = written(FULL, asked)
    assert "- Commands asked for `example.org` 3 times: it is not allowed, add it to sandbox.hosts." in text
    assert line(asked) == (
        "commands asked for this in vain: example.org is not allowed, add it to sandbox.hosts (3 times)"
    )


def test_of_very_many_some_are_named() -> None:
    asked = ConnectionsRefused(tuple(PlaceRefused(f"h{n}.example", 1, "is not allowed") for n in range(50)))
    text, _ = written(FULL, asked)
    assert text.count("Commands asked for") == 20
    assert "… and for 30 more places" in text
