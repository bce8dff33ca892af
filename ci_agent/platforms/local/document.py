"""A Markdown file with YAML front matter, as people and we write it: bytes to `Document` and back.

What was written by `render` is read back to the letter, with one exception: half a surrogate pair, which no
file in UTF-8 can hold, becomes a question mark. Files are neither opened nor written here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ci_agent.config.strict_yaml import Entry, List, Problem, Scalar, Tree, decode, read
from ci_agent.errors import UsageError

if TYPE_CHECKING:
    from yaml import Node

LONGEST_HEAD = 64_000  # characters of front matter
LONGEST_TITLE = 100  # characters of a title made from a line of text


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says. `name` is for messages; all that read a value raise `UsageError` with its line."""

    name: str
    head: Mapping[str, Entry]
    text: str

    def word(self, key: str, default: str = "") -> str:
        """A single value as it was written; `default` where it is missing or empty."""
        value = self.head[key].value if key in self.head else None
        if value is None:
            return default
        if not isinstance(value, Scalar):
            raise self._wrong(key, "a single text")
        return default if value.value is None else value.text

    def words(self, key: str) -> tuple[str, ...]:
        """A list of texts; one text with commas will do."""
        value = self.head[key].value if key in self.head else None
        if isinstance(value, List):
            if not all(isinstance(item, Scalar) for item in value.items):
                raise self._wrong(key, "a list of texts")
            found = [item.text for item in value.items if isinstance(item, Scalar)]
        else:
            found = [word.strip() for word in self.word(key).split(",")]
        return tuple(dict.fromkeys(word for word in found if word))

    def choice(self, key: str, choices: Sequence[str]) -> str:
        """One of `choices`; the first where it is missing."""
        word = self.word(key, choices[0])
        if word not in choices:
            raise self._wrong(key, " or ".join(choices))
        return word

    def time(self, key: str) -> datetime | None:
        """A moment in ISO 8601, in UTC; one without a time zone is meant as that."""
        word = self.word(key)
        if not word:
            return None
        try:
            moment = datetime.fromisoformat(word)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError) as error:
            raise self._wrong(key, "a time such as 2026-01-31 12:00:00+00:00") from error

    def plain_head(self) -> dict[str, object]:
        """The front matter as `render` takes it."""
        return {key: _plain(entry.value) for key, entry in self.head.items()}

    def _wrong(self, key: str, wanted: str) -> UsageError:
        return UsageError(
            f"{self.name}:{self.head[key].line}: `{key}` must be {wanted}; please correct the file"
        )


def parse(data: bytes, name: str) -> Document:
    """The document in `data`. Raises `UsageError` with file and line for what can't be read."""
    text = decode(data)
    if isinstance(text, Problem):
        raise UsageError(f"{name}:{text.line}: {text.text}")
    match = _HEAD.match(text)
    if match is None:
        if _FENCE.match(text):
            raise UsageError(f"{name}:1: the front matter that begins here is never closed by a line `---`")
        return Document(name, {}, text.removesuffix("\n").removesuffix("\r"))
    if len(match["head"]) > LONGEST_HEAD:
        raise UsageError(f"{name}:1: the front matter is longer than {LONGEST_HEAD:,} characters; shorten it")
    section, problems = read(match["head"], first_line=2)
    if problems:
        raise UsageError(f"{name}:{problems[0].line}: in the front matter: {problems[0].text}")
    # The file's own line end, so that a text which begins or ends with the other one keeps it.
    end = match["end"]
    return Document(name, section.entries, text[match.end() :].removeprefix(end).removesuffix(end))


def render(head: Mapping[str, object], text: str) -> bytes:
    """The file that says all this."""
    import yaml

    node = yaml.representer.SafeRepresenter(sort_keys=False).represent_data(dict(head))
    _quote(node)
    front = yaml.serialize(node, Dumper=yaml.SafeDumper, allow_unicode=True, width=_NEVER_WRAP)
    return f"---\n{front}---\n\n{_without_surrogates(text)}\n".encode()


def title_and_text(document: Document) -> tuple[str, str]:
    """What an issue written as a file is called and says: `title` of the front matter, else the first heading,
    which is then no part of the text, else the first line, which stays part of it.

    Raises `UsageError` for a file that says nothing.
    """
    title = " ".join(document.word("title").split())
    if title:
        return title, document.text
    text = document.text.strip()
    if not text:
        raise UsageError(
            f"{document.name} says nothing; write what is to be done, the first line is the title"
        )
    line, _, rest = text.partition("\n")
    heading = _HEADING.fullmatch(line.strip())
    if heading:
        return heading[1], rest.strip()
    line = line.strip()
    return (line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 1].rstrip()}…"), text


_HEADING = re.compile(r"#{1,6}[ \t]+(.+?)(?:[ \t]+#+)?")
_FENCE = re.compile(r"---[ \t]*(?P<end>\r?\n)")
_HEAD = re.compile(rf"{_FENCE.pattern}(?P<head>(?:.*\n)*?)---[ \t]*(?:\r?\n|\Z)")
_NEVER_WRAP = 10**9


def _plain(value: Tree) -> object:
    if isinstance(value, Scalar):
        return value.value if value.value is None or isinstance(value.value, bool) else value.text
    if isinstance(value, List):
        return [_plain(item) for item in value.items]
    return {key: _plain(entry.value) for key, entry in value.entries.items()}


def _quote(node: Node) -> None:
    """Have what YAML would fold or wrap written with escapes: each value stands on one line, and is read back
    as it was (PyYAML loses U+0085 between single quotes)."""
    import yaml

    if isinstance(node, yaml.ScalarNode):
        node.value = _without_surrogates(node.value)
        node.style = node.style if node.value.isprintable() else '"'
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _quote(item)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _quote(key)
            _quote(value)


def _without_surrogates(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
