"""What going on after an answer costs: how soon the model is asked again, and how many tokens more it reads in all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT))  # the stand-ins are the tests' own

from tests.support.jobs import FIX, SUBMIT  # noqa: E402
from tests.support.model_server import ModelServer, Request, Say  # noqa: E402
from tests.support.pipelines import Pipeline, pipeline  # noqa: E402

_JOB = (str(Path(sys.executable).parent / "ci-agent"), "job")
_STEPS = 20  # of the model; in the middle it asks
_PRINTED = 2_400  # characters that each command prints: about 600 tokens, the mean of the played tasks


@dataclass(frozen=True, slots=True)
class Costs:
    """Of sessions that ask once, beside one that does not and is the same otherwise."""

    seconds: float  # from the start of the job to the model's next request
    from_the_start: float  # the same of the first job: with the tests on the base, and nothing to go on with
    characters: int  # that the model read in all its requests
    undisturbed: int  # the same without the question


def costs(platform: str, runs: int) -> Costs:
    """The median of `runs` sessions."""
    asked = [_session(platform, asks=True) for _ in range(runs)]
    plain = _session(platform, asks=False)
    return Costs(
        seconds=median(one[1] for one in asked),
        from_the_start=median(one[0] for one in asked),
        characters=asked[0][2],
        undisturbed=plain[2],
    )


def _session(platform: str, *, asks: bool) -> tuple[float, float, int]:
    """Seconds to the model's first request in each job, and all that it read."""
    folder = Path(tempfile.mkdtemp(prefix="ci-agent-bench-"))
    times: list[float] = []

    def reply(request: Request) -> Say:
        times.append(time.monotonic())
        said = sum(message["role"] == "assistant" for message in request.body["messages"])
        if said == _STEPS // 2:
            question = ("ask_user", {"question": "Which sign is right?"})
            return Say(calls=[question if asks else ("bash", {"command": "echo plus"})])
        if said >= _STEPS:
            return Say(calls=[FIX, SUBMIT])
        return Say(calls=[("bash", {"command": f"printf '{said:0{_PRINTED}d}'"})])

    try:
        with ModelServer(reply) as model, pipeline(platform, folder, model) as project:
            number = project.forge.write_issue("add() is wrong", "")
            event = "issues" if platform == "github" else "trigger"
            first = _job(
                project, project.environment(event, project.forge.label(number, "ai-task", by="dana")), times
            )
            second = 0.0
            if asks:
                project.end()
                name = "issue_comment" if platform == "github" else "trigger"
                answer = project.forge.say(number, "/agent answer plus", by="dana")
                second = _job(project, project.environment(name, answer), times)
            if not project.merge_requests():
                raise RuntimeError(f"the session came to no merge request: {project.said(number)}")
            read = sum(len(json.dumps(request.body["messages"])) for request in model.requests)
            return first, second, read
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _job(project: Pipeline, environment: Mapping[str, Any], times: list[float]) -> float:
    times.clear()
    started = time.monotonic()
    subprocess.run(
        _JOB, env=dict(environment), cwd=project.place(environment), check=False, capture_output=True
    )
    return times[0] - started
