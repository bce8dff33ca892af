"""What may leave with a commit: nothing with a known secret in it, and nothing that looks like one unseen."""

from __future__ import annotations

from collections.abc import Iterator

from ci_agent.agent import Stop
from ci_agent.guard import Found
from ci_agent.guard.patterns import suspicious
from ci_agent.journal.events import SecretsSuspected
from ci_agent.reporting.commit_message import commit_message
from ci_agent.reporting.wording import suspicion
from ci_agent.session.parts import Delivery
from ci_agent.task import Ending
from ci_agent.workspace import contents, leaving

_TOLD = 5  # places


def withheld(parts: Delivery, tree: str) -> Stop | None:
    """Why nothing of `tree` may leave; None: no known secret is in it, in the names, or in the message."""
    places = list(_places(parts, tree))
    if not places:
        return None
    parts.guard.stopped("commit", frozenset[Found]().union(*(found for _, found in places)))
    named = "; ".join(f"{where} holds {_words(found)}" for where, found in places[:_TOLD])
    more = f"; and {len(places) - _TOLD} more" if len(places) > _TOLD else ""
    return Stop(
        Ending.WITHHELD,
        f"The work was withheld, because secret values are in it: {named}{more}. Nothing of it was committed, pushed or "
        "proposed, so the values did not leave the job with it. See in `session.jsonl` what led to it, change what asks "
        "for it, and start again.",
    )


def holds_secrets(parts: Delivery, tree: str) -> bool:
    """Whether a known secret is in what `tree` changes."""
    return any(True for _ in _in_files(parts, tree))


def suspicions(parts: Delivery, sha: str) -> str:
    """Tell what looks like a secret in the commit `sha`, though it is none that this job knows; gives that sentence, empty
    where nothing does."""
    found = suspicious(parts.workspace.control.changed_lines(sha))
    if not found:
        return ""
    suspected = SecretsSuspected(tuple(map(str, found)))
    parts.journal.append(suspected)
    return suspicion(suspected)


def _places(parts: Delivery, tree: str) -> Iterator[tuple[str, frozenset[Found]]]:
    guard = parts.guard
    message = guard.found(commit_message(parts.journal.events))
    if message:
        yield "the commit's message", message
    branch = guard.found(parts.task.branch)
    if branch:
        yield "the branch's name", branch
    yield from _in_files(parts, tree)


def _in_files(parts: Delivery, tree: str) -> Iterator[tuple[str, frozenset[Found]]]:
    guard = parts.guard
    files = leaving(parts.workspace.control, tree)
    for file in files:
        name = guard.found(file.path)
        if name:
            yield "a file's name", name
    found = _found(parts, (file.now for file in files))
    before = _found(parts, (file.before for file in files if found[file.now]))
    for file in files:
        new = found[file.now] - before.get(file.before, frozenset())  # what stood there is out already
        if new:
            yield guard.masked(file.path), new


def _found(parts: Delivery, names: Iterator[str]) -> dict[str, frozenset[Found]]:
    found = dict[str, frozenset[Found]]()
    for name, pieces in contents(parts.workspace.control, filter(None, names)):
        scan = parts.guard.scan()
        for piece in pieces:
            scan.feed(piece)
        found[name] = scan.finish()
    return found


def _words(found: frozenset[Found]) -> str:
    return " and ".join(sorted(map(str, found)))
