"""Work that has to be planned first: until a person approved the plan, the files stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ci_agent.tools import EDITS

_HELD: Final = EDITS | {"submit"}
_RUNS: Final = "bash"  # what it runs can change any file

_NAMED = 10  # files
_NOT_YET = (
    "Not done: a person has to approve your plan first. Call `propose_plan` with it and with all files that you will touch; "
    "until then files stay as they are."
)
_PUT_BACK = (
    "[Put back as before, because your plan is not approved yet: {}. Try things out with a script on standard input or in "
    "$TMPDIR; changes come after the plan.]"
)


@dataclass(frozen=True, slots=True)
class Approved:
    """A plan that is in force: a person approved it, and no other one was proposed since."""

    plan: str
    files: Sequence[str]  # that it means to touch
    by: str


@dataclass(frozen=True, slots=True)
class Planning:
    """What the model is held to as long as its plan is not approved. `put_back` puts files back that were changed, and
    names them."""

    put_back: Callable[[], Sequence[str]] = field(repr=False)

    def refusal(self, tool: str) -> str:
        """Why this tool of ours is not for now; empty: it is."""
        return _NOT_YET if tool in _HELD else ""

    def behind(self, tool: str) -> str:
        """What the answer of a call of this tool goes on with: what was put back; empty: nothing."""
        changed = self.put_back() if tool == _RUNS else ()
        if not changed:
            return ""
        more = f" and {len(changed) - _NAMED:,} more" if len(changed) > _NAMED else ""
        return _PUT_BACK.format(", ".join(changed[:_NAMED]) + more)
