"""Work that comes to nothing: what is said to the model when it goes in circles, and when it is ended."""

from __future__ import annotations

from collections.abc import Callable

from ci_agent.agent.novelty import Novelty
from ci_agent.agent.repetition import Repetition, digest

_UNCHANGED_SHARE = 0.6  # of the steps, after which something should have changed

_REPEATED = "[The same call gave the same result three times. Try something else.]"
_NOTHING_NEW = (
    "[Your last {} steps brought nothing that you had not seen before. Say to yourself what you know and what you "
    "still need, then change something or submit.]"
)
_OVERDUE = (
    "[More than half of the steps are used and no file has changed yet. Make the smallest change that could be right "
    "now, and test it.]"
)


class Circling:
    """Watches one model at work. `changed` says whether any file differs from what the work began with; it is asked once,
    when 60 % of the `steps` are used that the session had left at step `first`. `replaceable`: a better
    model stands by, so that this one is ended where it would be warned."""

    def __init__(self, *, steps: int, first: int, changed: Callable[[], bool], replaceable: bool) -> None:
        self._due = first + max(1, int((steps - first) * _UNCHANGED_SHARE))
        self._of_step: set[bytes] = (
            set()
        )  # the calls of this step: the model has seen the answer to none of them yet
        self._changed = changed
        self._replaceable = replaceable
        self._repetition = Repetition()
        self._novelty = Novelty()
        self._overdue = False
        self._asked = False

    def add(self, name: str, arguments: str, result: str) -> str:
        """Take in one call; what to add to its result, or nothing."""
        self._novelty.add(name, result)
        same = digest(name, arguments, result)
        if same in self._of_step:
            return ""
        self._of_step.add(same)
        self._repetition.add(name, arguments, result)
        return _REPEATED if self._repetition.warn else ""

    def end_step(self, step: int) -> list[str]:
        """All calls of a step are done; what to add to the last result."""
        self._novelty.next_step()
        self._of_step.clear()
        asked = step >= self._due and not self._asked
        self._asked = self._asked or asked
        self._overdue = asked and not self._changed()
        remarks = [_NOTHING_NEW.format(self._novelty.stale)] if self._novelty.warn else []
        return [*remarks, _OVERDUE] if self._overdue and not self._replaceable else remarks

    def stop(self) -> str:
        """Why the work should end, in a sentence for people; empty: it should not."""
        if self._repetition.stuck:
            return "The model repeated the same calls with the same results and was stopped."
        if self._novelty.stuck:
            return f"The model learned nothing new in {self._novelty.stale} steps and was stopped."
        if self._overdue and self._replaceable:
            return f"The model had changed nothing after {_UNCHANGED_SHARE:.0%} of the steps."
        return ""
