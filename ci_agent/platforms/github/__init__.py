"""GitHub, github.com and Enterprise Server, as a platform."""

from ci_agent.platforms.github.platform import GitHub

__all__ = ["GitHub"]
