"""``certificate``, ``oidc`` and ``session``: what came along, checked as without any module.

So that a chain can ask for more besides: that a certificate's subject is in a directory, or a code
beside a session.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from adapters.authentication.kinds import Parts
from adapters.instances.members import Members
from broker.authentication import FAILED, AuthModule, Evidence, Identity, identity_of
from broker.errors import AuthenticationFailed
from broker.model import OPENAM, OPENIDCONNECT, X509, Secret, TokenType

MAX_ISSUERS = 100

Refuses = Callable[[Evidence], str | None]
"""Why a token that is good is not wanted; None if it is."""


@dataclass(frozen=True, slots=True)
class TokenModule:
    """Asks the broker's own validator of a type of token."""

    name: str
    token_type: TokenType
    refuses: Refuses | None = None

    @property
    def headers(self) -> frozenset[str]:
        return frozenset()

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        """Raises AuthenticationFailed where no such token came, and what its validator raises."""
        validate = evidence.tokens.get(self.token_type)
        if validate is None:
            raise AuthenticationFailed(FAILED, detail=f"no {self.token_type} came along")
        principal = await validate()
        why = None if self.refuses is None else self.refuses(evidence)
        if why is not None:
            raise AuthenticationFailed(FAILED, detail=why)
        return identity_of(principal)

    async def close(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class TokenKind:
    """A token that this broker checks by itself; no keys of its own."""

    name: str
    token_type: TokenType
    secrets: frozenset[str] = frozenset()

    def module(self, name: str, realm: str, members: Members, parts: Parts) -> AuthModule:
        members.only()
        return TokenModule(name, self.token_type)


CERTIFICATE = TokenKind("certificate", X509)
"""A client certificate of an authority of the realm."""

SESSION = TokenKind("session", OPENAM)
"""A session of this broker."""


class OidcKind:
    """An ID token of an issuer that the realm trusts: of any, or of those in ``issuers``."""

    name = "oidc"
    secrets: frozenset[str] = frozenset()

    def module(self, name: str, realm: str, members: Members, parts: Parts) -> AuthModule:
        members.only("issuers")
        issuers = members.texts("issuers")
        if members.given("issuers") and not all(issuers):
            members.wrong("issuers", "write the iss of each issuer, and no empty one")
        if len(issuers) > MAX_ISSUERS:
            members.wrong("issuers", f"name {MAX_ISSUERS} issuers at most")
        return TokenModule(name, OPENIDCONNECT, _of(frozenset(issuers)) if issuers else None)


def _of(issuers: frozenset[str]) -> Refuses:
    def refuses(evidence: Evidence) -> str | None:
        if evidence.id_token is not None and _issuer(evidence.id_token) in issuers:
            return None
        return "the ID token is of an issuer whom this module does not name"

    return refuses


def _issuer(verified: Secret) -> str | None:
    """The ``iss`` of a JWS that a validator has found good; None for what is none."""
    parts = verified.reveal().split(".")
    try:
        payload = parts[1] + "=" * (-len(parts[1]) % 4)
        issuer = orjson.loads(base64.urlsafe_b64decode(payload))["iss"]
    except (IndexError, ValueError, KeyError, TypeError):
        return None
    return issuer if isinstance(issuer, str) else None
