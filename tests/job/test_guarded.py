"""Whatever is written to a platform passes the guard: each verb, over the stand-ins for both."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ci_agent.errors import CiAgentError
from ci_agent.guard import Guard, Secret
from ci_agent.job.guarded import GuardedForge
from ci_agent.platforms import CommitState, Forge, Label, Platform
from ci_agent.platforms.github import GitHub
from ci_agent.platforms.gitlab import GitLab
from ci_agent.task import Thread
from tests.forges.github import NAME as GITHUB_NAME
from tests.forges.github import FakeGitHub
from tests.forges.gitlab import NAME as GITLAB_NAME
from tests.forges.gitlab import FakeGitLab
from tests.forges.http import Server

KEY = "sk-Qv7tR2x9LmZ0aW4nBc8Ke"
BASE64 = base64.b64encode(KEY.encode()).decode()
SHA = "1" * 40


class Rig:
    """A guarded forge, and what arrives at its stand-in."""

    def __init__(self, platform: str, people: Any, server: Server) -> None:
        self.server = server
        self.guard = Guard([Secret("LLM_API_KEY", KEY)])
        forge: Forge = (
            GitHub(GITHUB_NAME, "ghs_workflow", api_url=server.url, wait=lambda _: None)
            if platform == "github"
            else GitLab(GITLAB_NAME, "glpat-bot", url=server.url, wait=lambda _: None)
        )
        self.forge: Forge = GuardedForge(forge, self.guard)
        people.write_issue("One", "")

    def arrived(self) -> str:
        return "\n".join(f"{request.path} {request.body}" for request in self.server.requests)


@pytest.fixture(params=["github", "gitlab"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    people: Any = FakeGitHub() if request.param == "github" else FakeGitLab()
    with people.serve() as server:
        yield Rig(request.param, people, server)


def merge_request(
    forge: Forge, *, source: str = "w", title: str = "T", text: str = "", label: str = "l"
) -> None:
    forge.ensure_merge_request(
        source, "main", title=title, text=text, draft=False, add_labels=[Label(label)], remove_labels=[]
    )


REPLACED: dict[str, Callable[[Forge, str], object]] = {
    "ensure_comment": lambda forge, text: forge.ensure_comment("1", "m", text),
    "reply": lambda forge, text: forge.reply(Thread("1"), "m", text),
    "ensure_issue": lambda forge, text: forge.ensure_issue("m", "T", text),
    "ensure_merge_request": lambda forge, text: merge_request(forge, text=text),
}
REFUSED: dict[str, Callable[[Forge, str], object]] = {
    "marker": lambda forge, text: forge.ensure_comment("1", text, "hello"),
    "reply's marker": lambda forge, text: forge.reply(Thread("1"), text, "hello"),
    "issue's title": lambda forge, text: forge.ensure_issue("m", text, "hello"),
    "label": lambda forge, text: forge.change_labels("1", [Label(text)], []),
    "label's description": lambda forge, text: forge.change_labels("1", [Label("l", description=text)], []),
    "branch": lambda forge, text: merge_request(forge, source=text),
    "merge request's label": lambda forge, text: merge_request(forge, label=text),
    "status's address": lambda forge, text: forge.set_status(SHA, CommitState.SUCCESS, "done", text),
}


@pytest.mark.parametrize("value", [KEY, BASE64, KEY[::-1], "\n".join(KEY)])
@pytest.mark.parametrize("verb", REPLACED)
def test_a_text_with_a_secret_is_replaced_by_a_statement(rig: Rig, verb: str, value: str) -> None:
    REPLACED[verb](rig.forge, f"Look: {value}")
    arrived = rig.arrived()
    assert "was withheld: it held the value of LLM_API_KEY (" in arrived
    assert not rig.guard.found(arrived)
    assert "Look" not in arrived
    [noted] = rig.guard.news()
    assert noted.found[0].startswith("LLM_API_KEY (")


@pytest.mark.parametrize("verb", REPLACED)
def test_a_text_without_one_arrives_as_it_is(rig: Rig, verb: str) -> None:
    REPLACED[verb](rig.forge, f"Look: {KEY[:-1]}")
    assert f"Look: {KEY[:-1]}" in rig.arrived()
    assert rig.guard.news() == []


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_with_a_secret_is_an_error_and_nothing_arrives(rig: Rig, name: str) -> None:
    with pytest.raises(CiAgentError, match="withheld: it held the value of LLM_API_KEY") as caught:
        REFUSED[name](rig.forge, KEY)
    assert KEY not in str(caught.value)
    assert rig.server.requests == []


def test_a_title_and_a_status_with_a_secret_say_that_it_was_withheld(rig: Rig) -> None:
    merge_request(rig.forge, title=f"Use {KEY}")
    assert "Withheld: the title held the value of a secret" in rig.arrived()
    rig.forge.set_status(SHA, CommitState.SUCCESS, f"done with {KEY}", "https://x.example")
    assert "withheld: it held the value of a secret" in rig.arrived()
    assert not rig.guard.found(rig.arrived())


def test_the_guard_stands_before_every_verb_there_is() -> None:
    """Whoever adds a verb to the protocol decides there what becomes of a secret in it."""
    verbs = {name for kind in (Platform, Forge) for name in vars(kind) if not name.startswith("_")} - {"name"}
    own = {name for kind in GuardedForge.__mro__[:-1] for name in vars(kind)}
    assert verbs <= own
