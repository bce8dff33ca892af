"""What is known of a change for sure: the project's own tests on the base and on the result, in clean checkouts, and
all that is measured beside. What it means is decided by pure functions in `verification`; nothing here talks to
a model or a platform.
"""

from ci_agent.evidence.bench import NOT_ASKED_FOR
from ci_agent.evidence.evidence import Evidence, Round
from ci_agent.evidence.ground import Ground, failed, prepare

__all__ = ["NOT_ASKED_FOR", "Evidence", "Ground", "Round", "failed", "prepare"]
