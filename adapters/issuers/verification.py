"""Keys that verify, each with the algorithms of its own kind alone.

A public key and a shared secret are different types, and which of them an issuer has is settled
when it is written down: no token can have the one used as the other (RFC 8725, section 2.1).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from broker.model import Secret

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
Check = Callable[[bytes, bytes], bool]

RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
CURVES: Mapping[str, tuple[type[ec.EllipticCurve], str, int]] = {
    "P-256": (ec.SECP256R1, "ES256", 32),
    "P-384": (ec.SECP384R1, "ES384", 48),
    "P-521": (ec.SECP521R1, "ES512", 66),
}
"""By its name in a JWK: the curve, its one algorithm, and the bytes of a number (RFC 7518, 3.4)."""

EDWARDS_ALGORITHMS = ("EdDSA", "Ed25519")
"""Two names of one algorithm (RFC 8037, section 3.1; RFC 9864, section 2.2)."""

ASYMMETRIC_ALGORITHMS = frozenset({*RSA_ALGORITHMS, "ES256", "ES384", "ES512", *EDWARDS_ALGORITHMS})
SECRET_ALGORITHMS: Mapping[str, int] = {"HS256": 32, "HS384": 48, "HS512": 64}
"""How many bytes of secret each needs at least: those of its hash (RFC 7518, section 3.2)."""

_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True)
class PublicVerifier:
    """A public key (port VerificationKey); ``thumbprint`` is RFC 7638's."""

    kid: str | None
    thumbprint: str
    checks: Mapping[str, Check] = field(repr=False)

    def verifies(self, algorithm: str, signature: bytes, data: bytes) -> bool:
        check = self.checks.get(algorithm)
        return check is not None and check(signature, data)


class SecretVerifier:
    """A client secret (port VerificationKey), for the HMACs that it is long enough for."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret.reveal().encode()

    def verifies(self, algorithm: str, signature: bytes, data: bytes) -> bool:
        least = SECRET_ALGORITHMS.get(algorithm)
        if least is None or len(self._secret) < least:
            return False
        digest = getattr(hashlib, f"sha{algorithm[2:]}")
        return hmac.compare_digest(hmac.digest(self._secret, data, digest), signature)


def checks_of(key: PublicKey, only: str | None = None) -> dict[str, Check]:
    """What a key can verify, by algorithm; ``only`` is the one that its JWK names, if it does."""
    if isinstance(key, rsa.RSAPublicKey):
        found = {name: _rsa(key, name) for name in RSA_ALGORITHMS}
    elif isinstance(key, ec.EllipticCurvePublicKey):
        found = {
            name: _ec(key, name, size)
            for kind, name, size in CURVES.values()
            if isinstance(key.curve, kind)
        }
    else:
        found = dict.fromkeys(EDWARDS_ALGORITHMS, _guarded(key.verify))
    return found if only is None else {name: c for name, c in found.items() if name == only}


def _rsa(key: rsa.RSAPublicKey, algorithm: str) -> Check:
    digest = _HASHES[algorithm[2:]]
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if algorithm.startswith("PS"):
        # RFC 7518, section 3.5: the salt is as long as the hash.
        scheme = padding.PSS(padding.MGF1(digest), digest.digest_size)

    def verify(signature: bytes, data: bytes) -> None:
        key.verify(signature, data, scheme, digest)

    return _guarded(verify)


def _ec(key: ec.EllipticCurvePublicKey, algorithm: str, size: int) -> Check:
    scheme = ec.ECDSA(_HASHES[algorithm[2:]])

    def verify(signature: bytes, data: bytes) -> None:
        if len(signature) != 2 * size:
            raise InvalidSignature
        r, s = signature[:size], signature[size:]
        der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        key.verify(der, data, scheme)

    return _guarded(verify)


def _guarded(verify: Callable[[bytes, bytes], None]) -> Check:
    def check(signature: bytes, data: bytes) -> bool:
        try:
            verify(signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True

    return check
