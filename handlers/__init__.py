"""Token types: one folder each, holding its validator, its provider, or both.

A folder's ``handlers(ports)`` says what it offers; ``catalog`` lists the folders. Handlers may use
cryptography and XML; they open no socket and no store, and reach the outside through the ports
that they are handed. The smallest folder is ``opaque``: copy that one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from broker.authentication import NO_TARGETS, AuthTargets
from broker.authorities import ClientAuthorities, ClientTrust
from broker.ports import (
    Authenticator,
    SessionStore,
    TokenProvider,
    TokenStore,
    TokenValidator,
    UserStore,
)
from broker.trust import IssuerKeys


class _Nobody:
    """No certificate authority, in any realm."""

    def of(self, realm: str) -> tuple[ClientTrust, ...]:
        return ()


NOBODY = _Nobody()


@dataclass(frozen=True, slots=True)
class Ports:
    """What a token type may ask for when it is made, plug-ins included.

    ``pseudonym_key`` makes identifiers that only one relying party can link; empty for none.
    """

    authenticator: Authenticator
    sessions: SessionStore
    users: UserStore
    tokens: TokenStore
    issuers: IssuerKeys
    authorities: ClientAuthorities = NOBODY
    targets: AuthTargets = NO_TARGETS
    pseudonym_key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Handlers:
    """What one folder offers: a validator makes its type an input, a provider an output."""

    validator: TokenValidator | None = None
    provider: TokenProvider | None = None
