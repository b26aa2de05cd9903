"""Whose address a request has, when proxies stand in between."""

from __future__ import annotations

import pytest

from adapters.http.address import MAX_FORWARDED, AddressBook

PROXIES = ("10.0.0.0/8", "192.0.2.1", "2001:db8::/32")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        pytest.param("203.0.113.9", [], "203.0.113.9", id="no proxy"),
        pytest.param("203.0.113.9", ["198.51.100.1"], "203.0.113.9", id="a stranger's word"),
        pytest.param("10.1.2.3", [], "10.1.2.3", id="a silent proxy"),
        pytest.param("10.1.2.3", ["198.51.100.1"], "198.51.100.1", id="one proxy"),
        pytest.param("192.0.2.1", ["198.51.100.1"], "198.51.100.1", id="one address"),
        pytest.param("192.0.2.2", ["198.51.100.1"], "192.0.2.2", id="its neighbour"),
        pytest.param("10.1.2.3", ["198.51.100.1, 10.9.9.9"], "198.51.100.1", id="two proxies"),
        pytest.param("10.1.2.3", ["198.51.100.1", "10.9.9.9"], "198.51.100.1", id="two lines"),
        pytest.param("10.1.2.3", ["127.0.0.1, 198.51.100.1"], "198.51.100.1", id="a forged start"),
        pytest.param("10.1.2.3", ["10.5.5.5, 10.9.9.9"], "10.5.5.5", id="proxies alone"),
        pytest.param("10.1.2.3", ["unknown"], "10.1.2.3", id="no address"),
        pytest.param("10.1.2.3", ["198.51.100.1, <x>, 10.9.9.9"], "10.9.9.9", id="junk between"),
        pytest.param("10.1.2.3", [""], "10.1.2.3", id="empty"),
        pytest.param("::ffff:10.1.2.3", ["198.51.100.1"], "198.51.100.1", id="IPv4 in IPv6"),
        pytest.param("2001:db8::1", ["2001:db9::7"], "2001:db9::7", id="IPv6"),
        pytest.param(None, ["198.51.100.1"], None, id="no peer"),
    ],
)
def test_client(peer: str | None, forwarded: list[str], client: str | None) -> None:
    """The client is the first on the way out that no proxy of ours vouches for being one."""
    assert AddressBook(PROXIES).client(peer, forwarded) == client


def test_nobody_is_trusted_by_default() -> None:
    """Without trusted proxies nobody's word counts, not even that of loopback."""
    assert AddressBook(()).client("127.0.0.1", ["198.51.100.1"]) == "127.0.0.1"


def test_long_lists() -> None:
    """Of a list without end only the last entries are looked at."""
    hops = ["198.51.100.1", *(["10.0.0.1"] * (MAX_FORWARDED - 1))]
    assert AddressBook(PROXIES).client("10.1.2.3", [",".join(hops)]) == "198.51.100.1"
    assert AddressBook(PROXIES).client("10.1.2.3", [",".join([*hops, "10.0.0.1"])]) == "10.0.0.1"
