"""What has to be set up on a platform so that jobs can work: looked at, and done for a person who may."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ci_agent.platforms import Label


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to be right."""

    what: str
    ok: bool | None  # None: it can't be looked up
    found: str
    remedy: str = ""  # the next step, where it is not right; a note, where it is


@dataclass(frozen=True, slots=True)
class Step:
    """Something to be done on the platform, once. `do` does it and gives what was done, in words; it raises
    `CiAgentError`."""

    what: str
    by_hand: str  # where a person does it
    do: Callable[[], str]


class Administration(Protocol):
    """The settings of one repository on one platform."""

    def checks(self, labels: Sequence[Label]) -> Iterator[Check]:
        """Whether everything is there. Raises nothing: what fails is a check that is not ok."""
        ...

    def steps(self, labels: Sequence[Label]) -> Sequence[Step]:
        """What is missing and can be done by the API. Raises of the family `CiAgentError`."""
        ...
