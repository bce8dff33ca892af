"""The journal of a session: its events, and the file they are kept in."""

from ci_agent.journal.events import Fact
from ci_agent.journal.journal import Event, Journal, Observer, encode, read, write

__all__ = ["Event", "Fact", "Journal", "Observer", "encode", "read", "write"]
