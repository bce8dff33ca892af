"""Where the symbolic links of a tree lead, by the tree alone."""

from __future__ import annotations

import os
import re

from ci_agent.workspace.policy.names import is_git
from ci_agent.workspace.policy.tree import LINK, Tree

_MOST = 40  # links on one way, as Linux has it; what goes round in circles leads nowhere
_STEP = re.compile(r"[/\\]")  # Windows takes both


def leading_out(tree: Tree) -> set[str]:
    """The links that lead out of the tree or into `.git`, by themselves or through others. Names that differ only in
    upper and lower case are the same here, as they are on some systems."""
    paths = [path for path, entry in tree.entries.items() if entry.mode == LINK]
    targets = {path: os.fsdecode(content) for path, content in tree.contents(paths).items()}
    by_name = {path.casefold(): target for path, target in targets.items()}
    return {path for path, target in targets.items() if _leads_out(path, target, by_name)}


def _leads_out(path: str, target: str, links: dict[str, str]) -> bool:
    here = path.casefold().split("/")[:-1]
    left = _STEP.split(target)[::-1]  # the next step is the last
    if _is_absolute(target):
        return True
    followed = 0
    while left and followed <= _MOST:
        step = left.pop().casefold()
        if step in ("", "."):
            continue
        if step == "..":
            if not here:
                return True
            here.pop()
            continue
        if is_git(step):
            return True
        here.append(step)
        beyond = links.get("/".join(here))
        if beyond is not None:
            if _is_absolute(beyond):
                return True
            here.pop()
            left += _STEP.split(beyond)[::-1]
            followed += 1
    return False


def _is_absolute(target: str) -> bool:
    return target.startswith(("/", "\\")) or bool(re.match(r"[A-Za-z]:", target))
