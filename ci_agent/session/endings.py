"""Where each ending leads: the status people see, the exit code of the process, the label on the issue."""

from __future__ import annotations

from typing import Final

from ci_agent.task import Ending, Status

ENDINGS: Final[dict[Ending, tuple[Status, int]]] = {
    Ending.SUBMITTED: (Status.COMPLETED, 0),
    Ending.UNVERIFIED: (Status.FAILED, 1),
    Ending.NO_CHANGE: (Status.FAILED, 1),
    Ending.NEEDS_INPUT: (Status.SUSPENDED, 5),
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
    Ending.ENVIRONMENT: (Status.FAILED, 1),
    Ending.CANCELLED: (Status.CANCELLED, 130),
    Ending.INTERNAL: (Status.FAILED, 1),
}

TASK_LABEL: Final = "ai-task"
RUNNING_LABEL: Final = "ai-running"
END_LABELS: Final[dict[Status, str]] = {
    Status.COMPLETED: "ai-review",
    Status.FAILED: "ai-failed",
    Status.CANCELLED: "ai-failed",
    Status.SUSPENDED: "ai-waiting",
}
