"""Bare signatures and verifications by the name of the algorithm, with nothing but cryptography."""

import hmac
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

HASHES: dict[str, Any] = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
CURVES: dict[str, Any] = {"256": ec.SECP256R1(), "384": ec.SECP384R1(), "512": ec.SECP521R1()}


def key(algorithm: str, bits: int = 2048) -> Any:
    """A new private key, or a secret; ``bits`` are those of RSA."""
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm.startswith("ES"):
        return ec.generate_private_key(CURVES[algorithm[2:]])
    return rsa.generate_private_key(65537, bits) if algorithm[0] in "RP" else b"k" * 32


def calls(algorithm: str, key: Any) -> tuple[Callable[[bytes], bytes], Callable[..., object]]:
    """``sign(data)`` and ``verify(signature, data)``."""
    name, digest = algorithm[:2], f"sha{algorithm[2:]}"
    if name == "HS":
        return lambda data: hmac.digest(
            key, data, digest
        ), lambda signature, data: hmac.compare_digest(signature, hmac.digest(key, data, digest))
    words: tuple[Any, ...] = ()
    if algorithm != "EdDSA":
        hash = HASHES[algorithm[2:]]
        pss = PSS(MGF1(hash), hash.digest_size)
        words = {"RS": (PKCS1v15(), hash), "PS": (pss, hash), "ES": (ec.ECDSA(hash),)}[name]
    public = key.public_key()
    return lambda data: key.sign(data, *words), lambda one, data: public.verify(one, data, *words)
