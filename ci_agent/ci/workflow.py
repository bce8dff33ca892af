"""How long a job may take, by GitHub's workflow file.

Source: GitHub's "Workflow syntax", `jobs.<job_id>.timeout-minutes`.
"""

from __future__ import annotations

from typing import Final

from ci_agent.config import strict_yaml
from ci_agent.config.strict_yaml import Scalar, Section

DEFAULT_MINUTES: Final = (
    360.0  # of a job that names no time; GitHub's own runners give no job more ("Actions limits")
)
_MOST_MINUTES: Final = 50_400.0  # 35 days, which no run outlives ("Actions limits")
_LARGEST: Final = 262_144  # bytes; far more than a file has whose jobs start us


def timeout_minutes(content: bytes, job: str) -> float | None:
    """How long the job with the id `job` may take, by the workflow in `content`, anybody's bytes; None: that can't be
    known. So it is with an expression, with all that is no plain YAML, and where one of the jobs calls another workflow:
    a job of that one has an id of its own, which may be the same."""
    text = strict_yaml.decode(content) if len(content) <= _LARGEST else ""
    if not isinstance(text, str):
        return None
    root, problems = strict_yaml.read(text)
    jobs = root.entries.get("jobs")
    if problems or jobs is None or not isinstance(jobs.value, Section):
        return None
    all_jobs = [entry.value for entry in jobs.value.entries.values()]
    ours = jobs.value.entries.get(job)
    if ours is None or not isinstance(ours.value, Section):
        return None
    if any(isinstance(one, Section) and "uses" in one.entries for one in all_jobs):
        return None
    written = ours.value.entries.get("timeout-minutes")
    return DEFAULT_MINUTES if written is None else _minutes(written.value)


def _minutes(tree: strict_yaml.Tree) -> float | None:
    value = tree.value if isinstance(tree, Scalar) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value <= _MOST_MINUTES else None
