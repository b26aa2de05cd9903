"""Certificates (RFC 5280): the self-signed one that every key starts with, and imported ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from adapters.keys.jwks import PublicKey
from adapters.keys.private_keys import MAX_PEM_BYTES, PrivateKey
from broker.errors import InvalidRequest

LIFETIME = timedelta(days=3653)  # ten years
CLOCK_SKEW = timedelta(hours=1)
MAX_COMMON_NAME_LENGTH = 64  # RFC 5280, appendix A.1: ub-common-name


def self_signed(key: PrivateKey, realm: str, now: float) -> bytes:
    """PEM of a certificate for ``key`` by ``key``, good from ``now`` (seconds since the epoch)."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _common_name(realm))])
    start = datetime.fromtimestamp(int(now), UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - CLOCK_SKEW)
        .not_valid_after(start + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM)


def der(pem: bytes) -> bytes:
    """The first certificate in ``pem``; raises ValueError if there is none."""
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def pem(certificate: bytes) -> str:
    """A certificate that is DER as PEM."""
    return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM).decode()


def imported(pem: bytes, key: PrivateKey) -> bytes:
    """PEM of the first certificate, which must be ``key``'s. Raises InvalidRequest."""
    if len(pem) > MAX_PEM_BYTES:
        raise InvalidRequest(f"the certificate file is longer than {MAX_PEM_BYTES} bytes")
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        theirs = certificate.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
        raise InvalidRequest("this is no certificate in PEM") from None
    if theirs != _spki(key.public_key()):
        raise InvalidRequest("the certificate belongs to another key")
    return certificate.public_bytes(Encoding.PEM)


def _spki(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _common_name(realm: str) -> str:
    """``Remint`` and the realm, cut to what a common name may hold."""
    return f"Remint {realm}"[:MAX_COMMON_NAME_LENGTH]
