"""Names that look like other names, numbers that are addresses, addresses that only look public."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ci_agent.sandbox.network.hosts import (
    Reach,
    RefusedError,
    Rule,
    kind_of,
    normalised,
    permitted,
    rule,
    to_dial,
)

RULES = (rule("files.example.org"), rule("*.cdn.example.org"))


@pytest.mark.parametrize(
    "host",
    [
        "files.example.org",
        "FILES.Example.ORG",
        "files.example.org.",
        "a.cdn.example.org",
        "a.b.cdn.example.org",
    ],
)
def test_allowed_names_are_allowed_however_they_are_written(host: str) -> None:
    assert permitted(RULES, host, 443) == (host.lower().removesuffix("."), Reach.PUBLIC)


def test_a_name_in_another_script_is_its_ascii_form() -> None:
    assert rule("Bücher.example").name == "xn--bcher-kva.example"
    assert (
        permitted([rule("*.bücher.example")], "a.xn--bcher-kva.example", 80)[0] == "a.xn--bcher-kva.example"
    )


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "evil-files.example.org",
        "files.example.org.evil",
        "xfiles.example.org",
        "cdn.example.org",
        "evilcdn.example.org",
        "evil-cdn.example.org",
        "a.cdn.example.org.evil",
        "files.example.org\0.evil",
        "files.example.org..",
        ".files.example.org",
        "*.cdn.example.org",
        ".cdn.example.org",
        "evil/.cdn.example.org",
        "evil@files.example.org",
        "evil:80#.cdn.example.org",
        "",
        ".",
        "a" * 64 + ".cdn.example.org",
        "a." * 130 + "cdn.example.org",
    ],
)
def test_names_that_only_look_allowed_are_not(host: str) -> None:
    with pytest.raises(RefusedError):
        permitted(RULES, host, 443)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1.", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0X7F.1", "0177.0.0.1"),
        *("1.2.3.4", "[::1]", "::1", "[::ffff:127.0.0.1]", "a.cdn.example.org.127", "a.0x7f"),
        *("١٢٧.0.0.1", "127\u30020\u30020\u30021", "\uff11\uff12\uff17.0.0.1"),  # other dots, other digits
    ],
)
def test_addresses_are_no_names(host: str) -> None:
    with pytest.raises(RefusedError, match=r"address of numbers|name of a host"):
        permitted([rule("*.cdn.example.org"), Rule("*.127"), Rule("*.0x7f")], host, 80)
    with pytest.raises(RefusedError):
        normalised(host)


def test_an_address_of_the_runner_s_own_configuration_is_allowed_as_it_stands() -> None:
    rules = [Rule("10.1.2.3", frozenset({8081}), Reach.PRIVATE)]
    assert permitted(rules, "10.1.2.3", 8081) == ("10.1.2.3", Reach.PRIVATE)
    for other in ("10.1.2.4", "167838211", "10.1.515", "10.1.2.3."):
        with pytest.raises(RefusedError):
            permitted(rules, other, 8081)


def test_only_the_ports_of_the_web_or_of_the_registry_s_own_address() -> None:
    with pytest.raises(RefusedError, match="not on port 22"):
        permitted(RULES, "files.example.org", 22)
    rules = [*RULES, Rule("mirror.example.org", frozenset({80, 443, 8443}), Reach.PRIVATE)]
    assert permitted(rules, "mirror.example.org", 8443) == ("mirror.example.org", Reach.PRIVATE)


def test_of_several_rules_the_widest_counts_for_its_own_host_only() -> None:
    rules = [rule("*.example.org"), Rule("mirror.example.org", reach=Reach.PRIVATE)]
    assert permitted(rules, "mirror.example.org", 443)[1] is Reach.PRIVATE
    assert permitted(rules, "other.example.org", 443)[1] is Reach.PUBLIC


def test_without_rules_the_network_is_off() -> None:
    with pytest.raises(RefusedError, match="the network is off"):
        permitted([], "files.example.org", 443)


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"),
        *("192.0.0.192", "fd20:ce::254", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255"),
        *(
            "::ffff:8.8.8.8",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "::8.8.8.8",
            "2002:7f00:1::",
            "2001:0:1:2:3:4:5:6",
        ),
        *("64:ff9b:1::a00:1", "64:ff9b::a9fe:a9fe", "", "localhost", "0x7f.1"),
    ],
)
def test_addresses_that_nobody_may_connect_to(address: str) -> None:
    assert kind_of(address) is None
    with pytest.raises(RefusedError):
        to_dial([address], Reach.LOOPBACK)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("8.8.8.8", Reach.PUBLIC),
        ("2606:4700::1111", Reach.PUBLIC),
        ("64:ff9b::808:808", Reach.PUBLIC),  # 8.8.8.8 for networks without IPv4
        ("64:ff9b::a00:1", Reach.PRIVATE),
        ("10.0.0.1", Reach.PRIVATE),
        ("172.16.0.1", Reach.PRIVATE),
        ("192.168.1.1", Reach.PRIVATE),
        ("100.64.0.1", Reach.PRIVATE),
        ("fd12::1", Reach.PRIVATE),
        ("127.0.0.1", Reach.LOOPBACK),
        ("127.9.9.9", Reach.LOOPBACK),
        ("::1", Reach.LOOPBACK),
        ("64:ff9b::7f00:1", Reach.LOOPBACK),
    ],
)
def test_what_kind_of_address_it_is(address: str, kind: Reach) -> None:
    assert kind_of(address) is kind


def test_of_a_host_s_addresses_only_the_fitting_ones_are_dialled() -> None:
    assert to_dial(["10.0.0.1", "8.8.8.8", "::1"], Reach.PUBLIC) == ["8.8.8.8"]
    with pytest.raises(RefusedError, match="no address on the public network"):
        to_dial(["10.0.0.1", "::1"], Reach.PUBLIC)
    assert to_dial(["10.0.0.1", "::1", "169.254.169.254"], Reach.PRIVATE) == ["10.0.0.1"]


@given(st.ip_addresses() | st.ip_addresses(network="64:ff9b::/96"))
@example(ipaddress.ip_address("fec0::1"))
@example(ipaddress.ip_address("::1:0:0"))  # global, says `ipaddress`, which nobody has given out
def test_nothing_but_public_addresses_is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if kind_of(str(ip)) is not Reach.PUBLIC:
        return
    if ip in ipaddress.ip_network("64:ff9b::/96"):
        ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    assert ip.is_global
    assert not any((ip.is_multicast, ip.is_link_local, ip.is_loopback, ip.is_reserved, ip.is_unspecified))
    if isinstance(ip, ipaddress.IPv6Address):
        assert (ip.ipv4_mapped, ip.sixtofour, ip.teredo, ip.is_site_local) == (None, None, None, False)


@given(
    st.text()
    | st.text("evil.cdn.example.org0x:[]@/*", max_size=40).map(lambda text: f"{text}.cdn.example.org")
)
def test_whatever_is_allowed_is_a_name_below_one_that_is(host: str) -> None:
    try:
        name, reach = permitted(RULES, host, 443)
    except RefusedError:
        return
    assert reach is Reach.PUBLIC
    assert name == "files.example.org" or name.endswith(".cdn.example.org")
    assert re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+", name)
    assert normalised(name) == name
