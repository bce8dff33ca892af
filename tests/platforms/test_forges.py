"""What both forges must do as a job's platform, whatever their servers answer."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any

import pytest

from ci_agent.errors import AuthenticationError, CiAgentError, UsageError
from ci_agent.platforms import CommitState, Forge, Label, Permission
from ci_agent.platforms.calls import Calls
from ci_agent.platforms.github import GitHub
from ci_agent.platforms.github.api import Api as GitHubApi
from ci_agent.platforms.gitlab import GitLab
from ci_agent.platforms.gitlab.api import Api as GitLabApi
from ci_agent.platforms.patience import LONGEST_SILENCE, SECONDARY_WAIT, TIMEOUT, LostError
from ci_agent.task import Account, Thread
from tests.forges.github import NAME as GITHUB_NAME
from tests.forges.github import RUNNER, FakeGitHub
from tests.forges.gitlab import NAME as GITLAB_NAME
from tests.forges.gitlab import FakeGitLab
from tests.forges.http import Answer, Fault, Request, Server, serving

LONG = 9_007_199_254_740_993  # as the ids on both platforms may become
OLD = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Ground:
    """One forge's stand-in."""

    platform: str
    people: Any  # the stand-in
    server: Server
    token: str

    def forge(self, wait: Callable[[float], None] = lambda _seconds: None) -> Forge:
        if self.platform == "github":
            return GitHub(GITHUB_NAME, self.token, api_url=self.server.url, wait=wait)
        return GitLab(GITLAB_NAME, self.token, url=self.server.url, wait=wait)

    def jobs(self) -> dict[int, str]:
        found: dict[int, str] = self.people.runs if self.platform == "github" else self.people.jobs
        return found

    def account(self, login: str) -> Account:
        return Account(login, str(self.people.people[login]["id"]))

    def said(self, by: str = "dana") -> str:
        """A comment on the first issue; its id."""
        self.people.say(1, "/agent run", by=by)
        return str(next(reversed(self.people.comments if self.platform == "github" else self.people.notes)))

    def asked(self) -> tuple[list[str], list[str]]:
        """Who is to review the first merge request, and to whom it is assigned."""
        raw = (self.people.pulls if self.platform == "github" else self.people.requests)[1]
        name = "login" if self.platform == "github" else "username"
        reviewers = raw.get("requested_reviewers" if self.platform == "github" else "reviewers") or []
        return [person[name] for person in reviewers], [person[name] for person in raw.get("assignees") or []]


_TOKENS = {"github": "ghs_workflow", "gitlab": "glpat-bot"}


@pytest.fixture(params=["github", "gitlab"])
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    people: Any = FakeGitHub() if request.param == "github" else FakeGitLab()
    served: AbstractContextManager[Server] = people.serve()
    with served as server:
        yield Ground(request.param, people, server, _TOKENS[request.param])


def ensure(forge: Forge, reviewer: Account | None = None, title: str = "T") -> bool:
    """Whether the merge request from `w` was made."""
    return forge.ensure_merge_request(
        "w",
        "main",
        title=title,
        text="",
        draft=False,
        add_labels=[],
        remove_labels=[],
        reviewer=reviewer,
    ).created


def test_ids_may_be_as_long_as_an_int64(ground: Ground) -> None:
    ground.people.write_issue("One", "")
    ground.jobs()[LONG] = "in_progress" if ground.platform == "github" else "running"
    forge = ground.forge()
    assert not forge.job_ended(str(LONG))
    assert forge.asked_at(str(LONG)) is not None
    forge.cancel_job(str(LONG))
    assert forge.job_ended(str(LONG))
    assert forge.comment(Thread("1"), str(2**63 - 1)) is None
    assert not forge.acknowledge(Thread("1"), str(2**63 - 1))


def test_a_job_was_asked_for_when_the_platform_made_it(ground: Ground) -> None:
    ground.jobs()[7] = "running"
    ground.people.created[7] = (
        "2026-05-06T07:08:09Z" if ground.platform == "github" else "2026-05-06T07:08:09.000Z"
    )
    assert ground.forge().asked_at("7") == datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert ground.forge().asked_at("8") is None
    ground.server.faults = [Fault("GET", "/(runs|jobs)/7$", 403, body={"message": "403 Forbidden"})]
    assert ground.forge().asked_at("7") is None


def test_a_job_began_when_its_runner_took_it(ground: Ground) -> None:
    ground.jobs()[7] = "in_progress" if ground.platform == "github" else "running"
    ground.people.began[7] = "2026-05-06T07:08:09Z"
    forge = ground.forge()
    assert forge.began("7", RUNNER) == datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert forge.began("8", RUNNER) is None
    if ground.platform == "github":
        assert forge.began("7", "another runner") is None
        assert forge.began("7", "") is None
    ground.server.faults = [Fault("GET", "/(runs|jobs)/7", 403, body={"message": "403 Forbidden"})]
    assert forge.began("7", RUNNER) is None


def test_a_job_that_may_not_be_seen_is_at_work_until_it_was_silent_for_long(ground: Ground) -> None:
    ground.jobs()[7] = "completed"
    ground.server.faults = [Fault("GET", "/(runs|jobs)/7$", 403, times=9, body={"message": "403 Forbidden"})]
    now = datetime.now(UTC)
    heard = (
        None,
        now,
        now - LONGEST_SILENCE + timedelta(minutes=1),
        now - LONGEST_SILENCE - timedelta(minutes=1),
    )
    assert [ground.forge().job_ended("7", at) for at in heard] == [False, False, False, True]


def test_in_a_private_repository_runs_are_seen_with_the_permission_alone() -> None:
    github = FakeGitHub()
    github.private, github.runs[7] = True, "completed"
    with github.serve() as server:
        forge = GitHub(GITHUB_NAME, "ghs_workflow", api_url=server.url, wait=lambda _seconds: None)
        assert forge.job_ended("7")
        del github.tokens["ghs_workflow"].permissions["actions"]
        assert not forge.job_ended("7", datetime.now(UTC))
        assert forge.job_ended("7", OLD)
        assert forge.asked_at("7") is None


# --- redirects --------------------------------------------------------------------------------------------

_HOME = r"/repos/acme/widget$|/projects/[^/]+$"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_token_goes_to_no_other_server(status: int, host: str, ground: Ground) -> None:
    reached: list[Request] = []

    def answer(request: Request) -> Answer:
        reached.append(request)
        return Answer(200, {"id": 1, "username": "x"})

    with serving(answer) as other:
        place = f"http://{host}:{other.port}/elsewhere?private_token=s3cret"
        fault = Fault("GET", _HOME, status, body={}, headers={"Location": place})
        ground.server.faults = [fault]
        with pytest.raises(UsageError, match=r"reading the (repository|project) ") as caught:
            ground.forge().repository()
    assert reached == []
    assert fault.times == 0
    assert "s3cret" not in str(caught.value)
    ground.server.broken.clear()  # PyGithub goes on at the same host, whatever the port, to what is not there


def test_where_a_redirect_leads_is_named(ground: Ground) -> None:
    place = "https://old.example:8443/api/v4/x"
    ground.server.faults = [Fault("GET", _HOME, 302, headers={"Location": place})]
    with pytest.raises(UsageError, match=re.escape(f"it sends us on to {place}.")):
        ground.forge().repository()


def test_a_project_that_was_renamed_is_still_read(ground: Ground) -> None:
    path = f"/repos/{GITHUB_NAME}" if ground.platform == "github" else "/api/v4/projects/7"
    home = ground.server.url + path
    ground.server.faults = [Fault("GET", _HOME, 301, body={}, headers={"Location": home + "/"})]
    answer = ground.server.answer

    def renamed(request: Request) -> Answer:
        assert request.path == path + "/"
        return answer(Request(request.method, path, request.query, request.body, request.headers))

    ground.server.answer = renamed
    ground.server.check = lambda _request: []
    assert ground.forge().repository().default_branch == "main"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", [None, "/login", "http://127.0.0.1:9/x"])
def test_nothing_is_taken_for_written_that_was_sent_on(
    status: int, location: str | None, ground: Ground
) -> None:
    ground.people.write_issue("One", "")
    forge = ground.forge()
    forge.ensure_comment("1", "m", "text")
    assert ensure(forge)
    headers = {"Location": location} if location else {}
    ground.server.check = lambda _request: []
    ground.server.faults = [
        Fault(verb, ".", status, times=9, body={"id": 1}, headers=headers)
        for verb in ("POST", "PUT", "PATCH")
    ]
    for deed in (
        lambda: forge.ensure_comment("1", "n", "text"),
        lambda: forge.ensure_comment("1", "m", "more"),
        lambda: ensure(forge, title="Two"),
        lambda: forge.change_labels("1", [Label("a")], []),
        lambda: forge.set_status("a" * 40, CommitState.SUCCESS, "ok", ""),
    ):
        with pytest.raises(UsageError):
            deed()
    assert len(ground.people.thread(1)) == 1


# --- answers that make no sense ---------------------------------------------------------------------------

_ODD: list[Any] = [
    {},
    [],
    "oops",
    None,
    7,
    [7],
    [None],
    {"message": None},
    {"errors": "x"},
    {"errors": [7]},
    {"data": None},
    {"data": {"viewer": None}},
    {"errors": [{"message": "boom"}], "data": None},
    b"<html>Please log in</html>",
    b'{"id": 1, "title": "cut of',
    b"\xff\xfe",
]
_READS: dict[str, Callable[[Forge], object]] = {
    "repository": lambda forge: forge.repository(),
    "me": lambda forge: forge.me(),
    "issue": lambda forge: forge.issue("1"),
    "comments": lambda forge: forge.comments("1"),
    "discussion": lambda forge: forge.discussion("1"),
    "comment": lambda forge: forge.comment(Thread("1"), "5"),
    "labelled": lambda forge: forge.labelled("1", "ai-task"),
    "edited_since": lambda forge: forge.edited_since("1", OLD),
    "open_issues": lambda forge: forge.open_issues("ai-task"),
    "merge_request": lambda forge: forge.merge_request("1"),
    "find_merge_request": lambda forge: forge.find_merge_request("w"),
    "branch": lambda forge: forge.branch("main"),
    "file": lambda forge: forge.file("x", "main"),
    "job_ended": lambda forge: forge.job_ended("7"),
    "asked_at": lambda forge: forge.asked_at("7"),
    "began": lambda forge: forge.began("7", RUNNER),
}


@pytest.mark.parametrize("odd", _ODD, ids=str)
def test_an_answer_that_makes_no_sense_is_an_error_for_people(odd: object, ground: Ground) -> None:
    ground.people.write_issue("One", "")
    name = {"github": "GitHub", "gitlab": "GitLab"}[ground.platform]
    nothing = {"comments", "discussion", "labelled", "edited_since", "open_issues", "find_merge_request"}
    taken = nothing if odd == [] else set()
    if ground.platform == "github":
        taken = taken - {"edited_since"} | ({"file"} if isinstance(odd, list) else set())  # a folder
    for what, read in _READS.items():
        ground.server.faults = [
            Fault("GET", ".", 200, times=99, body=odd),
            Fault("POST", "graphql", 200, times=99, body=odd),
        ]
        try:
            read(ground.forge())
        except CiAgentError as error:
            assert re.search(f"{name} (can't be reached|answered|has no)", str(error)), error
        else:
            assert what in taken, f"{what} takes {odd!r}"
    assert ground.forge().permission(Account("dana", "5")) is Permission.NONE


@pytest.mark.parametrize("odd", [{}, None, [], "oops", b"<html>Please log in</html>", b'{"id'], ids=str)
def test_a_comment_whose_answer_makes_no_sense_is_looked_for_and_not_made_again(
    odd: object, ground: Ground
) -> None:
    ground.people.write_issue("One", "")
    ground.server.faults = [Fault("POST", "/(comments|notes)$", 200, after=True, body=odd)]
    assert ground.forge().ensure_comment("1", "m", "text").item.text == "text"
    assert len(ground.people.thread(1)) == 1


@pytest.mark.parametrize("odd", _ODD, ids=str)
def test_a_refusal_that_makes_no_sense_is_an_error_for_people(odd: object, ground: Ground) -> None:
    ground.people.write_issue("One", "")
    for status in (400, 403, 404, 409, 422, 429, 500):
        ground.server.faults = [Fault("POST", "/(comments|notes)$", status, times=99, body=odd)]
        with pytest.raises(CiAgentError, match=r"commenting on issue 1"):
            ground.forge().ensure_comment("1", "m", "text")


def test_what_came_and_for_which_request_is_said(ground: Ground) -> None:
    ground.server.faults = [Fault("GET", _HOME, 200, times=9, body=b"<html>Please log in</html>")]
    with pytest.raises(
        CiAgentError, match=r"reading the \w+ acme.*: '<html>Please log in</html>' came, so what"
    ):
        ground.forge().repository()


def test_no_error_holds_the_token_whatever_a_server_repeats(ground: Ground) -> None:
    ground.people.write_issue("One", "")
    told = []
    for status, body in (
        (403, {"message": f"Bad header: {ground.token}"}),
        (422, {"message": "x", "errors": [{"message": ground.token}]}),
        (400, {"message": {"note": [ground.token]}}),
        (500, {"message": ground.token}),
        (200, {"you": ground.token}),
        (200, f"<html>{'x' * 70}{ground.token}".encode()),
        (403, ("x" * 295 + ground.token).encode()),
    ):
        ground.server.faults = [Fault("GET", _HOME, status, times=9, body=body)]
        with pytest.raises(CiAgentError) as caught:
            ground.forge().repository()
        told.append(str(caught.value))
    location = {"Location": f"https://{ground.token}@x.example/{ground.token}"}
    ground.server.faults = [Fault("GET", _HOME, 302, headers=location)]
    with pytest.raises(CiAgentError) as caught:
        ground.forge().repository()
    assert not [words for words in [*told, str(caught.value)] if ground.token[:4] in words]
    assert "Bad header: ***" in told[0]


# --- patience ---------------------------------------------------------------------------------------------


@pytest.fixture
def waited(ground: Ground) -> Callable[[Fault], list[float]]:
    """How long a comment waits that meets a fault."""
    ground.people.write_issue("One", "")

    def waits(fault: Fault) -> list[float]:
        pauses: list[float] = []
        ground.server.faults = [fault]
        ground.forge(pauses.append).ensure_comment("1", f"m {len(ground.people.thread(1))}", "text")
        return [round(pause) for pause in pauses]

    return waits


def limited(status: int, said: str = "slow down", **headers: str) -> Fault:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault("POST", "/(comments|notes)$", status, body={"message": said}, headers=named)


def test_a_date_to_come_back_at_is_waited_for(waited: Callable[[Fault], list[float]]) -> None:
    at = datetime.now(UTC) + timedelta(seconds=50)
    [pause] = waited(limited(429, Retry_After=format_datetime(at, usegmt=True)))
    assert 45 <= pause <= 50


def test_a_date_that_is_past_is_not_waited_for(waited: Callable[[Fault], list[float]]) -> None:
    assert waited(limited(429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")) == [0]


def test_a_time_to_come_back_at_that_is_none_is_left_out(waited: Callable[[Fault], list[float]]) -> None:
    assert waited(limited(429, Retry_After="soon")) == [1]


def test_a_limit_that_is_used_up_is_waited_for_until_it_is_renewed(
    waited: Callable[[Fault], list[float]],
) -> None:
    used = {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": str(int(time.time()) + 40)}
    [pause] = waited(limited(429, **used))
    assert 38 <= pause <= 41
    [pause] = waited(limited(403, "API rate limit exceeded", **used))
    assert 38 <= pause <= 41
    assert waited(limited(429, X_RateLimit_Remaining="1", X_RateLimit_Reset="1")) == [1]


def test_a_secondary_limit_without_a_time_is_waited_for_a_minute(
    waited: Callable[[Fault], list[float]],
) -> None:
    assert waited(limited(403, "You have exceeded a secondary rate limit")) == [SECONDARY_WAIT] == [60]


@pytest.mark.parametrize("api", [GitHubApi, GitLabApi])
def test_every_request_has_its_time_out(api: Callable[..., Calls[Any]]) -> None:
    assert TIMEOUT == 30
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the system answers, nobody else does
        place = f"http://127.0.0.1:{silent.getsockname()[1]}"
        calls = partial(api, "token", place, wait=lambda _seconds: None)(timeout=1)
        begun = time.monotonic()
        with pytest.raises(LostError, match="the connection failed"):
            calls.make("/x", "making something", {})
        assert time.monotonic() - begun < 10


# --- who is asked -----------------------------------------------------------------------------------------


def test_whoever_asked_reviews_it_and_it_is_theirs(ground: Ground) -> None:
    assert ensure(ground.forge(), ground.account("robin"))
    assert ground.asked() == (["robin"], ["robin"])


def test_whoever_asks_to_go_on_reviews_it_beside_the_others(ground: Ground) -> None:
    ensure(ground.forge(), ground.account("robin"))
    for _ in range(2):
        assert not ensure(ground.forge(), ground.account("dana"))
        reviewers, assignees = ground.asked()
        assert (sorted(reviewers), assignees) == (["dana", "robin"], ["robin"])
    ground.server.requests.clear()
    ensure(ground.forge(), ground.account("dana"))
    assert [request.method for request in ground.server.requests if request.method != "GET"] == []


def test_whoever_opened_it_is_not_asked(ground: Ground) -> None:
    forge = ground.forge()
    ensure(forge)
    ground.server.requests.clear()
    assert not ensure(forge, forge.me())
    assert not [request for request in ground.server.requests if "review" in f"{request.path} {request.body}"]
    assert ground.asked() == ([], [])


def test_a_person_who_may_not_be_asked_is_no_harm(ground: Ground) -> None:
    assert ensure(ground.forge(), Account("nobody", "99"))
    assert not ensure(ground.forge(), Account("nobody", "99"))
    assert ground.asked()[0] == []


def test_a_token_that_may_not_read_says_so(ground: Ground) -> None:
    ground.server.faults = [Fault("GET", _HOME, 403, body={"message": "403 Forbidden"})]
    with pytest.raises(AuthenticationError, match=r"answered 403 to reading the .*; see docs/tokens.md"):
        ground.forge().repository()
