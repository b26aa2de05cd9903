"""Signers: keys made ready once, for many signatures.

``run`` decides where an RSA signature is computed (``signing_threads``). EC and Ed25519 are cheaper
than handing them to a thread, and stay on the event loop.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from adapters.keys.jwks import coordinate_bytes, signing_jwk
from adapters.keys.private_keys import PrivateKey, algorithm_of, algorithms_of
from broker.model import Secret

Sign = Callable[[bytes], bytes]
Run = Callable[[Sign, bytes], Awaitable[bytes]]

HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "RS1": hashes.SHA1(),  # noqa: S303  # for assertions, where settings allow it by name
    **dict.fromkeys(("RS256", "PS256", "ES256"), hashes.SHA256()),
    **dict.fromkeys(("RS384", "PS384", "ES384"), hashes.SHA384()),
    **dict.fromkeys(("RS512", "PS512", "ES512"), hashes.SHA512()),
}
HMAC_DIGESTS: Mapping[str, str] = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


async def inline(sign: Sign, data: bytes) -> bytes:
    """Compute it here and now."""
    return sign(data)


class KeySigner:
    """Signs with the one algorithm it is made for (RFC 7518, sections 3.3 to 3.5; RFC 8037,
    section 3.1), by default the usual one of the key. ``certificate`` is DER.

    Raises ValueError for an algorithm that the key does not sign with.
    """

    def __init__(
        self,
        key: PrivateKey,
        certificate: bytes,
        run: Run = inline,
        algorithm: str | None = None,
    ) -> None:
        self.algorithm = algorithm or algorithm_of(key)
        if self.algorithm not in algorithms_of(key):
            raise ValueError(f"not a key for {self.algorithm}")
        self.certificate: bytes | None = certificate
        jwk = signing_jwk(key.public_key(), self.algorithm)
        self.kid = jwk["kid"]
        self.public_jwk: Mapping[str, str] | None = MappingProxyType(jwk)
        self._key = key
        self._sign = _signature(key, self.algorithm)
        self._run = run
        self._here = run is inline or not isinstance(key, rsa.RSAPrivateKey)

    async def sign(self, data: bytes) -> bytes:
        if self._here:
            return self._sign(data)
        return await self._run(self._sign, data)

    def signing_with(self, algorithm: str) -> KeySigner:
        """The same key with another algorithm. Raises ValueError."""
        return KeySigner(self._key, self.certificate or b"", self._run, algorithm)


class HmacSigner:
    """Signs with an HMAC (RFC 7518, section 3.2): a secret has neither name nor public half."""

    kid = ""
    certificate: bytes | None = None
    public_jwk: Mapping[str, str] | None = None

    def __init__(self, secret: Secret, algorithm: str = "HS256") -> None:
        self.algorithm = algorithm
        self._digest = HMAC_DIGESTS[algorithm]
        self._secret = secret

    async def sign(self, data: bytes) -> bytes:
        return hmac.digest(self._secret.reveal().encode(), data, self._digest)


def _signature(key: PrivateKey, algorithm: str) -> Sign:
    if isinstance(key, rsa.RSAPrivateKey):
        return _rsa(key, algorithm)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return _ecdsa(key, algorithm)
    return key.sign


def _rsa(key: rsa.RSAPrivateKey, algorithm: str) -> Sign:
    digest = HASHES[algorithm]
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if algorithm.startswith("PS"):
        # RFC 7518, section 3.5: the mask is of the same hash, and the salt as long as it.
        scheme = padding.PSS(padding.MGF1(digest), digest.digest_size)
    return lambda data: key.sign(data, scheme, digest)


def _ecdsa(key: ec.EllipticCurvePrivateKey, algorithm: str) -> Sign:
    scheme, size = ec.ECDSA(HASHES[algorithm]), coordinate_bytes(key.curve)
    return lambda data: side_by_side(key.sign(data, scheme), size)


def side_by_side(der: bytes, size: int) -> bytes:
    """RFC 7518, section 3.4: r and s, each as long as the curve's order.

    ``der`` is a SEQUENCE of two INTEGERs as our own library has just written it (RFC 3279, section
    2.2.3). The length of the sequence has one byte, or two from 128 on (P-521); those of the
    numbers have one.
    """
    r_length_at = 3 if der[1] < 0x80 else 4
    r_at = r_length_at + 1
    r_end = r_at + der[r_length_at]
    return _fixed(der[r_at:r_end], size) + _fixed(der[r_end + 2 :], size)


def _fixed(number: bytes, size: int) -> bytes:
    """DER puts a zero before a first bit that is set, and leaves other leading zeros out."""
    return number.lstrip(b"\0").rjust(size, b"\0")
