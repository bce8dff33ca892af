"""What prepares a checkout and what runs its tests: found out on the base, and again for what only a change tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ci_agent import verification
from ci_agent.evidence.bench import Bench
from ci_agent.evidence.ground import Place
from ci_agent.journal.events import SetupChosen, TestsChosen
from ci_agent.sandbox import Sandbox
from ci_agent.verification.steering import steers


class Choice:
    """The commands of one comparison. `on_base` and `on_result` are those that run the tests of either side."""

    def __init__(self, bench: Bench) -> None:
        self.on_base: tuple[TestsChosen, ...] = ()
        self.on_result: tuple[TestsChosen, ...] = ()
        self._bench = bench
        self._journal = bench.ground.journal
        self._settings = bench.ground.config.verification
        self._left_out: set[str] = set()  # folders
        self._root = TestsChosen("", "", "not looked for yet")  # what runs the tests of the base at its root

    @property
    def off(self) -> str:
        """Why the tests are not to be run at all, as a clause; empty where they are."""
        return self._root.why if self._root.configured and not self._root.command else ""

    def set_up(self, root: Path, sandbox: Sandbox) -> SetupChosen:
        """Find out how a checkout is prepared, of which there is a fresh one in `root`."""
        found = self._found(root, sandbox)
        self._bench.setup = verification.choose_setup(root, self._settings.setup or "", sandbox, found)
        self._journal.append(self._bench.setup)
        return self._bench.setup

    def tests(self, root: Path, sandbox: Sandbox) -> tuple[TestsChosen, ...]:
        """Find out what runs the tests of the prepared checkout in `root`; without a command where nothing does."""
        found = self._found(root, sandbox)
        self._root = found[0]
        self.on_base = self.on_result = tuple(suite for suite in found if suite.command)
        for suite in self.on_base or found:
            self._journal.append(suite)
        return self.on_base

    def _found(self, root: Path, sandbox: Sandbox) -> tuple[TestsChosen, ...]:
        """What runs the tests at the root, which may be nothing; then what runs those of projects below."""
        if self._settings.policy == "off":
            why = "they are switched off (`verification.policy: off`)"
            return (TestsChosen("", "", why, configured=True),)
        chosen = verification.choose(root, self._settings.test or "", sandbox)
        more = [] if chosen.command else verification.choose_more(root, sandbox, chosen, ())
        return (chosen, *more)

    # --- for a change -------------------------------------------------------------------------------------

    def look_again(self, paths: Sequence[str]) -> tuple[TestsChosen, ...]:
        """What only the change tells of: the first tests of a repository, projects in it that the change touches
        or brings or removes, and what has to be installed for them. Gives those of the base, whose tests did not
        run there yet."""
        place, root = self._bench.result, self._root
        if not (self.on_base or root.configured):
            root = verification.choose(place.root, "", place.sandbox)
        self._set_up_more((root, *self._below(place, root, paths)))
        found = self._below(place, root, paths)  # set-up may have brought what runs them
        theirs = self._below(self._bench.base, self._root, paths) if self._reaches(found, paths) else []
        base = {suite.folder: suite for suite in (*self.on_base, *theirs)}
        # The command of the base is the one for both sides: a change must not choose how it is tested.
        here = {suite.folder: base.get(suite.folder, suite) for suite in (root, *found) if suite.command}
        kept = {folder: suite for folder, suite in base.items() if (place.root / folder).is_dir()}
        self.on_result = tuple((kept | here).values())
        for suite in dict.fromkeys((*self.on_result, *theirs)):
            if suite not in self.on_base:
                self._journal.append(suite)
        known = {suite.folder for suite in self.on_base}
        more = tuple(suite for suite in theirs if suite.folder not in known)
        self._add_to_base(more)
        return more

    def leave_out(self, suite: TestsChosen) -> None:
        """Do without the tests of a project below, from now on."""
        self._left_out.add(suite.folder)
        self.on_base = tuple(each for each in self.on_base if each != suite)
        self.on_result = tuple(each for each in self.on_result if each.folder != suite.folder)

    def _below(self, place: Place, root: TestsChosen, paths: Sequence[str]) -> list[TestsChosen]:
        found = verification.choose_more(place.root, place.sandbox, root, paths)
        return [suite for suite in found if suite.folder not in self._left_out]

    def _reaches(self, found: Sequence[TestsChosen], paths: Sequence[str]) -> bool:
        """Whether the base may have projects to look at: those found in the result, or one it has no more."""
        gone = ("/" in path and not (self._bench.result.root / path).parent.is_dir() for path in paths)
        return bool(self.on_base) and (bool(found) or any(gone))

    def _set_up_more(self, suites: Sequence[TestsChosen]) -> None:
        """What is missing in the result after the set-up of the base, where nobody configured that."""
        place = self._bench.result
        if self._bench.setup.configured:
            return
        more = verification.choose_setup(place.root, "", place.sandbox, suites)
        if more.command and more.command != self._bench.setup.command:
            self._journal.append(more)
            self._bench.set_up_more(more)

    def _add_to_base(self, more: Sequence[TestsChosen]) -> None:
        bench = self._bench
        setup = verification.choose_setup(bench.base.root, "", bench.base.sandbox, more) if more else None
        if setup and setup.command and not bench.setup.configured:
            commands = filter(None, [bench.setup.command, setup.command])
            bench.setup = replace(setup, command=" && ".join(commands), why=f"{bench.setup.why}; {setup.why}")
            bench.open_base(bench.base_tree)
        self.on_base = (*self.on_base, *more)

    def steered(self, tree: str, paths: Sequence[str]) -> tuple[str, ...]:
        """The files of the change that decide how tests are run."""
        control = self._bench.ground.control
        commands = [suite.command for suite in self.on_result]
        return tuple(
            path
            for path in dict.fromkeys(paths)
            if self.on_base
            and steers(
                path,
                commands,
                partial(control.content, self._bench.base_tree, path),
                partial(control.content, tree, path),
            )
        )
