"""GitHub as a platform: the contract, and what can go wrong between us and GitHub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from ci_agent.errors import AuthenticationError, CiAgentError, UsageError
from ci_agent.platforms import Branch, CommitState, Forge, Label, MergeRequest, Permission, Platform, Written
from ci_agent.platforms.github import GitHub
from ci_agent.platforms.github.api import Api
from ci_agent.task import Account, Thread
from tests.forges.github import NAME, FakeGitHub, Token
from tests.forges.http import Fault, Server, certificate_of_its_own
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


def opened(
    forge: Forge, source: str, target: str = "main", *, title: str = "T", draft: bool = False
) -> Written[MergeRequest]:
    return forge.ensure_merge_request(
        source, target, title=title, text="", draft=draft, add_labels=[], remove_labels=[]
    )


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
    text = "<details><summary>x</summary>\n\n```text\n" + "line\n" * 200_000 + "```\n</details>"
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


def test_a_locked_issue_is_said_to_be_locked(rig: GitHubRig) -> None:
    number = rig.write_issue("One", "")
    rig.github.lock(int(number))
    with pytest.raises(UsageError, match=r"locked\. On a locked issue only collaborators may write"):
        rig.forge().ensure_comment(number, "m", "text")
    rig.github.tokens["ghp_robin"] = Token("robin")
    assert rig.forge("ghp_robin").ensure_comment(number, "m", "text").created


def test_a_moved_issue_is_not_read_or_written_where_it_went(rig: GitHubRig) -> None:
    number = rig.write_issue("One", "")
    rig.write_comment(number, "hello")
    rig.github.move(int(number), "acme/other")
    with pytest.raises(UsageError, match="has no issue 1: it was moved"):
        rig.forge().issue(number)
    with pytest.raises(UsageError, match="has no issue 1"):
        rig.forge().comments(number)
    with pytest.raises(UsageError, match="has no issue 1"):
        rig.forge().ensure_comment(number, "m", "text")
    assert len(rig.github.thread(int(number))) == 1


def test_a_base_branch_that_is_gone_is_named_with_where_the_work_is(rig: GitHubRig) -> None:
    with pytest.raises(
        UsageError, match=r"no branch trunk to bring the work into.*The work is on the branch w"
    ):
        opened(rig.forge(), "w", "trunk")


def test_a_renamed_branch_is_not_there_under_its_old_name(rig: GitHubRig) -> None:
    rig.github.renamed["master"] = "main"
    assert rig.forge().branch("master") is None
    there = rig.forge().branch("main")
    assert there is not None
    assert not there.protected
    rig.github.protected.add("main")
    assert rig.forge().branch("main") == Branch(there.sha, protected=True)
    assert rig.forge().branch("no/such") is None


def test_labels_are_told_apart_without_regard_to_capitals(rig: GitHubRig) -> None:
    number = rig.write_issue("One", "")
    for name in ("AI-Running", "AI-Task"):
        rig.github.label(int(number), name)
    rig.forge().change_labels(number, [Label("ai-task")], ["ai-running"])
    assert rig.forge().issue(number).labels == ("AI-Task",)
    assert set(rig.github.labels) == {"AI-Running", "AI-Task"}
    assert rig.forge().labelled(number, "ai-task") is not None


@pytest.mark.parametrize("deed", [
    lambda forge: forge.issue("1"),
    lambda forge: forge.comments("1"),
    lambda forge: forge.repository(),
])  # fmt: skip
def test_the_page_of_a_proxy_is_not_taken_for_an_answer(
    deed: Callable[[Forge], object], rig: GitHubRig
) -> None:
    rig.write_issue("One", "")
    for page in (b"<html>Please log in</html>", b"{ broken"):
        rig.server.faults = [Fault("GET", "", 200, times=9, body=page)]
        with pytest.raises(CiAgentError, match="what answers there is not GitHub's API; try again later"):
            deed(rig.forge())


def test_pages_are_read_from_the_server_we_know_whatever_it_calls_itself(rig: GitHubRig) -> None:
    number = rig.write_issue("One", "")
    for count in range(3):
        rig.write_comment(number, f"comment {count}")
    link = '<https://internal.example/x?per_page=2&page=2>; rel="next"'
    two = list(rig.github.comments.values())[:2]
    rig.server.faults = [Fault("GET", "/comments$", 200, body=two, headers={"Link": link})]
    assert [said.text for said in rig.forge().comments(number)] == ["comment 0", "comment 1", "comment 2"]


def test_a_title_is_one_line_that_github_takes(rig: GitHubRig) -> None:
    odd = 'Blanks in "names"\nand \u202eleft\u202c 🐛'
    first = opened(rig.forge(), "w1", title=odd)
    assert first.item.title == 'Blanks in "names" and \u202eleft\u202c 🐛'
    assert not opened(rig.forge(), "w1", title=odd).created
    long = opened(rig.forge(), "w2", title="x" * 300).item.title
    assert (len(long), long[-1]) == (256, "…")
    assert rig.forge().ensure_issue("m", odd * 20, "").item.title.startswith('Blanks in "names" and')


def test_only_what_changed_of_a_pull_request_is_sent(rig: GitHubRig) -> None:
    forge = rig.forge()
    opened(forge, "w", title="One")
    rig.server.requests.clear()
    assert opened(forge, "w", title="Two").item.title == "Two"
    assert [request.method for request in rig.server.requests] == ["GET", "PATCH"]
    rig.server.requests.clear()
    opened(forge, "w", title="Two")
    assert [request.method for request in rig.server.requests] == ["GET"]


def test_a_repository_without_drafts_says_it_in_the_title(rig: GitHubRig) -> None:
    rig.github.has_drafts = False
    made = opened(rig.forge(), "w", draft=True)
    again = opened(rig.forge(), "w", draft=True)
    assert made.created
    assert not again.created
    assert (again.item.title, again.item.draft) == ("[Draft] T", False)
    assert opened(rig.forge(), "w").item.title == "T"


def test_a_draft_that_may_not_be_made_ready_names_the_permission(rig: GitHubRig) -> None:
    opened(rig.forge(), "w", draft=True)
    rig.github.tokens["ghs_workflow"].permissions["contents"] = "read"
    with pytest.raises(
        AuthenticationError, match=r"403 to .*draft state.*`pull-requests: write` or `contents: write`"
    ):
        opened(rig.forge(), "w")


def test_a_pull_request_that_another_job_opened_meanwhile_is_taken(rig: GitHubRig) -> None:
    opened(rig.forge(), "w")
    rig.server.faults = [Fault("GET", "/pulls$", 200, body=[])]  # it was not there when we looked
    assert opened(rig.forge(), "w").item.number == "1"
    assert len(rig.github.pulls) == 1


def test_a_pull_request_of_a_fork_is_not_ours_to_change(rig: GitHubRig) -> None:
    rig.github.open_pull(1, {"title": "Theirs", "head": "w", "base": "main"}, "guest", "acme/widget-fork")
    assert rig.forge().merge_request("1").foreign
    assert rig.forge().find_merge_request("w") is None


def test_what_is_said_about_a_pull_request_is_told_in_its_order(rig: GitHubRig) -> None:
    opened(rig.forge(), "w")
    rig.github.review(1, "Not yet submitted", state="PENDING")
    rig.github.review(1, "Too long a name", by="robin", line=True)
    rig.github.say(1, "Nearly", by="guest")
    rig.github.review(1, "Please change it", by="dana", state="CHANGES_REQUESTED")
    rig.github.review(1, "", by="dana", state="APPROVED")
    said = rig.forge().discussion("1")
    assert [(comment.author.login, comment.text) for comment in said] == [
        ("robin", "Too long a name"),
        ("guest", "Nearly"),
        ("dana", "Please change it"),
    ]


def test_a_comment_is_read_again_where_it_was_made(rig: GitHubRig) -> None:
    one, two = rig.write_issue("One", ""), rig.write_issue("Two", "")
    comment = str(rig.github.say(int(one), "/agent run", by="robin")["comment"]["id"])
    rig.github.edit_comment(int(comment), "/agent stop")
    there = rig.forge().comment(Thread(one), comment)
    assert there is not None
    assert (there.text, there.author.login, there.changed > there.created) == ("/agent stop", "robin", True)
    assert rig.forge().comment(Thread(two), comment) is None
    rig.github.delete_comment(int(comment))
    assert rig.forge().comment(Thread(one), comment) is None


def test_open_issues_with_the_label_are_listed_oldest_first(rig: GitHubRig) -> None:
    numbers = [rig.write_issue(title, "") for title in ("One", "Two", "Three", "Four")]
    for number in (*numbers[:2], numbers[3]):
        rig.github.label(int(number), "ai-task")
    rig.github.close(int(numbers[1]))
    opened(rig.forge(), "w")
    assert [issue.number for issue in rig.forge().open_issues("ai-task")] == [numbers[0], numbers[3]]


def test_a_bot_that_edits_an_issue_is_not_taken_for_a_person_of_its_name(rig: GitHubRig) -> None:
    number = rig.write_issue("One", "")
    rig.github.person("robin[bot]", kind="Bot")
    rig.github.label(int(number), "ai-task")
    since = rig.forge().labelled(number, "ai-task")
    assert since is not None
    for _ in range(101):
        rig.github.edit_issue(int(number), by="robin[bot]", text="x")
    [editor] = rig.forge().edited_since(number, since.at)
    assert (editor.login, editor.bot) == ("robin[bot]", True)
    assert rig.forge().permission(editor) is not Permission.WRITE


@pytest.mark.parametrize("number", ["", "x", "0", "-1", "1/comments/1", "1?x=1", "²", "1" * 20])
def test_what_is_no_number_gets_into_no_request(number: str, rig: GitHubRig) -> None:
    forge = rig.forge()
    for deed in (
        forge.issue,
        forge.comments,
        forge.discussion,
        forge.merge_request,
        forge.job_ended,
        forge.cancel_job,
    ):
        with pytest.raises(UsageError):
            deed(number)
    with pytest.raises(UsageError):
        forge.edited_since(number, datetime.now(UTC))
    with pytest.raises(UsageError):
        forge.comment(Thread("1"), number)
    assert not forge.acknowledge(Thread(number), "")
    assert not forge.acknowledge(Thread("1"), number or "x")
    assert rig.server.requests == []


def test_a_run_that_ends_while_it_is_cancelled_is_no_error(rig: GitHubRig) -> None:
    rig.github.runs[7] = "in_progress"
    refusal = {"message": "Cannot cancel a workflow run that is completed."}
    rig.server.faults = [Fault("POST", "/cancel$", 409, after=True, body=refusal)]
    rig.forge().cancel_job("7")
    rig.github.runs[8] = "queued"
    rig.server.faults = [Fault("POST", "/cancel$", 409, body=refusal)]
    with pytest.raises(UsageError, match="409 to cancelling a job"):
        rig.forge().cancel_job("8")


def test_a_file_that_github_does_not_hand_out_is_not_taken_for_none(rig: GitHubRig) -> None:
    rig.github.files["large.yml"] = b"x" * 1_000_001
    with pytest.raises(UsageError, match=r"large\.yml is larger than the 1 MB"):
        rig.forge().file("large.yml", "main")


def test_an_enterprise_server_is_found_by_its_address() -> None:
    github = FakeGitHub(enterprise=True)
    with github.serve() as server:
        forge = GitHub(NAME, "ghs_workflow", api_url=f"{server.url}/api/v3/")
        number = github.write_issue("One", "")
        for count in range(101):
            github.say(number, f"comment {count}")
        assert forge.ensure_comment(str(number), "m", "text").created
        assert not forge.ensure_comment(str(number), "m", "more").created
        assert forge.me().bot  # by GraphQL
        assert {request.path.split("/")[1] for request in server.requests} == {"api"}


def test_an_app_is_known_by_its_account(rig: GitHubRig) -> None:
    rig.github.person("our-app[bot]", number=77, kind="Bot")
    rig.github.tokens["ghs_app"] = Token("our-app[bot]", "app")
    number = rig.write_issue("One", "")
    forge = rig.forge("ghs_app")
    assert forge.me() == Account("our-app[bot]", "77", bot=True)
    forge.ensure_comment(number, "m", "text")
    assert [comment.marker for comment in rig.forge("ghs_app").comments(number)] == ["m"]
    assert [comment.marker for comment in rig.forge("ghs_workflow").comments(number)] == [""]


def test_a_certificate_of_an_own_authority_is_trusted_by_requests_ca_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certificate_of_its_own(tmp_path / "server.pem")
    github = FakeGitHub()
    with github.serve(certificate) as server:
        forge = GitHub(NAME, "ghs_workflow", api_url=server.url, wait=lambda _seconds: None)
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        with pytest.raises(CiAgentError, match="can't be reached"):
            forge.repository()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert forge.repository().name == NAME


def test_the_stand_in_knows_what_a_set_up_asks_for(rig: GitHubRig) -> None:
    """As its answers are held against the description, so is what later commands will be tested with."""
    from github import Auth, Github

    rig.github.tokens["ghp_dana"] = Token(
        "dana", permissions={"administration": "write"}, scopes="repo, workflow"
    )
    client = Github(
        base_url=rig.server.url,
        auth=Auth.Token("ghp_dana"),
        lazy=True,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )
    assert client.get_user().login == "dana"
    assert client.oauth_scopes == ["repo", "workflow"]
    place = f"/repos/{NAME}/actions/permissions/workflow"
    client.requester.requestJsonAndCheck("PUT", place, input={"can_approve_pull_request_reviews": False})
    said = client.requester.requestJsonAndCheck("GET", place)[1]
    assert said["can_approve_pull_request_reviews"] is False
    assert not rig.github.may_create_pulls


def test_the_stand_in_says_of_each_deed_what_github_sends(rig: GitHubRig) -> None:
    number = rig.github.write_issue("One", "text", by="guest")
    comment = rig.github.say(number, "hello", by="robin")["comment"]["id"]
    payloads = [
        rig.github.opened(number),
        rig.github.label(number, "ai-task"),
        rig.github.unlabel(number, "ai-task"),
        rig.github.assign(number, "robin"),
        rig.github.edit_issue(number, "guest", title="Two"),
        rig.github.edit_comment(comment, "bye", by="robin"),
        rig.github.delete_comment(comment),
        rig.github.lock(number),
        rig.github.close(number),
        rig.github.move(number, "acme/other"),
        rig.github.delete(rig.github.write_issue("Three", "")),
        rig.github.dispatch({"issue": "1"}),
        rig.github.dispatch({"issue": 1}, workflow=False),
    ]
    assert [payload.get("action") for payload in payloads] == [
        "opened", "labeled", "unlabeled", "assigned", "edited", "edited", "deleted", "locked", "closed",
        "transferred", "deleted", None, "ci-agent",
    ]  # fmt: skip
    assert {payload["repository"]["full_name"] for payload in payloads} == {NAME}
    assert payloads[4]["changes"] == {"title": {"from": "One"}}
    assert (payloads[4]["issue"]["title"], payloads[4]["sender"]["login"]) == ("Two", "guest")
    assert payloads[5]["changes"] == {"body": {"from": "hello"}}
    assert payloads[1]["label"]["name"] == "ai-task"


@pytest.mark.parametrize("status", [200, 404, 502])
def test_the_stand_in_fails_the_test_for_a_request_that_github_does_not_know(status: int) -> None:
    def deed() -> None:
        with FakeGitHub().serve() as server:
            server.faults = [Fault("POST", "/comments$", status, times=9, body={})]
            api = Api("ghs_workflow", server.url, lambda _seconds: None)
            api.attempt("POST", f"/repos/{NAME}/issues/1/comments", {"text": "x"})

    with pytest.raises(AssertionError, match="'body' is a required property"):
        deed()


def test_the_stand_in_fails_the_test_for_variables_that_a_query_does_not_declare() -> None:
    github = FakeGitHub()
    with pytest.raises(AssertionError, match="GraphQL"), github.serve() as server:
        Api("ghs_workflow", server.url).query("query($a: Int!) { viewer { login } }", "asking", b=1)


def test_the_token_of_the_stand_in_may_what_the_jobs_of_the_example_may() -> None:
    text = (Path(__file__).parents[2] / "docs" / "examples" / "github-issues.yml").read_text()
    rights: dict[str, str] = {}
    for job in yaml.safe_load(text)["jobs"].values():
        for name, level in job["permissions"].items():
            rights[name.replace("-", "_")] = max(level, rights.get(name.replace("-", "_"), ""))
    assert FakeGitHub().tokens["ghs_workflow"].permissions == rights
