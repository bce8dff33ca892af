"""A session: the whole story of one task, and where each ending leads."""

from ci_agent.session.endings import ENDINGS
from ci_agent.session.parts import (
    JOURNAL,
    LOGS,
    MERGE_REQUEST_TEXT,
    PATCH,
    Delivery,
    Hears,
    Keeping,
    Parts,
    Resumption,
    Said,
)
from ci_agent.session.story import publish, run, settle
from ci_agent.session.voice import Voice, last_word_said

__all__ = [
    "ENDINGS",
    "JOURNAL",
    "LOGS",
    "MERGE_REQUEST_TEXT",
    "PATCH",
    "Delivery",
    "Hears",
    "Keeping",
    "Parts",
    "Resumption",
    "Said",
    "Voice",
    "last_word_said",
    "publish",
    "run",
    "settle",
]
