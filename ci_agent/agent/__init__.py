"""The agent: the loop, what the model sees, and what it may use up."""

from ci_agent.agent.allowance import Allowance
from ci_agent.agent.context import Brief, Earlier, Quote, opening
from ci_agent.agent.loop import Agent, Stop

__all__ = ["Agent", "Allowance", "Brief", "Earlier", "Quote", "Stop", "opening"]
