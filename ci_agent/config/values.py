"""From what somebody wrote to a value of the right type, or words for why it is none.

Knows nothing of files, only of single values and the setting they are for.
"""

from __future__ import annotations

import math
import re
import unicodedata
from pathlib import Path
from typing import Any, cast

from ci_agent.config.settings import Setting, Source
from ci_agent.config.strict_yaml import TRUTH, List, Odd, Scalar, Tree, number

LONGEST_SHOWN = 80  # characters of a value in a message


class UnfitError(ValueError):
    """The value can't be used; the message is what to tell the person. It never shows a secret."""


def from_text(setting: Setting, text: str) -> object:
    """What an environment variable says, as `fit` takes it."""
    word = text.strip()
    if setting.kind is bool:
        return _TRUTH.get(word.lower(), word)
    if setting.kind in (int, float):
        read = number(word)
        return word if read is None else read
    if setting.kind is tuple:
        return (
            [line for line in word.splitlines() if line.strip()]
            if setting.lines
            else re.split(r"[\s,]+", word)
        )
    return text


def from_tree(setting: Setting, tree: Tree) -> object:
    """What the file says for a setting, as `fit` takes it. YAML has `off` for false; where it is one of the words that
    the setting knows, the word is meant."""
    if isinstance(tree, Scalar):
        is_word = setting.kind is str and isinstance(tree.value, bool) and setting.check is not None
        meant = is_word and setting.check and not setting.check(tree.text, Source.FILE)
        return tree.text if meant else tree.value
    if isinstance(tree, List):
        return [from_tree(setting, item) for item in tree.items]
    return Odd("a section")


def fit(setting: Setting, value: object, source: Source) -> Any:
    """`value` as the setting holds it. White space around text is dropped; empty text is no value.

    Raises `UnfitError`.
    """
    if isinstance(value, str) and not value.strip():
        value = None
    if value is None:
        if setting.optional:
            return None
        raise UnfitError(f"`{setting.key}` is empty: {setting.wanted} is wanted")
    fitting = _of_kind(setting, value)
    wanted = _outside(setting, fitting) or (setting.check(fitting, source) if setting.check else "")
    if wanted:
        raise _unfit(setting, value, wanted)
    return fitting


def show(value: object) -> str:
    """A value for people, on one line and as it could be written."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, (tuple, list)):
        return ", ".join(show(item) for item in value) or "none"
    words = value.text if isinstance(value, Odd) else str(value)
    return "".join(character if character.isprintable() else _escaped(character) for character in words)


def masked(words: str) -> str:
    """`words` with everything in its addresses as `***` that can be a secret: user and password, the values of
    a query, and what stands behind a `#`. Rather too much than too little."""
    return _WORD.sub(lambda word: _masked_word(word[0]), words)


def _masked_word(word: str) -> str:
    start = word.find("//")
    if start < 0:
        return word
    query = _QUERY.search(word, start)
    end = query.start() if query else len(word)
    first, *addresses = word[:end].split("//")
    return "//".join([first, *map(_without_user, addresses)]) + _PARAMETER.sub(r"\1***", word[end:])


def _without_user(address: str) -> str:
    authority, _, path = address.partition("/")
    if "@" in authority:
        return "***@" + address[authority.rindex("@") + 1 :]
    _, colon, port = authority.partition(":")
    if colon and not port.isdecimal() and "@" in path:  # no port, so a password with a slash in it
        return "***@" + address.rpartition("@")[2]
    return address


def _of_kind(setting: Setting, value: object) -> Any:
    if setting.kind in (bool, int) and type(value) is setting.kind:  # True is an `int` to isinstance
        return value
    if setting.kind is float and type(value) in (int, float) and math.isfinite(cast("float", value)):
        return float(cast("float", value))
    if setting.kind is str and isinstance(value, str):
        return _clean(setting, value)
    if setting.kind is Path and isinstance(value, (str, Path)):
        return _path(setting, str(value))
    if setting.kind is tuple and _are_names(value):
        return tuple(_clean(setting, name) for name in cast("list[str]", value))
    raise _unfit(setting, value, f"{setting.wanted} is wanted{_hint(setting, value)}")


def _are_names(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value)


def _hint(setting: Setting, value: object) -> str:
    if setting.kind in (str, Path) and isinstance(value, (bool, int, float, Odd)):
        return "; put it in quotes if it is meant as text"
    if setting.kind in (int, float) and isinstance(value, (str, Odd)):
        return "; write it in plain digits, without unit and without quotes"
    return ""


def _clean(setting: Setting, text: str) -> str:
    stripped = text.strip()
    allowed = "\n\t" if setting.lines else ""
    for character in stripped:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") and character not in allowed:
            raise _unfit(setting, text, f"the character U+{ord(character):04X} has no place in it")
    return stripped


def _path(setting: Setting, text: str) -> Path:
    path = Path(_clean(setting, text))
    try:
        # Only our own `~`: CI passes it on as it is, and a folder of that name is nobody's wish.
        return path.expanduser() if path.parts[:1] == ("~",) else path
    except RuntimeError as error:
        raise _unfit(setting, text, "`~` can't be resolved here, write the whole path") from error


def _outside(setting: Setting, value: Any) -> str:
    if setting.kind not in (int, float):
        return ""
    outside = (
        (setting.above is not None and value <= setting.above)
        or (setting.minimum is not None and value < setting.minimum)
        or (setting.maximum is not None and value > setting.maximum)
    )
    return f"{setting.wanted} is wanted" if outside else ""


def _unfit(setting: Setting, value: object, wanted: str) -> UnfitError:
    if setting.secret:
        return UnfitError(f"`{setting.key}` can't be used as it is (not shown, it is secret): {wanted}")
    words = masked(_without_password(show(value)))
    cut = f"{words[:LONGEST_SHOWN]}…" if len(words) > LONGEST_SHOWN else words
    return UnfitError(f"`{setting.key}` can't be `{cut}`: {wanted}")


def _without_password(words: str) -> str:
    """For values that are refused: even the password of an address that is none, with blanks or without `//`."""
    before, at, host = words.rpartition("@")
    if not at or not re.search(r":|//", before):
        return words
    scheme, slashes, _ = before.partition("//")
    return f"{scheme}{slashes}***@{host}" if slashes else f"***@{host}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


_WORD = re.compile(r"""[^\s'"]+""")
_QUERY = re.compile(r"[?#]")
_PARAMETER = re.compile(r"([?&;#](?:[^=&;#]*=)?)[^&;#]+")

_TRUTH = TRUTH | {"1": True, "0": False}
