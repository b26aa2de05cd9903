"""Public keys that others hand us (RFC 7517), held to a floor of kind, size and purpose.

A library reads what it is given; what is good enough is decided here, before it sees the key.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

SIGNATURE, ENCRYPTION = "sig", "enc"

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 4096
MIN_RSA_EXPONENT = 65537
MIN_RSA_EXPONENT_TO_ENCRYPT = 3  # some service providers' certificates; randomised padding bears it
MAX_RSA_EXPONENT_BITS = 32
P256_COORDINATE_BYTES = 32
ED25519_BYTES = 32
MAX_MEMBER_LENGTH = 1024  # RSA with 4096 bits takes 683 characters

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
KEY_OPERATIONS = {
    SIGNATURE: frozenset({"verify"}),
    ENCRYPTION: frozenset({"encrypt", "wrapKey", "deriveKey", "deriveBits"}),
}
ALGORITHMS: Mapping[tuple[str, str], str] = {
    ("EC", SIGNATURE): "ES256",
    ("RSA", SIGNATURE): "RS256",
    ("OKP", SIGNATURE): "EdDSA",
    ("EC", ENCRYPTION): "ECDH-ES",
    ("RSA", ENCRYPTION): "RSA-OAEP-256",
}
"""What a key of a kind is used with for a purpose (RFC 7518, RFC 8037)."""

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")

# The primes of the ROCA test (CVE-2017-15361): a modulus of the weak generator is a power of 65537
# modulo each of them.
_ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)


class UnusableKey(ValueError):
    """A key that is not accepted; the sentence says what is wrong with it."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def algorithm_of(jwk: Mapping[str, Any], use: str) -> str:
    """The one algorithm that a key is used with. Raises UnusableKey."""
    kind = jwk.get("kty")
    found = ALGORITHMS.get((kind, use)) if isinstance(kind, str) else None
    if found is None:
        kinds = [offered for offered, purpose in ALGORITHMS if purpose == use]
        raise UnusableKey(f"kty must be one of {', '.join(kinds)}")
    return found


def public_key(jwk: Any, use: str) -> PublicKey:
    """The key in a JWK, fit for ``use``: ``sig`` or ``enc``. Raises UnusableKey."""
    if not isinstance(jwk, Mapping):
        raise UnusableKey("it must be a JSON object: a JWK")
    if PRIVATE_MEMBERS & jwk.keys():
        raise UnusableKey("it holds a private or secret key; hand out the public one alone")
    algorithm = algorithm_of(jwk, use)
    _check_purpose(jwk, use, algorithm)
    try:
        if jwk["kty"] == "EC":
            return _ec(jwk)
        return rsa_key(jwk) if jwk["kty"] == "RSA" else ed25519_key(jwk)
    except UnusableKey:
        raise
    except ValueError:
        raise UnusableKey("its numbers are no public key") from None


def _check_purpose(jwk: Mapping[str, Any], use: str, algorithm: str) -> None:
    """RFC 7517, sections 4.2 to 4.4."""
    if jwk.get("use", use) != use:
        raise UnusableKey(f'its use must be "{use}", or absent')
    if jwk.get("alg", algorithm) != algorithm:
        raise UnusableKey(f'its alg must be "{algorithm}", or absent')
    operations = jwk.get("key_ops", [])
    if not isinstance(operations, list) or not all(isinstance(each, str) for each in operations):
        raise UnusableKey("its key_ops must be a list of strings, or absent")
    if not KEY_OPERATIONS[use].issuperset(operations):
        raise UnusableKey(f"its key_ops must be among {', '.join(sorted(KEY_OPERATIONS[use]))}")


def _ec(jwk: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    if jwk.get("crv") != "P-256":
        raise UnusableKey('its crv must be "P-256"')
    x, y = (octets(jwk, name) for name in ("x", "y"))
    if len(x) != P256_COORDINATE_BYTES or len(y) != P256_COORDINATE_BYTES:
        raise UnusableKey(f"x and y must have {P256_COORDINATE_BYTES} bytes each")
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1()
    )
    return numbers.public_key()  # refuses a point that is not on the curve


def rsa_key(jwk: Mapping[str, Any]) -> rsa.RSAPublicKey:
    """The key in ``n`` and ``e``. Raises UnusableKey, and ValueError for numbers that are none."""
    n, e = (int.from_bytes(octets(jwk, name), "big") for name in ("n", "e"))
    check_rsa(n, e)
    return rsa.RSAPublicNumbers(e, n).public_key()


def check_rsa(n: int, e: int, least_exponent: int = MIN_RSA_EXPONENT) -> None:
    """Raises UnusableKey for an RSA key that is too small, too large or from a weak generator."""
    if not MIN_RSA_BITS <= n.bit_length() <= MAX_RSA_BITS:
        raise UnusableKey(f"an RSA key must have {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    if e < least_exponent or not e % 2 or e.bit_length() > MAX_RSA_EXPONENT_BITS:
        raise UnusableKey(
            f"an RSA exponent must be odd, {least_exponent} at least and have up to "
            f"{MAX_RSA_EXPONENT_BITS} bits"
        )
    if not n % 2:
        raise UnusableKey("its numbers are no public key")
    if all(n % prime in _powers(prime) for prime in _ROCA_PRIMES):
        raise UnusableKey("its numbers are those of a weak generator (ROCA); make another key")


def ed25519_key(jwk: Mapping[str, Any]) -> ed25519.Ed25519PublicKey:
    """The key in ``x`` (RFC 8037, section 2). Raises UnusableKey, and ValueError."""
    if jwk.get("crv") != "Ed25519":
        raise UnusableKey('its crv must be "Ed25519"')
    x = octets(jwk, "x")
    if len(x) != ED25519_BYTES:
        raise UnusableKey(f"x must have {ED25519_BYTES} bytes")
    return ed25519.Ed25519PublicKey.from_public_bytes(x)


def octets(jwk: Mapping[str, Any], name: str) -> bytes:
    """A member in base64url, in its one spelling. Raises UnusableKey."""
    value = jwk.get(name)
    if not isinstance(value, str) or len(value) > MAX_MEMBER_LENGTH:
        raise UnusableKey(f"{name} must be a string in base64url")
    if not _BASE64URL.fullmatch(value):
        raise UnusableKey(f"{name} must be in base64url without padding")
    data = urlsafe_b64decode(value + "=" * (-len(value) % 4))
    if urlsafe_b64encode(data).rstrip(b"=").decode() != value:
        raise UnusableKey(f"{name} must be in base64url without padding")
    return data


@cache
def _powers(prime: int) -> frozenset[int]:
    """The powers of 65537 modulo a prime."""
    return frozenset(pow(MIN_RSA_EXPONENT, exponent, prime) for exponent in range(prime))
