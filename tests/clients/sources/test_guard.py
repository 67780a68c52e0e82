"""Which addresses a mirror may have."""

import pytest

from escadre.clients.sources.errors import AddressRefused
from escadre.clients.sources.guard import Guard, guard_of


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "a loopback address"),
        ("127.8.9.10", "a loopback address"),
        ("::1", "a loopback address"),
        ("169.254.169.254", "a link-local address"),
        ("fe80::1%eth0", "a link-local address"),
        ("fd00:ec2::254", "a cloud's metadata service"),
        ("168.63.129.16", "a cloud's metadata service"),
        ("fd20:ce::254", "a cloud's metadata service"),
        ("fd00:c1::a9fe:a9fe", "a cloud's metadata service"),
        ("0.0.0.0", "no address of a host"),  # noqa: S104 - refused
        ("0.1.2.3", "no address of a host"),
        ("::", "no address of a host"),
        ("255.255.255.255", "no address of a host"),
        ("224.0.0.1", "a multicast address"),
        ("ff02::1", "a multicast address"),
        ("::ffff:10.0.0.1", "an IPv4 address inside IPv6"),
        ("::ffff:127.0.0.1", "an IPv4 address inside IPv6"),
        ("64:ff9b::7f00:1", "an IPv4 address inside IPv6"),
        ("64:ff9b:1::7f00:1", "an IPv4 address inside IPv6"),
        ("2002:7f00:1::1", "an IPv4 address inside IPv6"),
        ("10.96.0.1", "the API server's address"),
        ("10.7.1.1", "in agent.mirrorRefusedCIDRs"),
    ],
)
def test_what_no_mirror_is_read_at(address: str, kind: str) -> None:
    guard = guard_of([], ["10.7.0.0/16"], "10.96.0.1")
    with pytest.raises(AddressRefused) as caught:
        guard.check("mirror.bank.example", address)
    assert caught.value.message == (
        f"mirror.bank.example is at {address.partition('%')[0]}, which is {kind}: no mirror is "
        "read there unless the chart value agent.mirrorAllowedCIDRs lists it"
    )
    assert str(caught.value.reason) == "MirrorAddressRefused"


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "100.64.0.1", "fd12::1", "2a00::1"])
def test_networks_of_companies_are_read(address: str) -> None:
    guard_of([], ["10.7.0.0/16"], "10.96.0.1").check("mirror", address)


def test_the_platform_has_the_last_word() -> None:
    guard = guard_of(["127.0.0.0/8", "10.7.1.0/24", "10.96.0.1/32"], ["10.7.0.0/16"], "10.96.0.1")
    for address in ("127.0.0.1", "10.7.1.1", "10.96.0.1"):
        guard.check("mirror", address)
    with pytest.raises(AddressRefused):
        guard.check("mirror", "10.7.2.1")


def test_an_address_in_place_of_a_name_is_told_once() -> None:
    with pytest.raises(AddressRefused, match=r"^127\.0\.0\.1 is a loopback address: "):
        Guard().check("127.0.0.1", "127.0.0.1")


def test_an_api_server_that_has_a_name_is_left_to_the_networks_refused() -> None:
    assert guard_of([], [], "api.bank.example").api_servers == frozenset()


def test_a_name_that_leads_to_the_node_itself_says_what_to_do() -> None:
    with pytest.raises(AddressRefused) as caught:
        Guard().check("hub.bank.example", "127.0.0.1")
    assert caught.value.message == (
        "hub.bank.example is at 127.0.0.1, which is a loopback address: no mirror is read there "
        "unless the chart value agent.mirrorAllowedCIDRs lists it"
    )
