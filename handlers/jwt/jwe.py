"""Encrypted ID tokens: the signed one inside a JWE (OpenID Connect Core 1.0, section 16.14; RFC
7516, section 7.1), by joserfc.

Each token has a content key of its own. Which algorithms an instance may name says
``broker.algorithms``; the floor for keys is looked at here once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from broker.errors import CannotIssue
from broker.output_options import OidcEncryption

MIN_RSA_BITS = 2048
MAX_PREPARED = 1024

KINDS: Mapping[str, type[RSAKey] | type[ECKey] | type[OKPKey]] = {
    "RSA": RSAKey,
    "EC": ECKey,
    "OKP": OKPKey,
}
MEMBERS = ("kty", "kid", "n", "e", "crv", "x", "y")
"""What counts of the relying party's JWK; what it says of its use was read at publishing."""

UNUSABLE = "the key that this instance encrypts ID tokens to cannot be used; publish it again"


@dataclass(frozen=True, slots=True)
class _Recipient:
    """A relying party's key, parsed once, and the header that is the same for all its tokens."""

    key: RSAKey | ECKey | OKPKey
    registry: jwe.JWERegistry
    header: Mapping[str, str]


def encrypted(token: bytes, options: OidcEncryption) -> bytes:
    """A signed token as the content of a JWE. Raises CannotIssue for a key that cannot be used."""
    try:
        members = tuple((name, options.key[name]) for name in MEMBERS if name in options.key)
        to = _recipient(options.algorithm, options.content, members)
        header: dict[str, Any] = dict(to.header)  # the library adds to it
        return jwe.encrypt_compact(header, token, to.key, registry=to.registry).encode()
    except (JoseError, ValueError, KeyError, TypeError):
        raise CannotIssue(UNUSABLE) from None


@lru_cache(maxsize=MAX_PREPARED)
def _recipient(algorithm: str, content: str, jwk: tuple[tuple[str, str], ...]) -> _Recipient:
    members: dict[str, str | list[str]] = dict(jwk)
    key = KINDS[str(members["kty"])].import_key(members)
    if isinstance(key.public_key, rsa.RSAPublicKey) and key.public_key.key_size < MIN_RSA_BITS:
        raise ValueError("an RSA key that is too small")
    header = {"typ": "JWT", "cty": "JWT", "alg": algorithm, "enc": content}
    if "kid" in members:
        header["kid"] = str(members["kid"])
    return _Recipient(key, jwe.JWERegistry(algorithms=[algorithm, content]), header)
