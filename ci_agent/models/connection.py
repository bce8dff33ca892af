"""The official client, opened so that no answer is longer than we can bear. It knows nothing of completions."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from openai import OpenAI

LONGEST_ANSWER = 20_000_000  # bytes, unpacked; a hundred times what any model can say at once


class TooLong(Exception):  # noqa: N818 - the outcome of one try; whoever asked decides what it means
    """The endpoint sent more than `LONGEST_ANSWER`."""


def open_client(key: str, address: str) -> OpenAI:
    """A client for `address` that never repeats a request itself. Its requests may raise `TooLong`.

    A query in the address, as `?api-version=…`, goes along with every request. Raises `ValueError` and
    `ImportError` for a proxy in the environment that can't be used.
    """
    from openai import DefaultHttpxClient, OpenAI

    class Bounded(DefaultHttpxClient):
        """Reads answers piece by piece, refusals too: the client has no setting for how long they may be."""

        def send(self, request: Any, **options: Any) -> Any:
            response = super().send(request, **{**options, "stream": True})
            try:
                content = _joined(response.iter_bytes())
            finally:
                response.close()
            headers = [pair for pair in response.headers.multi_items() if pair[0] != "content-encoding"]
            return type(response)(response.status_code, headers=headers, content=content, request=request)

    parts = urlsplit(address)
    bounded = Bounded()
    client = OpenAI(
        api_key=key,
        base_url=parts._replace(query="", fragment="").geturl(),
        default_query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        max_retries=0,
        http_client=bounded,
    )
    # One that was made here is not closed by the package, as its own would be.
    weakref.finalize(client, bounded.close).atexit = False
    return client


def _joined(pieces: Iterable[bytes]) -> bytes:
    kept: list[bytes] = []
    room = LONGEST_ANSWER
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            raise TooLong
        kept.append(piece)
    return b"".join(kept)
