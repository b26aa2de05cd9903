"""Keys that requests are encrypted to: in the JWKS, shared, rotated, and apart from those that
sign."""

from __future__ import annotations

import asyncio

import pytest

from adapters.keys.encryption import QUEUED_SECONDS
from adapters.keys.ring import KeyRing
from adapters.stores.memory import open_memory
from broker.errors import KeyUnavailable, Unavailable
from broker.instance import SigningKey
from broker.ports import ConfigurationStore
from tests.support.door import FrozenClock
from tests.support.key_rings import MAX_AGE, a_ring

KEEP = MAX_AGE + QUEUED_SECONDS
DAY = 24 * 3600.0


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def store() -> ConfigurationStore:
    return open_memory().configuration


def offered(ring: KeyRing, realm: str = "/") -> dict[str, str]:
    """kid by algorithm, of the keys to encrypt to."""
    return {key["alg"]: key["kid"] for key in ring.jwks(realm)["keys"] if key["use"] == "enc"}


async def test_one_of_each_algorithm(clock: FrozenClock) -> None:
    """Each realm offers a P-256 key and an RSA key of its own, after those that sign."""
    ring = await a_ring(clock, realms=("/", "/sales"))
    assert set(offered(ring)) == {"ECDH-ES", "RSA-OAEP-256"}
    assert not set(offered(ring).values()) & set(offered(ring, "/sales").values())
    assert [key["use"] for key in ring.jwks("/")["keys"]] == ["sig", "sig", "enc", "enc"]


async def test_brokers_agree(clock: FrozenClock, store: ConfigurationStore) -> None:
    """Of brokers that start at once, one makes the keys, and a later start makes none."""
    rings = await asyncio.gather(*(a_ring(clock, store) for _ in range(5)))
    for ring in rings:
        await ring.refresh()
    again = await a_ring(clock, store)
    assert all(offered(ring) == offered(again) for ring in rings)


async def test_realm_of_an_earlier_version(clock: FrozenClock, store: ConfigurationStore) -> None:
    """A realm that has signing keys alone gets its encryption keys at the next start."""
    ring = await a_ring(clock, store)
    signing = ring.list("/")
    await ring.encryption.forget("/")
    assert offered(ring) == {}
    later = await a_ring(clock, store)
    assert later.list("/") == signing
    assert len(offered(later)) == 2


async def test_they_never_sign(clock: FrozenClock) -> None:
    """No instance can name an encryption key to sign with, and no signing key decrypts."""
    ring = await a_ring(clock)
    for kid in offered(ring).values():
        for algorithm in ("RS256", "ES256", "ECDH-ES", "RSA-OAEP-256"):
            with pytest.raises(KeyUnavailable):
                ring.signer("/", SigningKey(algorithm, kid), kid)
    for key in ring.list("/"):
        assert await ring.encryption.find(key.kid) is None


@pytest.mark.parametrize("algorithm", ["ECDH-ES", "RSA-OAEP-256"])
async def test_rotation(clock: FrozenClock, algorithm: str) -> None:
    """A new key is offered at once; the old one decrypts for the age of a JWKS and a day more."""
    ring = await a_ring(clock)
    old = offered(ring)[algorithm]
    await ring.encryption.rotate("/", algorithm)
    assert offered(ring)[algorithm] != old
    clock.advance(KEEP - 1)
    await ring.tend({})
    assert await ring.encryption.find(old) is not None
    clock.advance(1)
    assert await ring.encryption.find(old) is None
    await ring.tend({})
    assert old.encode() not in (await _document(ring))


async def test_rotated_by_age(clock: FrozenClock, store: ConfigurationStore) -> None:
    """With keys.rotate_every they are replaced when they are old enough, once for all brokers."""
    ring, other = [await a_ring(clock, store, rotate_every=int(DAY)) for _ in range(2)]
    first = offered(ring)
    clock.advance(DAY - 1)
    await ring.tend({})
    assert offered(ring) == first
    clock.advance(1)
    await asyncio.gather(ring.tend({}), other.tend({}))
    for each in (ring, other):
        await each.refresh()
    assert not set(offered(ring).values()) & set(first.values())
    assert offered(ring) == offered(other)


async def test_key_that_is_news(clock: FrozenClock, store: ConfigurationStore) -> None:
    """A request under a key that another broker has just made is decrypted without delay."""
    ring, other = await a_ring(clock, store), await a_ring(clock, store)
    await other.encryption.rotate("/", "ECDH-ES")
    kid = offered(other)["ECDH-ES"]
    assert kid not in offered(ring).values()
    assert await ring.encryption.find(kid) is not None


async def test_realm_that_is_gone(clock: FrozenClock, store: ConfigurationStore) -> None:
    """With a realm go its encryption keys, for every broker."""
    ring = await a_ring(clock, store, realms=("/", "/sales"))
    other = await a_ring(clock, store)
    await other.refresh()
    kid = offered(ring, "/sales")["ECDH-ES"]
    assert await other.encryption.find(kid) is not None
    await ring.forget("/sales")
    await other.refresh()
    assert await other.encryption.find(kid) is None
    assert offered(other, "/sales") == {}


async def test_broken_document(clock: FrozenClock, store: ConfigurationStore) -> None:
    """A document that cannot be read never takes the place of good keys, nor is it replaced."""
    ring = await a_ring(clock, store)
    known = offered(ring)
    assert await store.swap("encryption/", await store.get("encryption/"), b"{")
    await ring.refresh()
    assert offered(ring) == known
    with pytest.raises(Unavailable):
        await ring.encryption.ensure("/")
    assert await store.get("encryption/") == b"{"


async def test_nothing_private_is_shown(clock: FrozenClock) -> None:
    """Neither the JWKS nor what is printed of a key holds its private half."""
    ring = await a_ring(clock)
    key = await ring.encryption.find(offered(ring)["ECDH-ES"])
    assert key is not None
    assert "private" not in repr(key)
    members = {"kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"}
    assert all(set(shown) <= members for shown in ring.jwks("/")["keys"])


async def _document(ring: KeyRing) -> bytes:
    found = await ring.encryption._configuration.get("encryption/")
    assert found is not None
    return found
