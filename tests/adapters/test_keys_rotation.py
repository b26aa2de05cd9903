"""Rotation: each state and the moment it changes, kills at every step, many brokers, needs."""

from __future__ import annotations

import asyncio

import pytest

from adapters.keys.ring import PROPAGATION_SECONDS, TEND_SECONDS, KeyRing
from adapters.keys.ring_changes import MAX_KEYS, KeyNeeds
from adapters.keys.ring_document import CLOCK_SKEW_SECONDS, LONGEST_LIFETIME_FLOOR
from adapters.stores.memory import open_memory
from broker.errors import Conflict, InvalidRequest, KeyUnavailable, Unavailable
from broker.events import KeyRotated
from broker.instance import SigningKey
from broker.testing.fakes import RecordingEventSink
from tests.support.door import FrozenClock
from tests.support.key_rings import (
    ES256,
    MARGIN,
    MAX_AGE,
    RS256,
    TAIL,
    FailingStore,
    a_ring,
    published,
    signs,
    states,
)

pytestmark = pytest.mark.usefixtures("quick_keys")

DAY = 24 * 3600


# -- the states of a key, one after the other ----------------------------------------------------


async def test_generated_key_is_published_and_does_not_sign(clock: FrozenClock) -> None:
    """A standby key stands in the JWKS and waits, however long; the active one signs on."""
    ring = await a_ring(clock)
    old = signs(ring)
    new = await ring.generate("/", "ES256")
    assert (new.state, new.signs_from) == ("next", None)
    for _ in range(3):
        assert states(ring) == {old: "active", new.kid: "next"}
        assert new.kid in published(ring)
        assert signs(ring) == old
        clock.advance(DAY)
        await ring.tend({})


async def test_rotation_from_first_to_last(clock: FrozenClock) -> None:
    """The new key is published, takes over at its time to the second, and the old one stays in the
    JWKS until its last token has ended; then it is gone."""
    ring = await a_ring(clock)
    old, began = signs(ring), clock.now()
    new = await ring.rotate("/", "ES256")
    assert (new.state, new.signs_from) == ("next", began + MARGIN)
    clock.advance(MARGIN - 0.001)
    assert states(ring) == {old: "active", new.kid: "next"}
    clock.advance(0.001)
    assert states(ring) == {old: "retired", new.kid: "active"}
    assert ring.signer("/", ES256, old).kid == old
    clock.advance(TAIL - 0.001)
    await ring.tend({})
    assert old in published(ring)
    assert ring.signer("/", ES256, old).kid == old
    clock.advance(0.001)
    assert published(ring) & {old, new.kid} == {new.kid}
    with pytest.raises(KeyUnavailable):
        ring.signer("/", ES256, old)
    assert old in states(ring)
    await ring.tend({})
    assert states(ring) == {new.kid: "active"}


async def test_last_token_of_a_key_can_be_verified(clock: FrozenClock) -> None:
    """A token that was signed for an hour a moment before the takeover finds its key in the JWKS
    for that hour, and for a verifier whose clock is five minutes behind."""
    ring = await a_ring(clock)
    old = signs(ring)
    await ring.rotate("/", "ES256")
    clock.advance(MARGIN - 1)
    assert signs(ring) == old
    clock.advance(3600 + 300)
    await ring.tend({})
    assert old in published(ring)


async def test_rotation_of_one_algorithm_leaves_the_other(clock: FrozenClock) -> None:
    """The keys of another algorithm do not take part."""
    ring = await a_ring(clock)
    rsa, curve = signs(ring, RS256), signs(ring)
    await ring.rotate("/", "ES256")
    clock.advance(MARGIN)
    assert signs(ring) != curve
    assert signs(ring, RS256) == rsa
    clock.advance(TAIL)
    await ring.tend({})
    assert states(ring, "RS256") == {rsa: "active"}


async def test_known_standby_takes_over_at_once(clock: FrozenClock) -> None:
    """A standby key that was published for long enough signs from the moment of the rotation; one
    that was not waits for the rest; of several the first that was published is taken."""
    ring = await a_ring(clock)
    first = await ring.generate("/", "ES256")
    clock.advance(100)
    second = await ring.generate("/", "ES256")
    clock.advance(MARGIN - 100)
    taken = await ring.rotate("/", "ES256")
    assert (taken.kid, taken.state, taken.signs_from) == (first.kid, "active", clock.now())
    assert signs(ring) == first.kid
    taken = await ring.rotate("/", "ES256")
    assert (taken.kid, taken.state, taken.signs_from) == (second.kid, "next", clock.now() + 100)


async def test_rotation_can_be_repeated(clock: FrozenClock) -> None:
    """While a key is on its way to take over, a rotation is that one and changes nothing."""
    events = RecordingEventSink()
    ring = await a_ring(clock, events=events)
    new = await ring.rotate("/", "ES256")
    clock.advance(100)
    assert await ring.rotate("/", "ES256") == new
    assert len(states(ring)) == 2
    assert events.events == [
        KeyRotated(clock.now() - 100, "/", new.kid, "ES256", new.signs_from or 0.0)
    ]


async def test_no_such_algorithm(clock: FrozenClock) -> None:
    """Keys are made for the algorithms that are offered, and for no other."""
    ring = await a_ring(clock)
    for algorithm in ("HS256", "none", ""):
        for change in (ring.generate, ring.rotate):
            with pytest.raises(InvalidRequest, match="keys are made for one of RS256"):
                await change("/", algorithm)


async def test_ring_has_a_limit(clock: FrozenClock) -> None:
    """A realm holds so many keys and no more; there is room again when the old ones ended."""
    ring = await a_ring(clock)
    for _ in range(MAX_KEYS - 2):
        await ring.generate("/", "ES256")
    with pytest.raises(Conflict, match="wait until the retired ones end"):
        await ring.generate("/", "ES256")
    clock.advance(MARGIN)
    first = await ring.rotate("/", "ES256")
    assert first.state == "active"
    with pytest.raises(Conflict):
        await ring.rotate("/", "RS256")
    clock.advance(TAIL)
    await ring.tend({})
    assert (await ring.rotate("/", "RS256")).state == "next"


async def test_older_brokers_on_the_store(clock: FrozenClock) -> None:
    """Until the store is migrated no key changes, and the answer says how to get there."""
    migrated = False

    async def may_change() -> bool:
        return migrated

    ring = await a_ring(clock, may_change=may_change, rotate_every=600)
    before = ring.list("/")
    clock.advance(DAY)
    await ring.tend({})
    for refused in (
        ring.generate("/", "ES256"),
        ring.rotate("/", "ES256"),
        ring.revoke("/", signs(ring)),
    ):
        with pytest.raises(Conflict, match="remint store migrate"):
            await refused
    assert ring.list("/") == before
    migrated = True
    assert (await ring.rotate("/", "ES256")).state == "next"


# -- what instances need -------------------------------------------------------------------------


async def test_overlap_is_the_longest_lifetime(clock: FrozenClock) -> None:
    """A longer token lifetime is allowed for before it is used, whenever it is announced, and never
    forgotten."""
    ring = await a_ring(clock)
    old = signs(ring)
    await ring.cover_lifetime("/", DAY)
    await ring.cover_lifetime("/", 60)
    await ring.rotate("/", "ES256")
    clock.advance(MARGIN)
    clock.advance(DAY + CLOCK_SKEW_SECONDS - 1)
    await ring.tend({})
    assert old in published(ring)
    clock.advance(1)
    await ring.tend({})
    assert old not in states(ring)


async def test_lifetime_that_is_known_costs_nothing(clock: FrozenClock) -> None:
    """The store is asked only if there is something new to remember."""
    store = FailingStore(open_memory().configuration)
    ring = await a_ring(clock, store)
    await ring.cover_lifetime("/", DAY, [signs(ring)])
    store.mend()
    await ring.cover_lifetime("/", DAY, [signs(ring)])
    await ring.cover_lifetime("/", LONGEST_LIFETIME_FLOOR)
    await ring.tend({"/": KeyNeeds(DAY, frozenset({signs(ring)}))})
    assert store.calls == 0


async def test_key_that_an_instance_names_is_kept(clock: FrozenClock) -> None:
    """A retired key signs for instances that name it, as long as there are any, and stays in the
    JWKS for their tokens after that."""
    ring = await a_ring(clock)
    old = signs(ring)
    named = SigningKey("ES256", alias=old)
    await ring.cover_lifetime("/", 600, [old])
    await ring.rotate("/", "ES256")
    needs = {"/": KeyNeeds(600, frozenset({old}))}
    for _ in range(3):
        clock.advance(DAY)
        await ring.tend(needs)
        assert states(ring)[old] == "retired"
        assert ring.key_id("/", named) == old
        assert old in published(ring)
    await ring.tend(None)
    assert ring.key_id("/", named) == old
    await ring.tend({})
    clock.advance(TAIL - 1)
    await ring.tend({})
    assert old in published(ring)
    clock.advance(1)
    await ring.tend({})
    assert old not in states(ring)


async def test_needs_of_instances_that_are_there_already(clock: FrozenClock) -> None:
    """What stored instances need is looked after by the chore, whoever stored them."""
    ring = await a_ring(clock)
    old = signs(ring)
    await ring.tend({"/": KeyNeeds(DAY, frozenset({old}))})
    await ring.rotate("/", "ES256")
    clock.advance(MARGIN + DAY)
    await ring.tend({"/": KeyNeeds(0, frozenset({old}))})
    assert old in published(ring)
    await ring.tend({})
    clock.advance(DAY)
    assert old in published(ring)


async def test_new_key_cannot_be_named_before_it_is_known(clock: FrozenClock) -> None:
    """An instance that names a key by its kid waits until relying parties can know that key."""
    ring = await a_ring(clock)
    new = await ring.generate("/", "ES256")
    named = SigningKey("ES256", alias=new.kid)
    with pytest.raises(KeyUnavailable, match="use it from 2027-01-15T08:05:05Z on"):
        ring.key_id("/", named)
    clock.advance(MARGIN)
    assert ring.key_id("/", named) == new.kid


# -- rotation by the clock -----------------------------------------------------------------------


async def test_scheduled_rotation(clock: FrozenClock) -> None:
    """With an age set, the successor is published beforehand and takes over at that age; a broker
    that was stopped over that moment catches up without a token under an unknown key."""
    ring = await a_ring(clock, rotate_every=DAY)
    old, began = signs(ring), clock.now()
    clock.advance(DAY - MARGIN - 2 * TEND_SECONDS - 1)
    await ring.tend({})
    assert set(states(ring).values()) == {"active"}
    clock.advance(1)
    await ring.tend({})
    await ring.tend({})
    new = next(key for key in ring.list("/") if key.kid != old and key.algorithm == "ES256")
    assert len(states(ring)) == len(states(ring, "RS256")) == 2
    assert new.signs_from == began + DAY
    clock.advance(3 * DAY)
    assert signs(ring) == new.kid
    await ring.tend({})
    late = [key for key in ring.list("/") if key.state == "next" and key.algorithm == "ES256"]
    assert [key.signs_from for key in late] == [clock.now() + MARGIN]


async def test_no_rotation_by_the_clock_unless_asked(clock: FrozenClock) -> None:
    """Without an age set no key is ever replaced by itself: relying parties may have pinned it."""
    ring = await a_ring(clock)
    before = states(ring)
    clock.advance(3650 * DAY)
    await ring.tend({})
    assert states(ring) == before


async def test_one_of_many_brokers_rotates(clock: FrozenClock) -> None:
    """However many brokers look after the keys at once, there is one successor."""
    store = open_memory().configuration
    events = RecordingEventSink()
    rings = [await a_ring(clock, store, rotate_every=DAY, events=events) for _ in range(4)]
    clock.advance(DAY)
    await asyncio.gather(*(ring.tend({}) for ring in rings))
    for ring in rings:
        await ring.refresh()
        assert len(states(ring)) == len(states(ring, "RS256")) == 2
    assert len(events.events) == 2


# -- brokers side by side, and brokers that die --------------------------------------------------


async def test_brokers_that_rotate_at_once_have_one_successor(clock: FrozenClock) -> None:
    """Rotations asked of several brokers at once are one rotation."""
    store = open_memory().configuration
    events = RecordingEventSink()
    rings = [await a_ring(clock, store, events=events) for _ in range(4)]
    rotated = await asyncio.gather(*(ring.rotate("/", "ES256") for ring in rings))
    assert len({key.kid for key in rotated}) == 1
    assert len(events.events) == 1
    await rings[0].refresh()
    assert len(states(rings[0])) == 2


async def test_slow_write_postpones_the_takeover(clock: FrozenClock) -> None:
    """A key that took long to be stored counts as published when it was, so that it is never signed
    with before relying parties can have it; a key that is known already is not affected."""
    store = FailingStore(open_memory().configuration, clock)
    ring = await a_ring(clock, store)
    store.swap_seconds = PROPAGATION_SECONDS + 1.0
    new = await ring.rotate("/", "ES256")
    assert (new.signs_from or 0) >= clock.now() - store.swap_seconds + MARGIN
    spare = await ring.generate("/", "RS256")
    assert spare.published_at >= clock.now() - store.swap_seconds
    clock.advance(2 * MARGIN)
    assert (await ring.rotate("/", "RS256")).state == "active"


def _cuts() -> list[tuple[int, bool]]:
    return [(call, applied) for call in range(4) for applied in (False, True)]


@pytest.mark.parametrize(("call", "applied"), _cuts())
@pytest.mark.parametrize("action", ["generate", "rotate", "revoke", "tend"])
async def test_broker_killed_in_the_middle(
    action: str, call: int, applied: bool, clock: FrozenClock
) -> None:
    """A broker that dies at any call to the store leaves a ring that needs no mending: its
    successor does the same again, signs all the time, and only with what is published."""
    inner = open_memory().configuration
    store = FailingStore(inner)
    dying = await a_ring(clock, store, rotate_every=DAY if action == "tend" else 0)
    old = signs(dying)
    clock.advance(DAY)
    store.end_at(call, applied=applied)
    try:
        await _act(dying, action, old)
    except Unavailable:
        assert action != "tend"
    # The next broker on the same store; the dead one takes no further part.
    ring = await a_ring(clock, inner, rotate_every=DAY if action == "tend" else 0)
    known = published(ring)
    if not (action == "revoke" and ring.revoked("/", old)):
        assert signs(ring) == old
    await _act(ring, action, old)
    for _ in range(12):
        assert signs(ring) in published(ring)
        assert signs(ring) in known or action == "revoke"
        known = published(ring)
        clock.advance(MAX_AGE)
    successors = set(states(ring)) - {old}
    assert 1 <= len(successors) <= (2 if action == "generate" else 1)


async def _act(ring: KeyRing, action: str, old: str) -> None:
    if action == "generate":
        await ring.generate("/", "ES256")
    elif action == "rotate":
        await ring.rotate("/", "ES256")
    elif action == "revoke":
        await ring.revoke("/", old)
    else:
        await ring.tend({})


async def test_realm_that_goes_away_while_keys_are_looked_after(clock: FrozenClock) -> None:
    """A realm that is removed in the middle of the chore neither comes back nor holds it up."""
    store = open_memory().configuration
    leaving: list[str] = []

    async def may_change() -> bool:
        for realm in leaving:
            await ring.forget(realm)
        return True

    ring = await a_ring(
        clock, store, realms=("/a", "/b", "/"), may_change=may_change, rotate_every=DAY
    )
    clock.advance(DAY)
    leaving += ["/a", "/b"]
    await ring.tend({})
    assert list(await store.list()) == ["encryption/", "keys/"]
    assert len(states(ring)) == 2
