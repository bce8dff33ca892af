"""How a secret can be written down: what people and programs do to it, with the standard library's own encoders."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

Form = Callable[[str], str]


def _base64(before: int, text: str) -> str:
    return base64.b64encode(b"x" * before + text.encode() + b"yz").decode()


def _percent(text: str, step: int) -> str:
    return "".join(f"%{byte:02X}" if at % step == 0 else chr(byte) for at, byte in enumerate(text.encode()))


FORMS: Final[dict[str, Form]] = {
    "as it is": str,
    "reversed": lambda text: text[::-1],
    "base64": lambda text: _base64(0, text),
    "base64, one byte on": lambda text: _base64(1, text),
    "base64, two bytes on": lambda text: _base64(2, text),
    "base64url": lambda text: base64.urlsafe_b64encode(b">?>" + text.encode()).decode().rstrip("="),
    "base64 in lines": lambda text: "\n".join(_base64(1, text)[at : at + 20] for at in range(0, 200, 20)),
    "base64 of the reversed": lambda text: _base64(1, text[::-1]),
    "base64, reversed": lambda text: _base64(2, text)[::-1],
    "base64 twice": lambda text: base64.b64encode(_base64(1, text).encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "hex with colons": lambda text: text.encode().hex(":"),
    "hex as in C": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "hex of the reversed": lambda text: text[::-1].encode().hex(" "),
    "hex, reversed": lambda text: text.encode().hex()[::-1],
    "percent": lambda text: _percent(text, 1),
    "percent, small letters": lambda text: _percent(text, 1).lower() if text.islower() else _percent(text, 1),
    "percent, in part": lambda text: _percent(text, 3),
    "percent, where it must be": lambda text: quote(text, safe=""),
    "percent twice": lambda text: quote(_percent(text, 2), safe=""),
    "JSON": json.dumps,
    "JSON, by code": lambda text: "".join(f"\\u{ord(one):04x}" for one in text),
    "JSON in JSON": lambda text: json.dumps(json.dumps({"a": "\n".join(text)})),
    "HTML": html.escape,
    "HTML, by number": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "HTML, by hex number": lambda text: "".join(f"&#x{ord(one):X};" for one in text),
    "octal": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    "backslashes": lambda text: (
        "\\".join(text) if not any(one in "abfnrtuvxU01234567" for one in text) else text
    ),
    "codes": lambda text: ", ".join(str(byte) for byte in text.encode()),
    "spaces": " ".join,
    "lines": "\n".join,
    "lines of a patch": lambda text: "\n".join(f"+{text[at : at + 5]}" for at in range(0, len(text), 5)),
    "joined": '" + "'.join,
    "two lines joined": lambda text: f'a = ("{text[:9]}" +\n     "{text[9:]}")',
    "zero-width": "\u200b".join,
    "soft hyphens": "\xad".join,
    "dots": ".".join,
    "colours": "\x1b[31m".join,
    "UTF-16": lambda text: text.encode("utf-16-le").decode("latin-1"),
}
