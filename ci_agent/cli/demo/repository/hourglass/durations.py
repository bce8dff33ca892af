"""Durations as people write them: `2h 30m`, `1d`, `45 min`."""

import re

SECONDS = {"w": 5 * 8 * 3600, "d": 8 * 3600, "h": 3600, "m": 60, "s": 1}
"""A working week has five days, a working day eight hours."""

_PART = re.compile(r"(\d+)\s*(w|d|h|m|s)[a-z]*")


def parse_duration(text: str) -> int:
    """The duration `text` in seconds. Raises ValueError when there is none in it."""
    parts = _PART.findall(text.lower())
    if not parts:
        raise ValueError(f"not a duration: {text!r}")
    return sum(int(number) * SECONDS[unit] for number, unit in parts)


def format_duration(seconds: int) -> str:
    """`seconds` in hours and minutes, as it stands on an invoice: `7h 05m`."""
    minutes = round(seconds / 60)
    return f"{minutes // 60}h {minutes % 60:02d}m"
