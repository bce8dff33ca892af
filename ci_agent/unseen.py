"""Characters that nobody sees who reads a text, and what each kind of them is called. Pure.

They are Unicode's property Default_Ignorable_Code_Point (DerivedCoreProperties.txt), the marks of annotations
(U+FFF9 to U+FFFB), two codes that are no characters, and the control characters but tab and newline.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_TAGS = "\U000e0000-\U000e00ff"  # letters of ASCII that no font draws: whole sentences hide in them
_DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
_ZERO_WIDTH = (
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e01f0-\U000e0fff"
)
KINDS: Final = {
    "control character": re.compile(f"[{_CONTROLS}]"),
    "tag character": re.compile(f"[{_TAGS}]"),
    "direction mark": re.compile(f"[{_DIRECTIONS}]"),
    "variation selector": re.compile(f"[{_SELECTORS}]"),
    "zero-width character": re.compile(f"[{_ZERO_WIDTH}]"),
}
_ALL = f"{_CONTROLS}{_TAGS}{_DIRECTIONS}{_SELECTORS}{_ZERO_WIDTH}"

# What follows is seen, or changes what is seen: the selector that makes an emoji of a sign, what joins several of
# them, what joins or parts letters in the scripts between Arabic and Khmer, and the flags of three countries.
_EMOJI = "#*0-9\xa9\xae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u27bf\u2934-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_LETTERS = "\u0620-\u06ff\u0710-\u07ff\u0860-\u08ff\u0900-\u109f\u1780-\u17dd"
_SELECTOR = f"(?<=[{_EMOJI}])[\ufe0e\ufe0f]"
_JOINED = (
    "(?<=[\ufe0f\u20e3\u2190-\u2bff\U0001f000-\U0001faff])\u200d(?=[\u2190-\u2bff\U0001f000-\U0001faff])"
)
_JOINED_LETTERS = f"(?<=[{_LETTERS}])[\u200c\u200d](?=[{_LETTERS}])"
_FLAG = "(?<=\U0001f3f4)\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f"
_KEPT = re.compile(f"({_SELECTOR}|{_JOINED}|{_JOINED_LETTERS}|{_FLAG})|[{_ALL}]")
_SELECTED = re.compile(f"({_SELECTOR})|[{_ALL}]")
_ANY = re.compile(f"[{_ALL}\u2028\u2029]")

LINE_ENDS: Final = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")  # those that are no newline


def seen(text: str) -> str:
    """`text` without what can't be seen, but for what belongs to emoji and to the spelling of words."""
    return _KEPT.sub(lambda match: match[1] or "", text)


def plainly_seen(text: str) -> str:
    """The same, strictly: of all of them only the selector behind an emoji is left."""
    return _SELECTED.sub(lambda match: match[1] or "", text)


def none(text: str) -> str:
    """`text` without any of them, and without odd ends of lines: for machines that look past such characters when they compare."""
    return _ANY.sub("", text)


def unseen(text: str) -> Counter[str]:
    """How many characters there are that `seen` takes away, by kind."""
    found: Counter[str] = Counter()
    for match in _KEPT.finditer(text):
        if not match[1]:
            found[_kind(match[0])] += 1
    return found


def _kind(character: str) -> str:
    return next(name for name, kind in KINDS.items() if kind.match(character))
