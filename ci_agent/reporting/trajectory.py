"""A session step by step: what the model said and did, what came of it, and what the harness did meanwhile.

For `ci-agent log`. Everything comes from the events, one after the other, so that a journal of any size can be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from ci_agent.journal import Event, Fact
from ci_agent.journal.events import (
    AgentStopped,
    CommandStarted,
    Compacted,
    HarnessSaid,
    Judged,
    ModelReplied,
    ModelRetried,
    Moment,
    PlanUpdated,
    SessionStarted,
    StatusChanged,
    TestsRan,
    ToolAnswered,
    ToolCalled,
    Warned,
    Withheld,
)
from ci_agent.reporting.laid_out import Line, block, called
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.terminal import line
from ci_agent.reporting.text import one_line
from ci_agent.reporting.wording import clock, commit, count, counts, duration, money, sentence, spent
from ci_agent.task import Limits, Usage

BEFORE = 0  # the step that all before the first reply counts as
_TOLD = (
    Moment.BEFORE,
    Moment.AFTER,
    Moment.ASKED,
)  # runs whose failing cases are named; others fail by design
_FAILING = 10  # cases of a run that are named
_CENTS = 4  # digits of a dollar: a step costs little


def header(summary: Summary) -> Iterator[Line]:
    """The whole session in a few lines."""
    started, workspace = summary.started, summary.workspace
    nameless = "a comparison without a session" if summary.alone else "a session whose beginning is missing"
    title = f"issue {started.issue}: {started.title}" if started else nameless
    yield Line(one_line(title, 500), "bold")
    rows: dict[str, str] = {}
    if started:
        rows["repository"] = f"{started.repository} ({started.platform})"
        rows["asked for"] = ", ".join(
            filter(None, [f"by {started.requester.partition(' <')[0]}", started.request, started.hint])
        )
        rows["model"] = f"{started.model}; sandbox: {started.sandbox}; ci-agent {started.version}"
        rows["limits"] = _limits(started.limits)
    if workspace:
        rows["from"] = f"{workspace.base} at {commit(workspace.base_sha)}"
        rows["branch"] = (
            f"{workspace.branch}{', gone on with' if workspace.continued else ''}" if workspace.branch else ""
        )
    rows["tests"] = (
        f"before: {counts(summary.before)}; after: {counts(summary.after)}"
        if summary.before or summary.after
        else ""
    )
    rows["outcome"] = _outcome(summary)
    rows["used"] = _used(summary)
    for name, value in rows.items():
        if value:
            yield Line(one_line(value, 1000), "", f"  {name:<12}")
    yield Line()


def steps(events: Iterable[Event], wanted: range | None = None, *, full: bool = False) -> Iterator[Line]:
    """The steps in `wanted` (None: all, and what was before and after), with all that happened in each. `full` cuts no
    text."""
    step: int | None = BEFORE
    model = ""
    for event in events:
        fact = event.fact
        match fact:
            case SessionStarted():
                step, model = BEFORE, fact.model
            case ModelReplied():
                step = fact.step
            case AgentStopped():
                step = None
        if wanted is None or (step is not None and step in wanted):
            yield from _event(event, model, full=full)
        if isinstance(fact, ModelReplied):
            model = fact.model


def _event(event: Event, model: str, *, full: bool) -> Iterator[Line]:
    match event.fact:
        case ModelReplied() as reply:
            yield from _reply(reply, event.at, model, full=full)
        case ToolCalled() as call:
            yield from called(call, full=full)
        case ToolAnswered() as answer:
            yield from _answer(answer, full=full)
        case HarnessSaid(text=text):
            yield Line("the harness to the model:", "yellow")
            yield from block(text, full=full)
        case PlanUpdated(items=items):
            yield from (
                Line(one_line(f"{'✓' if item.done else '·'} {item.text}"), "", "    ") for item in items
            )
        case Compacted(summary=summary) as fact:
            yield from _harness(fact, event.at)
            yield from block(summary, full=full)
        case SessionStarted() | CommandStarted():
            return  # the header has the one, the other's result has a line
        case fact:
            yield from _harness(fact, event.at)


# --- the model --------------------------------------------------------------------------------------------


def _reply(reply: ModelReplied, at: datetime, model: str, *, full: bool) -> Iterator[Line]:
    facts = [
        f"step {reply.step}",
        f"{at:%H:%M:%S}",
        duration(reply.seconds),
        _tokens(reply.usage),
        _price(reply.cost),
    ]
    if reply.model != model:
        facts.insert(1, reply.model)
    if reply.finish_reason not in {"stop", "tool_calls"}:
        facts.append(f"ended by: {reply.finish_reason}")
    yield Line()
    yield Line(one_line(" · ".join(filter(None, facts))), "bold reverse")
    thought, said = _thoughts(reply.message), _text(reply.message.get("content"), thought=False)
    if thought.strip():
        yield Line("reasoning:", "dim")
        yield from block(thought.strip(), full=full, style="dim italic")
    if said.strip():
        yield from (Line(each.text, each.style) for each in block(said.strip(), full=full))


def _thoughts(message: dict[str, Any]) -> str:
    """What the provider tells of the reasoning, under one of the names in use."""
    kept = message.get("anthropic")  # the blocks of an answer as they came
    told = [
        *(_text(message.get(name), thought=None) for name in _THOUGHTS),
        _text(kept.get("content") if isinstance(kept, dict) else None, thought=True),
        _text(message.get("content"), thought=True),
    ]
    return next(filter(None, told), "")


def _text(content: Any, *, thought: bool | None) -> str:
    """A text, or those in a list of parts: thoughts, the others, or (None) all. A text by itself is no thought unless
    all is wanted."""
    if isinstance(content, str):
        return "" if thought else content
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    wanted = [part for part in parts if thought in (None, "thinking" in part)]
    texts = [part.get("thinking", part.get("text")) for part in wanted]
    return "\n".join(text for text in texts if isinstance(text, str))


_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details")


def _answer(answer: ToolAnswered, *, full: bool) -> Iterator[Line]:
    mark, style = ("✓", "green") if answer.ok else ("✗", "red")
    where = f", all of it in {one_line(answer.output)}" if answer.output else ""
    yield Line(f"{mark} {one_line(answer.name)}, {duration(answer.seconds)}{where}", style, "  ")
    yield from block(answer.text.removesuffix(answer.added), full=full, style="" if answer.ok else "red")
    if answer.added.strip():
        yield Line("the harness adds:", "yellow", "  ")
        yield from block(answer.added.strip(), full=full)


# --- the harness ------------------------------------------------------------------------------------------


def _harness(fact: Fact, at: datetime) -> Iterator[Line]:
    said = line(fact)
    if said:
        yield Line(one_line(said, 1000), _STYLES.get(type(fact), "dim"), f"{at:%H:%M:%S} ")
    if isinstance(fact, TestsRan) and fact.by_case and fact.moment in _TOLD:
        bad = [case for case in fact.cases if case.result.bad]
        for case in bad[:_FAILING]:
            yield Line(one_line(f"{case.id}: {case.message or case.result}", 300), "red", "  ✗ ")
        if len(bad) > _FAILING:
            yield Line(f"and {len(bad) - _FAILING:,} more", "red", "    ")


_STYLES: dict[type[Fact], str] = {
    StatusChanged: "bold",
    Judged: "bold",
    AgentStopped: "bold",
    TestsRan: "",
    Warned: "yellow",
    Withheld: "yellow",
    ModelRetried: "yellow",
}


# --- figures ----------------------------------------------------------------------------------------------


def _limits(limits: Limits) -> str:
    parts = [
        count(limits.iterations, "step"),
        duration(limits.minutes * 60),
        money(limits.cost),
        f"{limits.input_tokens:,} tokens in, {limits.output_tokens:,} out",
        count(limits.verifications, "hand-in"),
    ]
    return ", ".join(parts)


def _outcome(summary: Summary) -> str:
    if summary.ended:
        ended = summary.ended
        return f"{ended.status} ({ended.ending}), exit code {ended.exit_code}: {sentence(summary)}"
    last = f" at {clock(summary.last_at)}" if summary.last_at else ""
    return f"not finished: the journal ends{last}, {summary.status}" if summary.started else ""


def _used(summary: Summary) -> str:
    if not summary.replies:
        return ""
    retries = [f"{summary.retries:,} retried"] if summary.retries else []
    steps_made = ", ".join([count(summary.replies, "step"), *retries])
    return "; ".join([steps_made, duration(summary.seconds), spent(summary), _tokens(summary.usage)])


def _tokens(usage: Usage) -> str:
    """`4,210 tokens in (87 % cached), 120 out (40 reasoning)`."""
    cached = (
        f" ({round(100 * usage.cached / usage.prompt)} % cached)" if usage.cached and usage.prompt else ""
    )
    thought = f" ({usage.reasoning:,} reasoning)" if usage.reasoning else ""
    return f"{usage.prompt:,} tokens in{cached}, {usage.completion:,} out{thought}"


def _price(cost: float | None) -> str:
    return "no price known" if cost is None else f"${cost:.{_CENTS}f}" if cost else "$0"
