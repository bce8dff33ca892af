"""Timesheets: CSV files with the columns day, client, time and note."""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hourglass.durations import parse_duration


@dataclass(frozen=True)
class Entry:
    day: str
    client: str
    seconds: int
    note: str = ""


def read_timesheet(path):
    """The entries of the timesheet at `path`. Raises ValueError naming the line that can't be read."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        return [_entry(number, row) for number, row in enumerate(csv.DictReader(file), start=2)]


def by_client(entries):
    """Seconds per client."""
    totals = Counter()
    for entry in entries:
        totals[entry.client] += entry.seconds
    return dict(totals)


def _entry(number, row):
    try:
        seconds = parse_duration(row["time"])
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from error
    return Entry(row["day"], row["client"].strip(), seconds, row.get("note") or "")
