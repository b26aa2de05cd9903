"""Certificates that assertions may, or may not, be encrypted to."""

from __future__ import annotations

import functools
from base64 import b64encode
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


def with_numbers(modulus: int | None, exponent: int) -> str:
    """Base64 of the DER of a certificate for an RSA key of these numbers, whatever they are; its
    signature is none. The modulus is that of a good key where it is None."""
    key = _integer(modulus if modulus is not None else _modulus()) + _integer(exponent)
    rsa_key = _element(0x30, _RSA + _element(0x03, b"\0" + _element(0x30, key)))
    dates = _element(0x30, _element(0x17, b"250101000000Z") + _element(0x17, b"450101000000Z"))
    name = _element(0x30, b"")
    signed = _element(0xA0, _integer(2)) + _integer(1) + _SHA256 + name + dates + name + rsa_key
    made = _element(0x30, signed) + _SHA256 + _element(0x03, b"\0" * 257)
    return b64encode(_element(0x30, made)).decode()


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    written = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(written)]) + written + content


def _integer(number: int) -> bytes:
    return _element(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


@functools.cache
def _modulus() -> int:
    return (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        .public_key()
        .public_numbers()
        .n
    )


_RSA = _element(0x30, bytes.fromhex("06092a864886f70d010101") + b"\x05\0")
_SHA256 = _element(0x30, bytes.fromhex("06092a864886f70d01010b") + b"\x05\0")
