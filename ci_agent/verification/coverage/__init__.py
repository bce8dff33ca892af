"""Which of the changed lines the tests ran: read from what the ecosystems' own tools leave, nothing is started."""

from ci_agent.verification.coverage.change import added_lines, of_change
from ci_agent.verification.coverage.formats import FORMATS, CoverageError
from ci_agent.verification.coverage.reports import read

__all__ = ["FORMATS", "CoverageError", "added_lines", "of_change", "read"]
