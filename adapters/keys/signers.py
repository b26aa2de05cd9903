"""Signers: keys made ready once, for many signatures.

``run`` decides where a signature is computed. Both kinds release the GIL and are quick enough to
stay on the event loop; a pool of threads for RSA would be another ``run``.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from adapters.keys.jwks import P256_COORDINATE_BYTES, signing_jwk
from adapters.keys.private_keys import PrivateKey, algorithm_of
from broker.model import Secret

Sign = Callable[[bytes], bytes]
Run = Callable[[Sign, bytes], Awaitable[bytes]]


async def inline(sign: Sign, data: bytes) -> bytes:
    """Compute it here and now."""
    return sign(data)


class KeySigner:
    """Signs with RS256 or ES256 (RFC 7518, sections 3.3 and 3.4). ``certificate`` is DER."""

    def __init__(self, key: PrivateKey, certificate: bytes, run: Run = inline) -> None:
        self.algorithm = algorithm_of(key)
        self.certificate: bytes | None = certificate
        jwk = signing_jwk(key.public_key(), self.algorithm)
        self.kid = jwk["kid"]
        self.public_jwk: Mapping[str, str] | None = MappingProxyType(jwk)
        self._sign = _signature(key)
        self._run = run

    async def sign(self, data: bytes) -> bytes:
        return await self._run(self._sign, data)


class HmacSigner:
    """Signs with HS256 (RFC 7518, section 3.2): a secret has neither name nor public half."""

    kid = ""
    certificate: bytes | None = None
    public_jwk: Mapping[str, str] | None = None

    def __init__(self, secret: Secret) -> None:
        self.algorithm = "HS256"
        self._secret = secret

    async def sign(self, data: bytes) -> bytes:
        return hmac.digest(self._secret.reveal().encode(), data, "sha256")


def _signature(key: PrivateKey) -> Sign:
    sha256 = hashes.SHA256()
    if isinstance(key, rsa.RSAPrivateKey):
        pkcs1 = padding.PKCS1v15()
        return lambda data: key.sign(data, pkcs1, sha256)
    ecdsa = ec.ECDSA(sha256)
    return lambda data: _side_by_side(key.sign(data, ecdsa))


def _side_by_side(der: bytes) -> bytes:
    """RFC 7518, section 3.4: r and s, each as long as the curve's order."""
    r, s = decode_dss_signature(der)
    return r.to_bytes(P256_COORDINATE_BYTES, "big") + s.to_bytes(P256_COORDINATE_BYTES, "big")
