"""Certificates as bytes become certificates, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from broker.errors import InvalidRequest, Refusal
from broker.model import PresentedCertificate

MAX_CERTIFICATE_BYTES = 16 * 1024
UNREADABLE = (
    *(ValueError, TypeError, UnsupportedAlgorithm),
    *(x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
)
"""What a certificate that somebody else wrote can make the library raise."""

NOT_HERE = "a client certificate comes with a TLS connection; send this request over HTTPS"


@dataclass(frozen=True, slots=True)
class Credential:
    """A client's certificate and what came with it, parsed and believed by nobody yet."""

    leaf: x509.Certificate = field(repr=False)
    der: bytes = field(repr=False)
    chain: tuple[x509.Certificate, ...] = field(default=(), repr=False)


def credential(presented: PresentedCertificate | Refusal | None) -> Credential:
    """Raises InvalidRequest, or whatever kept the transport from taking the certificate."""
    if presented is None:
        raise InvalidRequest(NOT_HERE)
    if isinstance(presented, Refusal):
        raise presented
    leaf = _parsed(presented.leaf)
    return Credential(leaf, presented.leaf, tuple(_parsed(each) for each in presented.chain))


def parsed_all(certificates: Sequence[bytes]) -> tuple[x509.Certificate, ...]:
    """Certificates that were read before, when they were written down."""
    return tuple(x509.load_der_x509_certificate(each) for each in certificates)


def _parsed(der: bytes) -> x509.Certificate:
    """One whose extensions can be read as well."""
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise InvalidRequest(f"the client certificate is over {MAX_CERTIFICATE_BYTES} bytes")
    try:
        found = x509.load_der_x509_certificate(der)
        _ = found.extensions, found.subject, found.issuer
        found.public_key()
    except UNREADABLE:
        raise InvalidRequest("what came as client certificate is no X.509 certificate") from None
    return found
