"""Certificates that assertions may, or may not, be encrypted to."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID


@functools.cache
def certificate(kind: str = "RSA", *, days: int = 1) -> str:
    """PEM; ``kind`` is ``RSA``, ``small`` (RSA with 1024 bits) or ``EC``; expired if days < 0."""
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if kind == "EC":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        bits = 1024 if kind == "small" else 2048
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "service provider")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()
