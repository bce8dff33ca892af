"""The configured checks (lint, types, build): run, read and compared before and after. Only what is new counts."""

from ci_agent.verification.checks.comparing import compare_checks
from ci_agent.verification.checks.findings import findings
from ci_agent.verification.checks.running import run_check

__all__ = ["compare_checks", "findings", "run_check"]
