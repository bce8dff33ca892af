"""The story of one session, from the issue to the merge request.

`run` tells it top to bottom; each paragraph is a method below. It writes every fact to the journal before
anybody sees it, and whatever happens it ends with a true last word and the work so far saved.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_agent import __version__, verification
from ci_agent.agent import Agent, Allowance, Brief, Quote, Stop, opening
from ci_agent.config import Config
from ci_agent.errors import CiAgentError, Interrupted, JournalError, UsageError
from ci_agent.journal import Event, Journal
from ci_agent.journal.events import (
    AgentStopped,
    CommandStarted,
    CommentWritten,
    Committed,
    IssueRead,
    LabelsChanged,
    MergeRequestWritten,
    Moment,
    Pushed,
    SessionEnded,
    SessionStarted,
    StatusChanged,
    TestsChosen,
    TestsCompared,
    TestsRan,
    Verdict,
    Warned,
    WorkspaceReady,
)
from ci_agent.models import Model
from ci_agent.platforms import Permission, Platform
from ci_agent.reporting import merge_request
from ci_agent.reporting.commit_message import commit_message
from ci_agent.reporting.delivery import PURPOSE, CommentObserver
from ci_agent.reporting.progress import progress_comment
from ci_agent.reporting.wording import count
from ci_agent.sandbox import Sandbox
from ci_agent.task import Ending, Limits, Outcome, Status, Task
from ci_agent.tools import World, all_tools
from ci_agent.workspace import Author, Workspace

# Where each ending leads: the status people see, and the exit code of the process.
ENDINGS: Final[dict[Ending, tuple[Status, int]]] = {
    Ending.SUBMITTED: (Status.COMPLETED, 0),
    Ending.UNVERIFIED: (Status.FAILED, 1),
    Ending.NO_CHANGE: (Status.FAILED, 1),
    Ending.NEEDS_INPUT: (Status.SUSPENDED, 5),
    Ending.LIMIT_STEPS: (Status.FAILED, 4),
    Ending.LIMIT_COST: (Status.FAILED, 4),
    Ending.LIMIT_TOKENS: (Status.FAILED, 4),
    Ending.LIMIT_WALL: (Status.FAILED, 4),
    Ending.STUCK: (Status.FAILED, 1),
    Ending.FORMAT: (Status.FAILED, 1),
    Ending.CONTEXT: (Status.FAILED, 1),
    Ending.LLM_AUTH: (Status.FAILED, 3),
    Ending.LLM_QUOTA: (Status.FAILED, 1),
    Ending.LLM_UNAVAILABLE: (Status.FAILED, 1),
    Ending.LLM_POLICY: (Status.FAILED, 1),
    Ending.LLM_REPLAY: (Status.FAILED, 1),
    Ending.ENVIRONMENT: (Status.FAILED, 1),
    Ending.CANCELLED: (Status.CANCELLED, 130),
    Ending.INTERNAL: (Status.FAILED, 1),
}

_LABELS: Final[dict[Status, str]] = {
    Status.COMPLETED: "ai-review",
    Status.FAILED: "ai-failed",
    Status.CANCELLED: "ai-failed",
    Status.SUSPENDED: "ai-waiting",
}
_TASK_LABEL: Final = "ai-task"
_RUNNING_LABEL: Final = "ai-running"

_RULES_FILES: Final = ("AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md")

# The tests after the work need about as long as those before; half as much again for added ones.
_RESERVE_FACTOR: Final = 1.5
_RESERVE_MOST: Final = 0.25  # of the session's time

_FIRST_SIGNAL: Final = 128  # exit codes above it stand for signals

_NOTHING_CHANGED: Final = (
    "Nothing in the repository differs from before your work, so there is nothing to hand in. Make the change "
    "the issue asks for. If none is needed, submit again: your summary will be shown as the reason."
)


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a session is made of. `folder` is the session's own, outside the workspace."""

    task: Task
    limits: Limits
    config: Config
    platform: Platform
    workspace: Workspace
    sandbox: Sandbox
    model: Model
    journal: Journal
    folder: Path

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def outputs(self) -> Path:
        return self.folder / "outputs"


def run(parts: Parts) -> Outcome:
    """Do the whole job. Never raises for what can happen to a session; the outcome says how it ended.

    Raises only `JournalError`: without a journal there is nothing true to say.
    """
    session = _Session(parts)
    try:
        session.begin()
        session.prepare()
        stop = session.tests_before() or session.solve()
    except Interrupted as signal:
        stop = Stop(Ending.CANCELLED, f"Stopped by signal {signal.signal}.")
        session.exit_code = 128 + signal.signal
    except JournalError as error:
        session.say_without_journal(error)
        raise
    except CiAgentError as error:
        stop = Stop(Ending.ENVIRONMENT, str(error))
        session.exit_code = error.exit_code
    except Exception as error:  # noqa: BLE001 - the outermost place: the last word must be said whatever happened
        stop = Stop(Ending.INTERNAL, f"A defect in ci-agent: {type(error).__name__}: {error}")
    try:
        return session.finish(stop)
    except JournalError as error:
        session.say_without_journal(error)
        raise


class _Session:
    """The state of one run. Its methods are the paragraphs of `run`, in order."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.journal = parts.journal
        self.workspace = parts.workspace
        self.task = parts.task
        self.exit_code: int | None = None  # set where the ending alone does not say it
        self._started = time.monotonic()
        self._head: str | None = None  # the commit the work goes on from; None: not laid out yet
        self._tests: TestsChosen | None = None
        self._before: TestsRan | None = None
        self._rounds = 0
        self._saved = False  # nothing would be lost with the checkout

    # --- begin --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Say what this is, and read the issue."""
        parts, task = self.parts, self.task
        self.journal.append(
            SessionStarted(
                session=parts.folder.name,
                version=__version__,
                platform=parts.platform.name,
                repository=task.repository,
                issue=task.issue,
                reference=task.reference,
                title=task.title,
                requester=task.requester,
                base=task.base,
                branch=task.branch,
                model=parts.model.name,
                sandbox=parts.sandbox.level,
                limits=parts.limits,
            )
        )
        self.journal.watch(CommentObserver(self._publish, lambda: self.journal.events, render=self._progress))
        self._status(Status.PENDING)
        issue = parts.platform.issue(task.issue)
        comments = parts.platform.comments(task.issue)
        said = sum(not comment.ours for comment in comments)
        self.journal.append(IssueRead(issue.number, issue.title, issue.author, issue.url, said))
        self._label(add=_RUNNING_LABEL)

    # --- prepare ------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Lay the checkout out at the base commit."""
        self._status(Status.CLONING)
        source, task = self.workspace.source, self.task
        if source.uncommitted:
            self._warn(
                f"{source.uncommitted} file(s) with uncommitted changes in {source.address} "
                "are not part of this work; it starts from the last commit."
            )
        earlier = source.branch_sha(task.branch)
        self.workspace.lay_out()
        self._head = earlier or task.base_sha
        self.journal.append(
            WorkspaceReady(
                base=task.base,
                base_sha=task.base_sha,
                branch=task.branch,
                head_sha=self._head,
                continued=earlier is not None,
                path=str(self.workspace.root),
            )
        )

    # --- tests before -------------------------------------------------------------------------------------

    def tests_before(self) -> Stop | None:
        """Set up and test the base commit. Where that can't be done there is no use in going on."""
        self._status(Status.ANALYZING)
        settings = self.parts.config.verification
        root, sandbox, logs = self.workspace.root, self.parts.sandbox, self.parts.logs
        if settings.setup:
            self.journal.append(CommandStarted("set-up", settings.setup))
            setup = verification.run_setup(settings.setup, root, sandbox, logs, self._test_time())
            self.journal.append(setup)
            if setup.exit_code != 0:
                how = "did not end in time" if setup.timed_out else f"failed with exit code {setup.exit_code}"
                return Stop(Ending.ENVIRONMENT, f"The set-up command `{settings.setup}` {how}.")
        if (root / ".venv" / "bin" / "python").exists():
            sandbox.activate(root / ".venv")
        self._tests = verification.choose(root, settings.test or "", sandbox)
        self.journal.append(self._tests)
        if self._tests.command:
            self._before = self._test(Moment.BEFORE, self.workspace.tree_of(self.task.base_sha))
            if _can_not_run(self._before):
                said = f"The tests can't be run with `{self._tests.command}`: {self._before.problem}."
                return Stop(Ending.ENVIRONMENT, said)
        self.workspace.exclude_what_is_there()
        return None

    # --- solve --------------------------------------------------------------------------------------------

    def solve(self) -> Stop:
        """Let the agent work until what it hands in holds, or it may not try again."""
        self._status(Status.CODING)
        assert self._head is not None  # noqa: S101 - `prepare` came before
        self.workspace.open_for_agent(self._head, self.task.branch)
        agent = self._agent()
        empty_handed = False
        while True:
            stop = agent.work()
            if stop.ending is not Ending.SUBMITTED:
                return self._checked_anyway(stop)
            tree = self.workspace.tree()
            if tree == self.workspace.tree_of(self._head) and not empty_handed:
                empty_handed = True
                agent.answer(_NOTHING_CHANGED)
                continue
            if tree == self.workspace.tree_of(self.task.base_sha):
                return Stop(Ending.NO_CHANGE, "The model handed in twice without changing a file.")
            compared, after = self._verify(tree)
            if compared.verdict in (Verdict.VERIFIED, Verdict.NO_TESTS):
                return Stop(Ending.SUBMITTED, compared.reason)
            if self._rounds >= self.parts.limits.verifications:
                return Stop(Ending.UNVERIFIED, compared.reason)
            self._status(Status.CODING)
            left = count(self.parts.limits.verifications - self._rounds, "hand-in")
            facts = verification.facts(compared, after)
            agent.answer(
                f"Not accepted, nothing was committed. {facts}\n\nMend it and call `submit` again; {left} left."
            )

    def _agent(self) -> Agent:
        parts = self.parts
        reserve = min(
            (self._before.seconds if self._before else 0.0) * _RESERVE_FACTOR,
            parts.limits.minutes * 60 * _RESERVE_MOST,
        )
        allowance = Allowance(parts.limits, started=self._started, reserve=reserve)
        parts.outputs.mkdir(parents=True, exist_ok=True)
        world = World(
            root=self.workspace.root,
            outputs=parts.outputs,
            sandbox=parts.sandbox,
            remaining=allowance.remaining,
            run_tests=self._run_tests_for_agent,
            command_timeout=parts.config.sandbox.command_timeout,
        )
        return Agent(parts.model, all_tools(), world, allowance, self.journal, opening(self._brief()))

    def _brief(self) -> Brief:
        task, head = self.task, self._head or self.task.base_sha
        earlier = [] if head == task.base_sha else [change.path for change in self.workspace.changes(head)]
        if self._before is None:
            tests = (
                "There are no tests that the harness could find. Say in your summary how to check the change."
            )
        else:
            tests = verification.ran_facts(self._before, None)
        return Brief(
            task=task,
            files=self.workspace.files(head),
            rules=self._rules(),
            tests=tests,
            comments=self._comments(),
            earlier=earlier,
        )

    def _rules(self) -> tuple[str, str] | None:
        for name in _RULES_FILES:
            content = self.workspace.source.file(name)
            if content is not None:
                return name, content.decode("utf-8", "replace")
        return None

    def _comments(self) -> Sequence[Quote]:
        platform = self.parts.platform
        return [
            Quote(comment.author, comment.text)
            for comment in platform.comments(self.task.issue)
            if not comment.ours and platform.permission(comment.author) >= Permission.WRITE
        ]

    def _run_tests_for_agent(self, selector: str) -> str:
        if self._tests is None or not self._tests.command:
            return "There are no tests that the harness could find; run what you need with `bash`."
        ran = self._test(Moment.ASKED, self.workspace.tree(), selector)
        unused = "" if verification.takes_selector(self._tests) else selector
        return verification.ran_facts(ran, self._before, unused)

    def _checked_anyway(self, stop: Stop) -> Stop:
        """The end came without a hand-in. Whoever reads the draft still wants to know what the tests say."""
        tree = self.workspace.tree()
        if tree != self.workspace.tree_of(self.task.base_sha) and stop.ending is not Ending.NEEDS_INPUT:
            self._verify(tree)
        return stop

    def _verify(self, tree: str) -> tuple[TestsCompared, TestsRan]:
        self._status(Status.TESTING)
        self._rounds += 1
        assert self._tests is not None  # noqa: S101 - `tests_before` came before
        if not self._tests.command:  # the work may have brought the first tests
            self._tests = verification.choose(
                self.workspace.root, self.parts.config.verification.test or "", self.parts.sandbox
            )
            self.journal.append(self._tests)
        after = self._test(Moment.AFTER, tree)
        compared = verification.compare(self._before, after, self._rounds)
        self.journal.append(compared)
        return compared, after

    def _test(self, moment: Moment, tree: str, selector: str = "") -> TestsRan:
        assert self._tests is not None  # noqa: S101 - `tests_before` came before
        self.journal.append(CommandStarted(f"tests {moment}", self._tests.command))
        ran = verification.run_tests(
            self._tests,
            moment,
            root=self.workspace.root,
            tree=tree,
            sandbox=self.parts.sandbox,
            logs=self.parts.logs,
            timeout=self._test_time(),
            selector=selector,
            junit=self.parts.config.verification.junit or "",
        )
        self.journal.append(ran)
        return ran

    def _test_time(self) -> float:
        left = self._started + self.parts.limits.minutes * 60 - time.monotonic()
        return max(1.0, min(self.parts.config.verification.timeout * 60, left))

    # --- finish -------------------------------------------------------------------------------------------

    def finish(self, stop: Stop) -> Outcome:
        """Save the work, hand it over, say the last word."""
        self.journal.append(AgentStopped(stop.ending, stop.detail))
        try:
            self._deliver(stop)
            self._saved = True
        except Interrupted as signal:
            stop = Stop(Ending.CANCELLED, f"Stopped by signal {signal.signal}.")
            self.exit_code = 128 + signal.signal
        except JournalError:
            raise
        except CiAgentError as error:
            stop = Stop(Ending.ENVIRONMENT, f"The work could not be handed over as asked: {error}")
            self.exit_code = error.exit_code
        except Exception as error:  # noqa: BLE001 - see `run`
            stop = Stop(Ending.INTERNAL, f"A defect in ci-agent: {type(error).__name__}: {error}")
        if self._saved:
            self.workspace.remove()
        elif self.workspace.root.exists():
            self._warn(f"The checkout with the work so far is kept in {self.workspace.root}.")
        status, code = ENDINGS[stop.ending]
        outcome = Outcome(status, stop.ending, stop.detail, self.exit_code or code)
        self._label(add=_LABELS[status])
        seconds = time.monotonic() - self._started
        self.journal.append(
            SessionEnded(outcome.status, outcome.ending, outcome.sentence, outcome.exit_code, seconds)
        )
        return outcome

    def _deliver(self, stop: Stop) -> None:
        if self._head is None or not (self.workspace.root / ".git").exists():
            return  # the agent never got to work, so there is nothing to save
        tree = self.workspace.tree()
        if tree == self.workspace.tree_of(self.task.base_sha):
            return
        self._status(Status.COMMITTING)
        sha = self._commit(tree)
        self.workspace.hand_over(sha, self.task.branch)
        self._saved = True
        self.journal.append(Pushed(self.workspace.source.address, self.task.branch, sha))
        problem = self._push(sha) if self.parts.config.git.push else None
        if ENDINGS[stop.ending][0] in (Status.COMPLETED, Status.FAILED):
            self._merge_request(draft=stop.ending is not Ending.SUBMITTED)
        if problem:
            raise problem

    def _commit(self, tree: str) -> str:
        assert self._head is not None  # noqa: S101 - `_deliver` looked
        git = self.parts.config.git
        if tree == self.workspace.tree_of(self._head):
            sha = self._head
            self._warn("Nothing was changed in this run; the branch is as an earlier one left it.")
        else:
            message = commit_message(self.journal.events)
            sha = self.workspace.commit(tree, self._head, message, Author(git.user_name, git.user_email))
        (self.parts.folder / "diff.patch").write_bytes(self.workspace.diff(sha))
        changes = self.workspace.changes(sha)
        self.journal.append(Committed(sha, tree, self.workspace.title_of(sha), changes))
        return sha

    def _push(self, sha: str) -> CiAgentError | None:
        """Push to the remote. What goes wrong is given back: the branch is safe, the rest must be said first."""
        remote = self.workspace.source.remote
        if remote is None:
            return UsageError("There is no remote called origin to push to; leave --push away, or add one")
        try:
            self.workspace.push(sha, self.task.branch, remote)
        except CiAgentError as error:
            return error
        self.journal.append(Pushed(remote.url, self.task.branch, sha))
        return None

    def _merge_request(self, *, draft: bool) -> None:
        platform, events = self.parts.platform, self.journal.events
        earlier = platform.find_merge_request(self.task.branch)
        if earlier is not None and not earlier.open:
            self._warn(f"The merge request {earlier.number} of this branch was closed; a new one is opened.")
        guidance = platform.guidance(self.task.issue, self.task.branch)
        text = merge_request.text(events, fetch_hint=guidance.fetch, feedback_hint=guidance.feedback)
        failed = [_LABELS[Status.FAILED]]
        written = platform.ensure_merge_request(
            self.task.branch,
            self.task.base,
            title=merge_request.title(events),
            text=text,
            draft=draft,
            add_labels=failed if draft else [],
            remove_labels=[] if draft else failed,
        )
        (self.parts.folder / "merge-request.md").write_text(text, encoding="utf-8")
        request = written.item
        self.journal.append(
            MergeRequestWritten(request.number, request.url, request.title, request.draft, written.created)
        )

    def say_without_journal(self, error: JournalError) -> None:
        """The last word where not even the journal takes one: better an unrecorded word than a false one."""
        text = f"**Stopped.** {error}. The checkout with the work so far is kept in `{self.workspace.root}`."
        with contextlib.suppress(CiAgentError, OSError):
            self.parts.platform.ensure_comment(self.task.issue, self._marker, text)
            self.parts.platform.change_labels(self.task.issue, [_LABELS[Status.FAILED]], [_RUNNING_LABEL])

    # --- saying things ------------------------------------------------------------------------------------

    def _status(self, status: Status) -> None:
        self.journal.append(StatusChanged(status))

    def _warn(self, text: str) -> None:
        self.journal.append(Warned(text))

    def _label(self, add: str) -> None:
        """Exactly one of our labels at a time."""
        ours = {_TASK_LABEL, _RUNNING_LABEL, *_LABELS.values()} - {add}
        try:
            self.parts.platform.change_labels(self.task.issue, [add], sorted(ours))
        except CiAgentError as error:
            self._warn(f"The label {add} could not be set: {error}")
            return
        self.journal.append(LabelsChanged((add,), tuple(sorted(ours))))

    @property
    def _marker(self) -> str:
        return f"{PURPOSE} {self.parts.folder.name}"

    def _progress(self, events: Sequence[Event]) -> str:
        guidance = self.parts.platform.guidance(self.task.issue, self.task.branch)
        return progress_comment(events, next_step=guidance.go_on)

    def _publish(self, text: str) -> None:
        written = self.parts.platform.ensure_comment(self.task.issue, self._marker, text)
        self.journal.append(CommentWritten(written.item.url, PURPOSE, written.created))


def _can_not_run(ran: TestsRan) -> bool:
    """Whether the command itself is the matter. Tests that hang or crash may be what the issue is about."""
    ended_by_itself = ran.exit_code is not None and ran.exit_code < _FIRST_SIGNAL
    return bool(ran.problem) and not ran.by_case and ended_by_itself
