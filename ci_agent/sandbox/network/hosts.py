"""Which hosts and addresses commands may connect to. Pure: looks nothing up and opens no connection.

A name is judged before it is looked up, so that a refused one never reaches a name server. The addresses that it
has are judged before one of them is dialled, and what is dialled is that address, never the name again.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

EVERY_NAME = "*"
WEB_PORTS = frozenset({80, 443})


class Reach(IntEnum):
    """What kind of address a host may have. Each allows the ones before it too."""

    PUBLIC = 0
    PRIVATE = 1  # for hosts of the runner's own configuration: mirrors inside of a company
    LOOPBACK = 2  # where that configuration itself names this machine


class RefusedError(Exception):
    """A connection is not allowed. The text says why, in words that end a sentence: `it …`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Hosts that may be connected to: `example.org`, `*.example.org` for all below it, or `*` for every one.

    `ports` is empty for any port. `name` is as `normalised` gives it. An address instead of a name is matched
    when it is written exactly like this.
    """

    name: str
    ports: frozenset[int] = WEB_PORTS
    reach: Reach = Reach.PUBLIC

    def covers(self, host: str) -> bool:
        """Whether the rule is about this host, which is `normalised`."""
        if self.name.startswith("*."):
            return host.endswith(self.name[1:])
        return self.name in {host, EVERY_NAME}


def rule(entry: str) -> Rule:
    """The rule for an entry of `sandbox.hosts`. Raises `RefusedError` for what is no name."""
    above = entry.removeprefix("*.")
    return Rule(normalised(entry) if above == entry else f"*.{normalised(above)}")


def normalised(host: str) -> str:
    """The one way to write a host: lower case, IDNA, no dot at the end. Raises `RefusedError` for what is none."""
    bare = host.removesuffix(".")
    if not bare.isascii():
        try:
            bare = bare.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise RefusedError("is not the name of a host") from error
    bare = bare.lower()
    if _is_address(bare):
        raise RefusedError(_NO_NAME)
    if not _NAME.fullmatch(bare) or len(bare) > _LONGEST_NAME:
        raise RefusedError("is not the name of a host")
    return bare


def permitted(rules: Sequence[Rule], host: str, port: int) -> tuple[str, Reach]:
    """The host, normalised, and what kind of address it may have. Raises `RefusedError` where no rule allows it."""
    if not rules:
        raise RefusedError("can't be reached, the network is off here (sandbox.network)")
    name = _address(host) or normalised(host)
    about = [rule for rule in rules if rule.covers(name)]
    if not about:
        raise RefusedError(_NO_NAME if _is_address(name) else "is not allowed, add it to sandbox.hosts")
    fitting = [rule.reach for rule in about if not rule.ports or port in rule.ports]
    if not fitting:
        raise RefusedError(f"is allowed, but not on port {port}")
    return name, max(fitting)


def to_dial(addresses: Sequence[str], reach: Reach) -> list[str]:
    """Those of a host's addresses that may be dialled. Raises `RefusedError` where there is none."""
    fitting = [address for address in addresses if (kind := kind_of(address)) is not None and kind <= reach]
    if not fitting:
        raise RefusedError("has no address on the public network")
    return fitting


def kind_of(address: str) -> Reach | None:
    """What kind of address it is; None for one that nobody may have commands connect to, and for no address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip in _NAT64:
        ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if any(ip in network for network in _NEVER if network.version == ip.version):
        return None
    if ip.is_loopback:
        return Reach.LOOPBACK
    if ip.is_multicast or ip.is_link_local or ip.is_reserved:
        return None
    return Reach.PUBLIC if ip.is_global else Reach.PRIVATE


def _address(host: str) -> str:
    """The address, where it is one and written as usual; else ""."""
    try:
        usual = str(ipaddress.ip_address(host))
    except ValueError:
        return ""
    return usual if usual == host else ""


def _is_address(host: str) -> bool:
    """Whether a resolver would take it for an address: it ends in a number, as in https://url.spec.whatwg.org."""
    last = host.removesuffix(".").rpartition(".")[2]
    return ":" in host or "[" in host or bool(re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]*", last))


_NO_NAME = "is an address of numbers, only names can be allowed"
_LONGEST_NAME = 253  # RFC 1035, without the dot at the end
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address as networks without IPv4 write it

# Beside what is link-local, multicast or reserved. IPv6 addresses that stand for an IPv4 address of somebody's choice
# are not dialled at all.
_NEVER = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this machine
        "100.100.100.200/32",  # metadata: Alibaba
        "168.63.129.16/32",  # the host of a virtual machine: Azure
        "192.0.0.0/24",  # protocol assignments; metadata: Oracle
        "::ffff:0:0/96",  # IPv4-mapped
        "2001::/32",  # Teredo
        "2002::/16",  # 6to4
        "fd00:ec2::/32",  # metadata: Amazon
        "fd20:ce::/32",  # metadata: Google
        "fec0::/10",  # site-local, no longer in use
    )
)
