"""GitLab as a platform: the contract, and what can go wrong between us and GitLab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from ci_agent.platforms import Forge, Platform
from ci_agent.platforms.gitlab import GitLab
from tests.forges.gitlab import NAME, FakeGitLab
from tests.forges.http import Server
from tests.platforms.contract import CONTRACT, Rig


@dataclass
class GitLabRig:
    gitlab: FakeGitLab
    server: Server

    def open(self) -> Platform:
        return self.forge()

    def forge(self, token: str = "glpat-bot") -> Forge:
        return GitLab(NAME, token, url=self.server.url, wait=lambda _seconds: None)

    def write_issue(self, title: str, text: str) -> str:
        return str(self.gitlab.write_issue(title, text))

    def write_comment(self, number: str, text: str) -> None:
        self.gitlab.say(int(number), text, by="robin")

    def close_merge_request(self, number: str) -> None:
        self.gitlab.close_request(int(number))


@pytest.fixture
def rig() -> Iterator[GitLabRig]:
    gitlab = FakeGitLab()
    with gitlab.serve() as server:
        yield GitLabRig(gitlab, server)
        assert not server.broken, "\n".join(server.broken)


@pytest.mark.parametrize("part", CONTRACT, ids=lambda part: part.__name__)
def test_the_contract_of_all_platforms_holds(part: Callable[[Rig], None], rig: GitLabRig) -> None:
    part(rig)
