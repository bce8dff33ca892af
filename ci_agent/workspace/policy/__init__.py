"""The policy: what a change may hold before it is pushed. Judges trees, by their paths, modes, sizes and contents."""

from ci_agent.workspace.policy.judge import judge
from ci_agent.workspace.policy.tree import Entry, Tree

__all__ = ["Entry", "Tree", "judge"]
