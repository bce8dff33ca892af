"""The repository that a job works on, fetched from the platform."""

from __future__ import annotations

from typing import Final

from ci_agent.errors import UsageError
from ci_agent.job.case import Case
from ci_agent.platforms import Issue
from ci_agent.workspace import Login, Source, check_branch_name, open_fetched

FETCHED: Final = "repository.git"  # in a job's scratch folder: what was fetched of the project


def source_of(case: Case, issue: Issue, branch: str) -> Source:
    """The repository as the platform has it now. Raises `UsageError` for a branch that is not ours to write."""
    check_branch_name(branch)
    repository = case.forge.repository()
    base = case.settings.git.base or repository.default_branch
    there = case.forge.branch(branch)
    if branch in (base, repository.default_branch):
        raise UsageError(f"{branch} is the branch the work starts from; `git.branch` has to name another one")
    if there is not None and there.protected:
        raise UsageError(f"the branch {branch} is protected, so it is not one to work on; see `git.branch`")
    access = repository.access
    source = open_fetched(
        Login(access.url, access.user, access.password),
        base=base,
        branch=branch,
        checkout=case.host.job.checkout,
        folder=case.host.job.scratch / FETCHED,
        name=repository.name.rpartition("/")[2],
    )
    return source.continuing(branch, issue.reference)
