"""The project's own tests, run by the harness before and after, compared case by case.

What a model says about tests has no way in here. `choose`, `choose_more` and `choose_setup` find the commands,
`run_setup`, `run_tests` and `run_coverage` run them through a sandbox, `compare` says what changed, `facts` and
`ran_facts` put it into words for the model. `proving`, `stability`, `coverage`, `checks` and `verdict` are used by
their names.
"""

from ci_agent.verification.compare import compare
from ci_agent.verification.detect import (
    can_narrow,
    choose,
    choose_more,
    choose_setup,
    is_test_file,
    tests_inline,
)
from ci_agent.verification.facts import facts, ran_facts
from ci_agent.verification.measure import Lines, run_coverage
from ci_agent.verification.run import run_setup, run_tests

__all__ = [
    "Lines",
    "can_narrow",
    "choose",
    "choose_more",
    "choose_setup",
    "compare",
    "facts",
    "is_test_file",
    "ran_facts",
    "run_coverage",
    "run_setup",
    "run_tests",
    "tests_inline",
]
