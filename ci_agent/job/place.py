"""Which repository on which platform a person means, outside of a CI: by flags, or by the remote `origin`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from ci_agent.ci import Happening, Job
from ci_agent.ci.detect import here
from ci_agent.config import Config
from ci_agent.errors import UsageError

_SCP = re.compile(r"^(?:[^@/\s]+@)?(?P<host>[^:/\s]+):(?P<path>[^/\s].*)$")


def place_of(
    environment: Mapping[str, str],
    settings: Config,
    folder: Path,
    platform: str | None,
    repository: str | None,
) -> Job:
    """The repository as a job that nothing has started. In a CI that is the job's own; else `platform` and
    `repository` say it, or the remote `origin` of the checkout in `folder`.

    Raises `UsageError` where none of them does.
    """
    job = here(environment)
    if job is not None and repository is None:
        return job
    host, path = _origin(folder) if repository is None else ("", repository)
    name = platform or _platform(host)
    if name not in ("github", "gitlab"):
        raise UsageError(f"{host or 'this repository'} may be GitHub or GitLab; say which with --platform")
    return Job(
        platform=name,
        repository=path,
        api_url=_api_url(name, host, settings),
        happening=Happening("", {}, datetime.now(UTC)),
        actor=None,
        default_branch="",
        url="",
        run="",
        pipeline="",
        checkout=folder,
        scratch=folder,
    )


def top_of(folder: Path) -> Path:
    """The top of the checkout that `folder` is in. Raises `UsageError` outside of one."""
    start = folder.absolute()
    for place in (start, *start.parents):
        if (place / ".git").exists():
            return place
    raise UsageError(
        f"{start} is in no git repository; go into a checkout of the project, or name one with -C"
    )


def _origin(folder: Path) -> tuple[str, str]:
    """Host and path of the remote `origin`."""
    from git import Repo
    from git.exc import GitError

    try:
        with Repo(folder, search_parent_directories=True) as repository:
            url = repository.remote("origin").url
    except (
        GitError,
        ValueError,
        AttributeError,
    ) as error:  # no repository; no such remote; one without an address
        raise UsageError(
            f"{folder} has no remote called origin; say where it is with --platform and --repository"
        ) from error
    scp = _SCP.match(url)
    host, path = (scp["host"], scp["path"]) if scp and "://" not in url else _host_and_path(url)
    path = path.strip("/").removesuffix(".git")
    if not host or "/" not in path:
        raise UsageError(
            "the remote origin is no repository on a server; say where it is with --platform and --repository"
        )
    return host, path


def _host_and_path(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        return (parts.netloc.rpartition("@")[2] if parts.scheme else ""), parts.path
    except ValueError:
        return "", ""


def _platform(host: str) -> str:
    if host == "github.com" or host.startswith("github."):
        return "github"
    return "gitlab" if "gitlab" in host else ""


def _api_url(platform: str, host: str, settings: Config) -> str:
    if platform == "github":
        usual = "https://api.github.com" if host in ("", "github.com") else f"https://{host}/api/v3"
        return settings.github.url or usual
    return settings.gitlab.url or f"https://{host or 'gitlab.com'}"
