"""Whatever an endpoint, a model or a command does: the session ends as it should, and what was done is kept.

Each case is a whole `ci-agent run` with the real client over HTTP: the model mends the bug, then something goes wrong. The
ending and the exit code are the expected ones, and the work so far is on its branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ci_agent.journal.events import Compacted, ModelRetried, ToolAnswered
from ci_agent.task import Ending
from tests.support.jobs import BRANCH, FIX, SUBMIT, Job, Runner, calculator
from tests.support.model_server import Fault, Hang, ModelServer, Reset, Say, Step

pytestmark = pytest.mark.slow

_IMPATIENT = "model:\n  tries: 2\n  retry_wait: 0.01\n  timeout: 3\n"


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def _after_the_fix(runner: Runner, folder: Path, steps: Sequence[Step]) -> Job:
    """A session whose model mends the bug first and then does `steps`; the last one repeats."""
    repository = calculator(folder, {".ci-agent.yml": _IMPATIENT})
    with ModelServer([Say(calls=[FIX]), *steps]) as server:
        job = runner.run(repository.path, server=server)
    assert "return a + b" in repository.show(BRANCH, "calculator.py"), job.stdout + job.stderr
    return job


def _error(status: int, message: str = "no", **more: str) -> Fault:
    return Fault(status, {"error": {"message": message, **more}})


# --- the endpoint: statuses -------------------------------------------------------------------------------

_FOR_GOOD = [
    (_error(400, "bad request"), Ending.LLM_UNAVAILABLE, 1),
    (_error(401), Ending.LLM_AUTH, 3),
    (_error(402), Ending.LLM_QUOTA, 1),
    (_error(403), Ending.LLM_AUTH, 3),
    (_error(404), Ending.LLM_UNAVAILABLE, 1),
    (_error(422, "no such field"), Ending.LLM_UNAVAILABLE, 1),
    (_error(429, "no credit", code="insufficient_quota"), Ending.LLM_QUOTA, 1),
    (_error(400, "against our content policy", code="content_policy_violation"), Ending.LLM_POLICY, 1),
    (Fault(307, "", {"Location": "http://127.0.0.1:1/"}), Ending.LLM_UNAVAILABLE, 1),
]


@pytest.mark.parametrize(
    ("fault", "ending", "code"), _FOR_GOOD, ids=lambda value: str(getattr(value, "status", value))
)
def test_what_will_not_pass_ends_it_at_once(
    runner: Runner, tmp_path: Path, fault: Fault, ending: Ending, code: int
) -> None:
    job = _after_the_fix(runner, tmp_path, [fault])
    assert (job.end.ending, job.exit_code) == (ending, code)
    assert job.facts(ModelRetried) == []
    assert "draft: true" in job.merge_requests()[0]


_PASSING: list[Step] = [
    *(_error(status) for status in (408, 409, 425, 429, 500, 502, 503, 504, 529)),
    Fault(429, {"error": {"message": "slow down"}}, {"Retry-After": "0.01"}),
    Fault(429, {"error": {"message": "slow down"}}, {"Retry-After-Ms": "10"}),
    Reset(),
    Reset(in_body=True),
    Fault(200, "<html><title>Welcome to the portal</title></html>"),
    Fault(200, {"id": "1", "choices": []}),
    Fault(200, b'{"choices": [{"message": '),
    Hang(dripping=True),
]


def _name(step: Step) -> str:
    return f"{type(step).__name__}-{getattr(step, 'status', '')}"


@pytest.mark.parametrize("fault", _PASSING, ids=_name)
def test_what_may_pass_is_tried_again(runner: Runner, tmp_path: Path, fault: Step) -> None:
    job = _after_the_fix(runner, tmp_path, [fault, Say(calls=[SUBMIT])])
    assert (job.end.ending, job.exit_code) == (Ending.SUBMITTED, 0)
    assert len(job.facts(ModelRetried)) == 1


@pytest.mark.parametrize("fault", [_error(503), Reset(in_body=True), Hang(dripping=True)], ids=_name)
def test_what_does_not_pass_in_the_end_is_given_up(runner: Runner, tmp_path: Path, fault: Step) -> None:
    job = _after_the_fix(runner, tmp_path, [fault])
    assert (job.end.ending, job.exit_code) == (Ending.LLM_UNAVAILABLE, 1)
    assert "draft: true" in job.merge_requests()[0]


_TOO_LONG = [
    _error(
        400, "This model's maximum context length is 128000 tokens.", code="context_length_exceeded"
    ),  # OpenAI
    _error(400, "prompt is too long: 213462 tokens > 200000 maximum"),  # Anthropic
    _error(400, "The input token count (1200000) exceeds the maximum number of tokens allowed"),  # Gemini
    _error(400, "the request exceeds the available context size, try increasing it"),  # llama.cpp
    _error(400, "Input is too long for requested model."),  # Bedrock
    _error(413, "Request Entity Too Large"),
]


def _words(fault: Fault) -> str:
    return str(fault.body)[23:43]


@pytest.mark.parametrize("fault", _TOO_LONG, ids=_words)
def test_too_long_is_answered_and_where_that_does_not_help_the_end(
    runner: Runner, tmp_path: Path, fault: Fault
) -> None:
    job = _after_the_fix(runner, tmp_path, [fault])
    assert (job.end.ending, job.exit_code) == (Ending.CONTEXT, 1)
    assert len(job.facts(Compacted)) == 2


@pytest.mark.parametrize("fault", _TOO_LONG, ids=_words)
def test_after_a_shorter_request_it_goes_on(runner: Runner, tmp_path: Path, fault: Fault) -> None:
    steps: list[Step] = [fault, Say("## Goal\nadd() adds."), Say(calls=[SUBMIT])]
    job = _after_the_fix(runner, tmp_path, steps)
    assert (job.end.ending, job.exit_code) == (Ending.SUBMITTED, 0)


# --- the model --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("say", "ending"),
    [
        (Say(text=""), Ending.FORMAT),
        (Say(text="I would change line 2."), Ending.FORMAT),
        (Say(text="Let me thi", finish_reason="length"), Ending.FORMAT),
        (Say(text=None, finish_reason="content_filter"), Ending.LLM_POLICY),
        (Say(calls=[("bash", {"command": "ls"})]), Ending.STUCK),
        (Say(calls=[("edit_file", '{"path": "calculator.py", "old": ')]), Ending.STUCK),
        (Say(calls=[("no_such_tool", {})]), Ending.STUCK),
    ],
    ids=["empty", "talk", "length", "filtered", "the same", "malformed", "unknown"],
)
def test_a_model_that_goes_nowhere_is_ended(runner: Runner, tmp_path: Path, say: Say, ending: Ending) -> None:
    job = _after_the_fix(runner, tmp_path, [say])
    assert (job.end.ending, job.exit_code) == (ending, 1)
    assert "draft: true" in job.merge_requests()[0]


def test_arguments_that_were_encoded_twice_are_understood(runner: Runner, tmp_path: Path) -> None:
    twice = '"{\\"title\\": \\"Add instead of subtracting\\", \\"summary\\": \\"It subtracted.\\"}"'
    job = _after_the_fix(runner, tmp_path, [Say(calls=[("submit", twice)])])
    assert (job.end.ending, job.exit_code) == (Ending.SUBMITTED, 0)


def test_a_good_call_beside_a_bad_one_is_done(runner: Runner, tmp_path: Path) -> None:
    calls: list[tuple[str, dict[str, str] | str]] = [
        ("bash", "{broken"),
        ("bash", {"command": "echo it ran"}),
    ]
    job = _after_the_fix(runner, tmp_path, [Say(calls=calls), Say(calls=[SUBMIT])])
    assert job.exit_code == 0
    bad, good = (answered for answered in job.facts(ToolAnswered) if answered.name == "bash")
    assert (bad.ok, good.ok) == (False, True)
    assert "it ran" in good.text


# --- commands ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("yes a line of text | head -c 100000000", "bytes left out"),
        ("python3 -i; read answer; cat; echo over", "over"),
        ("sleep 1000 & echo started", "processes it left running were ended"),
        ("trap '' TERM; echo deaf; sleep 1000", "time-out"),
    ],
    ids=["100 MB", "interactive", "background", "deaf to SIGTERM"],
)
def test_a_command_never_holds_the_session_up(
    runner: Runner, tmp_path: Path, command: str, said: str
) -> None:
    call = ("bash", {"command": command, "timeout": 5})
    job = _after_the_fix(runner, tmp_path, [Say(calls=[call]), Say(calls=[SUBMIT])])
    assert (job.end.ending, job.exit_code) == (Ending.SUBMITTED, 0)
    [answered] = [answered for answered in job.facts(ToolAnswered) if answered.name == "bash"]
    assert said in answered.text
    assert len(answered.text) < 20_000
    assert answered.seconds < 12
