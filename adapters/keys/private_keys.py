"""Private keys: made, imported, written and read, and held to a floor of kind and size."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from broker.errors import InvalidRequest
from broker.model import Secret

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

RSA_BITS = 2048
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 4096  # beyond it one signature costs milliseconds, and no verifier asks for it
RSA_EXPONENT = 65537
MAX_PEM_BYTES = 64 * 1024

RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
CURVES: Mapping[str, type[ec.EllipticCurve]] = {
    "ES256": ec.SECP256R1,
    "ES384": ec.SECP384R1,
    "ES512": ec.SECP521R1,
}
EDWARDS_ALGORITHMS = ("EdDSA", "Ed25519")
"""Two names of one algorithm: RFC 8037 left the curve open, RFC 9864 names it."""

ALGORITHMS = (*RSA_ALGORITHMS, *CURVES, *EDWARDS_ALGORITHMS)
"""What keys sign with (RFC 7518 section 3.1, RFC 8037, RFC 9864)."""

FIRST_ALGORITHMS = ("RS256", "ES256")
"""What each realm has keys for from the start; others are made once an instance asks for them."""

RSA_SHA1 = "RS1"
"""For assertions alone, where settings allow it (RFC 8812, section 2): no key is made for it."""

ENCRYPTION_ALGORITHMS = ("ECDH-ES", "RSA-OAEP-256")
"""What requests are encrypted with (RFC 7518, section 4.1), by keys that never sign."""

_ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


def generated(algorithm: str) -> PrivateKey:
    """A new key; an RSA key takes tenths of a second. Raises InvalidRequest."""
    if algorithm in RSA_ALGORITHMS or algorithm == "RSA-OAEP-256":
        return rsa.generate_private_key(public_exponent=RSA_EXPONENT, key_size=RSA_BITS)
    if algorithm in EDWARDS_ALGORITHMS:
        return ed25519.Ed25519PrivateKey.generate()
    curve = ec.SECP256R1 if algorithm == "ECDH-ES" else CURVES.get(algorithm)
    if curve is None:
        raise InvalidRequest(f"keys are made for one of {', '.join(ALGORITHMS)}")
    return ec.generate_private_key(curve())


def ring_algorithm(algorithm: str) -> str:
    """Whose key signs: a key of a ring has one algorithm (RFC 8725, section 3.1).

    Service providers that still want SHA-1 know the certificate of the RS256 key.
    """
    return "RS256" if algorithm == RSA_SHA1 else algorithm


def algorithms_of(key: PrivateKey) -> tuple[str, ...]:
    """What a key can sign with, the usual one first. Empty for a curve that is not offered."""
    if isinstance(key, rsa.RSAPrivateKey):
        return (*RSA_ALGORITHMS, RSA_SHA1)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return EDWARDS_ALGORITHMS
    return tuple(name for name, curve in CURVES.items() if isinstance(key.curve, curve))


def algorithm_of(key: PrivateKey) -> str:
    """What a key signs with where nothing else is said. Raises ValueError for a foreign curve."""
    found = algorithms_of(key)
    if not found:
        raise ValueError("a key on a curve that is not offered")
    return found[0]


def check_fits(key: PrivateKey, algorithm: str) -> None:
    """Raises InvalidRequest, saying what the key can sign with, unless that is ``algorithm``."""
    found = algorithms_of(key)
    if algorithm not in found:
        offered = ", ".join(name for name in found if name != RSA_SHA1)
        raise InvalidRequest(f"this key signs with {offered or 'nothing that is offered'}")


def check_imported_for(key: PrivateKey, algorithm: str) -> None:
    """Raises InvalidRequest unless ``key`` may be imported for ``algorithm``."""
    if algorithm not in ALGORITHMS:
        raise InvalidRequest(f"keys are for one of {', '.join(ALGORITHMS)}")
    check_fits(key, algorithm)


def imported(pem: bytes) -> PrivateKey:
    """A key from outside, not encrypted. Raises InvalidRequest with what is wrong with it."""
    if len(pem) > MAX_PEM_BYTES:
        raise InvalidRequest(f"the key file is longer than {MAX_PEM_BYTES} bytes")
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise InvalidRequest("the key is encrypted: decrypt it before the import") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidRequest("this is no private key in PEM") from None
    return checked(key)


def checked(key: object) -> PrivateKey:
    """``key``, if it is of a kind and a size that sign here. Raises InvalidRequest."""
    if isinstance(key, rsa.RSAPrivateKey):
        _check_rsa(key)
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey):
        if not algorithms_of(key):
            raise InvalidRequest(
                f"curve {key.curve.name} is not offered: use P-256, P-384 or P-521"
            )
        return key
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    raise InvalidRequest("this kind of key is not offered: use RSA, P-256, P-384, P-521 or Ed25519")


def _check_rsa(key: rsa.RSAPrivateKey) -> None:
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise InvalidRequest(
            f"an RSA key of {key.key_size} bits is not offered: "
            f"use {MIN_RSA_BITS} to {MAX_RSA_BITS}"
        )
    if key.public_key().public_numbers().e < RSA_EXPONENT:
        raise InvalidRequest(f"the RSA key's public exponent is below {RSA_EXPONENT}")


def written(key: PrivateKey) -> bytes:
    """PKCS #8 in DER (RFC 5958), in the clear: the store seals it."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def read(der: bytes) -> PrivateKey:
    """A key that ``written`` made; raises ValueError if it is none.

    What the store had under its seal is not checked again: that takes 40 ms for each RSA key.
    """
    try:
        key = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("no key of ours") from error
    return _offered(key)


def encrypted(pem: bytes) -> bool:
    """Whether a key file of an earlier version asks for a passphrase."""
    return pem.lstrip().startswith(_ENCRYPTED)


def from_file(pem: bytes, passphrase: Secret | None) -> PrivateKey:
    """A key file of an earlier version; raises ValueError, also for a wrong passphrase."""
    password = passphrase.reveal().encode() if passphrase and encrypted(pem) else None
    try:
        key = load_pem_private_key(pem, password=password)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("no key of ours, or no passphrase for it") from error
    return _offered(key)


def _offered(key: object) -> PrivateKey:
    if not isinstance(key, PrivateKey):
        raise ValueError("neither RSA, EC nor Ed25519")
    return key
