"""Git: where the work comes from, the checkout it happens in, and how it gets back."""

from ci_agent.workspace.fetched import Login, open_fetched
from ci_agent.workspace.files import discard
from ci_agent.workspace.remote import Remote, is_url
from ci_agent.workspace.source import Source, identity, open_source
from ci_agent.workspace.workspace import Author, Workspace, check_branch_name

__all__ = [
    "Author",
    "Login",
    "Remote",
    "Source",
    "Workspace",
    "check_branch_name",
    "discard",
    "identity",
    "is_url",
    "open_fetched",
    "open_source",
]
