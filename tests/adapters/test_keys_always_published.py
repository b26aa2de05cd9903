"""Whatever administrators do, a relying party that keeps the JWKS as it may can verify."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.keys import private_keys
from adapters.keys.ring import KeyRing
from adapters.stores.memory import open_memory
from broker.errors import Conflict
from broker.ports import ConfigurationStore
from tests.support.door import FrozenClock, kept_keys
from tests.support.key_rings import MARGIN, MAX_AGE, a_ring, published, signs

LIFETIME = 3600
ACTIONS = ("generate", "rotate", "tend", "other rotates", "restart", "wait")
WAITS = (0.0, 1.0, MAX_AGE - 1.0, MAX_AGE, MARGIN - 0.5, MARGIN, 1800.0, LIFETIME - 1.0, 4000.0)


@dataclass
class History:
    """What could be fetched when, and what was signed when."""

    clock: FrozenClock
    fetched: list[tuple[float, set[str]]] = field(default_factory=list)
    signed: list[tuple[float, str]] = field(default_factory=list)

    def note(self, ring: KeyRing) -> None:
        self.fetched.append((self.clock.now(), published(ring)))
        self.signed.append((self.clock.now(), signs(ring)))

    def check(self) -> None:
        """Every JWKS that a relying party may hold while a token is good has that token's key."""
        for at, kid in self.signed:
            for fetched_at, kids in self.fetched:
                if at - MAX_AGE <= fetched_at <= at + LIFETIME:
                    assert kid in kids, (at, fetched_at, kid)


async def _live(steps: list[tuple[str, float]]) -> None:
    clock = FrozenClock()
    store = open_memory().configuration
    ring, other = await _broker(clock, store), await _broker(clock, store)
    history = History(clock)
    history.note(ring)
    for action, wait in steps:
        if action == "restart":
            ring = await _broker(clock, store)
        await _act(action, ring, other)
        # A request sees what others changed, since its instance is under the same generation.
        for broker in (ring, other):
            await broker.refresh()
            history.note(broker)
        clock.advance(wait)
        history.note(ring)
        history.note(other)
    history.check()


async def _broker(clock: FrozenClock, store: ConfigurationStore) -> KeyRing:
    return await a_ring(clock, store, rotate_every=5000)


async def _act(action: str, ring: KeyRing, other: KeyRing) -> None:
    try:
        if action == "generate":
            await ring.generate("/", "ES256")
        elif action == "rotate":
            await asyncio.gather(ring.rotate("/", "ES256"), other.rotate("/", "ES256"))
        elif action == "other rotates":
            await other.rotate("/", "ES256")
        elif action == "tend":
            await asyncio.gather(ring.tend({}), other.tend({}))
    except Conflict:  # the ring is full
        assert len(ring.list("/")) > 10


@pytest.fixture
def _kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_keys, "generated", kept_keys())


@pytest.mark.usefixtures("_kept")
@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.sampled_from(WAITS)), max_size=15))
def test_relying_parties_always_have_the_key(steps: list[tuple[str, float]]) -> None:
    """Under any sequence of rotations by any broker, no token is signed with a key that a JWKS of
    the last ``jwks_max_age`` lacks, and none loses its key before it ends."""
    asyncio.run(_live(steps))


@pytest.mark.usefixtures("_kept")
@pytest.mark.parametrize("pair", list(itertools.product(ACTIONS[:4], repeat=2)), ids="-".join)
def test_every_pair_of_steps_at_every_distance(pair: tuple[str, str]) -> None:
    """The same, for all pairs of actions and all waits between and after them."""
    for between, after in itertools.product(WAITS, repeat=2):
        asyncio.run(_live([(pair[0], between), (pair[1], after), ("wait", MARGIN)]))
