"""Waiting for our turn: what people see of it, how it ends, and what is left for the work; then whole jobs that wait."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ci_agent.ci import Happening, Host, Job
from ci_agent.ci.output import output
from ci_agent.config import Config
from ci_agent.errors import Interrupted
from ci_agent.guard import Guard
from ci_agent.job.case import Case
from ci_agent.job.deadline import Deadline
from ci_agent.job.progress import marker_of
from ci_agent.job.promise import Promise, promise, promised
from ci_agent.job.roster import NAME, SHELF, Roster, entry_of
from ci_agent.job.turn import claimed
from ci_agent.job.waits import Waits
from ci_agent.platforms import Forge
from ci_agent.platforms.github import GitHub
from ci_agent.platforms.gitlab import GitLab
from ci_agent.task import Thread
from ci_agent.triggers import Command, Kind, Trigger, Verb
from ci_agent.workspace import Store
from tests.forges.github import NAME as GITHUB_NAME
from tests.forges.github import FakeGitHub
from tests.forges.gitlab import NAME as GITLAB_NAME
from tests.forges.gitlab import FakeGitLab
from tests.forges.http import Fault, Server
from tests.job.conftest import commented, labelled, start, until
from tests.job.racing import KEY, entry
from tests.support.jobs import SOLVE
from tests.support.model_server import Hang
from tests.support.pipelines import Pipeline

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SESSION = "20260302T120000-issue-1-1"


@dataclass
class Ground:
    """A job for issue 1 on a platform whose places are taken, and time that passes as it waits."""

    platform: str
    folder: Path
    people: Any
    server: Server
    forge: Forge
    log: io.StringIO = field(default_factory=io.StringIO)
    seconds: float = 0.0
    looks: list[str] = field(default_factory=list)  # what the comment said when it looked again
    then: Callable[[], None] = lambda: None  # what happens while it waits

    def case(self, *, kind: Kind = Kind.LABEL, minutes: float | None = None, **limits: float) -> Case:
        job = Job(
            platform=self.platform,
            repository="acme/widget",
            api_url=self.server.url,
            happening=Happening("issues", {}, NOW),
            actor=None,
            default_branch="main",
            url="https://ci.example/9",
            run="9",
            pipeline="9",
            checkout=None,
            scratch=self.folder / "scratch",
        )
        guard = Guard()
        host = Host(job, output({}, self.log, self.platform, guard), guard)
        settings = replace(Config(), limits=replace(Config().limits, **limits))  # type: ignore[arg-type]
        trigger = Trigger(kind, Thread("1"), None, NOW, Command(Verb.RUN))
        deadline = minutes and Deadline(NOW + timedelta(minutes=minutes), minutes)
        return Case(host, self.forge, settings, trigger, deadline=deadline or None, now=lambda: NOW)

    def roster(self) -> Roster:
        return Roster(Store(self.folder / "widget.git", None, SHELF), self.forge, KEY, self.log)

    def taken(self, *jobs: str) -> None:
        """Other jobs, each on an issue of the same number, are on the roster; two work."""
        states = self.people.runs if self.platform == "github" else self.people.jobs
        for job in jobs:
            states[int(job)] = "in_progress" if self.platform == "github" else "running"
            self.roster().claim(entry(job, job), 2)

    def promise(self) -> Promise:
        made = Promise("1", marker_of(SESSION), str(self.folder / SESSION), "feat/ai-task-1")
        promise(self.folder / "scratch", made)
        return made

    def claim(self, case: Case) -> Case | None:
        mine = entry_of(case.host.job, "1", SESSION, NOW)
        waits = Waits(self.pause, lambda: self.seconds)
        return claimed(case, self.roster(), mine, self.promise(), waits)

    def pause(self, seconds: float) -> None:
        self.seconds += seconds
        self.looks.append(self.comment())
        self.then()

    def comment(self) -> str:
        [found] = [one for one in self.forge.comments("1") if one.marker == marker_of(SESSION)]
        return found.text

    def labels(self) -> list[str]:
        return sorted(self.forge.issue("1").labels)


@pytest.fixture(params=["github", "gitlab"])
def ground(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ground]:
    monkeypatch.chdir(tmp_path)  # where GitLab's jobs leave what they tell later ones
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "widget.git"], check=True)
    people: Any = FakeGitHub() if request.param == "github" else FakeGitLab()
    people.write_issue("One", "")
    people.label(1, "ai-task")
    with people.serve() as server:
        forge: Forge = (
            GitHub(GITHUB_NAME, "ghs_workflow", api_url=server.url, wait=lambda _: None)
            if request.param == "github"
            else GitLab(GITLAB_NAME, "glpat-bot", url=server.url, wait=lambda _: None)
        )
        yield Ground(request.param, tmp_path, people, server, forge)


def first_lines(ground: Ground) -> list[str]:
    return [text.partition(" · ")[0] for text in ground.looks]


def test_the_comment_says_how_long_the_row_is_until_it_is_our_turn(ground: Ground) -> None:
    ground.taken("2", "3", "4")
    leaving = iter(["", "2", "4"])

    def then() -> None:
        job = next(leaving)
        if job:
            ground.roster().release(entry(job, job))

    ground.then = then
    case = ground.claim(ground.case())
    assert case is not None
    assert first_lines(ground) == [
        "**Waiting**: 2 of 2 agents busy; position 2",
        "**Waiting**: 2 of 2 agents busy; position 2",
        "**Waiting**: 1 of 2 agents busy; position 2",
    ]
    assert 24 <= ground.seconds <= 36
    assert ground.log.getvalue().count("position 2") == 2  # an edit for each change
    assert promised(ground.folder / "scratch") == ground.promise()
    assert ground.labels() == ["ai-task"]


def test_who_waits_in_vain_leaves_the_issue_and_its_label_to_the_schedule(ground: Ground) -> None:
    ground.taken("2", "3")
    ground.people.label(1, "ai-failed")
    assert ground.claim(ground.case(queue_timeout=5)) is None
    assert ground.seconds == pytest.approx(300)
    assert ground.comment() == (
        "**Not begun.** It was not my turn within 5 minutes: 2 agents may work at a time. The label `ai-task` stays, so that "
        "a schedule (`ci-agent poll`) picks it up; `/agent run` asks at once.\n"
    )
    assert ground.labels() == ["ai-task"]
    assert promised(ground.folder / "scratch") is None


def test_without_the_label_nobody_is_told_of_a_schedule(ground: Ground) -> None:
    ground.taken("2", "3")
    ground.people.unlabel(1, "ai-task")
    assert ground.claim(ground.case(queue_timeout=0)) is None
    assert "No schedule picks it up, because the issue does not have the label" in ground.comment()
    assert (ground.seconds, ground.labels()) == (0, [])


@pytest.mark.parametrize(("minutes", "seconds"), [(None, 900), (21.5, 600), (1, 0)])
def test_waiting_leaves_half_of_the_time_for_the_work(
    ground: Ground, minutes: float | None, seconds: float
) -> None:
    ground.taken("2", "3")
    assert ground.claim(ground.case(minutes=minutes, timeout=30, queue_timeout=99)) is None
    assert ground.seconds == pytest.approx(seconds)


def test_a_signal_while_it_waits_is_a_true_last_word(ground: Ground) -> None:
    ground.taken("2", "3")
    ground.then = lambda: os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Interrupted):
        ground.claim(ground.case())
    assert ground.comment().startswith("**Not begun.** The job ended while it waited for its turn")
    assert ground.labels() == ["ai-failed"]
    assert promised(ground.folder / "scratch") is None


def test_a_job_that_dies_while_it_waits_has_left_its_last_word(ground: Ground) -> None:
    ground.taken("2", "3")
    notes: list[Promise | None] = []
    ground.then = lambda: notes.append(promised(ground.folder / "scratch"))
    ground.claim(ground.case(queue_timeout=0.1))
    assert notes[0]
    assert notes[0].said.startswith("**Not begun.** The job ended while it waited")


def test_an_issue_that_was_closed_meanwhile_is_not_begun(ground: Ground) -> None:
    ground.taken("2", "3")

    def then() -> None:
        ground.people.close(1)
        ground.roster().release(entry("2", "2"))

    ground.then = then
    assert ground.claim(ground.case()) is None
    assert ground.comment() == "**Not begun.** When it was my turn, issue 1 is closed.\n"


def test_the_last_word_of_a_job_that_is_gone_is_said_by_who_comes_next(ground: Ground) -> None:
    ground.people.write_issue("Two", "")
    working = f"**Working on it**{' x' * 3}"
    ground.forge.ensure_comment("2", marker_of("s-2"), working)
    ground.taken("2", "3")
    states = ground.people.runs if ground.platform == "github" else ground.people.jobs
    states[2] = "completed" if ground.platform == "github" else "failed"
    assert ground.claim(ground.case()) is not None
    [comment] = ground.forge.comments("2")
    assert comment.text.startswith("**Stopped.** This run ended without a last word")


def test_a_last_word_that_was_said_stays(ground: Ground) -> None:
    ground.people.write_issue("Two", "")
    ground.forge.ensure_comment("2", marker_of("s-2"), "**Done: all of it.**")
    ground.taken("2")
    states = ground.people.runs if ground.platform == "github" else ground.people.jobs
    states[2] = "completed" if ground.platform == "github" else "failed"
    assert ground.claim(ground.case(max_concurrent=1)) is not None
    assert [one.text for one in ground.forge.comments("2")] == ["**Done: all of it.**"]


def test_where_the_roster_can_not_be_had_the_work_goes_on_and_the_log_says_so(ground: Ground) -> None:
    (ground.folder / "widget.git" / "HEAD").unlink()
    case = ground.case()
    assert ground.claim(case) is case
    assert "Other jobs can't see that this one is at work" in ground.log.getvalue()


def test_a_row_that_can_not_be_looked_at_is_looked_at_again(ground: Ground) -> None:
    ground.taken("2", "3")
    head = ground.folder / "widget.git" / "HEAD"
    content = head.read_text()

    def mended() -> None:
        head.write_text(content)
        ground.roster().release(entry("2", "2"))

    deeds = iter([head.unlink, mended])

    def then() -> None:
        next(deeds)()

    ground.then = then
    assert ground.claim(ground.case()) is not None
    assert "The roster could not be looked at; it is tried again." in ground.log.getvalue()


@pytest.mark.parametrize("kind", [Kind.COMMAND, Kind.POLL])
def test_who_asked_is_told_who_has_the_issue_and_a_schedule_is_not(ground: Ground, kind: Kind) -> None:
    ground.taken("1")
    there = ground.forge.ensure_comment("1", marker_of("s-1"), "**Working on it**").item
    assert ground.claim(ground.case(kind=kind)) is None
    answers = [one.text for one in ground.forge.comments("1") if one.id != there.id]
    if kind is Kind.POLL:
        assert answers == []
    else:
        assert len(answers) == 1
        assert answers[0].startswith(f"Another job is at work on this issue already: [progress]({there.url})")
    assert (ground.labels(), promised(ground.folder / "scratch")) == ([], None)


def test_where_the_other_job_waits_the_label_stays(ground: Ground) -> None:
    ground.taken("2", "3", "1")
    assert ground.claim(ground.case()) is None
    assert ground.labels() == ["ai-task"]


def test_a_comment_that_can_not_be_written_is_written_with_the_next_look(ground: Ground) -> None:
    ground.taken("2", "3")
    made = {"github": "/issues/1/comments", "gitlab": "/issues/1/notes"}[ground.platform]
    ground.server.faults = [Fault("POST", made, 400, times=1)]
    waits = Waits(
        lambda seconds: setattr(ground, "seconds", ground.seconds + seconds), lambda: ground.seconds
    )
    case = ground.case(queue_timeout=0.5)
    mine = entry_of(case.host.job, "1", SESSION, NOW)
    assert claimed(case, ground.roster(), mine, ground.promise(), waits) is None
    assert "The comment could not say how long the row is" in ground.log.getvalue()
    assert ground.comment().startswith("**Not begun.** It was not my turn: 2 agents may work")


# --- whole jobs -------------------------------------------------------------------------------------------


def there(project: Pipeline) -> list[tuple[int, bool]]:
    """The issues on the roster, each with whether somebody works on it."""
    if f"{SHELF.refs}{NAME}" not in project.origin.git("for-each-ref", "--format=%(refname)"):
        return []
    document = json.loads(project.origin.git("show", f"{SHELF.refs}{NAME}:roster.json"))
    return [(int(one["issue"]), one["working"]) for one in document["entries"]]


def busy(project: Pipeline, number: int = 2) -> list[subprocess.Popen[str]]:
    """Jobs that work on issues of their own, and go on until they are stopped."""
    project.model.say(lambda _request: Hang())
    found = []
    for at in range(number):
        issue = project.forge.write_issue(f"add() subtracts, {at}", "")
        found.append(start(project, project.environment(*labelled(project, issue))))
    until(lambda: len(project.model.requests) >= number)
    return found


def stop(*jobs: subprocess.Popen[str]) -> None:
    for job in jobs:
        job.send_signal(signal.SIGINT)
        job.communicate(timeout=30)


@pytest.mark.slow
def test_the_third_job_waits_where_people_see_it_and_then_works(project: Pipeline) -> None:
    first, second = busy(project)
    number = project.forge.write_issue("add() subtracts", "")
    third = start(project, project.environment(*labelled(project, number)))
    until(lambda: bool(project.said(number)))
    [(_, text)] = project.said(number)
    assert text.startswith("**Waiting**: 2 of 2 agents busy; position 1")
    assert project.labels(number) == ["ai-task"]
    assert [working for _, working in there(project)] == [True, True, False]
    project.run(*commented(project, number, "/agent status"))
    assert project.said(number)[-1][1].startswith("I wait for my turn: 2 of 2 agents busy; position 1")
    project.model.say(list(SOLVE))
    stop(first)
    log, _ = third.communicate(timeout=90)
    assert third.returncode == 0, log
    assert project.said(number)[0][1].startswith("**Done")
    assert project.labels(number) == ["ai-review"]
    assert len(there(project)) == 1
    stop(second)
    assert there(project) == []


@pytest.mark.slow
def test_a_job_that_is_killed_while_it_waits_is_cleared_by_the_next_step(project: Pipeline) -> None:
    jobs = busy(project, 1)
    number = project.forge.write_issue("add() subtracts", "")
    environment = project.environment(*labelled(project, number), CI_AGENT_LIMITS_MAX_CONCURRENT="1")
    waiting = start(project, environment)
    until(lambda: bool(project.said(number)))
    waiting.kill()
    waiting.communicate(timeout=30)
    assert len(there(project)) == 2
    last = project.call(environment, "--final-word")
    assert last.exit_code == 0, last.log
    [(_, text)] = project.said(number)
    assert text.startswith("**Not begun.** The job ended while it waited")
    assert project.labels(number) == ["ai-failed"]
    assert len(there(project)) == 1
    stop(*jobs)


@pytest.mark.slow
def test_a_job_whose_refs_nobody_takes_works_all_the_same(project: Pipeline) -> None:
    hook = project.origin.path / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nwhile read -r _ _ ref; do case $ref in *ci-agent/*) exit 1;; esac; done\n")
    hook.chmod(0o755)
    number = project.forge.write_issue("add() subtracts", "")
    done = project.run(*labelled(project, number))
    assert done.exit_code == 0, done.log
    assert "Other jobs can't see that this one is at work" in done.log
    assert project.labels(number) == ["ai-review"]
