"""The configuration of a run, put together from its sources, and where each value came from.

Reads nothing from disk and nothing from the process's own environment: both are handed in.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, NamedTuple, cast, get_type_hints

from ci_agent.config import strict_yaml
from ci_agent.config.definitions import OF_THE_JOB, SETTINGS, Config
from ci_agent.config.settings import PREFIX, Setting, Source
from ci_agent.config.strict_yaml import Scalar, Section
from ci_agent.config.values import UnfitError, fit, from_text, from_tree, masked, show
from ci_agent.errors import ConfigError

FILE_NAME = ".ci-agent.yml"
LARGEST_FILE = 64_000  # bytes
MOST_PROBLEMS = 20  # shown at once


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from. `place` is `.ci-agent.yml:12`, the variable's name or the flag."""

    source: Source
    place: str = ""

    def __str__(self) -> str:
        return {
            Source.DEFAULT: "default",
            Source.FILE: self.place,
            Source.ENVIRONMENT: f"environment {self.place}",
            Source.FLAG: f"flag {self.place}",
        }[self.source]


class Row(NamedTuple):
    """One line of `ci-agent config show`; secrets are shown as `***`, those in addresses as well."""

    key: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The configuration, and for each key where its value came from."""

    config: Config
    origins: Mapping[str, Origin]
    notices: tuple[str, ...] = ()  # for the person: what the file asks for and does not get here

    def rows(self) -> tuple[Row, ...]:
        """All settings as people see them, in the order of the documentation."""
        return tuple(self._row(setting) for setting in SETTINGS)

    def _row(self, setting: Setting) -> Row:
        value: Any = self.config
        for word in setting.key.split("."):
            value = getattr(value, word)
        shown = "***" if setting.secret and value is not None else masked(show(value))
        return Row(setting.key, shown, str(self.origins[setting.key]))


def load(
    *,
    file: tuple[str, bytes] | None,
    environment: Mapping[str, str],
    flags: Mapping[str, object],
    trusted: bool = False,
) -> Loaded:
    """The configuration that `file` (its name and content), the environment and the flags add up to.

    `flags` goes by the setting's key, such as `limits.max_cost`; a flag whose value is None was not given. `trusted`:
    the file is the one of the default branch on the platform that started this job. Any other may be a stranger's, so
    that nothing counts in it by which commands get at more than by default. Raises `ConfigError`, which names all that
    is wrong.
    """
    written = _from_file(*file) if file else _Layer({}, ())
    layers = (
        written if trusted else _without(written, _loose(written)),
        _from_environment(environment),
        _from_flags(flags),
    )
    found = {setting.key: _Found(setting.default, Origin(Source.DEFAULT)) for setting in SETTINGS}
    for layer in layers:
        found |= layer.found
    problems = [problem for layer in layers for problem in layer.problems]
    problems = problems or _half_a_price(found)
    if problems:
        raise _config_error(problems)
    config = _build(Config, "", {key: item.value for key, item in found.items()})
    return Loaded(
        config,
        {key: item.origin for key, item in found.items()},
        tuple(
            _notice(_BY_KEY[key], written.found[key])
            for key in ([] if trusted else _loose(written))
            if found[key].origin.source is Source.DEFAULT
        ),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    value: Any
    origin: Origin


@dataclass(frozen=True, slots=True)
class _Layer:
    """What one source says; `problems` are sentences that begin with the place."""

    found: Mapping[str, _Found]
    problems: tuple[str, ...]


# --- the file ---------------------------------------------------------------------------------------------


def _from_file(name: str, data: bytes) -> _Layer:
    if len(data) > LARGEST_FILE:
        return _Layer({}, (f"{name}: this is {len(data):,} bytes long; at most {LARGEST_FILE:,} are read",))
    text = strict_yaml.decode(data)
    if isinstance(text, strict_yaml.Problem):
        return _Layer({}, (f"{name}:{text.line}: {text.text}",))
    tree, problems = strict_yaml.read(text)
    found: dict[str, _Found] = {}
    lines = [(problem.line, problem.text) for problem in problems]
    _walk(tree, "", name, found, lines)
    return _Layer(found, tuple(f"{name}:{line}: {text}" for line, text in sorted(lines)))


def _walk(
    section: Section, prefix: str, name: str, found: dict[str, _Found], problems: list[tuple[int, str]]
) -> None:
    for word, entry in section.entries.items():
        value = entry.value
        key = _key(prefix + word, value)
        if "." in word:
            nested = f"`{show(word):.80}` has a dot in it: keys are wanted one below the other, indented"
            problems.append((entry.line, nested))
        elif key in _SECTIONS:
            if isinstance(value, Section):
                _walk(value, f"{key}.", name, found, problems)
            elif not (isinstance(value, Scalar) and value.value is None):
                problems.append((entry.line, f"`{key}` is a section: its keys are wanted below it, indented"))
        elif wrong := _no_place_for(key, prefix, word, found):
            problems.append((entry.line, wrong))
        else:
            try:
                fitting = fit(_BY_KEY[key], from_tree(_BY_KEY[key], value), Source.FILE)
            except UnfitError as error:
                problems.append((entry.line, str(error)))
            else:
                found[key] = _Found(fitting, Origin(Source.FILE, f"{name}:{entry.line}"))


def _no_place_for(key: str, prefix: str, word: str, found: Mapping[str, _Found]) -> str:
    """Why `key` can't be set here; empty: it can."""
    if key not in _BY_KEY:
        return _unknown_key(prefix, word)
    if key in found:
        return f"`{prefix + word}` is the same as `{key}`, which is set already"
    return _misplaced(_BY_KEY[key]) if _BY_KEY[key].not_in_file else ""


def _key(written: str, value: object) -> str:
    """The key that is meant."""
    key = _ALSO.get(written, written)
    short = isinstance(value, Scalar) and value.value is not None
    return _SHORT.get(key, key) if short else key


def _unknown_key(prefix: str, word: str) -> str:
    here = {key.removeprefix(prefix): key for key in (*_SECTIONS, *_BY_KEY) if key.startswith(prefix)}
    elsewhere = {key.rpartition(".")[2]: key for key in _BY_KEY}
    meant = _nearest(word, here) or _nearest(word, elsewhere)
    return f"`{show(prefix + word):.80}` is not a setting{_did_you_mean(meant)}"


def _misplaced(setting: Setting) -> str:
    ways = " or ".join(f"`{way}`" for way in (*setting.variables[::-1], setting.flag) if way)
    return (
        f"`{setting.key}` can't stand in this file: {setting.not_in_file}. Take it out and use {ways} instead"
    )


def _loose(layer: _Layer) -> list[str]:
    """The keys whose values open what is closed by default."""
    return [key for key, item in layer.found.items() if (rule := _BY_KEY[key].loosens) and rule(item.value)]


def _without(layer: _Layer, keys: Iterable[str]) -> _Layer:
    return replace(layer, found={key: item for key, item in layer.found.items() if key not in keys})


def _notice(setting: Setting, item: _Found) -> str:
    value = masked(show(item.value))
    return (
        f"{item.origin.place} asks for `{setting.key}: {value}`. That counts only in a CI job; if you want it on this "
        f"machine, set {setting.variable}={value}"
    )


# --- the environment --------------------------------------------------------------------------------------


def _from_environment(environment: Mapping[str, str]) -> _Layer:
    found: dict[str, _Found] = {}
    known = {setting.variable for setting in SETTINGS}
    problems = [
        f"{name}: there is no such setting{_did_you_mean(_nearest(name, {item: item for item in known}))}"
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known and name not in OF_THE_JOB
    ]
    for setting in SETTINGS:
        # CI hands on variables that were never set as empty ones, so empty is not set.
        name = next((name for name in setting.variables if environment.get(name, "").strip()), "")
        if name:
            try:
                value = fit(setting, from_text(setting, environment[name]), Source.ENVIRONMENT)
            except UnfitError as error:
                problems.append(f"{name}: {error}")
            else:
                found[setting.key] = _Found(value, Origin(Source.ENVIRONMENT, name))
    return _Layer(found, tuple(problems))


# --- the flags --------------------------------------------------------------------------------------------


def _from_flags(flags: Mapping[str, object]) -> _Layer:
    found: dict[str, _Found] = {}
    problems: list[str] = []
    for given, value in flags.items():
        if value is None:
            continue
        key = "models.use" if given == "model.name" and value in _ROLES else given
        origin = Origin(Source.FLAG, _BY_KEY[given].flag)
        try:
            found[key] = _Found(fit(_BY_KEY[key], value, Source.FLAG), origin)
        except UnfitError as error:
            problems.append(f"{origin.place}: {error}")
        if key == "model.name":  # whoever names a model means it to do the work
            found["models.use"] = _Found("default", origin)
    return _Layer(found, tuple(problems))


# --- all together -----------------------------------------------------------------------------------------


def _half_a_price(found: Mapping[str, _Found]) -> list[str]:
    prices = {key: item for key, item in found.items() if key.startswith("model.prices.")}
    given = [item for item in prices.values() if item.value is not None]
    missing = [key for key in ("model.prices.input", "model.prices.output") if prices[key].value is None]
    if not given or not missing:
        return []
    return [f"{given[0].origin}: `{missing[0]}` is missing; the prices of input and output go together"]


def _config_error(problems: list[str]) -> ConfigError:
    lines = problems[:MOST_PROBLEMS]
    if len(problems) > MOST_PROBLEMS:
        lines.append(f"… and {len(problems) - MOST_PROBLEMS} more")
    return ConfigError("\n".join([*lines, "`ci-agent config show` lists all settings"]))


def _build(section: type, prefix: str, values: Mapping[str, Any]) -> Any:
    types = get_type_hints(section)
    arguments = {
        item.name: _build(cast("type", types[item.name]), f"{prefix}{item.name}.", values)
        if is_dataclass(types[item.name])
        else values[prefix + item.name]
        for item in fields(section)
    }
    return section(**arguments)


def _nearest(word: str, names: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(word[:80], names, n=1)
    return names[near[0]] if near else ""


def _did_you_mean(name: str) -> str:
    return f"; did you mean `{name}`?" if name else ""


def _sections_of(keys: Iterable[str]) -> Iterable[str]:
    for key in keys:
        words = key.split(".")
        yield from (".".join(words[:count]) for count in range(1, len(words)))


_ALSO = {"models.default": "model.name"}  # in the file: beside `models.strong` people look for it there
_ROLES = ("default", "strong", "cheap")  # `--model strong` means the one that `models` has under this word
_SHORT = {"model": "model.name"}  # `model: NAME` says enough
_BY_KEY = {setting.key: setting for setting in SETTINGS}
_SECTIONS = tuple(dict.fromkeys(_sections_of(_BY_KEY)))
