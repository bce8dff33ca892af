"""What has to be set up on a platform so that jobs can work: looked at, and done for a person who may."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ci_agent.errors import AuthenticationError, CiAgentError, UsageError
from ci_agent.platforms import Label


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to be right."""

    what: str
    ok: bool | None  # None: it can't be looked up, or it is not needed yet
    found: str
    remedy: str = ""  # the next step, where it is not right; a note, where it is


@dataclass(frozen=True, slots=True)
class Step:
    """Something to be done on the platform, once. `do` does it and gives what was done, in words; it raises
    `CiAgentError`."""

    what: str
    by_hand: str  # where a person does it
    do: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Look:
    """A check that is still to be made. `look` raises of the family `CiAgentError` where it can't be."""

    what: str
    look: Callable[[], Check]
    remedy: str  # where the platform refuses


def looked(looks: Sequence[Look], needed: Collection[str]) -> Iterator[Check]:
    """Each of `looks`, until one that is `needed` can't be looked at, or the platform fails: those after it are then
    named once, as not looked at. Raises nothing."""
    for number, one in enumerate(looks):
        try:
            yield one.look()
        except CiAgentError as error:
            refused = isinstance(error, AuthenticationError | UsageError)
            yield Check(one.what, False, str(error), one.remedy if refused else "")
            rest = ", ".join(other.what for other in looks[number + 1 :])
            if rest and (one.what in needed or not refused):
                yield Check("the rest", None, f"not looked at without that: {rest}")
                return


class Administration(Protocol):
    """The settings of one repository on one platform."""

    def checks(self, labels: Sequence[Label]) -> Iterator[Check]:
        """Whether everything is there. Raises nothing: what fails is a check that is not ok."""
        ...

    def steps(self, labels: Sequence[Label]) -> Sequence[Step]:
        """What is missing and can be done by the API. Raises of the family `CiAgentError`."""
        ...
