"""Keys of every algorithm: made when they are first needed, one for each, true in the JWKS."""

from __future__ import annotations

import asyncio
import json

import jwt
import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from adapters.keys.private_keys import ALGORITHMS
from adapters.keys.ring import TEND_SECONDS, KeyRing
from adapters.keys.ring_changes import MAX_KEYS
from adapters.stores.memory import open_memory
from broker.errors import Conflict, KeyUnavailable
from broker.instance import SigningKey
from broker.model import Secret
from tests.support.door import FrozenClock
from tests.support.key_rings import MARGIN, TAIL, a_ring, published, signs, states

LATER = [name for name in ALGORITHMS if name not in ("RS256", "ES256")]
QUICK = ["ES384", "ES512", "EdDSA", "Ed25519"]  # no RSA key is made for them
DATA = b"eyJhbGciOiJub25lIn0.e30"


def row(ring: KeyRing, kid: str) -> dict[str, str]:
    [found] = [key for key in ring.jwks("/")["keys"] if key["kid"] == kid]
    return dict(found)


async def test_only_the_usual_keys_at_first(clock: FrozenClock) -> None:
    """A new realm has one key for RS256 and one for ES256, and none for anything else."""
    ring = await a_ring(clock)
    assert sorted(key.algorithm for key in ring.list("/")) == ["ES256", "RS256"]
    for algorithm in LATER:
        with pytest.raises(KeyUnavailable, match=f"no active key for {algorithm}"):
            ring.key_id("/", SigningKey(algorithm))


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # by RFC 9864, for its other name
@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_first_key_of_an_algorithm(algorithm: str, clock: FrozenClock) -> None:
    """Once an algorithm is needed there is one key for it, in the JWKS under its true name, and
    another library verifies what it signs with that JWK."""
    ring = await a_ring(clock)
    await ring.cover_lifetime("/", 600, (), [algorithm])
    key = SigningKey(algorithm)
    kid = signs(ring, key)
    signer = ring.signer("/", key, kid)
    assert states(ring, algorithm) == {kid: "active"}
    shown = row(ring, kid)
    assert (shown["alg"], shown["use"]) == (algorithm, "sig")
    assert signer.public_jwk == shown
    data = _base64url(json.dumps({"alg": algorithm, "kid": kid}).encode()) + b".e30"
    token = data + b"." + _base64url(await signer.sign(data))
    found = jws.deserialize_compact(
        token, KeySet.import_key_set({"keys": [shown]}), algorithms=[algorithm]
    )
    assert found.payload == b"{}"
    if algorithm != "Ed25519":  # a name that this library does not know yet
        assert jwt.PyJWS().decode(token, jwt.PyJWK(shown), algorithms=[algorithm]) == b"{}"


def _base64url(data: bytes) -> bytes:
    return jwt.utils.base64url_encode(data)


async def test_one_key_however_many_ask(clock: FrozenClock) -> None:
    """Brokers that need an algorithm at the same moment end with one key for it, all the same."""
    store = open_memory().configuration
    rings = [await a_ring(clock, store) for _ in range(4)]
    await asyncio.gather(*(ring.cover_lifetime("/", 0, (), QUICK) for ring in rings))
    for ring in rings:
        await ring.refresh()
    for algorithm in QUICK:
        assert len({signs(ring, SigningKey(algorithm)) for ring in rings}) == 1
        assert len(states(rings[0], algorithm)) == 1
    before = rings[0].list("/")
    await rings[1].cover_lifetime("/", 0, (), QUICK)
    assert rings[1].list("/") == before


async def test_what_has_no_keys_is_passed_over(clock: FrozenClock) -> None:
    """Secrets, unsigned tokens and SHA-1 need no key of their own."""
    ring = await a_ring(clock)
    before = ring.list("/")
    await ring.cover_lifetime("/", 0, (), ["HS512", "NONE", "RS1", "RS256"])
    assert ring.list("/") == before


async def test_key_serves_one_algorithm(clock: FrozenClock) -> None:
    """A key that is named signs with its own algorithm and with no other that its kind could."""
    ring = await a_ring(clock)
    kid = signs(ring, SigningKey("RS256"))
    for algorithm in ("RS384", "PS256", "ES256", "EdDSA"):
        with pytest.raises(KeyUnavailable, match=f"not one for {algorithm}"):
            ring.key_id("/", SigningKey(algorithm, alias=kid))


async def test_sha1_is_signed_with_the_usual_rsa_key(clock: FrozenClock) -> None:
    """Service providers that still want SHA-1 see the certificate of the RS256 key."""
    ring = await a_ring(clock)
    kid = signs(ring, SigningKey("RS256"))
    legacy = SigningKey("RS1")
    assert signs(ring, legacy) == kid
    signer = ring.signer("/", legacy, kid)
    usual = ring.signer("/", SigningKey("RS256"), kid)
    assert (signer.algorithm, signer.certificate) == ("RS1", usual.certificate)
    assert await signer.sign(DATA) != await usual.sign(DATA)
    assert row(ring, kid)["alg"] == "RS256"


async def test_secret_signs_with_its_hash(clock: FrozenClock) -> None:
    """A client secret signs with the HMAC that its instance names, under no kid."""
    ring = await a_ring(clock)
    secret = Secret("s" * 64)
    for algorithm, size in (("HS256", 32), ("HS384", 48), ("HS512", 64)):
        key = SigningKey(algorithm, secret=secret)
        assert ring.key_id("/", key) is None
        signer = ring.signer("/", key, None)
        assert (signer.algorithm, signer.public_jwk) == (algorithm, None)
        assert len(await signer.sign(DATA)) == size


@pytest.mark.parametrize("algorithm", QUICK)
async def test_rotation(algorithm: str, clock: FrozenClock) -> None:
    """A key of any kind is followed by one of its kind, as soon as relying parties can know it."""
    ring = await a_ring(clock)
    await ring.cover_lifetime("/", 0, (), [algorithm])
    first = signs(ring, SigningKey(algorithm))
    second = (await ring.rotate("/", algorithm)).kid
    assert signs(ring, SigningKey(algorithm)) == first
    assert {first, second} <= published(ring)
    clock.advance(MARGIN)
    assert signs(ring, SigningKey(algorithm)) == second
    clock.advance(TAIL)
    await ring.tend()
    assert states(ring, algorithm) == {second: "active"}


async def test_revocation(clock: FrozenClock) -> None:
    """A revoked key of any kind is replaced at once by another of its kind."""
    ring = await a_ring(clock)
    await ring.cover_lifetime("/", 0, (), ["EdDSA"])
    first = signs(ring, SigningKey("EdDSA"))
    _, active = await ring.revoke("/", first)
    assert active is not None
    assert signs(ring, SigningKey("EdDSA")) == active.kid != first
    assert first not in published(ring)


async def test_old_keys_of_every_kind_are_rotated(clock: FrozenClock) -> None:
    """With an age at which keys are replaced, that goes for keys that came later, too."""
    ring = await a_ring(clock, rotate_every=10_000)
    await ring.cover_lifetime("/", 0, (), ["ES384"])
    first = signs(ring, SigningKey("ES384"))
    clock.advance(10_000)
    await ring.tend()
    clock.advance(MARGIN + 2 * TEND_SECONDS)
    assert signs(ring, SigningKey("ES384")) != first


async def test_full_ring(clock: FrozenClock) -> None:
    """A ring that is full gets no key for another algorithm, and says why."""
    ring = await a_ring(clock)
    for _ in range(MAX_KEYS - len(ring.list("/"))):
        await ring.generate("/", "ES256")
    with pytest.raises(Conflict, match=f"{MAX_KEYS} keys"):
        await ring.cover_lifetime("/", 0, (), ["ES384"])
    assert not states(ring, "ES384")


async def test_no_new_kind_beside_older_brokers(clock: FrozenClock) -> None:
    """While brokers that could not read such a key may share the store, none is made."""

    async def not_yet() -> bool:
        return False

    ring = await a_ring(clock, may_change=not_yet)
    with pytest.raises(Conflict, match="remint store migrate"):
        await ring.cover_lifetime("/", 0, (), ["EdDSA"])
    assert not states(ring, "EdDSA")
