"""The loop, with a real model client over HTTP and real tools."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ci_agent.agent import Agent, Allowance, Sight, Stop
from ci_agent.agent.rules import Reminder, Scoped
from ci_agent.journal import Journal
from ci_agent.journal.events import (
    Compacted,
    HarnessSaid,
    ModelReplied,
    PlanItem,
    PlanUpdated,
    ToolAnswered,
    ToolCalled,
)
from ci_agent.models import ModelSettings, open_model
from ci_agent.sandbox.plain import Plain
from ci_agent.task import Ending, Limits
from ci_agent.tools import World, all_tools
from tests.support.model_server import Fault, ModelServer, Request, Say, Step

_SUBMIT = ("submit", {"title": "Do it", "summary": "Done."})


def _reminder(text: str) -> Reminder:
    """Tells `text` with the first file that is met."""
    return Reminder([Scoped("r.md", globs=("*",))], ["r.md"], lambda _: text.encode())


@contextmanager
def _agent(
    folder: Path,
    steps: Sequence[Step] | Callable[[Request], Step],
    *,
    compact_at: int = 60_000,
    rules: str = "",
    heard: Callable[[], str] = str,
) -> Iterator[tuple[Agent, ModelServer, Journal]]:
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
        sandbox=Plain(folder / "home", folder / "tmp"),
        remaining=allowance.remaining,
        run_tests=lambda selector: f"ran {selector}",
        command_timeout=20,
    )
    with ModelServer(steps) as server, Journal(folder / "session.jsonl") as journal:
        model = open_model("m", ModelSettings(base_url=server.base_url, api_key=server.key), lambda _: None)
        opening = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
        sight = Sight(lambda: True, lambda: "+the change", _reminder(rules), heard=heard)
        agent = Agent(model, all_tools(), world, allowance, journal, opening, sight, compact_at=compact_at)
        yield agent, server, journal


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
        *("ModelReplied", "Warned", "ToolCalled", "PlanUpdated", "ToolAnswered"),
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


def test_a_call_that_was_cut_off_is_not_run(tmp_path: Path) -> None:
    calls = [("bash", {"command": "echo one > made.txt"}), ("bash", {"command": "echo two > made.txt"})]
    steps = [Say(calls=calls, finish_reason="length"), Say(calls=[_SUBMIT])]
    with _agent(tmp_path, steps) as (agent, server, _):
        assert agent.work().ending is Ending.SUBMITTED
        results = [one["content"] for one in server.requests[1].body["messages"] if one["role"] == "tool"]
    assert (tmp_path / "root" / "made.txt").read_text() == "one\n"
    assert results[1].startswith("Not run: your reply was cut off at its length limit")


def test_rules_of_a_file_are_told_with_the_result_that_first_meets_it(tmp_path: Path) -> None:
    steps = [Say(calls=[("read_file", {"path": "a.txt"})]), Say(calls=[_SUBMIT])]
    with _agent(tmp_path, steps, rules="Write in verse.") as (agent, server, journal):
        agent.work()
        [answered] = [event.fact for event in journal.events if isinstance(event.fact, ToolAnswered)]
        assert server.requests[1].body["messages"][-1]["content"] == answered.text
    assert answered.added == "\n\n[rules of r.md, which count here:\nWrite in verse.]"
    assert answered.text.endswith(answered.added)


# --- a conversation that becomes too long -----------------------------------------------------------------


def _usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": tokens, "completion_tokens": 0}


def _growing(request: Request) -> Step:
    """Prints three kilobytes at each step, and counts as an endpoint would."""
    messages = request.body["messages"]
    asked = sum(message["role"] == "assistant" for message in messages)
    tokens = len(str(messages)) // 4
    if messages[-1]["role"] == "user" and "a new one, which begins" in messages[-1]["content"]:
        return Say("## Goal\nKnow.", usage=_usage(tokens))
    if asked >= 40 or (len(messages) > 2 and "the end" in messages[-1]["content"]):
        return Say(calls=[_SUBMIT], usage=_usage(tokens))
    script = f"for i in $(seq 60); do echo {asked} $i is one of the lines that are printed here; done"
    return Say(calls=[("bash", {"command": script})], usage=_usage(tokens))


def test_old_results_are_left_out_in_one_go_and_the_beginning_stays(tmp_path: Path) -> None:
    with _agent(tmp_path, _growing, compact_at=10_000) as (agent, server, journal):
        agent.work()
        contexts = [request.body["messages"] for request in server.requests]
        facts = [event.fact for event in journal.events if isinstance(event.fact, Compacted)]
    grown = [later[: len(earlier)] == earlier for earlier, later in itertools.pairwise(contexts)]
    assert 1 <= grown.count(False) == len(facts) <= 5
    assert all(context[:2] == contexts[0] for context in contexts)
    assert max(len(str(context)) // 4 for context in contexts) < 14_000
    for fact in facts:
        assert fact.after < fact.before
        assert fact.left_out
    for context in contexts:
        asked = [call["id"] for message in context for call in message.get("tool_calls", ())]
        assert asked == [message["tool_call_id"] for message in context if message["role"] == "tool"]


def test_where_that_frees_too_little_the_model_sums_up_on_the_same_prefix(tmp_path: Path) -> None:
    long = "x" * 30_000

    def answer(request: Request) -> Step:
        messages = request.body["messages"]
        if messages[-1]["role"] == "user" and "a new one, which begins" in messages[-1]["content"]:
            return Say("## Goal\nSay it in fewer words.", usage=_usage(9_000))
        if any("Say it in fewer words" in str(message["content"]) for message in messages):
            return Say(calls=[_SUBMIT], usage=_usage(500))
        return Say(long, calls=[("bash", {"command": "echo hi"})], usage=_usage(9_000))

    with _agent(tmp_path, answer, compact_at=8_000) as (agent, server, journal):
        assert agent.work().ending is Ending.SUBMITTED
        first, summing, last = (request.body for request in server.requests)
        [fact] = [event.fact for event in journal.events if isinstance(event.fact, Compacted)]
    assert summing["messages"][: len(first["messages"])] == first["messages"]
    assert summing["tools"] == first["tools"]
    assert last["messages"][:2] == first["messages"]
    assert "+the change" in last["messages"][2]["content"]
    assert (fact.summary, fact.usage.prompt) == ("## Goal\nSay it in fewer words.", 9_000)
    assert agent._allowance.usage.prompt == 18_500


def test_an_endpoint_that_says_too_long_is_answered_and_not_the_end(tmp_path: Path) -> None:
    def answer(request: Request) -> Step:
        if len(str(request.body["messages"])) > 20_000:
            return Fault(400, {"error": {"message": "This model's maximum context length is 5000 tokens"}})
        return _growing(request)

    with _agent(tmp_path, answer) as (agent, server, journal):
        stop = agent.work()
        facts = [event.fact for event in journal.events if isinstance(event.fact, Compacted)]
    assert stop.ending in (Ending.SUBMITTED, Ending.LIMIT_STEPS), stop
    assert facts
    assert sum(len(str(request.body["messages"])) > 20_000 for request in server.requests) <= 2 * len(facts)


def test_an_endpoint_that_says_so_whatever_is_sent_is_the_end(tmp_path: Path) -> None:
    fault = Fault(400, {"error": {"message": "prompt is too long", "code": "context_length_exceeded"}})
    with _agent(tmp_path, [fault]) as (agent, server, _):
        assert agent.work().ending is Ending.CONTEXT
    assert len(server.requests) <= 5


def test_what_people_say_comes_behind_all_results_before_the_next_request(tmp_path: Path) -> None:
    said = iter(["", "[Said] Keep the docs.", ""])
    steps = [
        Say(calls=[("bash", {"command": "echo 1"}), ("bash", {"command": "echo 2"})]),
        Say(calls=[_SUBMIT]),
    ]
    with _agent(tmp_path, steps, heard=lambda: next(said, "")) as (agent, server, journal):
        agent.work()
        first, second = (request.body["messages"] for request in server.requests)
        noted = [event.fact.text for event in journal.events if isinstance(event.fact, HarnessSaid)]
    assert [message["role"] for message in second[len(first) :]] == ["assistant", "tool", "tool", "user"]
    assert second[-1]["content"] == "[Said] Keep the docs."
    assert noted == ["[Said] Keep the docs."]


def test_nobody_is_heard_where_the_model_can_not_be_told_any_more(tmp_path: Path) -> None:
    heard: list[int] = []
    steps = [Say(calls=[("bash", {"command": f"echo {number}"})]) for number in range(40)]

    def hears() -> str:
        heard.append(1)
        return ""

    with _agent(tmp_path, steps, heard=hears) as (agent, server, _):
        assert agent.work().ending is Ending.LIMIT_STEPS
    assert len(heard) == len(server.requests) == 30
