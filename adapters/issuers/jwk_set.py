"""An issuer's JWK set (RFC 7517, section 5): which of its keys are good enough, which is meant."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from adapters.issuers.verification import CURVES, PublicKey, PublicVerifier, checks_of
from adapters.keys.jwks import public_members, thumbprint
from adapters.keys.public_jwk import (
    KEY_OPERATIONS,
    PRIVATE_MEMBERS,
    SIGNATURE,
    UnusableKey,
    check_rsa,
    ed25519_key,
    octets,
    rsa_key,
)

MAX_SET_BYTES = 256 * 1024
MAX_KEYS = 100
MAX_KID_LENGTH = 255
MAX_CERTIFICATE_LENGTH = 16 * 1024  # base64 of one certificate
MAX_CERTIFICATES = 10

UNREADABLE = (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm)
"""What a certificate that somebody else wrote can make the library raise."""

NO_SET = 'it is no JWK set: write {"keys": […]}'


class UnusableSet(ValueError):
    """A JWK set that is not accepted; the sentence says what is wrong with it."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class KeySet:
    """Parsed keys. A name that two keys bear is nobody's."""

    def __init__(self, keys: Sequence[PublicVerifier]) -> None:
        self._keys = tuple(keys)
        self._by_kid = {key.kid: key for key in keys if key.kid is not None}
        self._nameless = tuple(key for key in keys if key.kid is None)

    def __len__(self) -> int:
        return len(self._keys)

    def suitable(self, algorithm: str, kid: str | None) -> tuple[PublicVerifier, ...]:
        """The one key that is meant: that of the name, or without one the only that can be meant
        (OpenID Connect Core 1.0, section 10.1); empty where there is none, or more than one."""
        if kid is not None:
            named = self._by_kid.get(kid)
            if named is not None:
                return (named,) if algorithm in named.checks else ()
        candidates = self._keys if kid is None else self._nameless
        found = tuple(key for key in candidates if algorithm in key.checks)
        return found if len(found) == 1 else ()

    def names(self, kid: str | None) -> bool:
        """Whether asking the issuer again could tell nothing new about this name."""
        return kid is None or kid in self._by_kid


def read_bytes(data: bytes, *, strict: bool = False) -> KeySet:
    """The keys in a JWK set as it came. Raises UnusableSet."""
    if len(data) > MAX_SET_BYTES:
        raise UnusableSet(f"it is over {MAX_SET_BYTES} bytes")
    try:
        return read(orjson.loads(data), strict=strict)
    except orjson.JSONDecodeError:
        raise UnusableSet("it is not valid JSON") from None


def read_written(document: Any) -> KeySet:
    """The keys in a set that somebody writes down here, members that say nothing included in its
    size. Raises UnusableSet."""
    return read_bytes(orjson.dumps(document), strict=True)


def read(document: Any, *, strict: bool = False) -> KeySet:
    """The keys in a JWK set. Raises UnusableSet.

    What an issuer publishes besides (keys for encryption, of kinds or sizes that are not accepted)
    is passed over; ``strict`` refuses it, for a set that somebody writes down here.
    """
    rows = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(rows, list):
        raise UnusableSet(NO_SET)
    if len(rows) > MAX_KEYS:
        raise UnusableSet(f"it has more than {MAX_KEYS} keys")
    found: list[PublicVerifier] = []
    for number, row in enumerate(rows, 1):
        try:
            found.append(_verifier(row))
        except UnusableKey as error:
            if strict:
                raise UnusableSet(f"key {number}: {error.sentence}") from None
    named = [key.kid for key in found if key.kid is not None]
    if len(set(named)) < len(named):
        raise UnusableSet("two of its keys have the same kid")
    if not found:
        raise UnusableSet("none of its keys can be used to verify a signature")
    return KeySet(found)


def _verifier(row: Any) -> PublicVerifier:
    """Raises UnusableKey."""
    if not isinstance(row, Mapping):
        raise UnusableKey("it must be a JSON object: a JWK")
    if PRIVATE_MEMBERS & row.keys():
        raise UnusableKey("it holds a private or secret key; the public one alone belongs there")
    kid, algorithm = row.get("kid"), row.get("alg")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= MAX_KID_LENGTH):
        raise UnusableKey(f"its kid must be a string of up to {MAX_KID_LENGTH} characters")
    if row.get("use", SIGNATURE) != SIGNATURE:
        raise UnusableKey('its use must be "sig", or absent')
    operations = row.get("key_ops", ["verify"])
    if not isinstance(operations, list) or operations != [*KEY_OPERATIONS[SIGNATURE]]:
        raise UnusableKey('its key_ops must be ["verify"], or absent')
    if algorithm is not None and not isinstance(algorithm, str):
        raise UnusableKey("its alg must be a string, or absent")
    key = _public_key(row)
    checks = checks_of(key, algorithm)
    if not checks:
        raise UnusableKey("its alg is not one that a key of its kind verifies here")
    return PublicVerifier(kid, thumbprint(public_members(key)), checks)


def _public_key(row: Mapping[str, Any]) -> PublicKey:
    """The key in the JWK, that of its certificate where the JWK has no numbers (RFC 7517, 4.7).

    A certificate is a container for a key here: neither its dates nor who signed it are looked at.
    Raises UnusableKey.
    """
    certified = _certified(row["x5c"]) if row.get("x5c") is not None else None
    numbers = {"RSA": "n", "EC": "x", "OKP": "x"}.get(str(row.get("kty")))
    if certified is not None and (numbers is None or numbers not in row):
        return certified
    try:
        key = _by_numbers(row)
    except UnusableKey:
        raise
    except ValueError:
        raise UnusableKey("its numbers are no public key") from None
    if certified is not None and certified != key:
        raise UnusableKey("its certificate (x5c) is that of another key")
    return key


def _by_numbers(row: Mapping[str, Any]) -> PublicKey:
    """Raises UnusableKey, and ValueError for numbers that are no key."""
    kind = row.get("kty")
    if kind == "RSA":
        return rsa_key(row)
    if kind == "OKP":
        return ed25519_key(row)
    curve = CURVES.get(str(row.get("crv"))) if kind == "EC" else None
    if curve is None:
        raise UnusableKey(f"use RSA, Ed25519, or EC with one of {', '.join(CURVES)}")
    make, _, size = curve
    x, y = octets(row, "x"), octets(row, "y")
    if len(x) != size or len(y) != size:
        raise UnusableKey(f"x and y must have {size} bytes each")
    point = int.from_bytes(x, "big"), int.from_bytes(y, "big")
    return ec.EllipticCurvePublicNumbers(
        *point, make()
    ).public_key()  # it is on the curve, or fails


def _certified(chain: Any) -> PublicKey:
    """The key of the first certificate. Raises UnusableKey."""
    first = chain[0] if isinstance(chain, list) and 0 < len(chain) <= MAX_CERTIFICATES else None
    if not isinstance(first, str) or len(first) > MAX_CERTIFICATE_LENGTH:
        raise UnusableKey("its x5c must be a list of certificates in base64")
    try:
        key = x509.load_der_x509_certificate(base64.b64decode(first, validate=True)).public_key()
    except UNREADABLE:
        raise UnusableKey("the certificate in its x5c cannot be read") from None
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        check_rsa(numbers.n, numbers.e)
        return key
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, tuple(curve for curve, _, _ in CURVES.values())):
            raise UnusableKey(f"the curve of its certificate must be one of {', '.join(CURVES)}")
        return key
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    raise UnusableKey("the key of its certificate is of a kind that is not used here")
