"""What the cases without a server measure with: keys, an instance, an order for a token."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.keys.certificates import der, self_signed
from adapters.keys.signers import HmacSigner, KeySigner
from bench.floors import signatures
from broker.instance import Instance, OidcOptions, Saml2Options, SigningKey, Transform
from broker.model import (
    ENTROPY_BYTES,
    OPENAM,
    OPENIDCONNECT,
    ROOT_REALM,
    SAML2,
    USERNAME,
    Principal,
    Secret,
    VerifiedClaims,
)
from broker.ports import IssueOrder, Signer, TokenProvider
from broker.testing import a_claim, a_principal, an_instance

ISSUER = "https://sts.example.com"
AUDIENCE = "https://sp.example.com"
CLAIMS = {"email": ("alice@example.org",), "roles": ("staff", "audit")}
ENTROPY = bytes(range(ENTROPY_BYTES))


@dataclass(frozen=True, slots=True)
class Key:
    """One key, as ours and bare."""

    algorithm: str
    signer: Signer
    sign: Callable[[bytes], bytes]


def a_key(algorithm: str) -> Key:
    """A new key of RS256, ES256 or HS256."""
    key = signatures.key(algorithm)
    bare, _ = signatures.calls(algorithm, key)
    if isinstance(key, bytes):
        return Key(algorithm, HmacSigner(Secret(key.decode())), bare)
    certificate = der(self_signed(key, ROOT_REALM, time.time()))
    return Key(algorithm, KeySigner(key, certificate), bare)


def instance(algorithm: str, name: str = "bench") -> Instance:
    """From every kind of token to both standard ones, signed with one algorithm, kept."""
    secret = Secret("k" * 32) if algorithm.startswith("HS") else None
    key = SigningKey(algorithm, secret=secret)
    return an_instance(
        url_element=name,
        transforms=tuple(
            Transform(given, wanted)
            for given in (USERNAME, OPENAM, OPENIDCONNECT)
            for wanted in (SAML2, OPENIDCONNECT)
        ),
        saml2=Saml2Options(ISSUER, AUDIENCE, recipient=AUDIENCE, signing_key=key),
        oidc=OidcOptions(ISSUER, ("bench",), key, claim_map={"email": "mail"}),
        persist_issued_tokens=True,
    )


def order(provider: TokenProvider, place: Instance, options: Any, key: Key) -> IssueOrder:
    """All that a provider needs, for one principal with two claims."""
    principal: Principal = a_principal()
    claim = a_claim(token_id=provider.token_id(ENTROPY), entropy=ENTROPY)
    return IssueOrder(
        instance=place,
        principal=principal,
        claims=VerifiedClaims(CLAIMS),
        options=options,
        claim=claim,
        expires_at=claim.expires_at,
        signer=key.signer,
    )
