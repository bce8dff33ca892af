"""The session of a CI job: wait for our turn, fetch the repository, run the session, tell the CI how it ended."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from ci_agent import session
from ci_agent.config import secrets
from ci_agent.errors import CiAgentError, Interrupted
from ci_agent.job.admission import too_many
from ci_agent.job.approving import cannot_wait, not_to_decide
from ci_agent.job.assembly import assemble, limits, run, session_folder, shown, write_report
from ci_agent.job.case import Case, turn_away
from ci_agent.job.checkpoints import Kept, kept_of
from ci_agent.job.deadline import in_time
from ci_agent.job.fetching import source_of
from ci_agent.job.giving_up import give_up
from ci_agent.job.models import open_models
from ci_agent.job.more import WORTH, Left, asked_by, decline, left, listening
from ci_agent.job.progress import abandoned, marker_of, waiting
from ci_agent.job.promise import Promise, kept, promise
from ci_agent.job.resuming import (
    Before,
    Earlier,
    begun,
    earlier_of,
    granted,
    limits_of,
    places_of,
    resumption,
)
from ci_agent.job.settings import report_folder
from ci_agent.job.telling import sections, tell
from ci_agent.job.turn import nobody_else, our_turn
from ci_agent.journal.events import ModelChosen, ModelRetried, Pushed
from ci_agent.platforms import CommitState, Issue
from ci_agent.reporting import replies
from ci_agent.reporting.folder import check_folder
from ci_agent.reporting.progress import progress_comment
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.wording import comparison, headline
from ci_agent.task import Outcome, Status, Task
from ci_agent.triggers import Verb
from ci_agent.workspace import Source


def engage(case: Case, issue: Issue) -> int:
    """Work on `issue`, if nobody else does, and then on what people said just before the end; the exit code."""
    while True:
        code, found = _engaged(case, issue)
        if not found:
            return code
        issue = case.forge.issue(issue.number)
        again = asked_by(case, found) if _takes_up(case, issue, found) else None
        if again is None:
            return code
        case = again


def _takes_up(case: Case, issue: Issue, found: Left) -> bool:
    """Whether this job goes on with what was said before its session ended; if not, whoever said it knows why."""
    if found.stopped:
        decline(case, found, "the session was stopped before it heard it")
    elif in_time(may := limits(case.settings), case.deadline, case.now()).minutes < min(WORTH, may.minutes):
        decline(case, found, "the session had ended, and its job has too little time left")
    elif not issue.open:
        decline(case, found, "the issue was closed")
    else:
        return True
    return False


def _engaged(case: Case, issue: Issue) -> tuple[int, Left]:
    """Work on `issue`, if nobody else does: the exit code, and what was said that nobody took up.

    From the first word on the issue to the last one, a note on the disk says what has been promised there.
    """
    report = report_folder(case.settings)
    check_folder(report)
    comments = case.forge.comments(issue.number)
    scratch, number = case.host.job.scratch, issue.number
    folder = session_folder(scratch / "sessions", number)
    last = kept_of(case, number)
    refused = too_many(case, comments, last)
    if refused:
        turn_away(case, refused)
        return 0, Left()
    there, asked = abandoned(comments), waiting(comments)
    before = _before(case, last, asked.question)
    refused = cannot_wait(case, issue, last) or not_to_decide(case, issue, before.earlier)
    if refused:
        turn_away(case, refused)
        return 0, Left()
    case, branch = places_of(case, number, before.earlier)
    is_kept = last is not None and last.state is not None and last.state.session == there
    name = before.earlier.state.session if before.earlier else (not is_kept and there) or folder.name
    replaced = {there, _waiting(last), asked.session} - {"", name}
    made = _taking_its_place(case, Promise(number, marker_of(name), str(folder), branch), before)
    try:
        with our_turn(case, made) as turn:
            known = last.state or last.doubtful if last else None
            ours = nobody_else(turn, made, known) if turn and known else turn
            for one in sorted(replaced) if ours else ():  # what they promise is not going to happen
                case.forge.ensure_comment(number, marker_of(one), replies.begun_anew())
            code = _begun(ours, issue, made, report, before) if ours else 0
    except (CiAgentError, Interrupted):
        decline(case, left(case, number, folder), "the work had not begun, and did not")
        raise
    return code, left(case, number, folder)


def _before(case: Case, last: Kept | None, question: str) -> Before:
    return Before(last, earlier_of(case, last, limits(case.settings)) if last else None, question)


def _taking_its_place(case: Case, made: Promise, before: Before) -> Promise:
    """Promise it as what takes the place of what was there `before`."""
    keeping = _keeping(case, before)
    if keeping:
        made = replace(made, before=keeping.known, work=keeping.work)
    promise(case.host.job.scratch, made)
    return made


def _keeping(case: Case, before: Before) -> session.Keeping | None:
    """How the session is kept; None: it is not."""
    if before.last is None:
        return None
    goes_on = before.earlier is not None
    return before.last.keeping(case.host.job.run, goes_on=goes_on, fresh=case.trigger.command.fresh)


def _waiting(last: Kept | None) -> str:
    """The session that waits for a person; empty: none does."""
    state = last.state if last else None
    return state.session if state and state.status is Status.SUSPENDED else ""


def _begun(case: Case, issue: Issue, made: Promise, report: Path, before: Before) -> int:
    """Work on the issue, which is ours; the exit code. `before` that there was this of it."""
    last = kept_of(case, made.issue, before.last)
    if last is not before.last:
        before = _before(case, last, before.question)
        refused = cannot_wait(case, issue, last) or not_to_decide(case, issue, before.earlier)
        if refused:
            turn_away(case, refused)
            kept(case.host.job.scratch)
            return 0
        case, branch = places_of(case, made.issue, before.earlier)
        made = _taking_its_place(case, replace(made, branch=branch), before)
    marker = marker_of(before.earlier.state.session) if before.earlier else made.marker
    if marker != made.marker:  # somebody else was quicker
        case.forge.ensure_comment(
            made.issue, made.marker, replies.not_begun("another job was at work meanwhile")
        )
        made = replace(made, marker=marker)
        promise(case.host.job.scratch, made)
    mine = case.forge.ensure_comment(made.issue, made.marker, progress_comment([]))
    try:
        parts = parts_of(case, issue, made.branch, Path(made.folder), made.marker, before)
    except CiAgentError as error:
        give_up(case, made, replies.could_not_begin(str(error), case.host.job.url))
        raise
    _tell_where_it_was_asked(case, mine.item.url)
    ears = listening(case, parts)
    if ears:
        parts.journal.watch(ears)
        parts = replace(parts, hears=ears)
    with parts.journal, sections(parts.journal, case.host.output):
        outcome = run(parts, shown(parts.journal, case.host.output.log, parts.guard), ears)
    return finish(case, parts, outcome, report)


def finish(case: Case, parts: session.Delivery, outcome: Outcome, report: Path) -> int:
    """What is left once all is published: the CI is told, and the report written; the exit code."""
    tell(case.host.output, parts.journal.events, outcome.status)
    _status(case, parts, outcome)
    if session.last_word_said(parts.journal.events):
        kept(case.host.job.scratch)
    else:
        said = "The last word could not be said; `ci-agent job --final-word` says it."
        print(said, file=case.host.output.log, flush=True)
    write_report(parts.journal, parts.folder, report, parts.guard)
    return outcome.exit_code


def _tell_where_it_was_asked(case: Case, progress: str) -> None:
    """The progress stands on the issue; who asked on a merge request is shown the way. It is a courtesy: nothing
    depends on it."""
    thread = case.trigger.thread
    if thread is None or not thread.merge_request:
        return
    try:
        case.forge.reply(thread, case.answer, replies.going_on(progress))
    except CiAgentError as error:
        print(f"The merge request could not be told: {error}", file=case.host.output.log, flush=True)


# --- beginning --------------------------------------------------------------------------------------------


def parts_of(
    case: Case,
    issue: Issue,
    branch: str,
    folder: Path,
    marker: str,
    before: Before,
) -> session.Parts:
    """All that a session on `issue` is made of, which takes the place of what was there `before`, or goes on with it.
    Raises `CiAgentError` where it can't begin."""
    settings, earlier = case.settings, before.earlier
    source = source_of(case, issue, branch)
    resumed = resumption(case, source, branch, earlier, before.last) if earlier and before.last else None
    if resumed:
        source = resumed.carried.source
    started = begun(earlier, folder) if earlier else time.monotonic()

    def note_retry(retry: ModelRetried | ModelChosen) -> None:
        parts.journal.append(retry)

    models = open_models(settings, note_retry)
    for secret in secrets(settings):
        case.host.output.mask(secret)
    command = case.trigger.command
    task = replace(
        task_of(case, issue, source, branch),
        asked=_asked(earlier) or before.question if command.verb is Verb.ANSWER else "",
        granted=granted(earlier, command),
    )
    parts = assemble(settings, source, case.forge, task, models, folder, marker, case.host.guard, in_ci=True)
    may = limits_of(parts.limits, earlier, command) if earlier else parts.limits
    may = in_time(may, case.deadline, case.now(), earlier.state.seconds if earlier else 0.0)
    parts = replace(parts, limits=may, keeping=_keeping(case, before), resumed=resumed, started=started)
    return parts  # `note_retry` needs the name


def task_of(case: Case, issue: Issue, source: Source, branch: str) -> Task:
    """What is to be done."""
    trigger = case.trigger
    snapshot = (
        trigger.issue if trigger.issue and not (trigger.thread and trigger.thread.merge_request) else None
    )
    actor = trigger.actor
    return Task(
        issue=issue.number,
        reference=issue.reference,
        title=snapshot.title if snapshot else issue.title,
        text=snapshot.text if snapshot else issue.text,
        author=issue.author.login,
        url=issue.url,
        repository=source.address,
        base=source.base,
        base_sha=source.base_sha,
        branch=branch,
        requester=actor.login if actor else "",
        hint=trigger.command.text if trigger.thread else "",
        asked_at=trigger.at,
        account=actor,
        request=_request(case),
        job_url=case.host.job.url,
        labels=issue.labels,
    )


def _asked(earlier: Earlier | None) -> str:
    """The question that a session was left with, and its choices; empty: none that is known."""
    asked = Summary.of(earlier.events).asked if earlier else None
    if asked is None:
        return ""
    return "\n".join([asked.question, *(f"{number}. {one}" for number, one in enumerate(asked.choices, 1))])


def _request(case: Case) -> str:
    """The trigger in words."""
    who = f" by {case.trigger.actor.login}" if case.trigger.actor else ""
    return f"{case.trigger.kind}{who}"


# --- the end ----------------------------------------------------------------------------------------------


def _status(case: Case, parts: session.Delivery, outcome: Outcome) -> None:
    """The commit's status, where something was pushed. What can't be told is in the log; the work is done already."""
    summary = Summary.of(parts.journal.events)
    pushed = [event.fact for event in parts.journal.events if isinstance(event.fact, Pushed)]
    if not pushed:
        return
    good = outcome.status is Status.COMPLETED
    said = comparison(summary) if good else headline(summary)
    try:
        waits = outcome.status is Status.SUSPENDED
        state = CommitState.SUCCESS if good else CommitState.RUNNING if waits else CommitState.FAILURE
        case.forge.set_status(pushed[-1].sha, state, said or "done", case.host.job.url)
    except CiAgentError as error:
        print(f"The commit's status could not be set: {error}", file=case.host.output.log, flush=True)
