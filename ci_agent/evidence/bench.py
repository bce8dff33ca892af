"""Where tests and checks are run: clean checkouts of both sides, and a clock."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import replace

from ci_agent import verification
from ci_agent.evidence.ground import Clock, Ground, Place, failed
from ci_agent.evidence.suites import cases_of, command_of, from_top, merged, paths_of
from ci_agent.journal.events import CommandStarted, Moment, SetupChosen, TestsChosen, TestsRan, Warned
from ci_agent.verification.opening import regular

NOT_ASKED_FOR = "Nobody asked for it: `verification.setup` names another one."
CHEAP = 0.02  # of the time left: a checkout and its set-up are made anew as long as they cost no more
SEED = 1  # for whatever is random, the same before and after; runs again have others


class Bench:
    """The checkouts of one comparison. `setup` is what prepares them, `more` what only the result needs."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.clock = Clock(ground)
        self.setup = SetupChosen("", "not looked for yet")
        self.more: SetupChosen | None = None
        self.base_tree = ground.control.tree_of(ground.base)
        self.base_failed = False  # its set-up did
        self.result = Place(ground, "result")
        self._base = Place(ground, "base")
        self._warned: set[str] = set()

    # --- checkouts ----------------------------------------------------------------------------------------

    @property
    def base(self) -> Place:
        """The prepared checkout of the base, made when it is first needed."""
        return self._base if self._base.tree else self.open_base(self.base_tree)

    def lay_out_base(self) -> Place:
        """The checkout of the base, with nothing prepared."""
        self._base.lay_out(self.base_tree)
        return self._base

    def prepare_base(self) -> Place:
        """Prepare the checkout of the base, which is there."""
        self._prepare(self._base, self.setup)
        if self._base.tree == self.base_tree:
            self.base_failed = bool(failed(self._base.set_up))
            self._base.keep_downloads()
        return self._base

    def open_base(self, tree: str) -> Place:
        """Make the checkout of the base anew, or one of `tree` in its place."""
        self._base.lay_out(tree)
        return self.prepare_base()

    def open_result(self, tree: str) -> Place:
        """Make the checkout of the result anew, with `tree`."""
        self.result.lay_out(tree)
        self._prepare(self.result, self.setup)
        if self.more:
            self._prepare(self.result, self.more)
        return self.result

    def cheap(self) -> bool:
        """Whether the checkout of the result may be made anew once more, its set-up included."""
        ran = self.result.set_up
        return (ran.seconds if ran else 0.0) <= CHEAP * self.clock.left()

    def set_up_more(self, more: SetupChosen) -> None:
        """Prepare what only the result shows to be needed, now and whenever its checkout is made anew."""
        self.more = more
        self._prepare(self.result, more)

    def _prepare(self, place: Place, setup: SetupChosen) -> None:
        with self.clock.running():
            place.prepare(setup, self.clock.each())
        said = failed(place.set_up)
        if said and not setup.configured and said not in self._warned:
            self._warned.add(said)
            self.ground.journal.append(Warned(f"{said} {NOT_ASKED_FOR}"))

    def forget_base(self) -> None:
        """What stands in its place is not the base, or tests have run there that are not its own."""
        self._base.close()

    def close(self) -> None:
        for place in (self._base, self.result):
            place.close()

    # --- runs ---------------------------------------------------------------------------------------------

    def run(
        self,
        place: Place,
        moment: Moment,
        suites: Sequence[TestsChosen],
        *,
        cases: Sequence[str] = (),
        files: Sequence[str] = (),
        related: Sequence[str] = (),
        seed: int = SEED,
        some: str = "",
    ) -> TestsRan:
        """Run the tests of `suites` in `place`, all of them or, where it can be done, only those that are named.

        A project that none of the names is of is left out; where none is of any, all are run.
        """
        wanted = [(suite, *_share(suite, suites, cases, files, related)) for suite in suites]
        narrow = bool(cases or files or related)
        mine = [each for each in wanted if any(each[1:])] if narrow else wanted
        suites = [suite for suite, *_ in mine or wanted]
        if suites:
            self.ground.journal.append(CommandStarted(f"tests {moment}", command_of(suites)))
        runs = []
        for suite, own_cases, own_files, own_related in mine or wanted or [(_NOTHING, [], [], [])]:
            place.put(place.tree)  # what earlier runs made of tracked files is not what is tested
            with self.clock.running():
                ran = verification.run_tests(
                    suite,
                    moment,
                    root=place.root,
                    tree=place.tree,
                    sandbox=place.sandbox,
                    logs=self.ground.logs,
                    timeout=self.clock.each(),
                    cases=own_cases,
                    files=own_files,
                    related=own_related,
                    junit=self.ground.config.verification.junit or "",
                    seed=seed,
                    some=some,
                    limit=self.clock.limit(),
                    hide=self.ground.hide,
                )
            if some and ran.command == suite.command:  # it could not be narrowed
                ran = replace(ran, some="")
            whole = moment in (Moment.BEFORE, Moment.AFTER)  # compared by their commands
            runs.append(ran if whole else replace(ran, command=from_top(suite, ran.command)))
        for ran in runs[1:]:
            self._append(runs[0].log, ran.log)
        return merged(runs)

    def _append(self, log: str, other: str) -> None:
        """One run, one log."""
        if log and other:
            added = self.ground.logs / other
            # A test may have put something else in the place of a log.
            with contextlib.suppress(OSError), regular(added) as more, regular(self.ground.logs / log):
                with (self.ground.logs / log).open("ab") as to:
                    shutil.copyfileobj(more, to)
                added.unlink()


_NOTHING = TestsChosen("", "", "")


def _share(
    suite: TestsChosen,
    suites: Sequence[TestsChosen],
    cases: Sequence[str],
    files: Sequence[str],
    related: Sequence[str],
) -> tuple[list[str], list[str], list[str]]:
    return cases_of(suite, suites, cases), paths_of(suite, suites, files), paths_of(suite, suites, related)
