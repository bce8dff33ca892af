"""What must not be in a change, whatever the tests say of it. Pure: a patch in, sentences out.

It reads what a hand-in adds, line by line. Nothing here is about style; each kind is something that no reviewer
would let pass, and that an agent leaves behind by mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ci_agent.journal.events import PolicyFinding

_NAMED = 5  # places in one sentence


@dataclass(slots=True)
class _File:
    path: str
    new: bool = False
    added: list[tuple[int, str]] = field(default_factory=list)  # number in the result, text


@dataclass(frozen=True, slots=True)
class Objections:
    """What speaks against a change: `fatal` can never be right, `doubtful` may be meant, `policy` is what it touches
    that it may not, or only as a draft, `strays` where it goes another way than the approved plan."""

    fatal: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    policy: tuple[PolicyFinding, ...] = ()
    strays: str = ""

    def __bool__(self) -> bool:
        return bool(self.fatal or self.doubtful or self.policy or self.strays)


def objections(patch: bytes, policy: Sequence[PolicyFinding] = (), strays: str = "") -> Objections:
    """What is wrong with the change in `patch`, as `git diff -U0` writes it, and what the policy found in it and was found
    beside the plan."""
    files = list(_files(patch.decode("utf-8", "replace")))
    conflicts = [place for file in files for place in _conflicts(file)]
    scratch = [file.path for file in files if file.new and _SCRATCH.search(file.path)]
    debugging = [place for file in files for place in _debugging(file)]
    return Objections(
        fatal=_sentence("Conflict markers are left in {}.", conflicts),
        doubtful=(
            *_sentence("The change adds what looks like scratch or leftover files: {}.", scratch),
            *_sentence("The change leaves debugging in the code: {}.", debugging),
        ),
        policy=tuple(policy),
        strays=strays,
    )


# Names that tools leave behind, and those that people and models give to what they try something out with. Tests
# have names of their own; a `test_*.py` at the root is where many projects keep theirs.
_SCRATCH = re.compile(
    r"(\.(orig|rej|bak|swp|swo|tmp)|~|(^|/)(\.DS_Store|nohup\.out|core\.\d+)"
    r"|(^|/)(scratch|repro(duce)?(_\w+)?|debug(_\w+)?|tmp(_\w+)?|temp|foo|untitled)\.(py|js|mjs|cjs|ts|sh|rb|go|rs|txt|md)"
    r"|(^|/)__pycache__/.*|\.py[co]|(^|/)\.coverage)$",
    re.IGNORECASE,
)
_DEBUGGING: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = (
    (re.compile(r"\.pyi?$"), re.compile(r"^\s*(breakpoint\(\)|import i?pdb\b|i?pdb\.set_trace\(\))")),
    (re.compile(r"\.[cm]?[jt]sx?$"), re.compile(r"^\s*debugger\s*;?\s*$")),
    (re.compile(r"\.rb$"), re.compile(r"^\s*(binding\.(pry|irb)|byebug)\b")),
    (re.compile(r"\.rs$"), re.compile(r"(?<!\w)dbg!\(")),
)


def _conflicts(file: _File) -> Iterator[str]:
    """Where a whole conflict begins: of one marker alone a text may well speak."""
    begun: int | None = None
    for number, text in file.added:
        if text.startswith("<<<<<<< "):
            begun = number
        elif text.startswith(">>>>>>> ") and begun is not None:
            yield f"{file.path}:{begun}"
            begun = None


def _debugging(file: _File) -> Iterator[str]:
    for names, leftover in _DEBUGGING:
        if names.search(file.path):
            yield from (f"{file.path}:{number}" for number, text in file.added if leftover.search(text))


def _sentence(text: str, places: list[str]) -> tuple[str, ...]:
    if not places:
        return ()
    more = f" and {len(places) - _NAMED:,} more" if len(places) > _NAMED else ""
    return (text.format(", ".join(places[:_NAMED]) + more),)


_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")


def _files(patch: str) -> Iterator[_File]:
    file: _File | None = None
    number = left = 0  # the next added line, and how many the hunk still has
    for line in patch.split("\n"):
        if left and line.startswith("+"):
            if file is not None:
                file.added.append((number, line[1:]))
            number, left = number + 1, left - 1
        elif line.startswith("diff --git "):
            if file is not None:
                yield file
            file, left = _File(_path(line)), 0
        elif file is not None and line.startswith("new file mode "):
            file.new = True
        elif hunk := _HUNK.match(line):
            number, left = int(hunk[1]), int(hunk[2] or 1)
    if file is not None:
        yield file


def _path(line: str) -> str:
    """The new path in `diff --git a/… b/…`; one with odd characters stays in git's quotes."""
    return line.rpartition(" b/")[2] or line
