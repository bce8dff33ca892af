"""The project's tests in a session: what the agent's own checkout needs, runs that the agent asks for, and the
evidence on what it hands in. What any of it means for the session is decided by the caller.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from ci_agent import verification
from ci_agent.agent import Stop
from ci_agent.evidence import NOT_ASKED_FOR, Evidence, Ground, Round, failed, prepare
from ci_agent.journal.events import CommandStarted, Moment, Result, Submitted, TestsChosen, TestsRan, Warned
from ci_agent.sandbox import Sandbox
from ci_agent.session.parts import Checkout
from ci_agent.task import Ending
from ci_agent.tools import NOT_RUN_AGAIN

_INSTALLED = (".venv/", "node_modules/")
_SHOWN = 10  # names of files in one message
_FIRST_SIGNAL = 128  # exit codes above it stand for signals


class Proof:
    """Runs the tests of one session."""

    def __init__(self, parts: Checkout) -> None:
        self._parts = parts
        self._root = parts.workspace.root
        self._evidence = Evidence(
            Ground(
                control=parts.workspace.control,
                confinement=parts.confinement,
                folder=parts.folder,
                logs=parts.logs,
                journal=parts.journal,
                config=parts.config,
                guard=parts.guard,
                remembered=parts.remembered,
                seconds_left=parts.seconds_left,
                limit=parts.limit,
            )
        )
        self.sandbox: Sandbox = (
            parts.sandbox
        )  # the agent's; in its virtual environment once set-up has made one
        self.set_up_with = ""  # the command that prepared the checkout
        self.left_out: list[str] = []  # files of the agent that the last verification did without
        self._told: tuple[str, dict[str, str]] = ("", {})  # a tree, and what its tests said by selector
        self._told_again: str | None = (
            None  # the selector of the last request that was answered without a run
        )

    @property
    def before(self) -> TestsRan | None:
        """The tests on the base; None: they were not run."""
        return self._evidence.before

    @property
    def rounds(self) -> int:
        """Verifications so far."""
        return self._evidence.rounds

    @property
    def has_tests(self) -> bool:
        """Whether there is a command that runs tests."""
        return bool(self._evidence.choice.on_result)

    def set_up(self) -> Stop | None:
        """Prepare the checkout that the agent works in. A stop: a person's set-up command failed."""
        parts, evidence = self._parts, self._evidence
        setup = evidence.choice.set_up(self._root, self.sandbox)
        nothing = contextlib.nullcontext()
        with parts.workspace.harness_running() if setup.command else nothing:
            ran, self.sandbox = prepare(
                evidence.ground,
                setup,
                self._root,
                self.sandbox,
                "work",
                self._seconds(),
                evidence.ground.base,
            )
        said = failed(ran)
        if said and setup.configured:
            return Stop(Ending.ENVIRONMENT, said)
        if said:
            parts.journal.append(Warned(f"{said} {NOT_ASKED_FOR}"))
        elif ran:  # of the base, and no command of the agent has run yet
            parts.confinement.keep_downloads()
        self.set_up_with = setup.command
        evidence.choice.tests(self._root, self.sandbox)
        return None

    def measure_base(self) -> Stop | None:
        """Run the tests on the base commit. A stop: they can't be run at all."""
        said = self._evidence.measure_base()
        if said:
            return Stop(Ending.ENVIRONMENT, said)
        if self.before is not None and _can_not_run(self.before):
            command = self.before.command
            return Stop(
                Ending.ENVIRONMENT, f"The tests can't be run with `{command}`: {self.before.problem}."
            )
        return None

    def for_agent(self, selector: str) -> str:
        """Run the tests as the checkout stands, all or those selected, and give the facts as text.

        Of a tree that they ran on they are told again, and run only when they are asked for once more: a test may
        be flaky, or what git ignores may have changed.
        """
        suites = self._evidence.choice.on_result
        if not suites:
            return "There are no tests that the harness could find; run what you need with `bash`."
        tree = self._parts.workspace.tree()
        if tree != self._told[0]:
            self._told, self._told_again = (tree, {}), None
        told = self._told[1]
        if selector in told and self._told_again != selector:
            self._told_again = selector
            return told[selector] + NOT_RUN_AGAIN
        self._told_again = None
        told[selector] = self._run_for_agent(suites, tree, selector)
        return told[selector]

    def _run_for_agent(self, suites: Sequence[TestsChosen], tree: str, selector: str) -> str:
        workspace = self._parts.workspace
        said = not_in_the_commit(workspace.left_out(), "after `submit` the tests run without them")
        parts = []
        for suite in suites:
            self._parts.journal.append(CommandStarted(f"tests {Moment.ASKED}", suite.command))
            with workspace.harness_running():
                ran = verification.run_tests(
                    suite,
                    Moment.ASKED,
                    root=self._root,
                    tree=tree,
                    sandbox=self.sandbox,
                    logs=self._parts.logs,
                    timeout=self._seconds(),
                    selector=selector,
                    junit=self._parts.config.verification.junit or "",
                    hide=self._evidence.ground.hide,
                )
            self._parts.journal.append(ran)
            unused = "" if self._narrowed(suite, ran) else selector
            parts.append(verification.ran_facts(ran, self.before, unused))
        return said + "\n\n".join(parts)

    def _narrowed(self, suite: TestsChosen, ran: TestsRan) -> bool:
        """Whether fewer tests ran than all. A script may name all of them, whatever is put behind it."""
        before = self.before
        all_ran = before is not None and before.by_case and len(ran.cases) >= max(2, len(before.cases))
        return verification.can_narrow(suite, "selector") and not all_ran

    def verify(self, tree: str, submitted: Submitted | None) -> Round:
        """Examine `tree` in clean checkouts: what is in no commit does not make its tests pass there."""
        self.left_out = self._parts.workspace.left_out()
        return self._evidence.examine(tree, submitted, thorough=False)

    def close(self) -> None:
        """Delete what was checked out for the tests."""
        self._evidence.close()

    def _seconds(self) -> float:
        return max(1.0, min(self._parts.config.verification.timeout * 60, self._parts.seconds_left()))


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
