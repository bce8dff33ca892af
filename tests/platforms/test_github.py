"""GitHub as a platform: the contract, and what can go wrong between us and GitHub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from ci_agent.errors import AuthenticationError, CiAgentError, UsageError
from ci_agent.platforms import CommitState, Forge, Label, Permission, Platform
from ci_agent.platforms.github import GitHub
from ci_agent.task import Account, Thread
from tests.forges.github import NAME, FakeGitHub, Token
from tests.forges.http import Fault, Server
from tests.platforms.contract import CONTRACT, Rig


@dataclass
class GitHubRig:
    github: FakeGitHub
    server: Server

    def open(self) -> Platform:
        return self.forge()

    def forge(self, token: str = "ghs_workflow") -> Forge:
        return GitHub(NAME, token, api_url=self.server.url, wait=lambda _seconds: None)

    def write_issue(self, title: str, text: str) -> str:
        return str(self.github.write_issue(title, text))

    def write_comment(self, number: str, text: str) -> None:
        self.github.say(int(number), text, by="robin")

    def close_merge_request(self, number: str) -> None:
        self.github.close(int(number))


@pytest.fixture
def rig() -> Iterator[GitHubRig]:
    github = FakeGitHub()
    with github.serve() as server:
        yield GitHubRig(github, server)
        assert not server.broken, "\n".join(server.broken)


@pytest.mark.parametrize("part", CONTRACT, ids=lambda part: part.__name__)
def test_the_contract_of_all_platforms_holds(part: Callable[[Rig], None], rig: GitHubRig) -> None:
    part(rig)


def test_an_answer_that_is_lost_makes_no_second_comment(rig: GitHubRig) -> None:
    number = rig.write_issue("One", "")
    for fault in (
        Fault("POST", "/comments$", 502, after=True),
        Fault("POST", "/comments$", 0, after=True),
        Fault("POST", "/comments$", 502),
    ):
        rig.server.faults = [fault]
        forge = rig.forge()
        assert forge.ensure_comment(number, f"m {fault.status} {fault.after}", "text").item.text == "text"
        assert fault.times == 0
    assert len(rig.github.thread(int(number))) == 3


def test_an_answer_that_is_lost_makes_no_second_pull_request(rig: GitHubRig) -> None:
    for status in (502, 0):
        rig.server.faults = [Fault("POST", "/pulls$", status, after=True)]
        written = rig.forge().ensure_merge_request(
            f"w{status}", "main", title="T", text="", draft=False, add_labels=[], remove_labels=[]
        )
        assert written.created
    assert len(rig.github.pulls) == 2


def test_an_answer_that_is_lost_makes_no_second_issue(rig: GitHubRig) -> None:
    rig.server.faults = [Fault("POST", "/issues$", 0, after=True)]
    first = rig.forge().ensure_issue("intent 7", "Mend it", "please")
    second = rig.forge().ensure_issue("intent 7", "Mend it", "please")
    assert (first.created, second.created) == (True, False)
    assert first.item == second.item
    assert len(rig.github.issues) == 1


def test_a_server_that_never_answers_ends_in_an_error_for_people(rig: GitHubRig) -> None:
    number = rig.write_issue("One", "")
    rig.server.faults = [Fault("GET", "/issues/1$", 503, times=9)]
    with pytest.raises(CiAgentError, match=r"GitHub fails.*try again later"):
        rig.forge().issue(number)
    assert rig.server.faults[0].times == 5  # four tries


def test_a_limit_is_waited_for_as_long_as_it_says_and_no_longer_than_we_have(rig: GitHubRig) -> None:
    number = rig.write_issue("One", "")
    waited: list[float] = []
    secondary = {"message": "You have exceeded a secondary rate limit", "documentation_url": "x"}
    rig.server.faults = [Fault("POST", "/comments$", 403, body=secondary, headers={"Retry-After": "7"})]
    forge = GitHub(NAME, "ghs_workflow", api_url=rig.server.url, wait=waited.append)
    forge.ensure_comment(number, "m", "text")
    assert waited == [7.0]
    rig.server.faults = [
        Fault("POST", "/comments$", 429, body={"message": "slow down"}, headers={"Retry-After": "900"})
    ]
    with pytest.raises(CiAgentError, match="more patience than a job has"):
        forge.ensure_comment(number, "n", "text")
    assert waited == [7.0]


@pytest.mark.parametrize(
    ("right", "missing", "deed"),
    [
        ("issues", "issues: write", lambda forge: forge.ensure_comment("1", "m", "text")),
        (
            "pull_requests",
            "pull-requests: write",
            lambda forge: forge.ensure_merge_request(
                "w", "main", title="T", text="", draft=False, add_labels=[], remove_labels=[]
            ),
        ),
        (
            "statuses",
            "statuses: write",
            lambda forge: forge.set_status("a" * 40, CommitState.SUCCESS, "ok", ""),
        ),
        ("actions", "actions: write", lambda forge: forge.cancel_job("7")),
    ],
)
def test_a_missing_permission_is_named(
    right: str, missing: str, deed: Callable[[Forge], object], rig: GitHubRig
) -> None:
    rig.write_issue("One", "")
    rig.github.runs[7] = "in_progress"
    rig.github.tokens["ghs_workflow"].permissions[right] = "read"
    with pytest.raises(AuthenticationError, match=rf"`{missing}`; see docs/tokens.md"):
        deed(rig.forge())


def test_the_setting_that_forbids_pull_requests_is_named(rig: GitHubRig) -> None:
    rig.github.may_create_pulls = False
    with pytest.raises(AuthenticationError, match="Allow GitHub Actions to create and approve pull requests"):
        rig.forge().ensure_merge_request(
            "w", "main", title="T", text="", draft=False, add_labels=[], remove_labels=[]
        )


def test_a_token_that_expires_in_the_middle_is_an_error_that_does_not_hold_it(rig: GitHubRig) -> None:
    number, forge = rig.write_issue("One", ""), rig.forge()
    forge.ensure_comment(number, "m", "text")
    rig.github.tokens["ghs_workflow"].revoked = True
    with pytest.raises(AuthenticationError, match="wrong, was revoked or has expired") as caught:
        forge.ensure_comment(number, "m", "more")
    assert "ghs_workflow" not in f"{caught.value!r} {forge!r} {forge.__dict__.get('_repository')!r}"


def test_an_issue_that_was_deleted_or_moved_or_is_a_pull_request_is_none(rig: GitHubRig) -> None:
    deleted, moved, odd = (rig.write_issue(title, "") for title in ("One", "Two", "Three"))
    rig.github.delete(int(deleted))
    rig.github.move(int(moved), "acme/other")
    rig.forge().ensure_merge_request(
        "w", "main", title="T", text="", draft=False, add_labels=[], remove_labels=[]
    )
    for number in (deleted, moved, str(int(odd) + 1)):
        with pytest.raises(UsageError, match="has no issue"):
            rig.forge().issue(number)
    rig.server.broken.clear()  # the description has no answers of another repository's


def test_comments_beyond_a_page_are_found_and_a_ghost_has_no_name(rig: GitHubRig) -> None:
    number = rig.write_issue("One", "")
    for count in range(130):
        rig.write_comment(number, f"comment {count}")
    first = rig.forge().ensure_comment(number, "m", "text")
    for count in range(130):
        rig.write_comment(number, f"later {count}")
    assert not rig.forge().ensure_comment(number, "m", "text").created
    ghost = next(iter(rig.github.comments.values()))
    ghost["user"] = None
    comments = rig.forge().comments(number)
    assert len(comments) == 261
    assert comments[0].author.login == ""
    assert rig.forge().permission(comments[0].author) is Permission.NONE
    assert first.item.id in {comment.id for comment in comments}


def test_a_text_longer_than_github_takes_is_cut_and_says_so(rig: GitHubRig) -> None:
    number = rig.write_issue("One", "")
    text = "<details><summary>x</summary>\n\n```text\n" + "line\n" * 20_000 + "```\n</details>"
    made = rig.forge().ensure_comment(number, "m", text).item
    assert made.text.endswith("```\n</details>\n\n*Cut here: the rest is too long for this place.*")
    assert len(rig.github.thread(int(number))[0][1]) <= 65_536
    again = rig.forge().ensure_comment(number, "m", text)
    assert (again.created, again.item.changed) == (False, made.changed)


def test_labels_are_made_with_their_looks_once(rig: GitHubRig) -> None:
    number = rig.write_issue("One", "")
    label = Label("ai-running", "1f6feb", "ci-agent works on it")
    for _ in range(2):
        rig.forge().change_labels(number, [label], [])
    made = rig.github.labels["ai-running"]
    assert (made["color"], made["description"]) == ("1f6feb", "ci-agent works on it")


def test_permissions_are_those_of_the_account_that_acted(rig: GitHubRig) -> None:
    forge = rig.forge()
    rig.github.person("max", "maintain")
    rig.github.person("tom", "triage")
    may = {
        login: forge.permission(Account(login, str(rig.github.people[login]["id"])))
        for login in ("dana", "max", "robin", "tom", "guest")
    }
    assert may == {
        "dana": Permission.ADMIN,
        "max": Permission.MAINTAIN,
        "robin": Permission.WRITE,
        "tom": Permission.READ,
        "guest": Permission.READ,
    }
    assert forge.permission(Account("dana", "1")) is Permission.NONE  # another account had this name before
    assert forge.permission(Account("nobody")) is Permission.NONE
    rig.server.faults = [Fault("GET", "/permission$", 500, times=9)]
    assert rig.forge().permission(Account("dana")) is Permission.NONE


def test_who_labelled_and_who_edited_is_known(rig: GitHubRig) -> None:
    number = rig.write_issue("One", "first")
    rig.github.label(int(number), "ai-task", by="guest")
    rig.github.unlabel(int(number), "ai-task", by="dana")
    rig.github.label(int(number), "ai-task", by="robin")
    found = rig.forge().labelled(number, "ai-task")
    assert found is not None
    assert found.by.login == "robin"
    assert rig.forge().labelled(number, "other") is None
    assert list(rig.forge().edited_since(number, found.at)) == []
    rig.github.edit_issue(int(number), by="guest", text="second")
    rig.github.edit_issue(int(number), by="dana", title="Two")
    assert [who.login for who in rig.forge().edited_since(number, found.at)] == ["guest", "dana"]


def test_a_comment_is_acknowledged_unless_it_is_gone(rig: GitHubRig) -> None:
    number = rig.write_issue("One", "")
    comment = str(rig.github.say(int(number), "/agent run")["comment"]["id"])
    assert [rig.forge().acknowledge(Thread(number), comment) for _ in range(2)] == [True, True]
    assert rig.forge().acknowledge(Thread(number), "")
    rig.github.delete_comment(int(comment))
    assert not rig.forge().acknowledge(Thread(number), comment)
    assert [place for place, _, _ in rig.github.reactions] == [f"comment {comment}", f"issue {number}"]


def test_reviewers_who_cannot_be_asked_are_no_harm(rig: GitHubRig) -> None:
    for source, login in (("w1", "robin"), ("w2", "guest"), ("w3", "nobody")):
        rig.forge().ensure_merge_request(
            source,
            "main",
            title="T",
            text="",
            draft=True,
            add_labels=[],
            remove_labels=[],
            reviewer=Account(login),
        )
    asked = [
        [person["login"] for person in pull.get("requested_reviewers", [])]
        for pull in rig.github.pulls.values()
    ]
    assert asked == [["robin"], ["guest"], []]


def test_jobs_are_cancelled_and_those_that_ended_are_no_error(rig: GitHubRig) -> None:
    rig.github.runs |= {7: "in_progress", 8: "completed"}
    forge = rig.forge()
    assert [forge.job_ended(run) for run in ("7", "8", "9")] == [False, True, True]
    for run in ("7", "8", "7"):
        forge.cancel_job(run)
    assert rig.github.runs == {7: "completed", 8: "completed"}


def test_files_are_those_of_the_branch(rig: GitHubRig) -> None:
    rig.github.files["a b/ü.yml"] = b"x: 1\n" * 100
    assert rig.forge().file("a b/ü.yml", "main") == b"x: 1\n" * 100
    assert rig.forge().file("none.yml", "main") is None


def test_we_are_the_account_of_the_token(rig: GitHubRig) -> None:
    rig.github.tokens["ghp_robin"] = Token("robin")
    assert rig.forge().me() == Account("github-actions[bot]", "41898282", bot=True)
    assert rig.forge("ghp_robin").me().login == "robin"
