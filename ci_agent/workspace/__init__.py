"""Git: where the work comes from, the checkout it happens in, and how it gets back."""

from ci_agent.workspace.carrying import Carried, carried
from ci_agent.workspace.control import Control
from ci_agent.workspace.credentials import remove_credentials
from ci_agent.workspace.fetched import Login, open_fetched, same_repository
from ci_agent.workspace.files import discard
from ci_agent.workspace.landing import Author, Landed, Way
from ci_agent.workspace.leaving import Leaving, contents, leaving
from ci_agent.workspace.policy import judge
from ci_agent.workspace.remote import Remote, is_url
from ci_agent.workspace.room import Room
from ci_agent.workspace.source import Source, identity, open_source
from ci_agent.workspace.store import CHECKPOINTS, Shelf, Store, store_at
from ci_agent.workspace.stored import Stored
from ci_agent.workspace.workspace import Workspace, check_branch_name

__all__ = [
    "CHECKPOINTS",
    "Author",
    "Carried",
    "Control",
    "Landed",
    "Leaving",
    "Login",
    "Remote",
    "Room",
    "Shelf",
    "Source",
    "Store",
    "Stored",
    "Way",
    "Workspace",
    "carried",
    "check_branch_name",
    "contents",
    "discard",
    "identity",
    "is_url",
    "judge",
    "leaving",
    "open_fetched",
    "open_source",
    "remove_credentials",
    "same_repository",
    "store_at",
]
