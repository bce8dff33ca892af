"""What a job tells its CI: outputs for later steps, the summary of the run, annotations, sections of the log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from ci_agent.ci import Annotation, Output
from ci_agent.journal import Event, Journal
from ci_agent.journal.events import Pushed, StatusChanged
from ci_agent.reporting.findings import findings
from ci_agent.reporting.job_summary import job_summary
from ci_agent.reporting.summary import Summary
from ci_agent.session.endings import END_LABELS
from ci_agent.task import Status


def tell(output: Output, events: Sequence[Event], status: Status) -> None:
    """How a session ended, with everything there is to show for it."""
    summary = Summary.of(events)
    request = summary.merge_request
    pushed = [event.fact.branch for event in events if isinstance(event.fact, Pushed)]
    output.values(
        {
            "status": str(status),
            "branch": pushed[-1] if pushed else "",
            "merge-request-url": request.url if request else "",
            "cost": "" if summary.unpriced else f"{summary.cost:.4f}",
        }
    )
    links = {
        "merge request": request.url if request else "",
        "issue": summary.issue.url if summary.issue else "",
    }
    output.summary(job_summary(events, links={name: url for name, url in links.items() if url}))
    output.annotate(
        [Annotation(found.title, found.message, found.file, found.line) for found in findings(events)]
    )


def tell_why_not(output: Output, markdown: str) -> None:
    """That there was no session, and why."""
    output.values({"status": str(Status.FAILED), "branch": "", "merge-request-url": "", "cost": ""})
    output.summary(f"## ci-agent\n\n{markdown}\n")


@contextlib.contextmanager
def sections(journal: Journal, output: Output) -> Iterator[None]:
    """Each phase of the session is a section of the log."""
    with contextlib.ExitStack() as phase:
        journal.watch(_Sections(output, phase))
        yield


class _Sections:
    name = "sections of the log"

    def __init__(self, output: Output, phase: contextlib.ExitStack) -> None:
        self._output = output
        self._phase = phase

    def observe(self, event: Event) -> None:
        if isinstance(event.fact, StatusChanged):
            self._phase.close()
            if event.fact.status in END_LABELS:  # what comes now is not to be folded away
                return
            title = str(event.fact.status)
            self._phase.enter_context(self._output.section(title, title.capitalize()))
