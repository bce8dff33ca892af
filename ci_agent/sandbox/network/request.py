"""The first request on a connection to the proxy, read strictly (RFC 9110 and 9112), and what is sent on of it.

What two readers could read differently is refused, so that what is checked and what is sent on are the same.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

HEAD_LIMIT = 64 * 1024  # bytes of request line and headers
HEADER_LIMIT = 200


class BadRequestError(Exception):
    """Not a request to a proxy as we read it. The text ends a sentence: `the request …`."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the proxy.

    `host` is as it was written, without brackets. `target` is the path for the server, and `headers` are what is
    sent on to it beside those that `head` writes, both empty for a tunnel. `length` is that of the body in bytes,
    None where the request doesn't say that it has one.
    """

    method: str
    host: str
    port: int
    authorization: str
    target: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None

    @property
    def is_tunnel(self) -> bool:
        """Whether bytes are to be carried both ways, unread: CONNECT."""
        return self.method == "CONNECT"

    def accepts(self, password: str) -> bool:
        """Whether the credentials in the request have this password, whatever the user's name."""
        scheme, _, encoded = self.authorization.partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True)
        except ValueError:
            return False
        return scheme.lower() == "basic" and given.partition(b":")[2] == password.encode()

    def head(self, host: str, through: str | None = None) -> bytes:
        """The head to send on for a plain request, to the server at `host`.

        To a proxy further up it has the whole address, and the proxy's credentials, `through` (may be empty).
        """
        authority = f"[{host}]" if ":" in host else host
        if self.port != _HTTP_PORT:
            authority += f":{self.port}"
        target = self.target if through is None else f"http://{authority}{self.target}"
        lines = [f"{self.method} {target} HTTP/1.1", f"Host: {authority}", "Connection: close"]
        lines += [] if self.length is None else [f"Content-Length: {self.length}"]
        lines += [f"Proxy-Authorization: {through}"] if through else []
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def parse(head: bytes) -> Request:
    """The request in `head`, which ends with the empty line. Raises `BadRequestError`."""
    first, *lines = head.removesuffix(b"\r\n\r\n").decode("latin-1").split("\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if not line:
        raise BadRequestError("does not begin with a request line of HTTP/1.1")
    if len(lines) > HEADER_LIMIT:
        raise BadRequestError(f"has more than {HEADER_LIMIT} headers")
    method, target = line["method"], line["target"]
    headers = [_header(line) for line in lines]
    authorization = _only(headers, "proxy-authorization") or ""
    if method == "CONNECT":
        host, port = _authority(target)
        if port is None:
            raise BadRequestError("does not say which port to connect to")
        return Request(method, host, port, authorization)
    return _plain(method, target, headers, authorization)


def _plain(method: str, target: str, headers: Sequence[tuple[str, str]], authorization: str) -> Request:
    url = _URL.fullmatch(target)
    if not url:
        raise BadRequestError("is neither CONNECT nor for a whole address that begins with http://")
    host, port = _authority(url["authority"])
    named = _only(headers, "host")
    if named is not None and _authority(named) != (host, port):
        raise BadRequestError("has a Host header for another host than its address")
    if _only(headers, "transfer-encoding") is not None:
        raise BadRequestError("has a body without Content-Length")
    length = _only(headers, "content-length")
    if length is not None and not re.fullmatch(r"[0-9]{1,18}", length):
        raise BadRequestError("has a Content-Length that is no number")
    dropped = _HOP_BY_HOP | {
        word.strip().lower()
        for name, value in headers
        if name.lower() == "connection"
        for word in value.split(",")
    }
    kept = tuple((name, value) for name, value in headers if name.lower() not in dropped)
    path = url["path"] if url["path"].startswith("/") else f"/{url['path']}"
    size = None if length is None else int(length)
    return Request(method, host, port or _HTTP_PORT, authorization, path, kept, size)


def _header(line: str) -> tuple[str, str]:
    header = _HEADER.fullmatch(line)
    if not header:
        raise BadRequestError("has a header that is none")
    return header["name"], header["value"]


def _only(headers: Sequence[tuple[str, str]], name: str) -> str | None:
    """The value of the header, None where there is none."""
    values = [value for key, value in headers if key.lower() == name]
    if len(values) > 1:
        raise BadRequestError(f"has several headers {name}")
    return values[0] if values else None


def _authority(text: str) -> tuple[str, int | None]:
    authority = _AUTHORITY.fullmatch(text)
    port = int(authority["port"]) if authority and authority["port"] else None
    if not authority or (port is not None and not 0 < port <= _LAST_PORT):
        raise BadRequestError("is for something that is not a host and a port")
    return authority["host"].strip("[]").lower(), port


_HTTP_PORT = 80
_LAST_PORT = 65_535

_REQUEST_LINE = re.compile(r"(?P<method>[A-Z]{1,20}) (?P<target>[\x21-\x7e]+) HTTP/1\.[01]")
_HEADER = re.compile(r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(?P<value>[\t\x20-\x7e\x80-\xff]*)")
_URL = re.compile(r"[hH][tT][tT][pP]://(?P<authority>[^/?#]+)(?P<path>(?:[/?][^#]*)?)")
# No `@`: a user's name and password are no business of a proxy, and hide the host from a quick look.
_AUTHORITY = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")

# Between the client and us only (RFC 9110, 7.6.1), and what we write ourselves.
_HOP_BY_HOP = frozenset(
    {
        *(
            "host",
            "connection",
            "keep-alive",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "content-length",
        ),
        *("proxy-connection", "proxy-authorization", "proxy-authenticate"),
    }
)
