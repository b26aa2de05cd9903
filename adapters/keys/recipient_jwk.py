"""A relying party's public key that ID tokens are encrypted to (RFC 7517; RFC 7518, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, x25519

from adapters.keys.public_jwk import (
    ENCRYPTION,
    KEY_OPERATIONS,
    PRIVATE_MEMBERS,
    UnusableKey,
    octets,
    rsa_key,
)
from broker.algorithms import ENCRYPTION_BY_KIND

MAX_KID_LENGTH = 255
X25519_BYTES = 32
CURVES: Mapping[str, tuple[type[ec.EllipticCurve], int]] = {
    "P-256": (ec.SECP256R1, 32),
    "P-384": (ec.SECP384R1, 48),
    "P-521": (ec.SECP521R1, 66),
}
"""By its name in a JWK: the curve, and the bytes of a coordinate (RFC 7518, section 6.2.1.2)."""


def check(jwk: Any, algorithm: str) -> None:
    """Raises UnusableKey, with a sentence, unless ``algorithm`` can encrypt to the key."""
    if not isinstance(jwk, Mapping):
        raise UnusableKey("it must be a JSON object: a JWK")
    if PRIVATE_MEMBERS & jwk.keys():
        raise UnusableKey("it holds a private or secret key; take the public one alone")
    kind = jwk.get("kty")
    offered = ENCRYPTION_BY_KIND.get(kind) if isinstance(kind, str) else None
    if offered is None:
        raise UnusableKey(f"its kty must be one of {', '.join(ENCRYPTION_BY_KIND)}")
    if algorithm not in offered:
        raise UnusableKey(f"encrypt to it with one of {', '.join(sorted(offered))}")
    _check_purpose(jwk, algorithm)
    try:
        _check_numbers(jwk)
    except UnusableKey:
        raise
    except ValueError:
        raise UnusableKey("its numbers are no public key") from None


def _check_purpose(jwk: Mapping[str, Any], algorithm: str) -> None:
    """RFC 7517, sections 4.2 to 4.5."""
    if jwk.get("use", ENCRYPTION) != ENCRYPTION:
        raise UnusableKey('its use must be "enc", or absent')
    if jwk.get("alg", algorithm) != algorithm:
        raise UnusableKey(f'its alg must be "{algorithm}", or absent')
    operations = jwk.get("key_ops", [])
    if not isinstance(operations, list) or not all(isinstance(each, str) for each in operations):
        raise UnusableKey("its key_ops must be a list of strings, or absent")
    if not KEY_OPERATIONS[ENCRYPTION].issuperset(operations):
        raise UnusableKey("its key_ops do not let it be encrypted to")
    kid = jwk.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= MAX_KID_LENGTH):
        raise UnusableKey(f"its kid must be a string of up to {MAX_KID_LENGTH} characters")


def _check_numbers(jwk: Mapping[str, Any]) -> None:
    """Raises UnusableKey, and ValueError for numbers that are no key."""
    if jwk["kty"] == "RSA":
        rsa_key(jwk)
    elif jwk["kty"] == "EC":
        _check_point(jwk)
    else:
        if jwk.get("crv") != "X25519":
            raise UnusableKey('its crv must be "X25519"')
        x = octets(jwk, "x")
        if len(x) != X25519_BYTES:
            raise UnusableKey(f"x must have {X25519_BYTES} bytes")
        # Points of small order make the agreed secret zero, which anybody can tell (RFC 7748, 6.1).
        x25519.X25519PrivateKey.generate().exchange(x25519.X25519PublicKey.from_public_bytes(x))


def _check_point(jwk: Mapping[str, Any]) -> None:
    curve = CURVES.get(str(jwk.get("crv")))
    if curve is None:
        raise UnusableKey(f"its crv must be one of {', '.join(CURVES)}")
    make, size = curve
    x, y = octets(jwk, "x"), octets(jwk, "y")
    if len(x) != size or len(y) != size:
        raise UnusableKey(f"x and y must have {size} bytes each")
    point = int.from_bytes(x, "big"), int.from_bytes(y, "big")
    ec.EllipticCurvePublicNumbers(*point, make()).public_key()  # refuses what is not on the curve
