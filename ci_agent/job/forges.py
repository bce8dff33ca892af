"""Opening the platform of a CI job. One line per platform; nothing else asks which one it is."""

from __future__ import annotations

from collections.abc import Callable

from ci_agent.ci import Host
from ci_agent.config import Config
from ci_agent.errors import AuthenticationError, UsageError
from ci_agent.platforms import Forge


def open_forge(host: Host, settings: Config) -> Forge:
    """The platform whose job this is. Raises `AuthenticationError` without a token."""
    job = host.job
    try:
        return _OPENED_BY[job.platform](host, settings)
    except KeyError as error:
        raise UsageError(f"there is no platform {job.platform!r}") from error


def _github(host: Host, settings: Config) -> Forge:
    from ci_agent.platforms.github import GitHub

    token = _token(host, settings.github.token, "GITHUB_TOKEN: ${{ github.token }} in the step's env")
    return GitHub(host.job.repository, token, api_url=host.job.api_url)


def _gitlab(host: Host, settings: Config) -> Forge:
    from ci_agent.platforms.gitlab import GitLab

    token = _token(host, settings.gitlab.token, "GITLAB_TOKEN as a masked CI/CD variable of the project")
    return GitLab(host.job.repository, token, url=host.job.api_url)


def _token(host: Host, token: str | None, how: str) -> str:
    if not token:
        raise AuthenticationError(f"there is no token for {host.job.platform}; set {how}; see docs/tokens.md")
    host.output.mask(token)
    return token


_OPENED_BY: dict[str, Callable[[Host, Config], Forge]] = {"github": _github, "gitlab": _gitlab}
