"""Adds up timesheets."""

from hourglass.durations import format_duration, parse_duration
from hourglass.timesheet import Entry, by_client, read_timesheet

__all__ = ["Entry", "by_client", "format_duration", "parse_duration", "read_timesheet"]
