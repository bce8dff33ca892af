"""The last word of a job whose process died before it could say it: `ci-agent job --final-word`.

A job notes on the runner's disk what it has promised on the issue, before it promises it, and takes the note
away when everything is said. The CI runs this after the job, whatever became of it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ci_agent.config import Config
from ci_agent.errors import JournalError
from ci_agent.job.assembly import write_report
from ci_agent.journal import Journal
from ci_agent.journal.events import AgentStopped, SessionEnded, SessionStarted
from ci_agent.platforms import Forge
from ci_agent.reporting.progress import GONE, progress_comment
from ci_agent.session import ENDINGS, JOURNAL
from ci_agent.session.endings import END_LABELS, RUNNING, task_label
from ci_agent.task import Ending, Status

_NOTE = "promised.json"
_SENTENCE = (
    "The CI job ended before its work was done: it was cancelled, ran out of time, or its process was killed."
)


@dataclass(frozen=True, slots=True)
class Promise:
    """What stands on the issue and has to be made true."""

    issue: str
    marker: str  # of the progress comment
    folder: str  # of the session
    branch: str


def promise(scratch: Path, made: Promise) -> None:
    """Note what is about to be said on the issue."""
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / _NOTE).write_text(json.dumps(asdict(made)), encoding="utf-8")


def kept(scratch: Path) -> None:
    """Everything is said; nothing is left to do."""
    (scratch / _NOTE).unlink(missing_ok=True)


def promised(scratch: Path) -> Promise | None:
    """What is still to be made true; None: nothing."""
    try:
        found = json.loads((scratch / _NOTE).read_text(encoding="utf-8"))
        return Promise(**found)
    except (OSError, ValueError, TypeError):
        return None


def keep(left: Promise, forge: Forge, settings: Config, report: Path) -> Status:
    """Say the last word for a job that is gone, and leave its report. Gives the status that is shown now."""
    folder = Path(left.folder)
    journal = _journal(folder)
    ended = _ended(journal) if journal else None
    text = GONE
    if journal and ended:
        text = progress_comment(journal.events, next_step=forge.guidance(left.issue, left.branch).go_on)
    forge.ensure_comment(left.issue, left.marker, text)
    status = ended.status if ended else Status.FAILED
    ours = {task_label(settings.trigger.label), RUNNING, *END_LABELS.values()}
    others = sorted(label.name for label in ours - {END_LABELS[status]})
    forge.change_labels(left.issue, [END_LABELS[status]], others)
    if journal:
        with journal:
            write_report(journal, folder, report)
    return status


def _journal(folder: Path) -> Journal | None:
    """The journal of the session; None where it never began, or can't be read any more."""
    try:
        return Journal(folder / JOURNAL) if (folder / JOURNAL).exists() else None
    except JournalError:
        return None


def _ended(journal: Journal) -> SessionEnded | None:
    """How the session ended, written down now where it did not get to it; None: it never began."""
    facts = [event.fact for event in journal.events]
    for fact in facts:
        if isinstance(fact, SessionEnded):
            return fact
    if not any(isinstance(fact, SessionStarted) for fact in facts):
        return None
    journal.append(AgentStopped(Ending.CANCELLED, _SENTENCE))
    seconds = (journal.events[-1].at - journal.events[0].at).total_seconds()
    end = SessionEnded(Status.CANCELLED, Ending.CANCELLED, _SENTENCE, ENDINGS[Ending.CANCELLED][1], seconds)
    journal.append(end)
    return end
