"""What holds for all tests."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

from ci_agent.sandbox.presence import Presence

# Whoever starts the tests in the background, or by nohup, has these ignored, in all that they start as well.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Other processes may keep the machine busy, so that no example has a deadline. CI tries the same examples each time, so
# that it says the same of the same commit; whoever develops meets new ones.
settings.register_profile("new examples", deadline=None)
settings.register_profile("same examples", deadline=None, derandomize=True)
settings.load_profile("same examples" if os.environ.get("SAME_EXAMPLES") else "new examples")

# So no job that a test starts is alone on this machine, and deletes what tests beside it, or a person, have in shared memory.
PRESENCE = Presence()
