"""Revoking a compromised key: out at once, in whatever state it was."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.keys.ring_changes import MAX_KEYS
from adapters.keys.ring_document import CLOCK_SKEW_SECONDS, RingDocument
from adapters.stores.memory import open_memory
from broker.errors import Conflict, KeyUnavailable, NotFound
from broker.events import KeyRevoked
from broker.instance import SigningKey
from broker.testing.fakes import RecordingEventSink
from tests.support.door import FrozenClock
from tests.support.key_rings import (
    ES256,
    MARGIN,
    RS256,
    TAIL,
    a_ring,
    published,
    signs,
    states,
)

pytestmark = pytest.mark.usefixtures("quick_keys")


async def test_active_key(clock: FrozenClock) -> None:
    """The revoked key is out of the JWKS, known as revoked and signs nothing more; a new key signs
    at once."""
    events = RecordingEventSink()
    ring = await a_ring(clock, events=events)
    old = signs(ring)
    revoked, active = await ring.revoke("/", old)
    assert active is not None
    assert (revoked.kid, revoked.state, active.state) == (old, "revoked", "active")
    assert ring.revoked("/", old)
    assert not ring.revoked("/", active.kid)
    assert signs(ring) == active.kid
    assert published(ring) & {old, active.kid} == {active.kid}
    for alias in (old, SigningKey("ES256", alias=old).alias):
        with pytest.raises(KeyUnavailable, match="was revoked"):
            ring.signer("/", ES256, alias)
        with pytest.raises(KeyUnavailable, match="was revoked"):
            ring.key_id("/", SigningKey("ES256", alias=alias))
    assert events.events == [KeyRevoked(clock.now(), "/", old, "ES256", active.kid)]


async def test_every_broker_knows_at_once(clock: FrozenClock) -> None:
    """What one broker revoked no other believes, publishes or signs with after its next look, also
    if its clock is behind."""
    store = open_memory().configuration
    ring = await a_ring(clock, store)
    behind = await a_ring(FrozenClock(clock.now() - 60), store)
    old = signs(ring)
    _, active = await ring.revoke("/", old)
    await behind.refresh()
    assert active is not None
    assert behind.revoked("/", old)
    assert old not in published(behind)
    assert signs(behind) == active.kid


async def test_private_half_is_destroyed(clock: FrozenClock) -> None:
    """Of a revoked key the document holds what names it, and no private key."""
    store = open_memory().configuration
    ring = await a_ring(clock, store)
    old = signs(ring)
    await ring.revoke("/", old)
    key = RingDocument.read(await store.get("keys/")).key(old)
    assert key is not None
    assert key.private_key == b""


async def test_standby_takes_over(clock: FrozenClock) -> None:
    """A standby key that relying parties know signs in place of the revoked one, rather than one
    that is newer and unknown; then the newer one; then a key that is made for it."""
    ring = await a_ring(clock)
    known = await ring.generate("/", "ES256")
    clock.advance(MARGIN)
    new = await ring.generate("/", "ES256")
    for expected in (known.kid, new.kid):
        await ring.revoke("/", signs(ring))
        assert signs(ring) == expected
    await ring.revoke("/", signs(ring))
    assert signs(ring) not in (known.kid, new.kid)
    assert sorted(states(ring).values()) == ["active", "revoked", "revoked", "revoked"]


async def test_scheduled_key_takes_over_early(clock: FrozenClock) -> None:
    """A key on its way to take over does so at once if the active one is revoked."""
    ring = await a_ring(clock)
    old = signs(ring)
    new = await ring.rotate("/", "ES256")
    await ring.revoke("/", old)
    assert states(ring) == {old: "revoked", new.kid: "active"}
    clock.advance(MARGIN)
    assert states(ring) == {old: "revoked", new.kid: "active"}


async def test_next_key(clock: FrozenClock) -> None:
    """A key that has not signed yet can be revoked; its rotation is off, and the active key signs
    on as if there had been none."""
    ring = await a_ring(clock)
    old = signs(ring)
    scheduled = await ring.rotate("/", "ES256")
    _, active = await ring.revoke("/", scheduled.kid)
    assert active is not None
    assert active.kid == old
    clock.advance(MARGIN + TAIL)
    await ring.tend({})
    assert states(ring) == {old: "active"}
    standby = await ring.generate("/", "ES256")
    await ring.revoke("/", standby.kid)
    assert (await ring.rotate("/", "ES256")).kid != standby.kid


async def test_retired_key(clock: FrozenClock) -> None:
    """A superseded key can be revoked, and nothing else changes."""
    ring = await a_ring(clock)
    old = signs(ring)
    new = await ring.rotate("/", "ES256")
    clock.advance(MARGIN)
    await ring.revoke("/", old)
    assert states(ring) == {old: "revoked", new.kid: "active"}
    assert old not in published(ring)


async def test_key_before_the_revoked_one_stays_retired(clock: FrozenClock) -> None:
    """An older key never signs again because the one after it was revoked, and it ends when it was
    to end anyway."""
    ring = await a_ring(clock)
    oldest = signs(ring)
    middle = await ring.rotate("/", "ES256")
    clock.advance(MARGIN + 600)
    await ring.revoke("/", middle.kid)
    assert states(ring)[oldest] == "retired"
    assert signs(ring) not in (oldest, middle.kid)
    clock.advance(TAIL - 600 - 1)
    assert oldest in published(ring)
    clock.advance(1)
    assert oldest not in published(ring)


async def test_named_key(clock: FrozenClock) -> None:
    """A key that an instance names is revoked like any other, and stays so."""
    ring = await a_ring(clock)
    old = signs(ring)
    await ring.cover_lifetime("/", 600, [old])
    await ring.revoke("/", old)
    await ring.cover_lifetime("/", 600, [old])
    assert states(ring)[old] == "revoked"
    clock.advance(TAIL)
    await ring.tend({})
    assert old not in states(ring)


async def test_tombstone_lasts_as_long_as_the_tokens(clock: FrozenClock) -> None:
    """A revoked key is remembered until the last token it can have signed has ended."""
    ring = await a_ring(clock)
    await ring.cover_lifetime("/", 24 * 3600)
    old, at = signs(ring), clock.now()
    revoked, _ = await ring.revoke("/", old)
    assert revoked.ends_at == at + 24 * 3600 + CLOCK_SKEW_SECONDS
    ends = datetime.fromtimestamp(revoked.ends_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert revoked.shown()["endsAt"] == ends
    clock.advance(revoked.ends_at - at - 1)
    await ring.tend({})
    assert ring.revoked("/", old)
    clock.advance(1)
    await ring.tend({})
    assert not ring.revoked("/", old)
    assert old not in states(ring)


async def test_revoking_again_changes_nothing(clock: FrozenClock) -> None:
    """A revocation can be repeated: one tombstone, one successor, one announcement."""
    events = RecordingEventSink()
    store = open_memory().configuration
    rings = [await a_ring(clock, store, events=events) for _ in range(3)]
    old = signs(rings[0])
    answers = await asyncio.gather(*(ring.revoke("/", old) for ring in rings))
    assert answers[0] == answers[1] == answers[2]
    assert len(events.events) == 1
    assert len(states(rings[0])) == 2


async def test_unknown_key(clock: FrozenClock) -> None:
    """A kid of nobody, or of another realm, is not found."""
    ring = await a_ring(clock, realms=("/", "/a"))
    for kid in ("nobody", "", signs(ring, RS256, "/a")):
        with pytest.raises(NotFound):
            await ring.revoke("/", kid)


async def test_revoked_key_is_not_imported_again(clock: FrozenClock) -> None:
    """What was compromised does not come back by an import."""
    ring = await a_ring(clock)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    imported = await ring.import_pem("/", pem, None, now=True)
    await ring.revoke("/", imported.kid)
    for now in (False, True):
        with pytest.raises(Conflict, match="was revoked"):
            await ring.import_pem("/", pem, None, now=now)
    assert ring.revoked("/", imported.kid)


async def test_revoking_has_an_end(clock: FrozenClock) -> None:
    """Keys that were revoked do not fill the ring, and no more than a bounded number of them makes
    new ones."""
    ring = await a_ring(clock)
    for _ in range(MAX_KEYS):
        await ring.revoke("/", signs(ring))
    with pytest.raises(Conflict, match="revoked of late"):
        await ring.revoke("/", signs(ring))
    made = await ring.generate("/", "ES256")
    assert made.state == "next"
    await ring.revoke("/", signs(ring))
    assert signs(ring) == made.kid
