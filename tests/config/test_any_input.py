"""Whatever is in the file or the environment: a configuration or a `ConfigError`, and nothing else."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.config import SETTINGS, Config, Loaded, Setting, load
from ci_agent.config.values import masked
from ci_agent.errors import ConfigError

pytestmark = pytest.mark.slow

CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"))
# Without what is a number in YAML 1.2 and none to PyYAML, which writes it without quotes: `0E0`.
WORDS = (
    st.text(CHARACTERS, min_size=1).map(str.strip).filter(lambda word: not re.fullmatch(r"[-+0-9.eE]*", word))
)
NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,9}", fullmatch=True)
FRAGMENTS = st.sampled_from(
    [
        *(setting.key.rpartition(".")[2] + ":" for setting in SETTINGS),
        *("model:", "limits:", "prices:", " ", "  ", "\n", "\n  ", "\n    ", "- ", "[", "]", "{", "}", ","),
        *(
            "&a ",
            "*a",
            "!!int ",
            "!!python/object:os.system ",
            "|\n",
            ">-\n",
            "'",
            '"',
            "\\U",
            "# ",
            "? ",
            "<<: ",
        ),
        *(
            "---\n",
            "...\n",
            "%YAML 1.1\n",
            "%YAML 1.",
            "null",
            "true",
            "1",
            "-1",
            ".inf",
            "1e999",
            "2024-01-01",
        ),
    ]
)


def result(data: bytes, environment: dict[str, str] | None = None) -> Loaded | ConfigError:
    try:
        return load(file=("f.yml", data), environment=environment or {}, flags={}, trusted=True)
    except ConfigError as error:
        return error


@given(st.binary())
def test_any_bytes_are_a_configuration_or_an_error_for_people(data: bytes) -> None:
    result(data)


@given(st.lists(FRAGMENTS | st.text(max_size=3), max_size=30).map("".join))
def test_any_yaml_or_nearly_yaml_is_a_configuration_or_an_error_for_people(text: str) -> None:
    result(text.encode("utf-8", "surrogatepass"))


@given(
    st.sampled_from(SETTINGS),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_any_value_for_any_key_is_taken_with_its_type_or_refused(setting: Setting, value: Any) -> None:
    outcome = result(yaml.safe_dump(nested({setting.key: value})).encode())
    if isinstance(outcome, Loaded):
        held = value_of(outcome.config, setting.key)
        assert isinstance(held, setting.kind) or (held is None and setting.optional)
    else:
        assert f"`{setting.key.partition('.')[0]}" in str(outcome)


@given(st.dictionaries(st.sampled_from([name for item in SETTINGS for name in item.variables]), st.text()))
def test_any_environment_is_a_configuration_or_an_error_for_people(environment: dict[str, str]) -> None:
    result(b"", environment)


PLACES = st.from_regex(r"~?(/[a-z.]{0,3}[a-z]{1,9}){1,3}", fullmatch=True)


def values(setting: Setting) -> st.SearchStrategy[Any]:
    """Values that the setting takes."""
    low = setting.minimum if setting.above is None else setting.above
    by_key: dict[str, st.SearchStrategy[Any]] = {
        "git.base": st.from_regex(r"[a-z]{1,9}(/[a-z]{1,9})?", fullmatch=True),
        "git.branch": st.from_regex(r"[a-z]{1,9}/[a-z]{1,9}-\{issue\}", fullmatch=True),
        "git.user_name": WORDS.map(lambda word: word.translate({60: "_", 62: "_"})),
        "git.user_email": st.emails(domains=st.just("example.org")),
        "report.output_dir": st.from_regex(r"[a-z-]{1,9}(/[a-z]{1,9})?", fullmatch=True),
        "sandbox.env": st.lists(NAMES, min_size=1, max_size=5),
        "sandbox.allow": st.sampled_from(["full", "secrets+files", "secrets", "none"]),
        "sandbox.network": st.sampled_from(["off", "setup-only", "allowlist", "open"]),
        "approval.needed": st.sampled_from(["none", "plan", "push"]),
        "sandbox.hosts": st.lists(
            st.from_regex(r"(\*\.)?([a-z0-9]{1,9}\.){0,3}[a-z]{2,9}", fullmatch=True), min_size=1, max_size=5
        ),
        "sandbox.services": st.lists(
            st.from_regex(r"[a-z][a-z0-9]{0,9}:[1-9][0-9]{0,3}", fullmatch=True), min_size=1, max_size=3
        ),
        "sandbox.readable": st.lists(PLACES, min_size=1, max_size=5),
        "sandbox.writable": st.lists(PLACES, min_size=1, max_size=5),
        "trigger.label": WORDS.filter(lambda word: "," not in word and len(word) <= 50),
        "trigger.account": st.from_regex(r"[a-z][a-z0-9-]{0,9}(\[bot\])?", fullmatch=True),
        "trigger.permission": st.sampled_from(["write", "maintain", "admin"]),
        "trigger.bots": st.lists(st.from_regex(r"[0-9]{1,9}", fullmatch=True), min_size=1, max_size=5),
        "verification.policy": st.sampled_from(["full", "changed", "off"]),
        "verification.coverage": st.sampled_from(["auto", "on", "off"]),
        "checks": st.lists(
            WORDS.filter(lambda word: len(word.splitlines()) == 1).map("run {}".format),
            min_size=1,
            max_size=5,
        ),
        "model.api": st.sampled_from(["chat", "responses"]),
        "model.tool_calls": st.sampled_from(["auto", "native", "text"]),
        "model.reasoning_effort": st.sampled_from(["minimal", "low", "medium", "high", "xhigh", "max"]),
        "models.use": st.sampled_from(["auto", "default", "strong", "cheap"]),
        "models.prices": st.lists(
            st.from_regex(r"[a-z]{1,9}( [0-9]{1,3}\.[0-9]{2}){3}", fullmatch=True), min_size=1, max_size=3
        ),
        "context.comments": st.sampled_from(["writers", "all", "none"]),
        "verification.junit": st.from_regex(r"[a-z*]{1,9}(/[a-z*]{1,9})?\.xml", fullmatch=True),
    }
    if setting.key in by_key:
        return by_key[setting.key]
    if setting.key.startswith("policy.") and setting.default in ("refuse", "draft"):
        return st.sampled_from(["refuse", "draft", "allow"])
    if setting.kind is bool:
        return st.booleans()
    if setting.kind is int:
        return st.integers(int(low or 0), int(setting.maximum or 10**9))
    if setting.kind is float:
        return st.floats(low, setting.maximum or 1e9, exclude_min=setting.above is not None)
    return WORDS


IN_FILE = [setting for setting in SETTINGS if not setting.not_in_file]
PRICES = {"model.prices.input", "model.prices.output"}
ONLY_AROUND_IT = {"git.push", "report.output_dir", "sandbox.env"}  # not in the file, for all to see elsewhere
IN_ENVIRONMENT = [*IN_FILE, *(setting for setting in SETTINGS if setting.key in ONLY_AROUND_IT)]


def valid(known: list[Setting]) -> st.SearchStrategy[dict[str, Any]]:
    some = st.sets(st.sampled_from([setting.key for setting in known])).map(
        lambda keys: keys | PRICES if any(key.startswith("model.prices") for key in keys) else keys
    )
    return some.flatmap(
        lambda keys: st.fixed_dictionaries({item.key: values(item) for item in known if item.key in keys})
    )


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        *sections, word = key.split(".")
        place = tree
        for section in sections:
            place = place.setdefault(section, {})
        place[word] = value
    return tree


def value_of(config: Config, key: str) -> Any:
    value: Any = config
    for word in key.split("."):
        value = getattr(value, word)
    return value


def as_held(key: str, value: Any) -> Any:
    """A value as the configuration holds it: lists as tuples, paths as paths."""
    kinds = {setting.key: setting.kind for setting in SETTINGS}
    return kinds[key](value)


@given(valid(IN_FILE))
def test_what_is_written_into_the_file_is_what_holds(settings: dict[str, Any]) -> None:
    outcome = result(yaml.safe_dump(nested(settings), allow_unicode=True).encode())
    assert isinstance(outcome, Loaded), outcome
    for key, value in settings.items():
        assert value_of(outcome.config, key) == as_held(key, value)
        assert str(outcome.origins[key]).startswith("f.yml:")


@given(valid(IN_ENVIRONMENT))
def test_what_is_written_into_the_environment_is_what_holds(settings: dict[str, Any]) -> None:
    environment = {
        f"CI_AGENT_{key.upper().replace('.', '_')}": (
            "\n" if key in ("checks", "models.prices") else ","
        ).join(value)
        if isinstance(value, list)
        else str(value)
        for key, value in settings.items()
    }
    outcome = result(b"", environment)
    assert isinstance(outcome, Loaded), outcome
    for key, value in settings.items():
        assert value_of(outcome.config, key) == as_held(key, value)
        assert str(outcome.origins[key]).startswith("environment ")


@pytest.mark.parametrize("part", ["x://", "//a:", "a:b@", "a@", "x://h?", "&a=", "'//"])
def test_no_value_takes_long_to_be_shown(part: str) -> None:
    began = time.process_time()
    masked(part * (60_000 // len(part)))
    assert time.process_time() - began < 2  # seconds; it takes milliseconds where time grows with length
