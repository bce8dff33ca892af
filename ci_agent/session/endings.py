"""Where each ending leads: the status people see, the exit code of the process, the label on the issue."""

from __future__ import annotations

from typing import Final

from ci_agent.platforms import Label
from ci_agent.task import WAITING_LABEL, Ending, Status

ENDINGS: Final[dict[Ending, tuple[Status, int]]] = {
    Ending.SUBMITTED: (Status.COMPLETED, 0),
    Ending.UNVERIFIED: (Status.FAILED, 1),
    Ending.NO_CHANGE: (Status.FAILED, 1),
    Ending.NEEDS_INPUT: (Status.SUSPENDED, 5),
    Ending.NEEDS_APPROVAL: (Status.SUSPENDED, 5),
    Ending.LIMIT_STEPS: (Status.FAILED, 4),
    Ending.LIMIT_COST: (Status.FAILED, 4),
    Ending.LIMIT_TOKENS: (Status.FAILED, 4),
    Ending.LIMIT_WALL: (Status.FAILED, 4),
    Ending.STUCK: (Status.FAILED, 1),
    Ending.FORMAT: (Status.FAILED, 1),
    Ending.CONTEXT: (Status.FAILED, 1),
    Ending.LLM_AUTH: (Status.FAILED, 3),
    Ending.LLM_QUOTA: (Status.FAILED, 1),
    Ending.LLM_UNAVAILABLE: (Status.FAILED, 1),
    Ending.LLM_POLICY: (Status.FAILED, 1),
    Ending.LLM_REPLAY: (Status.FAILED, 1),
    Ending.WITHHELD: (Status.FAILED, 1),
    Ending.UNANSWERED: (Status.FAILED, 1),
    Ending.LOST: (Status.FAILED, 1),
    Ending.ENVIRONMENT: (Status.FAILED, 1),
    Ending.CANCELLED: (Status.CANCELLED, 130),
    Ending.INTERNAL: (Status.FAILED, 1),
}

RUNNING: Final = Label("ai-running", "1f6feb", "ci-agent works on it")
REVIEW: Final = Label("ai-review", "2da44e", "ci-agent is done: its merge request waits for a review")
FAILED: Final = Label("ai-failed", "cf222e", "ci-agent did not solve it; its last comment says why")
WAITING: Final = Label(
    WAITING_LABEL, "bf8700", "ci-agent waits for an answer or an approval; its last comment says which"
)

END_LABELS: Final[dict[Status, Label]] = {
    Status.COMPLETED: REVIEW,
    Status.FAILED: FAILED,
    Status.CANCELLED: FAILED,
    Status.SUSPENDED: WAITING,
}

PLAN_FIRST: Final = Label(
    "ai-plan-first", "8250df", "ci-agent's plan has to be approved before it changes anything"
)


def other_labels(label: Label | None, task: str) -> list[str]:
    """The names of our labels but for `label`: those an issue must not have beside it. `task` is the label that
    asks for work."""
    ours = {task_label(task), RUNNING, *END_LABELS.values()}
    return sorted(other.name for other in ours - {label})


def task_label(name: str) -> Label:
    """The label that asks for the work, `trigger.label` of the configuration."""
    return Label(name, "8250df", "ci-agent is asked to work on it")
