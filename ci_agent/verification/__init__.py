"""The project's own tests, run by the harness before and after, compared case by case.

What a model says about tests has no way in here. `choose` finds the command, `run_setup` and `run_tests` run
it through a sandbox, `compare` says what changed, `facts` and `ran_facts` put it into words for the model.
"""

from ci_agent.verification.compare import compare
from ci_agent.verification.detect import choose, takes_selector
from ci_agent.verification.facts import facts, ran_facts
from ci_agent.verification.run import run_setup, run_tests

__all__ = ["choose", "compare", "facts", "ran_facts", "run_setup", "run_tests", "takes_selector"]
