"""What changed, file by file, as a Markdown list."""

from __future__ import annotations

from collections.abc import Sequence

from ci_agent.journal.events import FileChanged
from ci_agent.reporting.text import code
from ci_agent.reporting.wording import MINUS

SHOWN = 30  # about a screen; the merge request's own diff has the rest


def file_table(files: Sequence[FileChanged]) -> str:
    """One line per file with lines added and removed, as git counted them; the first `SHOWN` files."""
    lines = [f"- {_path(file)} ({_size(file)})" for file in files[:SHOWN]]
    if len(files) > SHOWN:
        rest = files[SHOWN:]
        added, removed = sum(file.added or 0 for file in rest), sum(file.removed or 0 for file in rest)
        lines.append(f"- … and {len(rest):,} more (+{added:,} {MINUS}{removed:,})")
    return "\n".join(lines)


def _path(file: FileChanged) -> str:
    return f"{code(file.previous)} → {code(file.path)}" if file.previous else code(file.path)


def _size(file: FileChanged) -> str:
    if file.added is None or file.removed is None:
        return "binary"
    parts = [f"+{file.added:,}"] * bool(file.added) + [f"{MINUS}{file.removed:,}"] * bool(file.removed)
    return " ".join(parts) or "no lines"
