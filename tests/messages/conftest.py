"""The opener of a broker without a message server: our keys, registered keys, and a clock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jwcrypto import jwk

from adapters.keys.ring import KeyRing
from adapters.messages.envelope import Envelope
from adapters.messages.opening import SealedOpener
from adapters.messages.requesters import RequesterKeys
from adapters.messages.signed import SignedRequests
from adapters.stores.memory import open_memory
from tests.support.door import ISSUER, FrozenClock
from tests.support.jose import JOSE, registered, signing_key

SIGNERS = {kind: signing_key(kind, f"{kind}-1") for kind in ("EC", "RSA", "OKP")}
JWKS_URL = f"{ISSUER}/oauth2/jwks"


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
async def ring(clock: FrozenClock) -> KeyRing:
    return await KeyRing.open(open_memory().configuration, clock, ("/", "/sales"))


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "requesters.json"
    path.write_text(registered(*SIGNERS.values()))
    return path


@pytest.fixture
def opener(ring: KeyRing, keys_file: Path, clock: FrozenClock) -> SealedOpener:
    return opener_of(ring, keys_file, clock)


def opener_of(
    ring: KeyRing, keys_file: Path | None, clock: FrozenClock, *, strict: bool = True
) -> SealedOpener:
    registered_keys = RequesterKeys(keys_file) if keys_file is not None else None
    signed = SignedRequests(registered_keys, audience=ISSUER, clock=clock)
    return SealedOpener(ring.encryption, signed, require_encrypted=strict, jwks_url=JWKS_URL)


def envelope(body: bytes, **properties: Any) -> Envelope:
    given = {"message_id": "m-1", "content_type": JOSE, "requester": "alice", **properties}
    return Envelope(transport="amqp", body=body, **given)


def ours(ring: KeyRing, algorithm: str = "ECDH-ES", realm: str = "/") -> jwk.JWK:
    """The public key that requests are encrypted to."""
    [found] = [key for key in ring.jwks(realm)["keys"] if key["alg"] == algorithm]
    return jwk.JWK(**found)


Sign = Callable[..., bytes]
