"""JWTs to hand in: signed RS256 before a run, each different from all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.target.keys import MintKey
from bench.target.minting import Plan, minted


def new_rsa_key() -> str:
    """A private key as PEM (PKCS #8)."""
    return MintKey.generated().pem.decode()


@dataclass(frozen=True, slots=True)
class SubjectTokens:
    """Tokens of some subjects in turn."""

    key: str = field(repr=False)
    """The private RSA key, as PEM."""
    key_id: str
    claims: tuple[Mapping[str, Any], ...]
    """Of each subject: ``iss``, ``sub``, ``aud``, ``exp`` and more, without ``jti`` and ``iat``."""

    def mint(self, number: int) -> Iterator[str]:
        """So many tokens, as compact JWS (RFC 7515)."""
        return minted(self._key, Plan("", "", turns=self.claims), number)

    def public_jwks(self) -> dict[str, Any]:
        """The key's public half as a JWK set (RFC 7517)."""
        return {"keys": [self._key.public_jwk()]}

    @property
    def _key(self) -> MintKey:
        return MintKey.of(self.key.encode(), self.key_id)
