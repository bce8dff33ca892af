"""SARIF and checkstyle: findings in documents that a check prints. Pure functions of strangers' text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree.ElementTree import ParseError  # only the exception; parsing is defusedxml's

import msgspec

Said = tuple[str, int, str, str]  # path, line, message, rule, as they are printed


# --- SARIF (2.1.0, https://docs.oasis-open.org/sarif/sarif/v2.1.0/) --------------------------------------------


class _Text(msgspec.Struct):
    text: str = ""


class _Region(msgspec.Struct):
    startLine: int = 0  # noqa: N815 - SARIF's own word, as below


class _Artifact(msgspec.Struct):
    uri: str = ""


class _Physical(msgspec.Struct):
    artifactLocation: _Artifact = msgspec.field(default_factory=_Artifact)  # noqa: N815
    region: _Region = msgspec.field(default_factory=_Region)


class _Location(msgspec.Struct):
    physicalLocation: _Physical = msgspec.field(default_factory=_Physical)  # noqa: N815


class _Found(msgspec.Struct):
    message: _Text = msgspec.field(default_factory=_Text)
    ruleId: str = ""  # noqa: N815
    kind: str = "fail"  # others, e.g. `pass`, are no findings (3.27.9)
    baselineState: str = ""  # noqa: N815
    locations: list[_Location] = []
    suppressions: list[object] = []


class _Run(msgspec.Struct):
    results: list[_Found] | None = None


class _Sarif(msgspec.Struct):
    runs: list[_Run]


def sarif(text: str) -> list[Said]:
    """The results of a SARIF log that is all of the text, but for lines before and behind it. Suppressed ones,
    those that are gone since a baseline, and those that are no faults are left out. A text that is none: nothing."""
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or '"runs"' not in text:
        return []
    try:
        log = msgspec.json.decode(text[start : end + 1], type=_Sarif)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return []
    return [
        (_path(found), _line(found), found.message.text, found.ruleId)
        for run in log.runs
        for found in run.results or ()
        if found.kind == "fail" and found.baselineState != "absent" and not found.suppressions
    ]


def _path(found: _Found) -> str:
    return unquote(found.locations[0].physicalLocation.artifactLocation.uri) if found.locations else ""


def _line(found: _Found) -> int:
    return max(0, found.locations[0].physicalLocation.region.startLine) if found.locations else 0


# --- checkstyle -------------------------------------------------------------------------------------------

_START = re.compile(r"<\?xml|<checkstyle\b")
_END = "</checkstyle>"


def checkstyle(text: str) -> list[Said]:
    """The errors of the first checkstyle report in the text; nothing where there is no whole one."""
    start, end = _START.search(text), text.find(_END)
    return list(_errors(text[start.start() : end + len(_END)])) if start and end > start.start() else []


def _errors(document: str) -> Iterator[Said]:
    from defusedxml.ElementTree import XMLParser

    target = _Target()
    parser = XMLParser(target=target)
    try:
        parser.feed(document)
        parser.close()
    except (ParseError, ValueError, LookupError):  # refused entities are a ValueError too
        return
    yield from target.found


class _Target:
    """What the parser tells: `<file name="…">` and in it `<error line="…" message="…" source="rule"/>`."""

    def __init__(self) -> None:
        self.found: list[Said] = []
        self._file = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "file":
            self._file = attributes.get("name", "")
        elif tag == "error":
            line = attributes.get("line", "")
            number = int(line) if re.fullmatch("[0-9]{1,9}", line) else 0
            self.found.append(
                (self._file, number, attributes.get("message", ""), attributes.get("source", ""))
            )

    def close(self) -> None:
        """Asked for by the parser."""
