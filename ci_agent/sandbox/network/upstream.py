"""The proxy that the runner itself has to go through, out of its own environment.

Our proxy then asks that one for allowed hosts, by name. It is that one which looks the name up, so what address
the name has can't be checked here: that a name leads nowhere private is up to it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Upstream:
    """A proxy to go through. `authorization` is the value of Proxy-Authorization, "" for none."""

    host: str
    port: int
    authorization: str


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Which proxy is for plain requests, which for tunnels, and for which hosts there is none."""

    plain: Upstream | None = None
    tunnel: Upstream | None = None
    direct: tuple[str, ...] = ()

    def towards(self, host: str, is_tunnel: bool) -> Upstream | None:
        """The proxy to go through to that host, a name or an address."""
        if any(entry in {"*", host} or host.endswith(f".{entry}") for entry in self.direct):
            return None
        return self.tunnel if is_tunnel else self.plain


def upstreams(environment: Mapping[str, str]) -> Upstreams:
    """What HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY say, in either case; the lower case wins, as in curl.

    Proxies that speak SOCKS, or TLS themselves, are not ones we can go through, and are passed over.
    """

    def said(name: str) -> str:
        return environment.get(name.lower()) or environment.get(name, "")

    direct = [
        entry.strip().lower().removeprefix("*").strip(".") or "*" for entry in said("NO_PROXY").split(",")
    ]
    return Upstreams(
        plain=_upstream(said("HTTP_PROXY") or said("ALL_PROXY")),
        tunnel=_upstream(said("HTTPS_PROXY") or said("ALL_PROXY")),
        direct=tuple(direct) if said("NO_PROXY") else (),
    )


def _upstream(url: str) -> Upstream | None:
    found = _PROXY.fullmatch(url)
    if not found:
        return None
    credentials = _unquoted(found["credentials"] or "")
    authorization = f"Basic {base64.b64encode(credentials).decode()}" if credentials else ""
    return Upstream(found["host"].strip("[]"), int(found["port"] or 80), authorization)


def _unquoted(text: str) -> bytes:
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda code: bytes([int(code[1], 16)]), text.encode())


_PROXY = re.compile(
    r"(?:http://)?(?:(?P<credentials>[^/]*)@)?(?P<host>[^/@:\[\]]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?/?",
    re.IGNORECASE,
)
