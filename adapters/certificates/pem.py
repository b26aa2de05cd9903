"""Certificates and revocation lists as text: PEM (RFC 7468), checked when they are written down."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

MAX_PEM_LENGTH = 256 * 1024  # characters of all certificates of one member
MAX_CERTIFICATES = 64
MAX_CRLS = 16
MIN_RSA_BITS = 2048

UNREADABLE = (
    *(ValueError, TypeError, UnsupportedAlgorithm),
    *(x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
)
"""What certificates, lists and responses that others wrote can make the library raise."""

_CRL = re.compile(r"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)


class UnusablePem(Exception):
    """The text holds nothing that can be used; the sentence says why."""


def certificates(text: str) -> list[x509.Certificate]:
    """All certificates of a text, each that of an authority. Raises UnusablePem."""
    if len(text) > MAX_PEM_LENGTH:
        raise UnusablePem(f"write up to {MAX_PEM_LENGTH} characters of PEM")
    try:
        found = x509.load_pem_x509_certificates(text.encode())
        for each in found:
            _check(each)
    except UNREADABLE:
        raise UnusablePem("write certificates in PEM, -----BEGIN CERTIFICATE----- and on") from None
    if len(found) > MAX_CERTIFICATES:
        raise UnusablePem(f"write up to {MAX_CERTIFICATES} certificates")
    return found


def crls(text: str) -> list[x509.CertificateRevocationList]:
    """All revocation lists of a text. Raises UnusablePem."""
    try:
        found = [x509.load_pem_x509_crl(each.encode()) for each in _CRL.findall(text)]
        for each in found:
            _ = each.extensions
    except UNREADABLE:
        found = []
    if not 0 < len(found) <= MAX_CRLS:
        raise UnusablePem(f"write 1 to {MAX_CRLS} lists in PEM, -----BEGIN X509 CRL----- and on")
    return found


def written(found: Sequence[x509.Certificate]) -> str:
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in found)


def der(found: Sequence[x509.Certificate]) -> tuple[bytes, ...]:
    return tuple(each.public_bytes(Encoding.DER) for each in found)


def _check(certificate: x509.Certificate) -> None:
    """A certificate that may stand above others. Raises UnusablePem, and what UNREADABLE holds."""
    name = certificate.subject.rfc4514_string()[:64]
    try:
        is_authority = certificate.extensions.get_extension_for_class(
            x509.BasicConstraints
        ).value.ca
    except x509.ExtensionNotFound:
        is_authority = False
    if not is_authority:
        raise UnusablePem(f"{name} is not the certificate of an authority (basic constraints)")
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        good = key.key_size >= MIN_RSA_BITS
    else:
        good = isinstance(key, ec.EllipticCurvePublicKey)
    if not good:
        raise UnusablePem(
            f"the key of {name} is too weak: use RSA of {MIN_RSA_BITS} bits or more, or EC"
        )
