"""The pipeline that a routing job of GitLab hands its work to: one job per session, each issue one at a time.

GitLab names a `resource_group` when a pipeline is made, and knows the issue only then; so the routing job writes
this pipeline, and the template starts it. A pure function; nothing of a stranger gets into it but numbers and a
packed trigger.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ci_agent.ci.output import inert

# What the template's variables say about the job, and what holds where they say nothing.
_IMAGE = "python:3.12"
_TIMEOUT = "1h 15m"  # ten minutes for set-up and the last word beside the session's hour
_LAST_WORD = "5m"  # for `after_script`, which has to fit into the time as well
_SCRIPT = "1h 9m"
_PACKED = re.compile(r"[A-Za-z0-9_=-]+")
_NUMBER = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)


def child_pipeline(sessions: Sequence[tuple[str, str]], environment: Mapping[str, str], *, why: str) -> str:
    """The pipeline as YAML (in its JSON form, in which nothing has to be quoted twice).

    `sessions` are pairs of the issue's number and the packed trigger. Without any there is one job that does
    nothing by itself, because GitLab takes no empty pipeline; `why` says why, in its log.
    """
    content: dict[str, Any] = {"stages": ["agent"]}
    for number, packed in sessions:
        if not (_NUMBER.fullmatch(number) and _PACKED.fullmatch(packed)):
            raise ValueError("a session is an issue's number and a packed trigger")
        content[f"ci-agent:issue-{number}"] = _job(number, packed, environment)
    if not sessions:
        content["ci-agent:nothing-to-do"] = {
            "stage": "agent",
            "rules": [{"when": "manual", "allow_failure": True}],
            "variables": {"GIT_STRATEGY": "none"},
            "script": [f"echo {json.dumps(_plain(why))}"],
        }
    return json.dumps(content, indent=2) + "\n"


def _job(number: str, packed: str, environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        "stage": "agent",
        "image": environment.get("CI_AGENT_IMAGE") or _IMAGE,
        "resource_group": f"ci-agent-{number}",
        "interruptible": False,
        "timeout": environment.get("CI_AGENT_TIMEOUT") or _TIMEOUT,
        "variables": {
            "CI_AGENT_TRIGGER": packed,
            "GIT_DEPTH": "50",
            "GIT_SUBMODULE_STRATEGY": "none",
            "RUNNER_SCRIPT_TIMEOUT": _SCRIPT,
            "RUNNER_AFTER_SCRIPT_TIMEOUT": _LAST_WORD,
        },
        "before_script": [environment.get("CI_AGENT_INSTALL") or _INSTALL],
        "script": ["exec ci-agent job"],
        "after_script": ["ci-agent job --final-word"],
        "artifacts": {
            "when": "always",
            "expire_in": "30 days",
            "paths": ["ci-agent-report/"],
            "reports": {"junit": "ci-agent-report/junit.xml", "dotenv": "report.env"},
        },
    }


_INSTALL = 'pip install --quiet --disable-pip-version-check "$CI_AGENT_PACKAGE"'


def _plain(text: str) -> str:
    """Words that a shell's `echo` shows as they are."""
    return re.sub(r"[^\w .,:;()/#-]", " ", inert(text))[:300]
