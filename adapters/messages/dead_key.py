"""The operator's key for dead letters: their bodies are encrypted to it, and kept for nobody else.

A body becomes a compact JWE (RFC 7516): ECDH-ES (P-256) or RSA-OAEP-256 by the kind of the key, and
A256GCM. The broker has the public key alone, so that nothing on it can read a dead letter.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwe
from joserfc.jwk import ECKey, RSAKey

from adapters.keys.public_jwk import (
    ENCRYPTION,
    MIN_RSA_BITS,
    UnusableKey,
    algorithm_of,
    public_key,
)
from adapters.messages.sealed import CONTENT
from adapters.state_folder import CannotStart
from broker.errors import InvalidRequest
from broker.model import Secret

MAX_SEALED_BYTES = 1024 * 1024
"""A larger body stays behind: what no request may be is not worth keeping."""

MAX_KEY_FILE_BYTES = 64 * 1024

Key = ECKey | RSAKey
Seal = Callable[[bytes], bytes]


class _Registry(jwe.JWERegistry):
    """Lets a body of ``MAX_SEALED_BYTES`` through: base64url makes four bytes of three."""

    max_ciphertext_length = 2 * MAX_SEALED_BYTES


_REGISTRY = _Registry(algorithms=["ECDH-ES", "RSA-OAEP-256", CONTENT])


def body_sealer(path: Path | None) -> Seal | None:
    """What encrypts the bodies of dead letters; None where no key is set.

    ``path`` holds a public key as JWK (RFC 7517) or PEM. Raises CannotStart, and OSError.
    """
    if path is None:
        return None
    try:
        key, algorithm = _public(path.read_bytes()[:MAX_KEY_FILE_BYTES])
    except UnusableKey as error:
        raise CannotStart(f"amqp.dead_letter_key: {path}: {error.sentence}") from None
    header = {"alg": algorithm, "enc": CONTENT, "kid": key.thumbprint()}

    def seal(body: bytes) -> bytes:
        if len(body) > MAX_SEALED_BYTES:
            return b""
        return jwe.encrypt_compact(dict(header), body, key, registry=_REGISTRY).encode()

    return seal


def opened(sealed: bytes, pem: bytes, passphrase: Secret | None) -> bytes:
    """The body of a dead letter, read with the operator's private key in PEM.

    Raises InvalidRequest with a sentence for the operator.
    """
    key = _private(pem, passphrase)
    try:
        plaintext = jwe.decrypt_compact(sealed, key, registry=_REGISTRY).plaintext
    except Exception:
        raise InvalidRequest("this key does not open the body of this dead letter") from None
    return plaintext or b""


def _public(data: bytes) -> tuple[Key, str]:
    """The key and the algorithm that goes with it. Raises UnusableKey."""
    if data.lstrip().startswith(b"{"):
        try:
            jwk: Any = json.loads(data)
        except ValueError:
            raise UnusableKey("it is neither a JWK nor PEM") from None
    else:
        jwk = _jwk_of(data)
    found = public_key(jwk, ENCRYPTION)
    return _library_key(found), algorithm_of(jwk, ENCRYPTION)


def _jwk_of(pem: bytes) -> dict[str, Any]:
    if b"PRIVATE KEY" in pem:
        raise UnusableKey("it holds a private key; name a file with the public one alone")
    try:
        found = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise UnusableKey("it is neither a JWK nor a public key in PEM") from None
    if isinstance(found, rsa.RSAPublicKey) and found.key_size < MIN_RSA_BITS:
        raise UnusableKey(f"RSA keys need {MIN_RSA_BITS} bits or more")
    return dict(_library_key(found).as_dict(private=False))


def _private(pem: bytes, passphrase: Secret | None) -> Key:
    password = None if passphrase is None else passphrase.reveal().encode()
    try:
        return _library_key(serialization.load_pem_private_key(pem, password))
    except UnusableKey as error:
        raise InvalidRequest(f"the key cannot be used: {error.sentence}") from None
    except TypeError:
        raise InvalidRequest("the key needs its passphrase, or has none") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidRequest(
            "the key is not a private key in PEM, or the passphrase is wrong"
        ) from None


def _library_key(key: object) -> Key:
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return ECKey.import_key(key)
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return RSAKey.import_key(key)
    raise UnusableKey("it must be an RSA or EC key")
