"""`apply_patch`: a patch over several files, all of it or nothing.

It is not among the tools the model is offered, but many a model knows it from elsewhere and calls it all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ci_agent.tools import hunks, places, textfile
from ci_agent.tools.passages import line_of
from ci_agent.tools.patch import EXAMPLE, Action, FileChange, parse
from ci_agent.tools.places import Place
from ci_agent.tools.syntax import new_error
from ci_agent.tools.text import count_lines, cut, head
from ci_agent.tools.tool import Answer, Parameter, ToolError, World

_LARGEST = 20_000_000  # bytes of a file that is changed
_HEADLINE = 400  # characters of the lines that are named
_SHOWN = 8_000  # characters of changed passages in an answer


class ApplyPatch:
    name = "apply_patch"
    description = "Change several files by a patch, all or none."
    parameters: tuple[Parameter, ...] = (
        Parameter("patch", "string", "*** Begin Patch … or a unified diff", example=EXAMPLE),
        Parameter("folder", "string", "that its paths are relative to", required=False, default=""),
    )

    def run(self, arguments: Mapping[str, Any], world: World) -> Answer:
        work = _Work(world, PurePosixPath(arguments["folder"]))
        for change in parse(arguments["patch"]):
            work.plan(change)
        work.carry_out()
        return Answer("\n".join(work.said()))


@dataclass(frozen=True, slots=True)
class _State:
    """What is at a place; None: nothing."""

    place: Place
    data: bytes | None
    mode: int | None = None

    def put(self) -> None:
        if self.data is not None:
            places.write(self.place, self.data, self.mode)
        elif places.mode(self.place) is not None:
            places.remove(self.place)


class _Work:
    """A patch on its way: planned in memory, then written."""

    def __init__(self, world: World, folder: PurePosixPath) -> None:
        self._world = world
        self._folder = folder
        self._before: dict[str, _State] = {}  # by the path that is shown
        self._after: dict[str, _State] = {}
        self._headlines: list[str] = []
        self._passages: list[str] = []  # one for each headline
        self._errors: list[str] = []

    def plan(self, change: FileChange) -> None:
        """Take one file's part. Raises `ToolError`; nothing was written then."""
        place = self._locate(change.path)
        now = self._now(place)
        if change.action is Action.ADD:
            self._plan(_State(place, change.content.encode()))
            verb = "created" if now.data is None else "replaced"
            self._say(f"{verb} {place.shown}, {count_lines(change.content)}")
            self._look(place.shown, now.data, change.content)
        elif now.data is None:
            raise ToolError(f"{places.missing(place)} Nothing was changed.")
        elif change.action is Action.DELETE:
            self._plan(_State(place, None))
            self._say(f"deleted {place.shown}")
        else:
            self._update(place, now, now.data, change)

    def _update(self, place: Place, now: _State, data: bytes, change: FileChange) -> None:
        target = self._locate(change.moved_to) if change.moved_to else place
        file = textfile.decoded(place.shown, data)
        result, found = hunks.applied(file.text, change.hunks, place.shown)
        if target != place:
            self._now(target)  # it is kept, should it have to come back
            self._plan(_State(place, None))
        self._plan(_State(target, file.data(result), now.mode))
        to = f" to {target.shown}" if target != place else ""
        passages, lines = [], []
        for one in found:
            # Hunks stand in order as a rule; where one does not, its line may have moved by what came after it.
            first = line_of(result, min(one.at, len(result)))
            lines.append(f"{first}{f' ({one.how})' if one.how else ''}")
            passages.append(textfile.around(result, first, first + one.new.removesuffix("\n").count("\n")))
        at = f" at line{'s' if len(lines) > 1 else ''} {cut(', '.join(lines), _HEADLINE)}" if lines else ""
        self._say(
            f"{'moved' if to and not found else 'edited'} {place.shown}{to}{at}", "\n…\n".join(passages)
        )
        self._look(target.shown, data, result)

    def carry_out(self) -> None:
        """Write it all. Raises `OSError`, and `ToolError` for what is no file; all is as before then."""
        done: list[str] = []
        try:
            for path, state in self._after.items():
                done.append(path)
                state.put()
        except BaseException:
            for path in reversed(done):
                self._before[path].put()
            raise

    def said(self) -> list[str]:
        """What was done. Passages are shown as far as an answer goes."""
        said, room = [], _SHOWN
        for headline, passage in zip(self._headlines, self._passages, strict=True):
            seen = head(passage, room)
            room -= len(seen)
            said += [
                headline,
                *([seen.removesuffix("\n")] if seen else []),
                *(["…"] if seen != passage else []),
            ]
        return [*said, *self._errors]

    def _locate(self, path: str) -> Place:
        place = places.locate(str(self._folder / path), self._world)
        if not place.parts:
            raise ToolError(f"{path!r} is the workspace itself, not a file. Nothing was changed.")
        return place

    def _now(self, place: Place) -> _State:
        """What is there after the parts that were taken already."""
        if place.shown not in self._before:
            mode = places.mode(place)
            data = None if mode is None else places.read(place, _LARGEST)
            self._before[place.shown] = _State(place, data, mode)
        return self._after.get(place.shown, self._before[place.shown])

    def _plan(self, state: _State) -> None:
        self._after[state.place.shown] = state

    def _say(self, headline: str, passage: str = "") -> None:
        self._headlines.append(headline)
        self._passages.append(passage)

    def _look(self, shown: str, before: bytes | None, after: str) -> None:
        text = None if before is None else before.decode(errors="replace")
        self._errors += [f"[{shown}: {error[1:]}" for error in new_error(shown, text, after, self._world)]
