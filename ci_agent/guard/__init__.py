"""What leaves the job passes here: comments, merge requests, commits, the log, the report, values for later jobs.

It knows the secrets of the job and finds them in every form; it knows no platform and no journal file. What it finds
is either *masked*, where people need the rest (the journal, what commands print), or *stopped*, where something is
published: then a statement of what was withheld stands in its place.
"""

from ci_agent.guard.flow import Flow, GuardedStream
from ci_agent.guard.forms import Secret
from ci_agent.guard.guard import MASK, REMOVED, Guard
from ci_agent.guard.known import of_config, of_environment
from ci_agent.guard.scanner import Found

__all__ = [
    "MASK",
    "REMOVED",
    "Flow",
    "Found",
    "Guard",
    "GuardedStream",
    "Secret",
    "of_config",
    "of_environment",
]
