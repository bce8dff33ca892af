"""Where tests and checks are run: a clean checkout of the base, one of the result, and a clock for both."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace

from ci_agent import verification
from ci_agent.evidence.ground import Clock, Ground, Place, failed
from ci_agent.evidence.suites import command_of, merged
from ci_agent.journal.events import CommandStarted, Moment, SetupChosen, TestsChosen, TestsRan, Warned

NOT_ASKED_FOR = "Nobody asked for it: `verification.setup` names another one."
SEED = 1  # for whatever is random, the same before and after; runs again have others


class Bench:
    """The two checkouts of one comparison. `setup` is what prepares them."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.clock = Clock(ground)
        self.setup = SetupChosen("", "not looked for yet")
        self.base_tree = ground.control.tree_of(ground.base)
        self.result = Place(ground, "result")
        self._base = Place(ground, "base")

    @property
    def base(self) -> Place:
        """The prepared checkout of the base, made when it is first needed."""
        if not self._base.tree:
            self.lay_out_base()
            self._prepare(self._base)
        return self._base

    def lay_out_base(self) -> Place:
        """The checkout of the base, with nothing prepared."""
        self._base.lay_out(self.base_tree)
        return self._base

    def prepare_base(self) -> Place:
        """Prepare the checkout of the base, which is there."""
        self._prepare(self._base)
        return self._base

    def open_result(self, tree: str) -> None:
        """Make the checkout of the result anew, with `tree`."""
        self.result.lay_out(tree)
        self._prepare(self.result)

    def set_up_more(self, more: SetupChosen) -> None:
        """Prepare what is only known now to be needed, in all checkouts that are there and those to come."""
        for place in (self.result, self._base):
            if place.tree:
                self._prepare_with(place, more)
        command = "\n".join(filter(None, [self.setup.command, more.command]))
        self.setup = SetupChosen(command, f"{self.setup.why}; {more.why}", self.setup.configured)

    def _prepare(self, place: Place) -> None:
        self._prepare_with(place, self.setup)

    def _prepare_with(self, place: Place, setup: SetupChosen) -> None:
        with self.clock.running():
            place.prepare(setup, self.clock.each())
        said = failed(place.set_up)
        if said and not setup.configured:
            self.ground.journal.append(Warned(f"{said} {NOT_ASKED_FOR}"))

    def forget_base(self) -> None:
        """Strangers' tests have run there that are not the base's own."""
        self._base.close()

    def close(self) -> None:
        for place in (self._base, self.result):
            place.close()

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
        """Run the tests of `suites` in `place`, all of them or, where it can be done, only those that are named."""
        if suites:
            self.ground.journal.append(CommandStarted(f"tests {moment}", command_of(suites)))
        settings = self.ground.config.verification
        runs = []
        for suite in suites or (TestsChosen("", "", ""),):
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
                    cases=cases,
                    files=files,
                    related=related,
                    junit=settings.junit or "",
                    seed=seed,
                    some=some,
                )
            # Where the runner could not be narrowed, all of them were run.
            runs.append(replace(ran, some="") if some and ran.command == suite.command else ran)
        for ran in runs[1:]:
            self._append(runs[0].log, ran.log)
        return merged(runs)

    def _append(self, log: str, other: str) -> None:
        """One run, one log."""
        if log and other:
            added = self.ground.logs / other
            with (self.ground.logs / log).open("ab") as to, added.open("rb") as more:
                shutil.copyfileobj(more, to)
            added.unlink()
