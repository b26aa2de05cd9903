"""Issues ID tokens (OpenID Connect Core 1.0, section 2)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.errors import CannotIssue, InvalidRequest
from broker.instance import HMAC_ALGORITHMS, OIDC_ALGORITHMS, Instance, OidcOptions, SigningKey
from broker.model import OPENIDCONNECT, IssuedToken, RequestedToken
from broker.ports import IssueOrder, TokenName
from handlers.jwt import jwe, jws
from handlers.jwt.claims import id_token_claims
from handlers.members import text_member

MAX_NONCE_LENGTH = 1024
MAX_TOKEN_LENGTH = 64 * 1024
UUID_BYTES = 16
_VARIANTS = "89ab" * 4
"""Of the first hexadecimal digit of the ninth byte the two upper bits are 10 (RFC 9562, 4.1)."""


@dataclass(frozen=True, slots=True)
class IdTokenRequest:
    """What the caller may choose of an ID token."""

    nonce: str | None = None


class OidcProvider:
    """ID tokens as compact JWS, inside a JWE where the instance names a key to encrypt to."""

    token_type = OPENIDCONNECT

    def parse(self, requested: RequestedToken, instance: Instance) -> IdTokenRequest:
        """Raises InvalidRequest for the caller's mistakes, CannotIssue for the instance's."""
        if requested.options.get("allow_access") is not True:
            raise InvalidRequest("an ID token needs allow_access to be true: say that you agree")
        nonce = _nonce(requested.options)
        _check_signing(_options(instance))
        return IdTokenRequest(nonce)

    def token_id(self, entropy: bytes) -> str:
        """A random UUID (RFC 9562, version 4), for ``jti``."""
        given = entropy[:UUID_BYTES].hex()
        variant = _VARIANTS[entropy[8] >> 4]
        return f"{given[:8]}-{given[8:12]}-4{given[13:16]}-{variant}{given[17:20]}-{given[20:]}"

    def lifetime_seconds(self, instance: Instance) -> int:
        return _options(instance).lifetime_seconds

    def signing_key(self, instance: Instance) -> SigningKey | None:
        return _options(instance).signing_key

    def claim_map(self, instance: Instance) -> Mapping[str, str]:
        return _options(instance).claim_map

    def persists(self, instance: Instance) -> bool:
        return instance.persist_issued_tokens

    async def issue(self, order: IssueOrder) -> IssuedToken:
        """Raises CannotIssue if the claims cannot be written or make the token too long to read."""
        options = _options(order.instance)
        if order.signer is None:
            raise CannotIssue("this instance has no key to sign ID tokens with")
        claims = id_token_claims(options, order, order.options.nonce)
        token = await jws.signed(claims, order.signer, with_jwk=_shows_key(options))
        if options.encryption is not None:
            token = jwe.encrypted(token, options.encryption)
        if len(token) > MAX_TOKEN_LENGTH:
            raise CannotIssue(f"the ID token would be longer than {MAX_TOKEN_LENGTH} characters")
        return IssuedToken(
            OPENIDCONNECT,
            order.claim.token_id,
            alias=_alias(token),
            digest=hashlib.sha256(token).digest(),
            body={"issued_token": token.decode()},
        )

    def name(self, state: Mapping[str, Any]) -> TokenName:
        """Any string has a name, JWT or not; one that was never issued just has no record."""
        token = text_member(state, "oidc_id_token", MAX_TOKEN_LENGTH, may_be_empty=True)
        return named(token.encode())


def named(token: bytes) -> TokenName:
    """How the record of an ID token is found, and what it must have."""
    return TokenName(_alias(token), hashlib.sha256(token).digest())


def _alias(token: bytes) -> str:
    """SHA-1 only gives the record its public name; the SHA-256 beside it is what gets compared."""
    return hashlib.sha1(token, usedforsecurity=False).hexdigest().upper()


def _options(instance: Instance) -> OidcOptions:
    if instance.oidc is None:
        raise CannotIssue("this instance is not set up to issue ID tokens")
    return instance.oidc


def _check_signing(options: OidcOptions) -> None:
    algorithm = options.signing_key.algorithm
    if algorithm not in OIDC_ALGORITHMS:
        raise CannotIssue("this instance names no algorithm that ID tokens are signed with here")
    # A secret cannot be referred to, so HS algorithms ignore the reference.
    if algorithm not in HMAC_ALGORITHMS and options.public_key_reference not in ("NONE", "JWK"):
        raise CannotIssue(
            f"a public key reference of {options.public_key_reference} is not offered: "
            "use NONE or JWK"
        )


def _shows_key(options: OidcOptions) -> bool:
    return options.public_key_reference == "JWK"


def _nonce(options: Mapping[str, Any]) -> str | None:
    """None for an absent, null or empty one."""
    if options.get("nonce") is None:
        return None
    return text_member(options, "nonce", MAX_NONCE_LENGTH, may_be_empty=True) or None
