"""What the project's own files say on how to work in it: which of them count, and when the model is told.

The files are those of the base commit, so that the work can't write its own rules. Reads them through a function it
is given, and nothing else.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ci_agent.agent.globs import matches
from ci_agent.agent.hidden import plainly_as_seen
from ci_agent.agent.markdown import chosen, shortened, visible
from ci_agent.journal.events import Hidden

Content = Callable[[str], bytes | None]

_NAMES = ("AGENTS.md", "CLAUDE.md")  # the first that a folder has
_OURS = ".ci-agent/rules/"
_CONTRIBUTING = ("contributing.md", ".github/contributing.md", "docs/contributing.md")

_ALL = 8_000  # characters of what is told at the beginning
_CONTRIBUTING_MOST = 2_500  # it was written for people
_LATER = 4_000  # of one that is told later
_LONGEST = 200_000  # bytes that are looked at of a file
_FRONT_MATTER = 4_000  # characters that are looked at of it
_POINTER = 200  # characters of a file that only names another

_COMMA = re.compile(r",(?![^{]*\})")  # between globs, not between braces

# Headings of a CONTRIBUTING.md: what of it is about the code, and what is not.
_ABOUT_CODE = re.compile(
    r"\b(cod(e|ing)|style|conventions?|lint\w*|format\w*|test\w*|commit\w*|change ?logs?|release notes|news|typing|"
    r"type hints?|standards?)\b",
    re.IGNORECASE,
)
_ABOUT_PEOPLE = re.compile(
    r"\b(conduct|cla|agreement|licen[cs]\w*|communit\w*|report\w*|bugs?|issues?|security|releas(e(?! notes)|ing)|"
    r"features?|questions?|support|discussions?|fork\w*|clon\w*|sponsor\w*|translat\w*|review\w*)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A file's text, as the model is told it."""

    path: str
    text: str
    hidden: tuple[Hidden, ...] = ()  # characters without a shape that were in it


@dataclass(frozen=True, slots=True)
class Scoped:
    """A file with rules for some files only: those below `folder` that match one of `globs`, if there are any."""

    path: str
    folder: str = ""  # with its `/`; empty: the root
    globs: tuple[str, ...] = ()

    def covers(self, path: str) -> bool:
        inside = path.startswith(self.folder)
        return inside and (not self.globs or any(matches(path, glob) for glob in self.globs))


@dataclass(frozen=True, slots=True)
class Rules:
    """`told` is for the beginning, at most about 8,000 characters; `later` when a file they cover comes up."""

    told: tuple[Rule, ...] = ()
    later: tuple[Scoped, ...] = ()


def find_rules(paths: Iterable[str], content: Content) -> Rules:
    """The rules among `paths`, the files of the base commit. `content` gives a file's bytes, None where it has none."""
    known = frozenset(paths)
    ours = [_ours(path, content) for path in sorted(known) if _is_ours(path)]
    whole = [_text(path, known, content) for path in _NAMES if path in known][:1]
    whole += [rule for rule, globs in ours if not globs]
    whole += _contributing(known, content)
    scoped = [Scoped(rule.path, globs=globs) for rule, globs in ours if globs and rule.text]
    return Rules(_fitting([rule for rule in whole if rule.text]), (*scoped, *_nested(known)))


class Reminder:
    """Tells the rules that count for some files only when the model first meets such a file. Remembers what it told."""

    def __init__(self, later: Sequence[Scoped], paths: Iterable[str], content: Content) -> None:
        self._paths = frozenset(paths)
        self._content = content
        self._later = tuple(later)
        self._untold = list(later)
        nested = (scoped.folder for scoped in later if scoped.folder)
        self._folders = sorted(nested, key=len, reverse=True)

    def for_path(self, path: str) -> str:
        """What to add to the result of a call that read or changed `path`; empty: nothing that was not told.

        Of the files in folders only the nearest counts.
        """
        path = posixpath.normpath(path)
        nearest = next((folder for folder in self._folders if path.startswith(folder)), "")
        new = [one for one in self._untold if one.covers(path) and one.folder in ("", nearest)]
        self._untold = [one for one in self._untold if one not in new]
        rules = [_text(one.path, self._paths, self._content) for one in new]
        return "\n\n".join(
            f"[rules of {rule.path}, which count here:\n{shortened(rule.text, _LATER, rule.path)}]"
            for rule in rules
            if rule.text
        )

    def forget(self) -> None:
        """What was told may be gone from the context: it is told again with the next file it is about."""
        self._untold = list(self._later)


# --- which files -------------------------------------------------------------------------------------------


def _is_ours(path: str) -> bool:
    name = path.removeprefix(_OURS)
    return name != path and name.endswith(".md") and "/" not in name


def _ours(path: str, content: Content) -> tuple[Rule, tuple[str, ...]]:
    head, text = _front_matter(_decoded(content(path)))
    return _rule(path, text), _globs(head)


def _nested(known: frozenset[str]) -> list[Scoped]:
    """The files of folders; where one has both names, the first counts."""
    found: dict[str, str] = {}
    for name in reversed(_NAMES):
        found |= {path.removesuffix(name): path for path in known if path.endswith(f"/{name}")}
    return [Scoped(path, folder) for folder, path in sorted(found.items())]


def _contributing(known: frozenset[str], content: Content) -> list[Rule]:
    places = {path.lower(): path for path in known if path.lower() in _CONTRIBUTING}
    path = next((places[place] for place in _CONTRIBUTING if place in places), None)
    if path is None:
        return []
    rule = _text(path, known, content)
    text = chosen(rule.text, _is_about_code)
    return [replace(rule, path=path, text=shortened(text, _CONTRIBUTING_MOST, path))]


def _is_about_code(title: str) -> bool | None:
    if _ABOUT_PEOPLE.search(title):
        return False
    return True if _ABOUT_CODE.search(title) else None


def _fitting(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules in their order, all of them short enough to fit: small ones whole, the others with equal room."""
    room = _ALL
    texts = {}
    for done, rule in enumerate(sorted(rules, key=lambda rule: len(rule.text))):
        texts[rule.path] = shortened(rule.text, room // (len(rules) - done), rule.path)
        room -= len(texts[rule.path])
    return tuple(replace(rule, text=texts[rule.path]) for rule in rules)


# --- reading them ------------------------------------------------------------------------------------------


def _text(path: str, known: frozenset[str], content: Content) -> Rule:
    """What the file says. One that only points to another (`@AGENTS.md`, or a link in git's sense) says what that
    one says."""
    text = _front_matter(_decoded(content(path)))[1]
    other = _pointed_at(path, text, known)
    if other:
        path, text = other, _front_matter(_decoded(content(other)))[1]
    return _rule(path, text)


def _rule(path: str, text: str) -> Rule:
    seen = plainly_as_seen(visible(text))
    return Rule(path, seen.text.strip(), seen.hidden)


def _pointed_at(path: str, text: str, known: frozenset[str]) -> str | None:
    text = visible(text[:_LONGEST]).strip()
    if "\n" in text or len(text) > _POINTER:
        return None
    found = re.findall(r"[\w./-]*\w\.\w+", text)
    names = {posixpath.normpath(posixpath.join(posixpath.dirname(path), name)) for name in found}
    return next(iter(names & known - {path}), None) if len(names) == 1 else None


def _decoded(data: bytes | None) -> str:
    """Empty for what is no text."""
    data = (data or b"")[:_LONGEST]
    return "" if b"\0" in data else data.decode("utf-8-sig", "replace").replace("\r\n", "\n")


def _front_matter(text: str) -> tuple[str, str]:
    """The YAML at the beginning of a document, between lines `---`, and the document without it."""
    found = re.match(r"---[ \t]*\n(.*?\n)?---[ \t]*(?:\n|\Z)", text, re.DOTALL)
    return (found[1] or "", text[found.end() :]) if found else ("", text)


def _globs(head: str) -> tuple[str, ...]:
    """`paths` of the front matter: one glob, several with commas between them, or a list. Empty: all files.

    Read by hand, because `paths: **/*.py`, which people write, is no YAML.
    """
    found = re.search(r"^paths:[ \t]*(.*)((?:\n[ \t]*-.*)*)", head[:_FRONT_MATTER], re.MULTILINE)
    if not found:
        return ()
    line = found[1].strip().removeprefix("[").removesuffix("]")
    listed = [entry.strip().removeprefix("-") for entry in found[2].splitlines()]
    globs = (glob.strip().strip("'\"") for glob in [*_COMMA.split(line), *listed])
    return tuple(glob for glob in globs if glob)
