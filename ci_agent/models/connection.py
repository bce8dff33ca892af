"""The official clients, opened so that no answer is longer than we can bear. They know nothing of our nouns."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

LONGEST_ANSWER = 20_000_000  # bytes, unpacked; a hundred times what any model can say at once


class TooLong(Exception):  # noqa: N818 - the outcome of one try; whoever asked decides what it means
    """The endpoint sent more than `LONGEST_ANSWER`."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A client that never repeats a request itself, and the errors that its requests raise beside `TooLong`."""

    post: Callable[
        [str, bytes, float], bytes
    ]  # path below the address, JSON and seconds to the answer's body
    refused: type[Any]  # any status but success; holds `status_code`, `body` and `response`
    late: type[Exception]  # out of time
    failed: type[Exception]  # the base of all


def connect_openai(key: str, address: str) -> Connection:
    """The client of OpenAI for `address`.

    A query in the address, as `?api-version=…`, goes along with every request. Raises `ValueError` and
    `ImportError` for a proxy in the environment that can't be used.
    """
    import openai

    place, query = split_query(address)
    http = bounded(openai.DefaultHttpxClient)
    client = openai.OpenAI(api_key=key, base_url=place, default_query=query, max_retries=0, http_client=http)
    close_with(client, http)

    def post(path: str, content: bytes, seconds: float) -> bytes:
        return client.post(
            path,
            content=content,
            cast_to=openai.HttpxBinaryResponseContent,  # just the bytes; reading them is ours
            options={"timeout": seconds, "follow_redirects": False},
        ).content

    return Connection(post, openai.APIStatusError, openai.APITimeoutError, openai.OpenAIError)


def split_query(address: str) -> tuple[str, dict[str, object]]:
    """The address without its query, and the query."""
    parts = urlsplit(address)
    query: dict[str, object] = dict(parse_qsl(parts.query, keep_blank_values=True))
    return parts._replace(query="", fragment="").geturl(), query


def bounded(default: Any) -> Any:
    """An HTTP client for an official one, made from its class `default`, whose requests may raise `TooLong`."""

    class Bounded(default):  # type: ignore[misc] # each package brings a class of its own
        """Reads answers piece by piece, refusals too: the client has no setting for how long they may be."""

        def send(self, request: Any, **options: Any) -> Any:
            response = super().send(request, **{**options, "stream": True})
            try:
                content = _joined(response.iter_bytes())
            finally:
                response.close()
            headers = [pair for pair in response.headers.multi_items() if pair[0] != "content-encoding"]
            return type(response)(response.status_code, headers=headers, content=content, request=request)

    return Bounded()


def close_with(client: object, http: Any) -> None:
    """Close `http` when `client` goes: one that was made here is not closed by the package, as its own is."""
    weakref.finalize(client, http.close).atexit = False


def _joined(pieces: Iterable[bytes]) -> bytes:
    kept: list[bytes] = []
    room = LONGEST_ANSWER
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            raise TooLong
        kept.append(piece)
    return b"".join(kept)
