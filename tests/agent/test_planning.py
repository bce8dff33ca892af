"""Work that is planned first: what the model is held to, and what it is told of a person's word."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ci_agent.agent import Agent, Allowance, Approved, Brief, Planning, Sight, compaction, opening
from ci_agent.agent.resuming import Break, told
from ci_agent.agent.rules import Reminder
from ci_agent.journal import Journal
from ci_agent.journal.events import PlanProposed, ProposalDecided
from ci_agent.models import Message, ModelSettings, open_model
from ci_agent.sandbox.plain import Plain
from ci_agent.task import Ending, Limits
from ci_agent.tools import World, all_tools
from tests.agent.test_context import TASK
from tests.support.jobs import last_results
from tests.support.model_server import ModelServer, Say

PLAN = ("propose_plan", {"plan": "Say two.", "files": ["a.txt"]})
PATCH = "*** Begin Patch\n*** Update File: a.txt\n@@\n-one\n+two\n*** End Patch"
EDITS = [
    ("edit_file", {"path": "a.txt", "old": "one", "new": "two"}),
    ("write_file", {"path": "b.txt", "content": "two"}),
    ("insert_lines", {"path": "a.txt", "line": 0, "text": "two"}),
    ("apply_patch", {"patch": PATCH}),
    ("str_replace_editor", {"command": "create", "path": "b.txt", "file_text": "two"}),
    ("bash", {"command": f"apply_patch <<'E'\n{PATCH}\nE"}),
    ("submit", {"title": "Do it", "summary": "Done."}),
]


@pytest.mark.parametrize("call", EDITS, ids=[name for name, _ in EDITS])
def test_nothing_is_changed_or_handed_in_before_the_plan_is_approved(
    call: tuple[str, dict[str, object]], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.txt").write_text("one\n")
    limits = Limits(iterations=9, minutes=5, cost=1, input_tokens=10**6, output_tokens=10**6, verifications=3)
    allowance = Allowance(limits, started=time.monotonic())
    world = World(
        root, tmp_path / "outputs", Plain(tmp_path / "home", tmp_path / "tmp"), allowance.remaining, str, 20
    )
    changed = iter([["a.txt"], [], []])
    sight = Sight(lambda: False, str, Reminder([], [], lambda _: b""), Planning(lambda: next(changed)))
    steps = [Say(calls=[call]), Say(calls=[("bash", {"command": "ls"})]), Say(calls=[PLAN])]
    with ModelServer(steps) as server, Journal(tmp_path / "session.jsonl") as journal:
        model = open_model("m", ModelSettings(base_url=server.base_url, api_key=server.key), lambda _: None)
        messages: list[Message] = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
        agent = Agent(
            model, all_tools(planning=True), world, allowance, journal, messages, sight, compact_at=60_000
        )
        stop = agent.work()
    assert stop.ending is Ending.NEEDS_APPROVAL
    assert agent.waits == "propose_plan"
    assert any(isinstance(event.fact, PlanProposed) for event in journal.events)
    assert [path.read_text() for path in root.iterdir()] == ["one\n"]
    answer, ran = (last_results(request.body)[0] for request in server.requests[1:])
    assert "a person has to approve your plan first" in answer
    assert "[Put back as before, because your plan is not approved yet: a.txt." in ran


@pytest.mark.parametrize(
    ("broke", "said"),
    [
        (Break(proposed="plan", decision=ProposalDecided(True, "dana"), planned=("a.py", "b.py")), "Approved by dana."),
        (Break(proposed="plan", decision=ProposalDecided(True, "dana"), planned=("a.py", "b.py")), "Its files: a.py, b.py"),
        (Break(proposed="plan", decision=ProposalDecided(True, "dana", "Mind tabs.")), "Mind tabs."),
        (Break(proposed="plan", decision=ProposalDecided(False, "dana", "Too much.")), "Rejected by dana:\n\n<decision"),
        (Break(proposed="plan", decision=ProposalDecided(False, "dana")), "Propose another plan"),
        (Break(proposed="change", decision=ProposalDecided(False, "dana", "No.")), "Change what is wrong"),
        (Break(proposed="change", decision=ProposalDecided(True, "dana")), "anything else has to be approved anew"),
        (Break(proposed="plan", said="Also b.", by="erin"), "Neither approved nor rejected: erin says"),
        (Break(proposed="change", said="Also b.", by="erin"), "call `submit` again"),
        (Break(proposed="plan"), "Nobody approved or rejected it"),
        (Break(proposed="plan", decision=ProposalDecided(True, "dana"), said="Faster.", by="erin"), "Asked for now, in addition:\n\n<request"),
    ],
)  # fmt: skip
def test_the_model_is_told_what_became_of_its_proposal(broke: Break, said: str) -> None:
    text = told(broke)
    assert said in text
    assert "new machine" in text


def test_the_opening_says_that_a_plan_comes_first_and_later_which_one_was_approved() -> None:
    brief = Brief(TASK, ["a.py"], "passed")
    assert "plan" not in str(opening(brief)[1]["content"]).lower()
    first = str(opening(Brief(TASK, ["a.py"], "passed", planned=True))[1]["content"])
    assert "# A plan first" in first
    assert "`propose_plan`" in first
    plan = Approved("Say two.", ["a.py", "b/"], "dana")
    then = str(opening(Brief(TASK, ["a.py"], "passed", planned=True, plan=plan))[1]["content"])
    assert "# Your plan, approved by dana" in then
    assert "Say two." in then
    assert "- b/" in then
    assert "# A plan first" not in then


def _called(number: int, name: str, answer: str) -> list[Message]:
    call = {
        "id": f"c{number}",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps({"command": "x"})},
    }
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"c{number}", "content": answer},
    ]


@pytest.mark.parametrize("name", ["propose_plan", "ask_user", "exit_plan_mode"])
def test_what_a_person_answered_outlives_a_compaction(name: str) -> None:
    answer = "Approved by dana. " + "Its files: a.py. " * 50
    messages: list[Message] = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    messages += _called(0, name, answer)
    for number in range(1, 12):
        messages += _called(number, "bash", "line\n" * 400)
    for plan in compaction.PLANS:
        assert answer in [message["content"] for message in compaction.compact(messages, plan).messages]
    [_, _, summed, *_] = compaction.restarted(messages, "What I know.", "")
    assert answer.strip() in str(summed["content"])
