"""What a job tells its CI."""

from __future__ import annotations

import io
from pathlib import Path

from ci_agent.ci.output import output
from ci_agent.guard import Guard
from ci_agent.job.telling import sections, tell, tell_why_not
from ci_agent.journal import Journal
from ci_agent.journal.events import IssueRead, Pushed, StatusChanged
from ci_agent.task import Status
from tests.support.ci_logs import carried_out
from tests.support.stories import facts, story, success

ISSUE = IssueRead("12", "slug()", "dana", "https://github.example/acme/widget/issues/12", 0)


def files(folder: Path) -> dict[str, str]:
    return {"GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary")}


def test_the_branch_is_the_one_that_was_pushed_last_and_the_summary_leads_to_the_issue(
    tmp_path: Path,
) -> None:
    pushes = [Pushed("r", "feat/ai-task-12", "a" * 40), Pushed("r", "feat/ai-task-12-saved", "b" * 40)]
    tell(
        output(files(tmp_path), io.StringIO(), "github", Guard()),
        story(*facts(success()), ISSUE, *pushes),
        Status.COMPLETED,
    )
    assert "\nfeat/ai-task-12-saved\n" in (tmp_path / "output").read_text()
    assert f"[issue]({ISSUE.url})" in (tmp_path / "summary").read_text()


def test_what_never_began_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    tell_why_not(output(files(tmp_path), io.StringIO(), "github", Guard()), "**Could not begin.** No key.")
    assert "status<<" in (tmp_path / "output").read_text()
    assert "\nfailed\n" in (tmp_path / "output").read_text()
    assert "**Could not begin.** No key." in (tmp_path / "summary").read_text()


def test_each_phase_is_a_section_of_the_log_but_not_the_end(tmp_path: Path) -> None:
    log = io.StringIO()
    with (
        Journal(tmp_path / "session.jsonl") as journal,
        sections(journal, output({}, log, "github", Guard())),
    ):
        for status in (Status.CLONING, Status.CODING, Status.COMPLETED):
            journal.append(StatusChanged(status))
    commands = [(command.name, command.data) for command in carried_out(log.getvalue())]
    assert commands == [("group", "Cloning"), ("endgroup", ""), ("group", "Coding"), ("endgroup", "")]
