"""A repository in few lines, for somebody who has to find their way in it: pure text from a list of paths.

A small one shows every file. A large one shows the folders that hold most of the source, each with its most telling
files and what else is there by kind; what there is many of (fixtures, translations, vendored and generated code) gets
one line at most.
"""

from __future__ import annotations

import heapq
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ci_agent.agent.kinds import DULL, ENTRIES, MANIFESTS, SHARES, SOURCE
from ci_agent.agent.named import named

_LINES = 80
_CHARACTERS = 4_000  # about 1,000 tokens
_TREE_SHARE = 0.5  # of the characters, for the folders themselves; the rest is for names in them
_COUNTS = 12  # characters of a line that tells how many there are
_DECAY = 0.6  # what a folder is worth against one a level higher that holds as much
_FEW = 20  # files: in a folder of so few each may be shown, whatever it is
_SMALL = 400  # files: in a repository of so few each may be shown
_MOST_SHARE = 0.3  # of the room for names, for all those of one folder
_MOST_TELLING = 200  # characters, where not all of a folder's names are shown
_KINDS = 3  # that are told apart
_LITTLE = 0.15  # of a folder: a kind that is no more of it is not told apart
_HANDFUL = 2  # files, likewise
_MOST_OF_ROOT = 500
_MOST_NAMES = 200  # of a folder that are looked at; of so many it names few
_LONGEST_SUFFIX = 9  # with its dot
_SOURCE_RANK = 1  # lower: files that say more than others about the whole
_NAMED_WEIGHT = 40.0  # what a file that the issue names is worth, in source files


@dataclass(slots=True, eq=False)
class _Folder:
    """`name` ends with `/`, and holds several where each but the last holds nothing but the next."""

    name: str
    share: float
    depth: int = 0
    weight: float = 0.0  # of the source below
    worth: float = math.inf  # what it is worth to show it, at its depth
    files: list[str] = field(default_factory=list)
    folders: list[_Folder] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)  # of all files below
    is_meant: bool = False  # it holds a file that the issue names
    has_line: bool = False

    @property
    def is_root(self) -> bool:
        return not self.name

    @property
    def is_dull(self) -> bool:
        return self.share <= DULL and self.kinds.total() > _FEW and not self.is_meant


def outline(files: Sequence[str], issue: str = "") -> str:
    """The repository of `files` (paths with `/`, in any order) in at most 80 lines and about 4,000 characters.

    `issue` is the text of the issue: files it names come first, and their folders are shown.
    """
    meant = named(files, issue)
    head = [f"Named in the issue: {' '.join(map(_readable, meant))}"] if meant else []
    folders = _chosen(_tree(files, meant), _LINES - len(head))
    return "\n".join([*head, *_lines(folders, _CHARACTERS - sum(map(len, head)))])


# --- the tree ----------------------------------------------------------------------------------------------


def _tree(files: Sequence[str], meant: Iterable[str]) -> _Folder:
    root = _Folder("", 1.0)
    known = {"": root}  # by path; what holds a folder stands before it
    for path in files:
        parent, _, name = path.rpartition("/")
        folder = known.get(parent) or _made(parent, known)
        folder.files.append(name)
    for path in meant:
        folder = known[path.rpartition("/")[0]]
        folder.weight += _NAMED_WEIGHT
        folder.is_meant = True
    for folder in reversed(known.values()):
        folder.kinds = _kinds(folder.files)
        folder.weight += folder.share * sum(folder.kinds[kind] for kind in folder.kinds.keys() & SOURCE)
        for below in folder.folders:
            folder.kinds.update(below.kinds)
            folder.weight += below.weight
            folder.is_meant |= below.is_meant
        folder.folders = [_joined(below) for below in folder.folders]
    return root


def _made(path: str, known: dict[str, _Folder]) -> _Folder:
    """The folder at `path`, made with all that hold it."""
    parts = path.split("/")
    folder = known[""]
    for depth, part in enumerate(parts, 1):
        here = "/".join(parts[:depth])
        if here not in known:
            known[here] = _Folder(f"{part}/", min(folder.share, SHARES.get(part.lower(), 1.0)))
            folder.folders.append(known[here])
        folder = known[here]
    return folder


def _joined(folder: _Folder) -> _Folder:
    """A folder that holds nothing but one other, as that one with both names."""
    if folder.files or len(folder.folders) != 1:
        return folder
    only = folder.folders[0]
    only.name = folder.name + only.name
    return only


def _kinds(names: Sequence[str]) -> Counter[str]:
    """How many of each suffix; what is none counts as `other`."""
    kinds: Counter[str] = Counter()
    for suffix, count in Counter(name[name.rfind(".") :] for name in names).items():
        is_one = suffix.startswith(".") and len(suffix) <= _LONGEST_SUFFIX and suffix[1:].isalnum()
        kinds[suffix if is_one else "other"] += count
    return kinds


# --- what is shown -----------------------------------------------------------------------------------------


def _chosen(root: _Folder, most: int) -> list[_Folder]:
    """The folders that get a line of their own, in the order of the tree."""
    room = _CHARACTERS * _TREE_SHARE
    number = 0
    waiting = [(0.0, number, root)]  # what it is worth, negative; a number, since folders can't be compared
    while waiting and most and room > 0:
        folder = heapq.heappop(waiting)[-1]
        folder.has_line = True
        most -= 1
        room -= len(folder.name) + 2 * folder.depth + _COUNTS
        for below in () if folder.is_dull else folder.folders:
            number += 1
            below.depth = folder.depth + 1
            below.worth = below.weight * _DECAY**below.depth
            heapq.heappush(waiting, (-below.worth, number, below))
    ordered: list[_Folder] = []
    stack = [root]
    while stack:
        ordered.append(stack.pop())
        below_it = (below for below in ordered[-1].folders if below.has_line)
        stack += sorted(below_it, key=lambda below: below.name, reverse=True)
    return ordered


def _lines(folders: Sequence[_Folder], room: int) -> list[str]:
    """A line for each folder. What room they leave goes to names, first where few of them tell much."""
    lines = [_line(folder, []) for folder in folders]
    room -= sum(len(line) + 1 for line in lines)
    all_files = folders[0].kinds.total() <= _SMALL
    names = [_names(folder, all_files=all_files) for folder in folders]
    need = [_length(those) for those in names]
    order = sorted(range(len(folders)), key=lambda index: -folders[index].worth / (need[index] + 1))
    for index in order:
        fitting = names[index] if need[index] <= room * _MOST_SHARE else _first(names[index], folders[index])
        if _length(fitting) <= room:
            room -= _length(fitting)
            lines[index] = _line(folders[index], fitting)
    return [line for line in lines if line]


def _names(folder: _Folder, *, all_files: bool) -> list[str | _Folder]:
    """What may be named on the folder's own line, the most telling first."""
    if folder.is_dull:
        return []
    hidden = [
        below for below in folder.folders if not below.has_line and (below.weight >= 1 or folder.is_root)
    ]
    hidden.sort(key=lambda below: -below.weight)
    considered = folder.files if folder.is_root else folder.files[:_MOST_NAMES]
    files = sorted((_rank(name, folder), name) for name in considered)
    first = [name for rank, name in files if rank < _SOURCE_RANK]
    rest = [name for rank, name in files if rank == _SOURCE_RANK or (rank > _SOURCE_RANK and all_files)]
    return [*first, *hidden, *rest]


def _rank(name: str, folder: _Folder) -> int:
    """In the root all counts but hidden files, and manifests most; below it manifests are where one expects them."""
    stem = name.partition(".")[0].lower()
    if stem in ENTRIES or (folder.is_root and stem in MANIFESTS):
        return _SOURCE_RANK - 1
    is_plain = name[name.rfind(".") :] in SOURCE or (folder.is_root and stem)
    return _SOURCE_RANK if is_plain else _SOURCE_RANK + 1


def _first(names: Sequence[str | _Folder], folder: _Folder) -> Sequence[str | _Folder]:
    """What to name where there is no room for all: where it begins and the largest folders, no files by the
    alphabet. Of the root more, since it says what the whole is."""
    telling = [
        name
        for name in names
        if folder.is_root or isinstance(name, _Folder) or _rank(name, folder) < _SOURCE_RANK
    ]
    room = _MOST_OF_ROOT if folder.is_root else _MOST_TELLING
    while _length(telling) > room:
        telling.pop()
    return telling


def _length(names: Iterable[str | _Folder]) -> int:
    return sum(len(_text(name)) + 1 for name in names)


def _line(folder: _Folder, names: Sequence[str | _Folder]) -> str:
    """The folder, the names, and how many files there are below it that neither these nor other lines show."""
    rest = folder.kinds.copy()
    for below in folder.folders:
        if below.has_line or below in names:
            rest.subtract(below.kinds)
    rest.subtract(_kinds([name for name in names if isinstance(name, str)]))
    parts = [_readable(folder.name)] if folder.name else []
    parts += map(_text, names)
    if told := _told(rest):
        parts.append(f"+ {told}" if names else told)
    return "  " * (folder.depth - 1) + " ".join(parts) if parts else ""


def _text(name: str | _Folder) -> str:
    return _readable(name) if isinstance(name, str) else f"{_readable(name.name)}({name.kinds.total():,})"


def _told(kinds: Counter[str]) -> str:
    """`41 .py, 12 .json, 5 other`; no kind of which there are few has a name."""
    total = kinds.total()
    few = max(total * _LITTLE, _HANDFUL if len(+kinds) > 1 else 0)
    told = [(kind, count) for kind, count in kinds.most_common(_KINDS) if count > few and kind != "other"]
    other = total - sum(count for _, count in told)
    return ", ".join(f"{count:,} {kind}" for kind, count in [*told, *([("other", other)] if other else [])])


def _readable(name: str) -> str:
    """A name as it is; one with blanks, line ends and the like in quotes, so that it can look like nothing else."""
    return name if name.isprintable() and " " not in name else json.dumps(name)
