"""Opening the platform of a job. One line per platform; nothing else asks which one it is."""

from __future__ import annotations

from collections.abc import Callable

from ci_agent.ci import Host, Job
from ci_agent.config import Config
from ci_agent.errors import AuthenticationError
from ci_agent.guard import of_config
from ci_agent.job.guarded import GuardedForge
from ci_agent.job.reading import ReadingForge
from ci_agent.platforms import Forge
from ci_agent.platforms.administration import Administration
from ci_agent.workspace import Login, Remote


def open_forge(host: Host, settings: Config, *, reading: bool = False) -> Forge:
    """The platform whose job this is; all that is written to it passes the guard, and nothing is written where it is
    opened for `reading`. Raises `AuthenticationError` without a token."""
    token = _token(host.job, settings)
    host.output.mask(token)
    host.guard.learn(of_config(settings))
    forge = _FORGES[host.job.platform](host.job, token)
    return ReadingForge(forge, host.guard) if reading else GuardedForge(forge, host.guard)


def open_administration(job: Job, settings: Config) -> Administration:
    """The settings of the repository on its platform. Raises `AuthenticationError` without a token."""
    return _ADMINISTRATIONS[job.platform](job, _token(job, settings))


def remote_of(forge: Forge) -> Remote:
    """The repository behind the platform, for git."""
    access = forge.repository().access
    return Login(access.url, access.user, access.password).remote()


def _token(job: Job, settings: Config) -> str:
    given = {"github": settings.github.token, "gitlab": settings.gitlab.token}[job.platform]
    if not given:
        raise AuthenticationError(
            f"there is no token for {job.platform}; set {_HOW[job.platform]}; see docs/tokens.md"
        )
    return given


_HOW = {
    "github": "GITHUB_TOKEN, in a workflow as `${{ github.token }}` in the step's env",
    "gitlab": "GITLAB_TOKEN, in a project as a masked CI/CD variable",
}


def _github(job: Job, token: str) -> Forge:
    from ci_agent.platforms.github import GitHub

    return GitHub(job.repository, token, api_url=job.api_url)


def _gitlab(job: Job, token: str) -> Forge:
    from ci_agent.platforms.gitlab import GitLab

    return GitLab(job.repository, token, url=job.api_url)


def _github_settings(job: Job, token: str) -> Administration:
    from ci_agent.platforms.github.administration import GitHubAdministration

    return GitHubAdministration(job.repository, token, api_url=job.api_url)


def _gitlab_settings(job: Job, token: str) -> Administration:
    from ci_agent.platforms.gitlab.administration import GitLabAdministration

    return GitLabAdministration(job.repository, token, url=job.api_url)


_FORGES: dict[str, Callable[[Job, str], Forge]] = {"github": _github, "gitlab": _gitlab}
_ADMINISTRATIONS: dict[str, Callable[[Job, str], Administration]] = {
    "github": _github_settings,
    "gitlab": _gitlab_settings,
}
