"""Public keys as JWK (RFC 7517, RFC 7518 section 6, RFC 8037) and their thumbprints (RFC 7638)."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

CURVE_NAMES: Mapping[str, str] = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}

#: The members that a thumbprint covers, by key type (RFC 7638, section 3.2; RFC 8037, section 2).
_THUMBPRINT_MEMBERS = {
    "RSA": ("e", "kty", "n"),
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
}


def coordinate_bytes(curve: ec.EllipticCurve) -> int:
    """How many bytes a number of the curve takes (RFC 7518, sections 3.4 and 6.2.1.2)."""
    return (curve.key_size + 7) // 8


def public_members(key: PublicKey) -> dict[str, str]:
    """The key itself: what is needed to verify, and nothing about its use."""
    if isinstance(key, rsa.RSAPublicKey):
        rsa_numbers = key.public_numbers()
        return {"kty": "RSA", "n": _integer(rsa_numbers.n), "e": _integer(rsa_numbers.e)}
    if isinstance(key, ed25519.Ed25519PublicKey):
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": _base64url(raw)}
    ec_numbers, size = key.public_numbers(), coordinate_bytes(key.curve)
    return {
        "kty": "EC",
        "crv": CURVE_NAMES[key.curve.name],
        # RFC 7518, section 6.2.1.2: coordinates keep their leading zeros.
        "x": _integer(ec_numbers.x, size),
        "y": _integer(ec_numbers.y, size),
    }


def thumbprint(members: Mapping[str, str]) -> str:
    """SHA-256 thumbprint in base64url without padding: the ``kid`` of a key."""
    required = {name: members[name] for name in _THUMBPRINT_MEMBERS[members["kty"]]}
    written = json.dumps(required, separators=(",", ":"), sort_keys=True)
    return _base64url(hashlib.sha256(written.encode()).digest())


def signing_jwk(key: PublicKey, algorithm: str) -> dict[str, str]:
    """The key with its name and its use, as a JWK set shows it."""
    return _named(key, "sig", algorithm)


def encryption_jwk(key: PublicKey, algorithm: str) -> dict[str, str]:
    """The same of a key that requests are encrypted to."""
    return _named(key, "enc", algorithm)


def _named(key: PublicKey, use: str, algorithm: str) -> dict[str, str]:
    members = public_members(key)
    return {**members, "kid": thumbprint(members), "use": use, "alg": algorithm}


def _integer(value: int, size: int | None = None) -> str:
    return _base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
