"""Token types: one folder each, holding its validator, its provider, or both.

A folder's ``handlers(ports)`` says what it offers; ``catalog`` lists the folders. Handlers may use
cryptography and XML; they open no socket and no store, and reach the outside through the ports
that they are handed. The smallest folder is ``opaque``: copy that one.
"""

from __future__ import annotations

from dataclasses import dataclass

from broker.ports import (
    Authenticator,
    IssuerKeys,
    SessionStore,
    TokenProvider,
    TokenStore,
    TokenValidator,
    UserStore,
)


@dataclass(frozen=True, slots=True)
class Ports:
    """What a token type may ask for when it is made, plug-ins included."""

    authenticator: Authenticator
    sessions: SessionStore
    users: UserStore
    tokens: TokenStore
    issuers: IssuerKeys


@dataclass(frozen=True, slots=True)
class Handlers:
    """What one folder offers: a validator makes its type an input, a provider an output."""

    validator: TokenValidator | None = None
    provider: TokenProvider | None = None
