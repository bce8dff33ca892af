"""What a repository's CI says of its tests: the command lines of jobs named `test`. They are read, never run.

The files are anybody's: small ones only, no merging of maps (it can be made to take for ever), tags without
meaning, and lists in lists one level deep, as GitLab has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ci_agent.verification.project import Project

MOST_FILES = 30
MOST_LINES = 500


@dataclass(frozen=True, slots=True)
class Hint:
    """One command line of a job."""

    job: str
    line: str


def hints(project: Project) -> tuple[Hint, ...]:
    """The command lines of the jobs whose name contains `test`, GitLab's first, then GitHub's by file name."""
    return tuple(islice(_hints(project), MOST_LINES))


def _hints(project: Project) -> Iterator[Hint]:
    for name, job in _load(project.text(".gitlab-ci.yml")).items():
        if _about_tests(name, job):
            yield from _lines(name, _entries(_inherited(job, "script")))
    folder = project.root / ".github" / "workflows"
    files = sorted(path.name for path in folder.glob("*.y*ml")) if folder.is_dir() else []
    for file in files[:MOST_FILES]:
        jobs = _load(project.text(f".github/workflows/{file}")).get("jobs")
        for name, job in jobs.items() if isinstance(jobs, dict) else ():
            if _about_tests(name, job):
                steps = job.get("steps")
                runs = [step.get("run") for step in steps or () if isinstance(step, dict)] if isinstance(steps, list) else []  # fmt: skip
                yield from _lines(name, runs)


def _about_tests(name: object, job: object) -> bool:
    return isinstance(name, str) and isinstance(job, dict) and "test" in name.lower()


def _inherited(job: dict[Any, Any], key: str) -> object:
    if key in job:
        return job[key]
    more = job.get("<<")
    return more.get(key) if isinstance(more, dict) else None


def _entries(script: object) -> Iterator[object]:
    for entry in script if isinstance(script, list) else [script]:
        yield from entry if isinstance(entry, list) else [entry]


def _lines(job: str, entries: Iterator[object] | list[object]) -> Iterator[Hint]:
    for entry in entries:
        if isinstance(entry, str):
            yield from (Hint(job, line.strip()) for line in entry.splitlines() if line.strip())


def _load(text: str) -> dict[Any, Any]:
    import yaml

    class Loader(yaml.SafeLoader):  # the way in which PyYAML is told about tags
        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            """Leaves `<<` a key like any other."""

    Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)
    Loader.add_constructor("tag:yaml.org,2002:merge", lambda _loader, _node: "<<")
    try:
        value = yaml.load(text, Loader)  # noqa: S506 - it is a safe one
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        return {}
    return value if isinstance(value, dict) else {}
