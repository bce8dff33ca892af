"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("ci-agent", deadline=None)  # other processes may keep the machine busy
settings.load_profile("ci-agent")
