"""The certificate that came beside a request: from a header of a trusted host, or our own TLS.

Whether the host is trusted is asked before the header is looked at.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Iterable
from functools import lru_cache

from aiohttp import web

from adapters.http import certificate_header
from adapters.http.address import AddressBook
from adapters.http.call import utf8
from adapters.tls import chain_of
from broker.errors import InvalidRequest, Refusal
from broker.instance import Instance
from broker.instance_rules import ANY_HOST
from broker.model import X509, PresentedCertificate

NO_CERTIFICATE = "this connection has no client certificate; connect over TLS with one"
NOT_TRUSTED_HOST = "this host is not among those whose certificate header is believed"

MAPPED_PREFIX = 96
"""Bits before an IPv4 address that IPv6 writes (RFC 4291, section 2.5.5.2)."""

Presented = Callable[[], PresentedCertificate | Refusal]


class ClientCertificates:
    """Reads what a client presents, where an instance takes X509."""

    def __init__(self, book: AddressBook) -> None:
        self._book = book

    def of(self, request: web.Request, instance: Instance) -> Presented:
        """Asked only by a request whose input is X509. A refusal is kept: it counts once the pair
        is known to be offered."""
        known: list[PresentedCertificate | Refusal] = []

        def presented() -> PresentedCertificate | Refusal:
            if not known:
                try:
                    known.append(self._read(request, instance))
                except Refusal as refusal:
                    known.append(refusal)
            return known[0]

        return presented

    def _read(self, request: web.Request, instance: Instance) -> PresentedCertificate:
        if not any(given == X509 for given, _ in instance.offered):
            raise InvalidRequest(NO_CERTIFICATE)
        if instance.certificate_header is None:
            return _of_connection(request)
        hops = self._book.hops(request.remote, request.headers.getall("X-Forwarded-For", ()))
        if not _trusted(hops, instance.offload_hosts):
            raise InvalidRequest(NOT_TRUSTED_HOST)
        return _of_header(request, instance.certificate_header)


def _of_connection(request: web.Request) -> PresentedCertificate:
    connection = request.get_extra_info("ssl_object")
    leaf = connection.getpeercert(binary_form=True) if isinstance(connection, _TLS) else None
    if not leaf:
        raise InvalidRequest(NO_CERTIFICATE)
    chain = [each for each in chain_of(connection) if each != leaf]
    return PresentedCertificate(leaf, tuple(chain[: certificate_header.MAX_CHAIN]))


_TLS = (ssl.SSLObject, ssl.SSLSocket)


def _of_header(request: web.Request, name: str) -> PresentedCertificate:
    value = _only(request, name)
    if value is None:
        raise InvalidRequest(f"the header {name} is missing, which carries the client certificate")
    chain = None
    if name.lower() == certificate_header.RFC_9440_HEADER:
        chain = _only(request, certificate_header.RFC_9440_CHAIN)
    return certificate_header.read(value, chain)


def _only(request: web.Request, name: str) -> str | None:
    """The one header of that name. Raises InvalidRequest where somebody may have slipped in
    another: twice, under a name that some servers take for the same, or to be dropped on the way.
    """
    wanted = _folded(name)
    alike = [each for each in request.headers if _folded(each) == wanted]
    values = request.headers.getall(name, ())
    listed = ",".join(request.headers.getall("Connection", ())).split(",")
    if len(alike) > 1 or len(alike) != len(values):
        raise InvalidRequest(f"the header {name} came more than once, or under a name like it")
    if any(_folded(each.strip()) == wanted for each in listed):
        raise InvalidRequest(f"Connection names the header {name}, which must reach this broker")
    if not values:
        return None
    value = utf8(values[0])
    if any(character < " " and character != "\t" for character in value):
        raise InvalidRequest(f"the header {name} is folded over lines")
    return value


def _folded(name: str) -> str:
    return name.lower().replace("_", "-")


def _trusted(hops: Iterable[str], hosts: tuple[str, ...]) -> bool:
    """Whether one of the hosts stands at our end of the way here."""
    if ANY_HOST in hosts:
        return True
    networks = _networks(hosts)
    return any(_address(hop) in network for hop in hops for network in networks)


@lru_cache(maxsize=1024)
def _networks(
    hosts: tuple[str, ...],
) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(map(_network, hosts))


def _network(host: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """IPv4 in IPv6's clothes is IPv4 here too."""
    network = ipaddress.ip_network(host, strict=False)
    if isinstance(network, ipaddress.IPv4Network):
        return network
    mapped = network.network_address.ipv4_mapped
    if mapped is None or network.prefixlen < MAPPED_PREFIX:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - MAPPED_PREFIX))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An IPv4 address in IPv6's clothes is the IPv4 address; a link's name says nothing."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
