"""Copies of package managers' settings without the credentials in them.

Where a person's packages come from (an index, a mirror, a proxy) counts for commands as well. Their passwords do
not: an address keeps its host and loses `user:password@`, so that nothing is silently fetched from elsewhere.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from ci_agent.sandbox.credentials import KEY, USERINFO

_LARGEST = 1_000_000  # bytes
_SECRET_ELEMENTS = {"servers", "username", "password", "passphrase", "privateKey"}  # of Maven's settings.xml


def copied(source: Path, copy: Path) -> str:
    """Copy the settings in `source` to `copy`. Says what of them was left out; nothing: an empty text, or there is
    no such file."""
    try:
        if source.stat().st_size > _LARGEST:
            return f"{source} was left out, because it is too large for settings"
        text = source.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        return f"{source} was left out, because it can't be read: {error}"
    try:
        clean = _without_secrets(source, text)
    except (tomllib.TOMLDecodeError, ElementTree.ParseError, ValueError) as error:
        return f"{source} was left out, because its credentials can't be taken out of it: {error}"
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(clean.encode())
    return f"the credentials in {source} were left out" if clean != text else ""


def _without_secrets(source: Path, text: str) -> str:
    if source.suffix == ".xml":
        return _xml(text)
    if source.suffix in (".gradle", ".kts"):  # programs, from which no line can be taken
        if KEY.search(text) or USERINFO.search(text):
            raise ValueError("it is a program")
        return text
    clean = USERINFO.sub("", "".join(_other_lines(text)))
    if source.suffix == ".toml":
        tomllib.loads(clean)
    return clean


def _other_lines(text: str) -> Iterator[str]:
    """The lines that hold no secret: neither its name nor, on lines that continue that one, its value."""
    first, last, secret = "", "", False  # the first line of an entry and the last one read
    for line in text.splitlines(keepends=True):
        goes_on = last.rstrip("\r\n").endswith("\\") or _indentation(line) > _indentation(first)
        if not (secret and goes_on):
            first, secret = line, bool(KEY.search(line))
        last = line
        if not secret:
            yield line


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _xml(text: str) -> str:
    from defusedxml.ElementTree import fromstring

    root = fromstring(text)
    namespace = root.tag.partition("}")[0].removeprefix("{") if root.tag.startswith("{") else ""
    ElementTree.register_namespace("", namespace)
    secrets = [
        (parent, child)
        for parent in root.iter()
        for child in parent
        if child.tag.rpartition("}")[2] in _SECRET_ELEMENTS
    ]
    for parent, child in secrets:
        parent.remove(child)
    addresses = [element for element in root.iter() if USERINFO.search(element.text or "")]
    for element in addresses:
        element.text = USERINFO.sub("", element.text or "")
    return ElementTree.tostring(root, encoding="unicode") if secrets or addresses else text
