"""Private keys that subject tokens are signed with, and their public half for who trusts them."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from bench.target import NotPrepared
from bench.target.options import MintAlgorithm

RSA_BITS = 2048
PUBLIC_EXPONENT = 65537
_NAMING = ("crv", "e", "kty", "n", "x", "y")  # what RFC 7638, section 3.2 takes of a key

_RS256 = RSAAlgorithm(RSAAlgorithm.SHA256)
_ES256 = ECAlgorithm(ECAlgorithm.SHA256)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class MintKey:
    """RSA (RS256) or P-256 (ES256). ``kid`` is the RFC 7638 thumbprint unless one is given."""

    def __init__(self, private: PrivateKey, kid: str = "") -> None:
        """Raises NotPrepared for a curve other than P-256."""
        self._private = private
        if isinstance(private, rsa.RSAPrivateKey):
            self.algorithm: str = MintAlgorithm.RS256
        elif private.curve.name == ec.SECP256R1.name:
            self.algorithm = MintAlgorithm.ES256
        else:
            raise NotPrepared(f"subject tokens are not signed on the curve {private.curve.name}")
        self.kid = kid or _thumbprint(self._public())

    @classmethod
    def generated(cls, algorithm: str = MintAlgorithm.RS256) -> MintKey:
        """A new key, such as for a server that is told to trust it."""
        if algorithm == MintAlgorithm.RS256:
            return cls(rsa.generate_private_key(PUBLIC_EXPONENT, RSA_BITS))
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def read(cls, path: Path) -> MintKey:
        """An unencrypted PEM or a private JWK (RFC 7517). Raises NotPrepared."""
        try:
            data = path.read_bytes()
        except OSError:
            raise NotPrepared(f"the file {path} cannot be read") from None
        try:
            return cls.of(data)
        except (ValueError, TypeError, jwt.PyJWTError, AttributeError):
            raise NotPrepared(
                f"{path} holds no private key that signs RS256 or ES256: a PEM without a password,"
                " or a JWK, of RSA or P-256"
            ) from None

    @classmethod
    def of(cls, data: bytes, kid: str = "") -> MintKey:
        """PEM or JWK. Raises NotPrepared, ValueError, TypeError and PyJWT's errors."""
        if data.lstrip().startswith(b"{"):
            given = json.loads(data)
            return cls._checked(jwt.PyJWK(given).key, kid or str(given.get("kid", "")))
        return cls._checked(serialization.load_pem_private_key(data, None), kid)

    @classmethod
    def _checked(cls, private: Any, kid: str) -> MintKey:
        if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise NotPrepared("the key is neither a private RSA nor a private P-256 key")
        return cls(private, kid)

    @property
    def pem(self) -> bytes:
        """The private key, PKCS #8."""
        return self._private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def public_jwk(self) -> dict[str, Any]:
        """For the JWKS of a server that trusts these tokens."""
        return {**self._public(), "kid": self.kid, "alg": str(self.algorithm), "use": "sig"}

    def signature(self, message: bytes) -> bytes:
        """As JWS has it: RFC 7518, sections 3.3 and 3.4."""
        if isinstance(self._private, rsa.RSAPrivateKey):
            return _RS256.sign(message, self._private)
        return _ES256.sign(message, self._private)

    def _public(self) -> dict[str, Any]:
        public = self._private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            shown = RSAAlgorithm.to_jwk(public, as_dict=True)
        else:
            shown = ECAlgorithm.to_jwk(public, as_dict=True)
        return {name: value for name, value in shown.items() if name in _NAMING}


def _thumbprint(public: dict[str, Any]) -> str:
    named = json.dumps(public, separators=(",", ":"), sort_keys=True)
    digest = hashlib.sha256(named.encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
