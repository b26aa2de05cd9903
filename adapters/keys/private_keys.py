"""Private keys: made, imported, written and read, and held to a floor of kind and size."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from broker.errors import InvalidRequest
from broker.model import Secret

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

RSA_BITS = 2048
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 4096  # beyond it one signature costs milliseconds, and no verifier asks for it
RSA_EXPONENT = 65537
MAX_PEM_BYTES = 64 * 1024
ALGORITHMS = ("RS256", "ES256")
"""What keys sign with."""

ENCRYPTION_ALGORITHMS = ("ECDH-ES", "RSA-OAEP-256")
"""What requests are encrypted with (RFC 7518, section 4.1), by keys that never sign."""

_ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


def generated(algorithm: str) -> PrivateKey:
    """A new key; an RSA key takes tenths of a second. Raises InvalidRequest."""
    if algorithm in ("RS256", "RSA-OAEP-256"):
        return rsa.generate_private_key(public_exponent=RSA_EXPONENT, key_size=RSA_BITS)
    if algorithm in ("ES256", "ECDH-ES"):
        return ec.generate_private_key(ec.SECP256R1())
    raise InvalidRequest(f"keys are made for one of {', '.join(ALGORITHMS)}")


def algorithm_of(key: PrivateKey) -> str:
    """What a key signs with."""
    return "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"


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
    if isinstance(key, rsa.RSAPrivateKey):
        _check_rsa(key)
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey):
        if not isinstance(key.curve, ec.SECP256R1):
            raise InvalidRequest(f"curve {key.curve.name} is not offered: use P-256")
        return key
    raise InvalidRequest("this kind of key is not offered: use RSA or P-256")


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
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError("neither RSA nor EC")
    return key
