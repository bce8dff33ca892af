"""`Local`: the platform protocol over a folder, and the few verbs that only the command line needs.

The folder is the person's own. Whoever can put a file into it could write any name into that file, so names
are taken at their word: the user of this machine is `ADMIN`, everybody else who is named `WRITE`. Only we
ourselves, and nobody at all, are `NONE`.
"""

from __future__ import annotations

import contextlib
import getpass
import shlex
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from ci_agent.errors import UsageError
from ci_agent.platforms import Comment, Guidance, Issue, Label, MergeRequest, Permission, Written
from ci_agent.platforms.local import store
from ci_agent.platforms.local.document import Document, parse, render, title_and_text
from ci_agent.task import Account

OURSELVES = "ci-agent"  # the author of what we write
LARGEST_IMPORT = 1_048_576  # bytes of a file given as an issue; GitLab's descriptions hold as much


# Whether a number, with the reference that goes with it, is no good for a new issue.
Taken = Callable[[str, str], bool]


def _nothing_is_taken(_number: str, _reference: str) -> bool:
    return False


class Local:
    """Issues and merge requests of one repository in `folder`, which is made when something is written.

    `repository` is its name for people. `now` gives the time in UTC, `user` is who sits here (the login name
    where it is not given), `place` is where the work branches are (`repository`, where that is a path), `options` are the words that make `ci-agent run` find this folder again. All verbs raise `UsageError` for files that can't be understood, and
    `CiAgentError` for a folder that can't be used.
    """

    name = "local"

    def __init__(
        self,
        folder: Path,
        repository: str,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        user: str | None = None,
        place: str | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self._place = place or repository
        self._options = options
        self.repository = repository
        self._now = now
        self._user = user or _login()
        self._issues = folder / "issues"
        self._merge_requests = folder / "merge-requests"

    # --- the protocol -------------------------------------------------------------------------------------

    def issue(self, number: str) -> Issue:
        """The issue as it stands now. Raises `UsageError` when there is none."""
        return self._issue_in(self._document_of(number), number)

    def comments(self, number: str) -> Sequence[Comment]:
        """The issue's comments in the order of their numbers, which is that of time."""
        self._document_of(number)
        return [self._comment_in(document, path) for path, document in _documents(self._comments_of(number))]

    def discussion(self, number: str) -> Sequence[Comment]:
        """None: a merge request in this folder is a text to read, people answer in the issue."""
        del number
        return []

    def permission(self, person: Account) -> Permission:
        """What `person` may do here: see the module's first lines."""
        if person.login in ("", OURSELVES):
            return Permission.NONE
        return Permission.ADMIN if person.login == self._user else Permission.WRITE

    def ensure_comment(self, number: str, marker: str, text: str) -> Written[Comment]:
        """Our comment with the hidden `marker` says `text`: edited where it is there, else made."""
        first_line = _MARKER.format(marker)
        content = f"{first_line}\n{text}"
        with store.writing(self.folder):
            self._document_of(number)
            folder = self._comments_of(number)
            for path, document in _documents(folder):
                if _is_ours(document) and document.text.partition("\n")[0] == first_line:
                    if document.text != content:
                        document = _saved(path, document.plain_head(), content)  # noqa: PLW2901 - its new state
                    return Written(self._comment_in(document, path), created=False)
            path = folder / f"{store.next_number(folder)}.md"
            document = _saved(path, {"author": OURSELVES, "created": self._now()}, content)
            return Written(self._comment_in(document, path), created=True)

    def change_labels(self, number: str, add: Sequence[Label], remove: Sequence[str]) -> None:
        """The issue has each label of `add` and none of `remove`; the others stay as they are."""
        with store.writing(self.folder):
            document = self._document_of(number)
            before = document.words("labels")
            after = _relabelled(before, add, remove)
            if after != list(before):
                _saved(self._path_of(number), document.plain_head() | {"labels": after}, document.text)

    def ensure_merge_request(
        self,
        source: str,
        target: str,
        *,
        title: str,
        text: str,
        draft: bool,
        add_labels: Sequence[Label],
        remove_labels: Sequence[str],
        reviewer: Account | None = None,
    ) -> Written[MergeRequest]:
        """An open merge request from `source` into `target` says all this: brought up to date, else opened.

        One that was closed or merged stays as it is, and a new one is opened. There is nobody to tell.
        """
        del reviewer
        said: dict[str, object] = {"title": title, "source": source, "target": target, "draft": draft}
        with store.writing(self.folder):
            for path, document in _documents(self._merge_requests):
                found = _merge_request_in(document, path)
                if found.open and (found.source, found.target) == (source, target):
                    head = document.plain_head()
                    said |= {"labels": _relabelled(found.labels, add_labels, remove_labels)}
                    if head | said != head or found.text != text:
                        updated = head | said | {"updated": self._now()}
                        found = _merge_request_in(_saved(path, updated, text), path)
                    return Written(found, created=False)
            path = self._merge_requests / f"{store.next_number(self._merge_requests)}.md"
            labels = [label.name for label in add_labels]
            head = said | {"labels": labels, "state": "open", "updated": self._now()}
            document = _saved(path, head, text)
            return Written(_merge_request_in(document, path), created=True)

    def find_merge_request(self, source: str) -> MergeRequest | None:
        """The newest merge request from the branch `source`, open or not."""
        requests = [_merge_request_in(document, path) for path, document in _documents(self._merge_requests)]
        return next((request for request in reversed(requests) if request.source == source), None)

    def guidance(self, number: str, branch: str) -> Guidance:
        """The issue's own file, or the one it was imported from, is where a person answers."""
        file = self._document_of(number).word("source") or str(self._path_of(number))
        again = shlex.join(["ci-agent", "run", "--issue", file, "--repo", self.repository, *self._options])
        switch = ["git", "switch", branch]
        fetch = ["git", "fetch", self._place, branch]
        return Guidance(
            fetch=shlex.join(switch)
            if self._place == self.repository
            else f"{shlex.join(fetch)} && git switch --detach FETCH_HEAD",
            feedback=f"Something to change? Say so in the issue, `{file}`, switch back from this branch, and run "
            f"`{again}`: it goes on with the same branch.",
            go_on=f"To go on, add to the issue what is missing, `{file}`, and run `{again}`.",
            answer=f"Write the answer into the issue, `{file}`, and run `{again}`.",
            mended=f"When that is mended, run `{again}`.",
            again=again,
        )

    # --- for the command line -----------------------------------------------------------------------------

    def create_issue(self, title: str, text: str, author: str, *, taken: Taken = _nothing_is_taken) -> Issue:
        """A new, open issue. Raises `UsageError` for an empty title."""
        if not title.strip():
            raise UsageError("an issue needs a title; say what is to be done")
        with store.writing(self.folder):
            head = {"title": title, "author": author, "labels": [], "state": "open", "key": _key(title, text)}
            return self._new_issue(head, text, taken)

    def import_issue(self, file: Path, *, taken: Taken = _nothing_is_taken) -> Written[Issue]:
        """The issue that a Markdown file describes, found or created.

        Without a `title` in its front matter, its first heading is the title, else its first line. The same
        file again is the same issue, with title and text as they are in the file now; labels and state are
        those of the issue. A file of this very folder is the issue that it is. Raises `UsageError` for a file
        that can't be read or says nothing.
        """
        file = file.resolve()
        if file.parent == self._issues.resolve() and store.NUMBER.fullmatch(file.stem):
            return Written(self.issue(file.stem), created=False)
        given = _given(file)
        title, text = title_and_text(given)
        with store.writing(self.folder):
            for path, known in _documents(self._issues):
                if known.word("source") == str(file):
                    document = _saved(path, known.plain_head() | {"title": title}, text)
                    return Written(self._issue_in(document, path.stem), created=False)
            head = {
                "title": title,
                "author": given.word("author", self._user),
                "labels": list(given.words("labels")),
                "state": given.choice("state", _ISSUE_STATES),
                "source": str(file),
                "key": _key(str(file)),
            }
            return Written(self._new_issue(head, text, taken), created=True)

    @contextlib.contextmanager
    def claim(self, number: str) -> Iterator[None]:
        """Inside, nobody else works on the issue. Raises `UsageError` when somebody does, in another process or
        in this one, or when there is no such issue. A process that dies holds nothing any more."""
        self._document_of(number)
        with store.claimed(self._issues / number / ".lock") as holder:
            if holder is not None:
                who = f" (process {holder})" if holder else ""
                raise UsageError(
                    f"another ci-agent works on issue {number} right now{who}; wait until it has ended, or end it"
                )
            yield

    def close_stale(self, number: str, *, beginning: str, text: str, keep: str) -> tuple[Comment, ...]:
        """Every comment of ours that begins with `beginning` says `text` instead, but that with the marker
        `keep`. Gives those that were edited. For use inside `claim`: then nobody is left to write them on."""
        edited = []
        with store.writing(self.folder):
            self._document_of(number)
            for path, document in _documents(self._comments_of(number)):
                marker, _, said = document.text.partition("\n")
                if _is_ours(document) and marker != _MARKER.format(keep) and said.startswith(beginning):
                    changed = _saved(path, document.plain_head(), f"{marker}\n{text}")
                    edited.append(self._comment_in(changed, path))
        return tuple(edited)

    def thread(self, number: str) -> str:
        """The issue and its comments as text for a terminal, without control characters of strangers."""
        issue = self.issue(number)
        state = "open" if issue.open else "closed"
        parts = [
            f"#{issue.number} {issue.title}",
            " · ".join([state, f"by {issue.author.login}", *issue.labels]),
            issue.url,
            f"\n{issue.text}\n",
        ]
        for comment in self.comments(number):
            parts += [
                f"--- {comment.author.login}, {comment.created:%Y-%m-%d %H:%M} UTC",
                f"\n{comment.text}\n",
            ]
        return "".join(
            character
            for character in "\n".join(parts)
            if character in "\n\t" or unicodedata.category(character) != "Cc"
        )

    # --- issues and comments in files ---------------------------------------------------------------------

    def _path_of(self, number: str) -> Path:
        return self._issues / f"{number}.md"

    def _comments_of(self, number: str) -> Path:
        return self._issues / number / "comments"

    def _document_of(self, number: str) -> Document:
        # The number is checked before it becomes part of a path.
        document = _document(self._path_of(number)) if store.NUMBER.fullmatch(number) else None
        if document is None:
            there = ", ".join(map(str, store.numbers(self._issues))) or "none"
            raise UsageError(
                f"{self.repository} has no issue {number!r} in {self._issues}; there are: {there}"
            )
        return document

    def _new_issue(self, head: Mapping[str, object], text: str, taken: Taken) -> Issue:
        number = store.next_number(self._issues)
        while taken(str(number), _reference(str(number), str(head["key"]))):
            number += 1
        return self._issue_in(_saved(self._path_of(str(number)), head, text), str(number))

    def _issue_in(self, document: Document, number: str) -> Issue:
        return Issue(
            number=number,
            title=document.word("title"),
            text=document.text,
            author=Account(document.word("author", self._user)),
            labels=document.words("labels"),
            open=document.choice("state", _ISSUE_STATES) == "open",
            url=str(self._path_of(number)),
            reference=_reference(number, document.word("key")),
        )

    def _comment_in(self, document: Document, path: Path) -> Comment:
        ours = _is_ours(document)
        first, _, rest = document.text.partition("\n")
        before, _, after = _MARKER.partition("{}")
        created = document.time("created") or store.changed(path)
        return Comment(
            id=path.stem,
            author=Account(document.word("author", self._user)),
            text=rest if ours else document.text,
            created=created,
            changed=created,
            url=str(path),
            marker=first.removeprefix(before).removesuffix(after) if ours else "",
        )


_ISSUE_STATES = ("open", "closed")


def _reference(number: str, key: str) -> str:
    return f"local issue {number} ({key})" if key else f"local issue {number}"


def _key(*origin: str) -> str:
    """Tells an issue from another one that got the same number in another folder, after this one was lost.

    It comes from where the issue came from, so the same file or description has the same key again.
    """
    return sha256("\0".join(origin).encode("utf-8", "replace")).hexdigest()[:8]


_MERGE_REQUEST_STATES = ("open", "closed", "merged")
_MARKER = "<!-- ci-agent: {} -->"


def _relabelled(before: Sequence[str], add: Sequence[Label], remove: Sequence[str]) -> list[str]:
    kept = (label for label in before if label not in remove)
    return list(dict.fromkeys([*kept, *(label.name for label in add)]))


def _merge_request_in(document: Document, path: Path) -> MergeRequest:
    return MergeRequest(
        number=path.stem,
        title=document.word("title"),
        text=document.text,
        source=document.word("source"),
        target=document.word("target"),
        draft=document.choice("draft", ("false", "true")) == "true",
        open=document.choice("state", _MERGE_REQUEST_STATES) == "open",
        labels=document.words("labels"),
        url=str(path),
    )


def _is_ours(comment: Document) -> bool:
    """Somebody else's comment is not ours because it begins with a marker."""
    first, _, last = _MARKER.partition("{}")
    line = comment.text.partition("\n")[0]
    return comment.word("author") == OURSELVES and line.startswith(first) and line.endswith(last)


def _documents(folder: Path) -> Iterator[tuple[Path, Document]]:
    """The numbered files of a folder. One that somebody takes away meanwhile is not there."""
    for number in store.numbers(folder):
        path = folder / f"{number}.md"
        document = _document(path)
        if document is not None:
            yield path, document


def _document(path: Path) -> Document | None:
    data = store.load(path)
    return None if data is None else parse(data, str(path))


def _saved(path: Path, head: Mapping[str, object], text: str) -> Document:
    data = render(head, text)
    store.save(path, data)
    return parse(data, str(path))


def _given(file: Path) -> Document:
    """A file from outside, named by a person."""
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST_IMPORT + 1)
    except OSError as error:
        raise UsageError(
            f"{file} can't be read: {error.strerror}; give the path of a Markdown file"
        ) from error
    if len(data) > LARGEST_IMPORT:
        raise UsageError(f"{file} is longer than {LARGEST_IMPORT:,} bytes; shorten the issue")
    return parse(data, str(file))


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "user"
