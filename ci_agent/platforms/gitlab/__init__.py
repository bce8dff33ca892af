"""GitLab, gitlab.com and self-managed, as a platform."""

from ci_agent.platforms.gitlab.platform import GitLab

__all__ = ["GitLab"]
