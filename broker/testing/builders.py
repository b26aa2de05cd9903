"""Valid objects to start a test from. Every field can be given another value by keyword."""

# ruff: noqa: S106 - a token id is no secret

from __future__ import annotations

from dataclasses import replace
from typing import Any

from broker.factors import Factor
from broker.instance import Instance, OidcOptions, Saml2Options, SigningKey, Transform
from broker.model import (
    ENTROPY_BYTES,
    OPENAM,
    OPENIDCONNECT,
    SAML2,
    USERNAME,
    Announcement,
    Answer,
    Claim,
    InstanceDocument,
    Principal,
    Secret,
    Session,
    TokenRecord,
    User,
)

NOW = 1_750_000_000
"""When the tests take place, in seconds since the epoch."""


def an_instance(**changes: Any) -> Instance:
    """From USERNAME and OPENAM to SAML2 and OPENIDCONNECT, all tokens kept."""
    return replace(
        Instance(
            realm="/",
            url_element="demo",
            transforms=tuple(
                Transform(given, wanted)
                for given in (USERNAME, OPENAM)
                for wanted in (SAML2, OPENIDCONNECT)
            ),
            saml2=Saml2Options(
                issuer="https://sts.example", audience="https://sp.example", recipient=None
            ),
            oidc=OidcOptions(
                issuer="https://sts.example",
                audience=("client",),
                signing_key=SigningKey("ES256"),
            ),
            persist_issued_tokens=True,
        ),
        **changes,
    )


def an_instance_document(**changes: Any) -> InstanceDocument:
    document = InstanceDocument(
        id="demo", realm="/", revision="1", format="forgerock", body={"issuer-name": "demo"}
    )
    return replace(document, **changes)


def a_claim(**changes: Any) -> Claim:
    """The proposal of a request with an id, as the pipeline hands it to the ledger."""
    return replace(
        Claim(
            token_id="token-1",
            issued_at=NOW,
            expires_at=NOW + 600,
            key_id="key-1",
            entropy=b"e" * ENTROPY_BYTES,
            fingerprint=b"f" * 32,
            scope="requester:alice",
            request_id="request-1",
            owner="worker-1",
        ),
        **changes,
    )


def a_record(**changes: Any) -> TokenRecord:
    return replace(
        TokenRecord(
            token_id="token-1",
            alias="alias-1",
            digest=b"d" * 32,
            type=OPENIDCONNECT,
            instance="demo",
            realm="/",
            principal="alice",
            issued_at=NOW,
            expires_at=NOW + 600,
            key_id="key-1",
        ),
        **changes,
    )


def an_answer(**changes: Any) -> Answer:
    answer = Answer(
        200,
        {"issued_token": "header.payload.signature"},
        "token-1",
        NOW + 600,
    )
    return replace(answer, **changes)


def an_announcement(**changes: Any) -> Announcement:
    """Of a token that was issued, bound to nothing that is stored; due after ten seconds."""
    return replace(
        Announcement(
            id="event-1",
            type="token.issued",
            routing_key="token.issued.demo",
            body=b'{"type": "token.issued"}',
            due_at=NOW + 10.0,
        ),
        **changes,
    )


def a_session(**changes: Any) -> Session:
    """Idles out after 30 minutes, ends after two hours."""
    return replace(
        Session(
            id=Secret("session-1"),
            uid="uid-1",
            principal="alice",
            realm="/",
            created_at=NOW,
            last_access_at=NOW,
            max_idle_seconds=1800,
            max_life_seconds=7200,
        ),
        **changes,
    )


def a_user(**changes: Any) -> User:
    """A user of the root realm whose hash matches no password."""
    return replace(
        User(
            name="alice",
            realm="/",
            password_hash=Secret("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA"),
            attributes={"mail": ("alice@example.org",), "roles": ("staff", "audit")},
        ),
        **changes,
    )


def a_factor(**changes: Any) -> Factor:
    """A factor of ``alice`` that never expires."""
    return replace(Factor("/", "alice", "totp", "1", b"a secret"), **changes)


def a_principal(**changes: Any) -> Principal:
    return replace(
        Principal(name="alice", realm="/", method=USERNAME, authenticated_at=NOW), **changes
    )
