"""The pipeline that GitLab's routing job starts: a job for each session, or one that does nothing.

A pure function of what the routing job knows. The text stands alone, because a pipeline made from an artifact
can't include the template it comes from by the way the project included it. What anybody wrote becomes a quoted
value here, never a line of a script.

The keywords are those of GitLab's "CI/CD YAML syntax reference". No strategy `depend` belongs to this pipeline:
GitLab lets a trigger job fail whose pipeline holds nothing but a job that waits for a click.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ci_agent.config.definitions import SETTINGS
from ci_agent.config.values import masked
from ci_agent.errors import ConfigError

DEFAULT_TIMEOUT = "1h 15m"  # a session's 60 minutes, and what comes before and after it
_BEFORE = 5  # minutes for the image, the checkout and the cache, which no limit of ours can shorten
_AFTER = 5  # minutes for the last word and the upload
_LEAST = 20  # minutes; less leaves no time to work

_ENVIRONMENTS = "ci-agent"  # what the names of the two jobs' environments begin with
_BUNDLE, _PUBLISHED = "ci-agent-bundle", "ci-agent-published"  # folders of artifacts
_GREEN = "--waiting-is-success"  # `allow_failure: exit_codes` would only turn red into orange
_FINAL_WORD = "if [ -x .ci-agent/ci-agent ]; then .ci-agent/ci-agent job --final-word; fi"
_IDLE = "echo 'There was nothing to do here; the log of the routing job says why.'"


def child_pipeline(
    sessions: Iterable[tuple[str, str]], environment: Mapping[str, str], *, why: str = ""
) -> str:
    """The pipeline as YAML, which is JSON below a comment.

    `sessions` holds an issue's number and the packed trigger for each job; with none, `why` tells people the
    reason. `environment` is that of the routing job: image, tags, time-out and package come from it, and
    the settings that are no secrets. Raises `ConfigError` for a time-out that can't be one, `ValueError` for a
    number that is none.
    """
    split = environment.get("CI_AGENT_SPLIT", "").strip() == "true"
    jobs: dict[str, Any] = {}
    for number, trigger in sessions:
        name, job = f"ci-agent-{_number(number)}", _work(number, trigger, environment)
        jobs |= {name: _apart(job), f"{name}-publish": _publish(job, name)} if split else {name: job}
    comment = (
        f"# {len(jobs)} {'job' if len(jobs) == 1 else 'jobs'}" if jobs else f"# nothing to do: {_quoted(why)}"
    )
    return f"{comment}\n{_yaml(jobs or {'ci-agent-idle': _idle()})}\n"


def _work(number: str, trigger: str, environment: Mapping[str, str]) -> dict[str, Any]:
    minutes = _minutes(environment.get("CI_AGENT_TIMEOUT", "").strip() or DEFAULT_TIMEOUT)
    variables = _settings(environment) | {
        **_package(environment.get("CI_AGENT_PACKAGE", "")),
        "CI_AGENT_TRIGGER": trigger,
        "GIT_SUBMODULE_STRATEGY": "none",  # the checkout only lends its objects to the session's own
        "RUNNER_SCRIPT_TIMEOUT": f"{minutes - _BEFORE - _AFTER}m",
        "RUNNER_AFTER_SCRIPT_TIMEOUT": f"{_AFTER}m",
    }
    return _where(environment) | {
        "resource_group": f"ci-agent-{number}",  # one session per issue at a time; the next one waits
        "interruptible": False,
        "timeout": f"{minutes}m",
        "variables": {name: {"value": value, "expand": False} for name, value in variables.items()},
        # Pulled only: commands of the model can write to this folder, the routing job runs none.
        "cache": {"key": "ci-agent", "paths": [".ci-agent/cache/"], "policy": "pull"},
        "before_script": [install_script()],
        "script": [f".ci-agent/ci-agent job {_GREEN}"],
        "after_script": [_FINAL_WORD],
        "artifacts": {
            "name": f"ci-agent-report-{number}",
            "when": "always",
            "expire_in": "30 days",
            "paths": ["ci-agent-report/"],
            "reports": {"junit": "ci-agent-report/junit.xml", "dotenv": "report.env"},
        },
    }


def _apart(job: dict[str, Any]) -> dict[str, Any]:
    """The job that works, where another one publishes: GitLab gives it the variables of its environment only."""
    artifacts = job["artifacts"]
    return {key: value for key, value in job.items() if key != "after_script"} | {
        "environment": {"name": f"{_ENVIRONMENTS}/work", "action": "access"},
        "script": [f".ci-agent/ci-agent job {_GREEN} --no-publish --bundle {_BUNDLE}"],
        "artifacts": artifacts
        | {"paths": [*artifacts["paths"], f"{_BUNDLE}/"], "reports": {"junit": "ci-agent-report/junit.xml"}},
    }


def _publish(job: dict[str, Any], work: str) -> dict[str, Any]:
    """The job that publishes what the job `work` did. No cache: whoever broke out there could have left something."""
    artifacts = job["artifacts"]
    return {key: value for key, value in job.items() if key != "cache"} | {
        "needs": [{"job": work, "artifacts": True}],
        "when": "always",
        "environment": {"name": f"{_ENVIRONMENTS}/publish", "action": "access"},
        "script": [f".ci-agent/ci-agent publish {_BUNDLE} {_GREEN} --output-dir {_PUBLISHED}"],
        "after_script": [_FINAL_WORD.replace("--final-word", f"--final-word --output-dir {_PUBLISHED}")],
        "artifacts": artifacts
        | {
            "name": f"{artifacts['name']}-published",
            "paths": [f"{_PUBLISHED}/"],
            "reports": {"dotenv": "report.env"},
        },
    }


def _idle() -> dict[str, Any]:
    """A pipeline must hold a job; this one waits for a click that nobody has to make."""
    return {"when": "manual", "allow_failure": True, "variables": {"GIT_STRATEGY": "none"}, "script": [_IDLE]}


def install_script() -> str:
    """The shell text that installs ci-agent in a job."""
    return Path(__file__).with_name("install.sh").read_text(encoding="utf-8")


# --- what the routing job was given -----------------------------------------------------------------------


def _where(environment: Mapping[str, str]) -> dict[str, Any]:
    """The image, by default the routing job's own, and the tags of the runner. Neither: an executor without images."""
    image = environment.get("CI_AGENT_IMAGE", "").strip() or environment.get("CI_JOB_IMAGE", "").strip()
    tags = [tag.strip() for tag in environment.get("CI_AGENT_TAGS", "").split(",") if tag.strip()]
    return ({"image": image} if image else {}) | ({"tags": tags} if tags else {})


def _settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings in the environment, but for GitLab's own variables and all that is secret: artifacts are read
    by many, and the project's protected variables reach the job without us."""
    names = [name for setting in SETTINGS if not setting.secret for name in setting.variables]
    ours = [name for name in names if name.startswith("CI_AGENT_") or not name.startswith("CI_")]
    given = {name: environment[name] for name in ours if environment.get(name, "").strip()}
    return {name: value for name, value in given.items() if masked(value) == value}


def _package(given: str) -> dict[str, str]:
    """What is to be installed. An address with a password in it comes from the project's own variables, which reach
    the job without us."""
    return {"CI_AGENT_PACKAGE": given} if masked(given) == given else {}


def _minutes(text: str) -> int:
    """A time-out as GitLab writes it, `1h 15m` or `90 minutes`, in minutes."""
    if re.fullmatch(r"(?:\d{1,5}\s*[a-z]+\s*)+", text):
        parts = re.findall(r"(\d+)\s*([a-z]+)", text)
        if all(unit in _UNITS for _, unit in parts):
            minutes = sum(int(count) * _UNITS[unit] for count, unit in parts)
            if minutes >= _LEAST:
                return minutes
    raise ConfigError(
        f"CI_AGENT_TIMEOUT: {text[:80]!r} is no time a job can work in; "
        f"write it like `{DEFAULT_TIMEOUT}`, at least {_LEAST} minutes"
    )


_UNITS = {
    unit: minutes
    for minutes, units in ((1440, "d day days"), (60, "h hr hour hours"), (1, "m min mins minute minutes"))
    for unit in units.split()
}


def _number(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,9}", text):
        raise ValueError(f"no number of an issue: {text!r}")
    return text


# --- YAML -------------------------------------------------------------------------------------------------


def _yaml(content: Mapping[str, Any]) -> str:
    return _printable(json.dumps(content, ensure_ascii=False, indent=2))


def _quoted(text: str) -> str:
    return _printable(json.dumps(text, ensure_ascii=False))


def _printable(quoted: str) -> str:
    """JSON as YAML wants it: its breaks and what it calls not printable are escaped too; halves of characters,
    which Python makes from bytes that are no text, can't be written at all. Source: YAML 1.2.2, 5.1 and 7.3.1."""
    whole = re.sub("[\ud800-\udfff]", "\ufffd", quoted)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", whole)
