"""The loop, with a real model client over HTTP and real tools."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ci_agent.agent import Agent, Allowance, Stop
from ci_agent.journal import Journal
from ci_agent.journal.events import ModelReplied, PlanItem, PlanUpdated, ToolAnswered, ToolCalled
from ci_agent.models import ModelSettings, open_model
from ci_agent.sandbox import open_sandbox
from ci_agent.task import Ending, Limits
from ci_agent.tools import World, all_tools
from tests.support.model_server import ModelServer, Say, Step

_SUBMIT = ("submit", {"title": "Do it", "summary": "Done."})


@contextmanager
def _agent(folder: Path, steps: Sequence[Step]) -> Iterator[tuple[Agent, ModelServer, Journal]]:
    root = folder / "root"
    root.mkdir()
    (root / "a.txt").write_text("one\n")
    limits = Limits(
        iterations=30, minutes=5, cost=1, input_tokens=10**6, output_tokens=10**6, verifications=3
    )
    allowance = Allowance(limits, started=time.monotonic())
    world = World(
        root=root,
        outputs=folder / "outputs",
        sandbox=open_sandbox(folder / "home", folder / "tmp"),
        remaining=allowance.remaining,
        run_tests=lambda selector: f"ran {selector}",
        command_timeout=20,
    )
    with ModelServer(steps) as server, Journal(folder / "session.jsonl") as journal:
        model = open_model("m", ModelSettings(base_url=server.base_url, api_key=server.key), lambda _: None)
        opening = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
        yield Agent(model, all_tools(), world, allowance, journal, opening), server, journal


def test_every_call_gets_a_result_and_good_siblings_of_bad_ones_run(tmp_path: Path) -> None:
    calls: list[tuple[str, dict[str, str] | str]] = [
        ("read_file", {"path": "a.txt"}),
        ("nonsense", {}),
        ("bash", "{broken"),
        ("bash", {"command": "echo hi"}),
    ]
    with _agent(tmp_path, [Say(calls=calls), Say(calls=[_SUBMIT])]) as (agent, server, _):
        assert agent.work().ending is Ending.SUBMITTED
        messages = server.requests[1].body["messages"]
    results = [message for message in messages if message["role"] == "tool"]
    assert [one["tool_call_id"] for one in results] == [one["id"] for one in messages[2]["tool_calls"]]
    assert "one" in results[0]["content"]
    assert "hi" in results[3]["content"]


def test_the_context_only_grows(tmp_path: Path) -> None:
    steps = [Say(calls=[("bash", {"command": f"echo {count}"})]) for count in range(5)]
    with _agent(tmp_path, [*steps, Say(calls=[_SUBMIT])]) as (agent, server, _):
        agent.work()
        contexts = [request.body["messages"] for request in server.requests]
    for earlier, later in itertools.pairwise(contexts):
        assert later[: len(earlier)] == earlier
        assert len(later) > len(earlier)


def test_arguments_that_are_no_json_do_not_go_back_as_they_came(tmp_path: Path) -> None:
    with _agent(tmp_path, [Say(calls=[("bash", '{"command": ')]), Say(calls=[_SUBMIT])]) as (
        agent,
        server,
        journal,
    ):
        agent.work()
        [sent] = server.requests[1].body["messages"][2]["tool_calls"]
        [called] = [event.fact for event in journal.events if isinstance(event.fact, ToolCalled)][:1]
    assert sent["function"]["arguments"] == '{"invalid": "{\\"command\\": "}'
    assert called.arguments == '{"command": '


def test_a_hand_in_that_is_answered_goes_on_in_the_same_conversation(tmp_path: Path) -> None:
    steps = [Say(calls=[_SUBMIT, ("bash", {"command": "echo after"})]), Say(calls=[_SUBMIT])]
    with _agent(tmp_path, steps) as (agent, server, _):
        assert agent.work() == Stop(Ending.SUBMITTED, "The model handed in its work.")
        agent.answer("Not accepted.")
        assert agent.work().ending is Ending.SUBMITTED
        messages = server.requests[1].body["messages"]
    results = {one["tool_call_id"]: one["content"] for one in messages if one["role"] == "tool"}
    submit, bash = (one["id"] for one in messages[2]["tool_calls"])
    assert results[submit] == "Not accepted."
    assert "after" in results[bash]


def test_work_is_not_handed_in_behind_a_call_that_failed(tmp_path: Path) -> None:
    wrong = ("edit_file", {"path": "missing.py", "old": "a", "new": "b"})
    with _agent(tmp_path, [Say(calls=[wrong, _SUBMIT]), Say(calls=[_SUBMIT])]) as (agent, server, _):
        assert agent.work().ending is Ending.SUBMITTED
        results = [one["content"] for one in server.requests[1].body["messages"] if one["role"] == "tool"]
    assert results[-1].startswith("Not handed in: an earlier call of the same reply failed.")


def test_only_one_call_of_a_reply_ends_the_turn(tmp_path: Path) -> None:
    with _agent(tmp_path, [Say(calls=[_SUBMIT, ("ask_user", {"question": "Why?"})])]) as (agent, _, journal):
        assert agent.work().ending is Ending.SUBMITTED
        [answered] = [event.fact for event in journal.events if isinstance(event.fact, ToolAnswered)]
    assert answered.name == "ask_user"
    assert not answered.ok


def test_everything_is_in_the_journal_before_the_next_request(tmp_path: Path) -> None:
    plan = ("update_plan", {"steps": [{"step": "look", "done": True}, {"step": "do"}]})
    with _agent(tmp_path, [Say(text="I look.", calls=[plan]), Say(calls=[_SUBMIT])]) as (agent, _, journal):
        agent.work()
        facts = [event.fact for event in journal.events]
    kinds = [type(fact).__name__ for fact in facts]
    assert kinds == [
        *("Warned", "ModelReplied", "ToolCalled", "PlanUpdated", "ToolAnswered"),
        *("ModelReplied", "ToolCalled", "Submitted"),
    ]
    assert PlanUpdated((PlanItem("look", done=True), PlanItem("do", done=False))) in facts
    [first, _] = [fact for fact in facts if isinstance(fact, ModelReplied)]
    assert (first.step, first.usage.prompt, first.usage.cached) == (1, 1000, 900)


def test_a_cut_reply_is_told_that_it_was_cut(tmp_path: Path) -> None:
    with _agent(tmp_path, [Say(text="Let me think", finish_reason="length"), Say(calls=[_SUBMIT])]) as (
        agent,
        server,
        _,
    ):
        agent.work()
        assert "cut off at its length limit" in server.requests[1].body["messages"][-1]["content"]
