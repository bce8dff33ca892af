"""The agent: the loop, what the model sees, what it may use up, and which model it is."""

from ci_agent.agent.allowance import Allowance, Used
from ci_agent.agent.choice import ESCALATED, Choice, Models, Role, choose
from ci_agent.agent.context import Brief, Earlier, Quote, opening
from ci_agent.agent.handoff import HandOff, taken_over
from ci_agent.agent.loop import Agent, Sight, Stop
from ci_agent.agent.planning import Approved, Planning
from ci_agent.agent.review import Review, review

__all__ = [
    "ESCALATED",
    "Agent",
    "Allowance",
    "Approved",
    "Brief",
    "Choice",
    "Earlier",
    "HandOff",
    "Models",
    "Planning",
    "Quote",
    "Review",
    "Role",
    "Sight",
    "Stop",
    "Used",
    "choose",
    "opening",
    "review",
    "taken_over",
]
