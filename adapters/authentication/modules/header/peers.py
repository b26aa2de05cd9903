"""Whom a header is believed: the other end of the connection itself, and nobody behind it."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from broker.authentication import Evidence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class ProvedBy:
    """Certificates that proxies connect with: those with a SHA-256 digest (lower-case hex) in
    ``thumbprints``, and those of a subject that ``authority`` has signed itself."""

    thumbprints: frozenset[str] = frozenset()
    authority: x509.Certificate | None = None
    subjects: tuple[x509.Name, ...] = ()

    @property
    def any(self) -> bool:
        return bool(self.thumbprints or self.subjects)

    def good(self, der: bytes, now: float) -> bool:
        """TLS has verified that the peer holds its key."""
        try:
            certificate = x509.load_der_x509_certificate(der)
        except ValueError:
            return False
        at = datetime.fromtimestamp(now, UTC)
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            return False
        if hashlib.sha256(der).hexdigest() in self.thumbprints:
            return True
        return certificate.subject in self.subjects and self._signed(certificate)

    def _signed(self, certificate: x509.Certificate) -> bool:
        if self.authority is None:
            return False
        try:
            certificate.verify_directly_issued_by(self.authority)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Peers:
    """The proxies that are believed: of these addresses, if any are named, and with one of these
    certificates, if any are. Where neither is named nobody is."""

    networks: tuple[Network, ...] = ()
    proof: ProvedBy = field(default_factory=ProvedBy)

    def doubt(self, evidence: Evidence) -> str | None:
        """Why the other end of the connection is not believed; None if it is."""
        if not self.networks and not self.proof.any:
            return "no proxy is believed"
        if self.networks and not within(evidence.peer, self.networks):
            return f"{evidence.peer} is not the address of a proxy that is believed"
        if not self.proof.any:
            return None
        der = evidence.peer_certificate
        if der is None:
            return "the connection was made without a certificate"
        if not self.proof.good(der, evidence.now):
            return "the certificate of the connection is not that of a proxy that is believed"
        return None


def within(peer: str | None, networks: Iterable[Network]) -> bool:
    """Whether an address is in one of the networks; IPv4 in IPv6's clothes is IPv4."""
    try:
        address = ipaddress.ip_address((peer or "").partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
