"""What a setting is: a field of a dataclass that carries its own documentation and rules.

`setting(...)` declares one, `collect` lists those of a class. Reading values is not done here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

PREFIX = "CI_AGENT_"  # of the environment variable that every setting has

T = TypeVar("T")


class Source(StrEnum):
    """Where values come from, in rising weight."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    FLAG = "flag"


Check = Callable[[Any, Source], str]
"""Takes a value of the right type and its source; gives what is wanted instead, or "" when all is well."""

Loosens = Callable[[Any], bool]
"""Takes a value of the right type; says whether it opens something that is closed by default."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that can be set. `key` is its dotted path, e.g. `limits.max_cost`."""

    doc: str  # a paragraph for people, in Markdown
    unit: str = ""
    environment: tuple[str, ...] = ()  # names of the field it also goes by, the strongest first
    flag: str = ""
    secret: bool = False  # never shown, nor in the `repr` of the configuration
    not_in_file: str = ""  # why it can't stand in the file, as a clause; empty: it can
    loosens: Loosens | None = (
        None  # such values of the file count only in a CI job; None: all count everywhere
    )
    example: Any = None  # for the documentation, where the default says little
    lines: bool = False  # text may have more than one line; of a list: each line is a text, not each word
    above: float | None = None  # bounds of a number: more than this,
    minimum: float | None = None  # at least this,
    maximum: float | None = None  # at most this
    check: Check | None = None
    # What the field itself says; filled in by `collect`.
    key: str = ""
    kind: type = str  # bool, int, float, str, Path, or tuple for a list of texts
    optional: bool = False
    default: Any = None

    @property
    def variable(self) -> str:
        """The environment variable of its own."""
        return PREFIX + self.key.upper().replace(".", "_")

    @property
    def variables(self) -> tuple[str, ...]:
        """All environment variables it can be set by, the strongest first."""
        return (self.variable, *self.environment)

    @property
    def wanted(self) -> str:
        """What kind of value fits, in words: `a whole number from 1 up to 20`."""
        words = "a list of texts" if self.kind is tuple and self.lines else _KINDS[self.kind]
        if self.above is not None:
            words += f" above {self.above:,}"
        if self.minimum is not None:
            words += f" from {self.minimum:,}"
        if self.maximum is not None:
            words += f" up to {self.maximum:,}"
        return f"{words} ({self.unit})" if self.unit else words


def setting(
    default: T,
    doc: str,
    *,
    unit: str = "",
    environment: tuple[str, ...] = (),
    flag: str = "",
    secret: bool = False,
    not_in_file: str = "",
    loosens: Loosens | None = None,
    example: Any = None,
    lines: bool = False,
    above: float | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    check: Check | None = None,
) -> T:
    """A field of a settings dataclass. It claims to be of the default's type, so that types are checked."""
    described = Setting(
        doc,
        unit,
        environment,
        flag,
        secret,
        not_in_file,
        loosens,
        example,
        lines,
        above,
        minimum,
        maximum,
        check,
    )
    return field(default=default, repr=not secret, metadata={"setting": described})


def collect(section: type, prefix: str = "") -> Iterator[Setting]:
    """The settings of a dataclass and of the sections in it, in the order they are written down."""
    types = get_type_hints(section)
    for item in fields(section):
        key, kind = prefix + item.name, types[item.name]
        if is_dataclass(kind):
            yield from collect(cast("type", kind), f"{key}.")
        else:
            bare, optional = _without_none(kind)
            described: Setting = item.metadata["setting"]
            yield replace(
                described, key=key, kind=get_origin(bare) or bare, optional=optional, default=item.default
            )


def _without_none(kind: Any) -> tuple[Any, bool]:
    if isinstance(kind, UnionType):
        (bare,) = (member for member in get_args(kind) if member is not NoneType)
        return bare, True
    return kind, False


_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    tuple: "a list of names",
}
