"""Most events are none of our business, so finding that out loads nothing that takes time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.triggers.gitlab_payloads import said

HEAVY = "yaml click openai genai_prices github gitlab git rich requests msgspec platformdirs asyncio email hypothesis"
PROGRAM = """
import json, os, sys
from ci_agent import triggers
from ci_agent.ci.detect import here
from ci_agent.config.definitions import TriggerSettings
job = here(os.environ)
seen = job.happening
found = triggers.read(job.platform, seen.name, seen.payload, seen.at, job.actor, TriggerSettings())
loaded = sorted(set(sys.argv[1].split()) & set(sys.modules))
print(json.dumps([type(found).__name__, loaded]))
"""


@pytest.mark.parametrize("platform", ["github", "gitlab"])
@pytest.mark.parametrize(("words", "kind"), [("Thank you!", "Ignored"), ("/agent retry", "Trigger")])
def test_deciding_loads_nothing_heavy(tmp_path: Path, platform: str, words: str, kind: str) -> None:
    event = tmp_path / "event.json"
    user = {"login": "dana", "id": 7}
    comment = {"body": words, "id": 5, "created_at": "2026-01-02T03:04:05Z", "user": user}
    github = {"action": "created", "comment": comment, "issue": {"number": 1, "title": "x", "body": ""}}
    event.write_text(json.dumps(github if platform == "github" else said(words)))
    environment = {
        "github": {
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "acme/widget",
            "GITHUB_EVENT_NAME": "issue_comment",
            "GITHUB_EVENT_PATH": str(event),
        },
        "gitlab": {
            "CI_SERVER_URL": "https://gitlab.example",
            "CI_PROJECT_PATH": "gitlab-org/gitlab-test",
            "CI_PIPELINE_SOURCE": "trigger",
            "TRIGGER_PAYLOAD": str(event),
        },
    }[platform]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, HEAVY], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [kind, []]
