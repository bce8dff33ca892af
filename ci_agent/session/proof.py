"""The project's tests in a session: set up once, run before, run for the agent when it asks, run after.

What any of this means for the session is decided by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence

from ci_agent import verification
from ci_agent.agent import Stop
from ci_agent.journal.events import (
    CommandStarted,
    Moment,
    Result,
    TestsChosen,
    TestsCompared,
    TestsRan,
    Warned,
)
from ci_agent.session.parts import Parts
from ci_agent.task import Ending

_INSTALLED = (".venv/", "node_modules/")
_CHANGED_OUTSIDE = (
    "While the model worked, files changed that are in no commit and that the tests can see ({}; {} in all): what "
    "the tests say may hold only here."
)
_SHOWN = 10  # names of files in one message
_FIRST_SIGNAL = 128  # exit codes above it stand for signals


class Proof:
    """Runs the tests of one session and remembers those before."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._root = parts.workspace.root
        self._settings = parts.config.verification
        self._chosen = TestsChosen("", "", "not looked for yet")
        self.before: TestsRan | None = None  # None: there is nothing to run
        self.rounds = 0  # verifications so far
        self.left_out: list[str] = []  # files of the agent that the last verification did without
        self._warned_of: list[str] = []  # changed files outside of every commit

    def set_up(self) -> Stop | None:
        """Run the set-up command, and use the virtual environment it may have made. A stop: it failed."""
        stop = self._run_set_up()
        # Now and not later: one that the agent makes must not decide what the tests run with.
        if (self._root / ".venv" / "bin" / "python").exists():
            self._parts.sandbox.activate(self._root / ".venv")
        return stop

    def _run_set_up(self) -> Stop | None:
        command = self._settings.setup
        if command:
            self._parts.journal.append(CommandStarted("set-up", command))
            with self._parts.workspace.harness_running():
                ran = verification.run_setup(
                    command, self._root, self._parts.sandbox, self._parts.logs, self._seconds()
                )
            self._parts.journal.append(ran)
            if ran.exit_code != 0:
                how = "did not end in time" if ran.timed_out else f"failed with exit code {ran.exit_code}"
                last = next((line.strip() for line in reversed(ran.tail.splitlines()) if line.strip()), "")
                said = f"The set-up command `{command}` {how}" + (f": {last}" if last else "")
                return Stop(
                    Ending.ENVIRONMENT,
                    f"{said.rstrip('.')}. All it printed is in the report's logs/{ran.log}.",
                )
        return None

    def measure_base(self) -> Stop | None:
        """Run the tests on the base commit, which must be checked out. A stop: they can't be run at all."""
        self._choose()
        if not self._chosen.command:
            return None
        workspace = self._parts.workspace
        self.before = self._run(Moment.BEFORE, workspace.tree_of(workspace.source.base_sha))
        if _can_not_run(self.before):
            said = f"The tests can't be run with `{self._chosen.command}`: {self.before.problem}."
            return Stop(Ending.ENVIRONMENT, said)
        return None

    def for_agent(self, selector: str) -> str:
        """Run the tests as the checkout stands, all or those selected, and give the facts as text."""
        if not self._chosen.command:
            return "There are no tests that the harness could find; run what you need with `bash`."
        workspace = self._parts.workspace
        ran = self._run(Moment.ASKED, workspace.tree(), selector)
        unused = "" if verification.takes_selector(self._chosen) else selector
        said = not_in_the_commit(workspace.left_out(), "after `submit` the tests run without them")
        return said + verification.ran_facts(ran, self.before, unused)

    def verify(self, tree: str) -> tuple[TestsCompared, TestsRan]:
        """Run the tests on `tree`, which is in the checkout, and compare them with those before.

        Files that the agent left outside of the tree are not there meanwhile: what is not in the commit must
        not make its tests pass. Set-up is run again then, in case the work asks for more than it did before.
        """
        workspace = self._parts.workspace
        self.rounds += 1
        self._warn_of(workspace.changed_outside())
        self.left_out = workspace.set_aside()
        if self.left_out:
            self._run_set_up()
        if not self._chosen.command:  # the work may have brought the first tests
            self._choose()
        after = self._run(Moment.AFTER, tree)
        workspace.bring_back(self.left_out)
        compared = verification.compare(self.before, after, self.rounds)
        self._parts.journal.append(compared)
        return compared, after

    def _warn_of(self, changed: list[str]) -> None:
        """Once for the same files, whatever the number of rounds."""
        if changed and changed != self._warned_of:
            self._warned_of = changed
            self._parts.journal.append(Warned(_CHANGED_OUTSIDE.format(", ".join(changed[:3]), len(changed))))

    def _choose(self) -> None:
        self._chosen = verification.choose(self._root, self._settings.test or "", self._parts.sandbox)
        self._parts.journal.append(self._chosen)

    def _run(self, moment: Moment, tree: str, selector: str = "") -> TestsRan:
        if self._chosen.command:
            self._parts.journal.append(CommandStarted(f"tests {moment}", self._chosen.command))
        with self._parts.workspace.harness_running():
            ran = verification.run_tests(
                self._chosen,
                moment,
                root=self._root,
                tree=tree,
                sandbox=self._parts.sandbox,
                logs=self._parts.logs,
                timeout=self._seconds(),
                selector=selector,
                junit=self._settings.junit or "",
            )
        if self._chosen.command:
            self._parts.journal.append(ran)
        return ran

    def _seconds(self) -> float:
        return max(1.0, min(self._settings.timeout * 60, self._parts.seconds_left()))


def not_in_the_commit(names: Sequence[str], so: str) -> str:
    """For the model: which of its files will be in no commit, and what follows from it. Empty for none."""
    if not names:
        return ""
    own = [name for name in names if not name.startswith(_INSTALLED)]
    lines = [f"- {name}" for name in own[:_SHOWN]]
    if len(own) > _SHOWN:
        lines.append(f"- and {len(own) - _SHOWN:,} more")
    if len(names) > len(own):
        lines.append(
            f"- {len(names) - len(own):,} installed files; declare what you need in the project's own files"
        )
    return (
        "Git ignores these files, or they lie in a repository of their own: they will not be in the commit, and "
        + (f"{so}.\n" + "\n".join(lines) + "\n\n")
    )


def _can_not_run(ran: TestsRan) -> bool:
    """Whether the command itself is the matter. Tests that hang or crash may be what the issue is about."""
    ended_by_itself = ran.exit_code is not None and ran.exit_code < _FIRST_SIGNAL
    nothing_ran = not any(case.result in (Result.PASSED, Result.FAILED) for case in ran.cases if ran.by_case)
    return bool(ran.problem) and nothing_ran and ended_by_itself
