"""docs/configuration.md, made from the definitions: a pure function of them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, cast, get_type_hints

from ci_agent.config.definitions import OF_THE_JOB, SETTINGS, Config
from ci_agent.config.loading import FILE_NAME, LARGEST_FILE
from ci_agent.config.settings import Setting
from ci_agent.config.values import show


def page() -> str:
    """The whole page, in Markdown."""
    tables = [_section(*section) for section in _sections(Config)]
    return "\n".join([_INTRODUCTION, _EXAMPLE.format(example=example()), *tables, _environment()])


def example() -> str:
    """A `.ci-agent.yml` with every key that can stand in it."""
    lines: list[str] = []
    open_sections: list[str] = []
    for setting in SETTINGS:
        if setting.not_in_file:
            continue
        *sections, word = setting.key.split(".")
        for depth, section in enumerate(sections):
            if sections[: depth + 1] != open_sections[: depth + 1]:
                lines.append(f"{'  ' * depth}{section}:")
        open_sections = sections
        value = setting.default if setting.example is None else setting.example
        comment = f"  # {setting.unit}" if setting.unit else ""
        lines.append(f"{'  ' * len(sections)}{word}: {_as_yaml(value)}{comment}")
    return "".join(f"{line}\n" for line in lines)


def _sections(section: type, prefix: str = "") -> Iterator[tuple[str, str, list[Setting]]]:
    """Title, introduction and settings of each section, those that stand at the top last."""
    types = get_type_hints(section)
    by_key = {setting.key: setting for setting in SETTINGS}
    own = [by_key[prefix + item.name] for item in fields(section) if prefix + item.name in by_key]
    if prefix and own:
        yield f"`{prefix.removesuffix('.')}`", inspect.cleandoc(section.__doc__ or ""), own
    for item in fields(section):
        if is_dataclass(types[item.name]):
            yield from _sections(cast("type", types[item.name]), f"{prefix}{item.name}.")
    if not prefix:
        yield "Outside of sections", "", own


def _section(title: str, introduction: str, settings: list[Setting]) -> str:
    rows = "".join(_row(setting) for setting in settings)
    return "\n".join(
        [
            f"## {title}",
            "",
            *([introduction, ""] if introduction else []),
            "| key | value | default | environment | flag | meaning |",
            "|---|---|---|---|---|---|",
            rows,
        ]
    )


def _row(setting: Setting) -> str:
    note = f" Not in the file: {setting.not_in_file}." if setting.not_in_file else _loose(setting)
    cells = [
        f"`{setting.key}`",
        setting.wanted,
        "not set" if setting.default is None else f"`{_as_yaml(setting.default)}`",
        ", ".join(f"`{name}`" for name in setting.variables),
        f"`{setting.flag}`" if setting.flag else "",
        setting.doc + note,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _loose(setting: Setting) -> str:
    """Which values count in the file only in CI."""
    if setting.loosens is None:
        return ""
    named = [f"`{word}`" for word in ("none", "open") if setting.kind is str and setting.loosens(word)]
    return f" {named[0]} in the file only in CI." if named else " In the file only in CI."


def _environment() -> str:
    rows = "".join(
        f"| `{name}` | `{setting.key}` |\n" for setting in SETTINGS for name in setting.environment
    )
    job = "".join(f"| `{name}` | {what} |\n" for name, what in OF_THE_JOB.items())
    return f"{_OTHER_NAMES}\n| variable | sets |\n|---|---|\n{rows}\n{_OF_THE_JOB}\n| variable | meaning |\n|---|---|\n{job}"


def _as_yaml(value: Any) -> str:
    import yaml

    plain = list(value) if isinstance(value, tuple) else value
    if not isinstance(plain, (list, str, bool)):
        return show(plain)
    return yaml.safe_dump([plain], default_flow_style=True, allow_unicode=True, width=1000).strip()[1:-1]


_INTRODUCTION = f"""\
<!-- Made by `python -m ci_agent.config > docs/configuration.md`; change ci_agent/config/definitions.py instead. -->
# Configuration

ci-agent runs without any of this, as long as it finds a key for the model in `LLM_API_KEY` or
`OPENAI_API_KEY`. Every setting has a default and can be changed in three places; where several say something,
the later one in this list wins:

1. the file `{FILE_NAME}` at the root of the repository,
2. the environment: `CI_AGENT_` and the key in capitals with `_` for each dot, so `limits.max_cost` is
   `CI_AGENT_LIMITS_MAX_COST`,
3. the flags of the command line.

`ci-agent config show` prints each value that holds and where it comes from; keys are shown as `***`, and so is
what could be one in an address.

**The file is read from the commit of the base branch**, not from the folder on disk and not from the branch
the work is done on. What the agent writes into its branch can't change its own limits or commands; a change of
the file holds once it was merged.

**On your machine the file can't open anything.** The repository may be a stranger's there, so that `ci-agent run`,
`verify` and `replay` leave out what would let commands get at more than by default: where the table says *in the
file only in CI*, with the values it names. They say so in one line, with the variable by which you can allow it
yourself. Stricter values count everywhere. In a CI job the file of the default branch counts whole.

What can't be understood ends the run before it begins, with exit code 2 and a message that names the file, the
line and the key, or the variable, or the flag: an unknown key, a key written twice, a wrong type, a value out
of range, an unknown variable that begins with `CI_AGENT_`. The file is YAML in UTF-8 of at most {LARGEST_FILE // 1000} kB,
without anchors and aliases. White space around a text does not count, and an empty environment variable counts
as not set.
"""

_EXAMPLE = """\
## An example

Everything that can stand in the file, with its default or a value that shows what it looks like. Leave out
what you don't need.

```yaml
{example}```
"""

_OTHER_NAMES = """\
## Environment names of the field

These are understood as well, because people have them set already. The `CI_AGENT_` name wins over them, and
`LLM_` wins over `OPENAI_`: it was set for tools like this one, while the other may be there for the whole
machine. Each is looked up on its own, so set key and address as a pair.
"""

_OF_THE_JOB = """\
## Variables of a job

These begin with `CI_AGENT_` and are no settings.
"""
