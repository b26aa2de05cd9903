"""Whose request it is, by address: the peer's, or what a trusted proxy says of its own peer."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

MAX_FORWARDED = 32


class AddressBook:
    """``trusted_proxies`` are addresses or CIDR blocks; X-Forwarded-For is ignored from others."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(text, strict=False) for text in trusted_proxies]
        self._trusted = lru_cache(maxsize=1024)(self._is_trusted)

    @property
    def believes_any(self) -> bool:
        """Whether X-Forwarded-For has to be looked at at all."""
        return bool(self._networks)

    def client(self, peer: str | None, forwarded: Sequence[str]) -> str | None:
        """The client's address: from the peer outwards, the first that is no proxy of ours."""
        for hop in self.hops(peer, forwarded):
            peer = hop
        return peer

    def hops(self, peer: str | None, forwarded: Sequence[str]) -> Iterator[str]:
        """The addresses on the way here, from the peer outwards: each was named by one that is
        believed, so the last is the first that is not."""
        if peer is None:
            return
        yield peer
        if not self._networks or not self._trusted(peer):
            return
        hops = [hop.strip() for line in forwarded for hop in line.split(",")][-MAX_FORWARDED:]
        for hop in reversed(hops):
            if not _is_address(hop):
                return
            yield hop
            if not self._trusted(hop):
                return

    def _is_trusted(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
