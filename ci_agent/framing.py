"""A text of somebody else between marks that it can't imitate. Pure.

The marks hold a number made from the text itself, so that the same text always stands between the same marks: what
was sent once stays the beginning of what is sent next, and a recording fits. Whoever writes a text would have to
find one that holds its own number, and one that did would get another.
"""

from __future__ import annotations

import re
from hashlib import sha256

_DIGITS = 8


def framed(kind: str, text: str, **attributes: str) -> str:
    """`text` between `<kind … id="1a2b3c4d">` and `</kind id="1a2b3c4d">`, each on a line of its own."""
    number = text
    while True:
        number = sha256(number.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
        if number not in text:
            break
    given = "".join(f' {name}="{_value(value)}"' for name, value in attributes.items() if value)
    return f'<{kind}{given} id="{number}">\n{text}\n</{kind} id="{number}">'


def _value(text: str) -> str:
    return " ".join(re.sub('[<>"]', "", text).split())
