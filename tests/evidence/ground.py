"""Small repositories whose changes are examined, with everything real but the people."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ci_agent.config import Config
from ci_agent.evidence import Evidence, Ground, Round
from ci_agent.guard import Guard, of_config
from ci_agent.journal import Journal
from ci_agent.journal.events import Fact
from ci_agent.sandbox.confinement import Confinement
from ci_agent.sandbox.shared_memory import SharedMemory
from ci_agent.workspace import Control, open_source
from tests.support.repositories import Repository, make_repository

_FOLDERS = itertools.count()


@dataclass
class Scene:
    """A repository with a base commit, and what was found out about changes of it."""

    tmp_path: Path
    repository: Repository
    config: Config
    seconds_left: float = 3600.0
    seconds_left_after_base: float = 3600.0
    memory: SharedMemory | None = None  # that of its machine, where it is not this one
    facts: list[Fact] = field(default_factory=list)  # of the last examination
    _based: bool = False  # whether the base was measured

    def examine(self, *changes: Mapping[str, str | None], thorough: bool = True) -> Round:
        """Examine the changes one after the other, each made on the base; the last round."""
        with self.ground() as ground:
            evidence = Evidence(ground)
            assert evidence.begin() == ""
            assert evidence.measure_base() == ""
            self._based = True
            for change in changes:
                found = evidence.examine(self._tree(ground.control, change), thorough=thorough)
            evidence.close()
        assert not [*ground.folder.glob("base*"), *ground.folder.glob("result*")]
        return found

    @contextmanager
    def ground(self) -> Iterator[Ground]:
        """What evidence is measured on, in a folder of its own."""
        folder = self.tmp_path / f"session-{next(_FOLDERS)}"
        folder.mkdir()
        control = Control(open_source(str(self.repository.path), "main", self.tmp_path / "clones"), folder)
        control.make()
        self._based = False
        with (
            Journal(folder / "session.jsonl") as journal,
            closing(Confinement(self.config.sandbox, folder, memory=self.memory)) as confinement,
        ):
            yield Ground(
                control=control,
                confinement=confinement,
                folder=folder,
                logs=folder / "logs",
                journal=journal,
                config=self.config,
                guard=Guard(of_config(self.config)),
                remembered=self.tmp_path / "baselines",
                seconds_left=lambda: self.seconds_left_after_base if self._based else self.seconds_left,
            )
            self.facts = [event.fact for event in journal.events]

    def _tree(self, control: Control, change: Mapping[str, str | None]) -> str:
        """The tree of the base with some files written and some (None) deleted."""
        repository = self.repository
        repository.git("checkout", "-q", "-B", "change", "main")
        repository.write({name: text for name, text in change.items() if text is not None})
        for name in (name for name, text in change.items() if text is None):
            (repository.path / name).unlink()
        repository.commit({})
        return control.tree_of(repository.git("rev-parse", "HEAD"))

    def of(self, *kinds: type) -> list[Fact]:
        return [fact for fact in self.facts if isinstance(fact, kinds)]


def scene(tmp_path: Path, files: Mapping[str, str], **verification: object) -> Scene:
    """A scene on a repository of `files`, tested by unittest, with these settings of `verification` (and `checks`)."""
    repository = make_repository(tmp_path / "shop", files)
    checks = verification.pop("checks", ())
    settings = Config()
    # Tests that count how often they ran do it outside of all checkouts.
    sandbox = replace(settings.sandbox, writable=(str(tmp_path),))
    verification = {"test": "python -m unittest", "coverage": "off"} | verification
    configured = replace(settings.verification, **verification)  # type: ignore[arg-type]
    config = replace(settings, verification=configured, checks=checks, sandbox=sandbox)  # type: ignore[arg-type]
    return Scene(tmp_path, repository, config)
