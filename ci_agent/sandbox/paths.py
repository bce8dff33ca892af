"""Questions about paths that are answered even where we may not look, or links lead in a circle.

`Path.exists` and `Path.resolve` raise there.
"""

from __future__ import annotations

import os
from pathlib import Path


def real(path: Path) -> Path:
    """Where a path leads, links followed."""
    return Path(os.path.realpath(path))


def there(path: Path) -> bool:
    """Whether there is something, as far as we can see."""
    return os.path.exists(path)  # noqa: PTH110


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in the folder; nothing where it can't be listed."""
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []
