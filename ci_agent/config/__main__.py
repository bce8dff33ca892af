"""`python -m ci_agent.config > docs/configuration.md` brings the page up to date."""

from __future__ import annotations

import sys

from ci_agent.config.document import page

sys.stdout.buffer.write(page().encode())
