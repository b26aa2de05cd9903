"""The key ring: first sets of keys, looking keys up, certificates, and what brokers share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc.jwk import KeySet

from adapters.keys import private_keys
from adapters.keys.ring_document import RingDocument
from adapters.stores.memory import open_memory
from broker.errors import KeyUnavailable, Unavailable
from broker.instance import SigningKey
from broker.model import Announcement, Secret
from broker.ports import ConfigurationStore, Signer
from tests.support.door import FrozenClock
from tests.support.key_rings import (
    ES256,
    RS256,
    FailingStore,
    a_ring,
    published,
    signs,
    states,
)

pytestmark = pytest.mark.usefixtures("quick_keys")


async def test_first_start_makes_one_set_for_each_realm(clock: FrozenClock) -> None:
    """Every realm gets an active RSA and an active P-256 key of its own, published at once."""
    ring = await a_ring(clock, realms=("/", "/fred/bobo"))
    shown = [[key.shown() for key in ring.list(realm)] for realm in ("/", "/fred/bobo")]
    for keys in shown:
        assert sorted(key["algorithm"] for key in keys) == ["ES256", "RS256"]
        assert {key["state"] for key in keys} == {"active"}
        assert {key["created"] for key in keys} == {"2027-01-15T08:00:00Z"}
    assert len({key["kid"] for keys in shown for key in keys}) == 4
    assert published(ring) == {key["kid"] for key in shown[0]}


async def test_second_start_finds_the_same_keys(clock: FrozenClock) -> None:
    """Keys are made once and kept, and read by whoever shares the store."""
    store = open_memory().configuration
    first = await a_ring(clock, store)
    again = await a_ring(clock, store)
    assert again.list("/") == first.list("/")
    assert again.jwks("/") == first.jwks("/")


async def test_brokers_that_start_at_once_end_with_one_set(clock: FrozenClock) -> None:
    """Of several brokers on an empty store each ends up with the same keys."""
    store = open_memory().configuration
    rings = await asyncio.gather(*(a_ring(clock, store, realms=("/", "/a")) for _ in range(4)))
    for ring in rings:
        await ring.refresh()
        assert [ring.list(realm) for realm in ("/", "/a")] == [
            rings[0].list(realm) for realm in ("/", "/a")
        ]
    assert len(rings[0].list("/")) == 2


async def verified(signer: Signer, data: bytes) -> None:
    """By the certificate, with nothing but the cryptography library; raises if it is not."""
    signature = await signer.sign(data)
    public: Any = x509.load_der_x509_certificate(signer.certificate or b"").public_key()
    if signer.algorithm == "RS256":
        public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    else:
        assert len(signature) == 64
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        public.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("key", [RS256, ES256])
async def test_active_key_signs(key: SigningKey, clock: FrozenClock) -> None:
    """The active key of the algorithm's kind signs, also once it was read from the store again,
    and its own certificate verifies it."""
    store = open_memory().configuration
    for ring in (await a_ring(clock, store), await a_ring(clock, store)):
        kid = ring.key_id("/", key)
        signer = ring.signer("/", key, kid)
        assert (signer.kid, signer.algorithm) == (kid, key.algorithm)
        for number in range(20):
            await verified(signer, b"data %d" % number)
        by_name = SigningKey(key.algorithm, alias=str(kid))
        assert ring.key_id("/", by_name) == kid


async def test_secret_signs_without_a_name(clock: FrozenClock) -> None:
    """HS256 uses the instance's secret: no kid, no certificate, nothing public."""
    ring = await a_ring(clock)
    key = SigningKey("HS256", secret=Secret("Jefe"))
    assert ring.key_id("/", key) is None
    signer = ring.signer("/", key, None)
    assert (signer.algorithm, signer.certificate, signer.public_jwk) == ("HS256", None, None)
    # RFC 4231, section 4.3.
    assert (await signer.sign(b"what do ya want for nothing?")).hex() == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
    with pytest.raises(KeyUnavailable):
        ring.signer("/", SigningKey("HS256"), None)


async def test_key_that_is_not_there_is_a_conflict(clock: FrozenClock) -> None:
    """A kid of nobody, of another realm or of another kind is refused, and so is an empty realm."""
    ring = await a_ring(clock, realms=("/", "/a"))
    elsewhere, curve = signs(ring, RS256, "/a"), signs(ring, ES256)
    for alias in ("nobody", "", elsewhere, curve):
        with pytest.raises(KeyUnavailable):
            ring.key_id("/", SigningKey("RS256", alias=alias))
        with pytest.raises(KeyUnavailable):
            ring.signer("/", RS256, alias)
    with pytest.raises(KeyUnavailable):
        ring.signer("/", RS256, None)
    with pytest.raises(KeyUnavailable):
        ring.key_id("/unknown", RS256)
    with pytest.raises(KeyUnavailable):
        ring.key_id("/", SigningKey("PS256"))
    assert ring.jwks("/unknown") == {"keys": []}
    assert not ring.revoked("/unknown", curve)


async def test_certificate_is_self_signed_for_ten_years(clock: FrozenClock) -> None:
    """Each key starts with a certificate of its own that names the realm and allows no more."""
    ring = await a_ring(clock, realms=("/fred",))
    for key in (RS256, ES256):
        signer = ring.signer("/fred", key, ring.key_id("/fred", key))
        found = x509.load_der_x509_certificate(signer.certificate or b"")
        found.verify_directly_issued_by(found)
        assert found.subject.rfc4514_string() == "CN=Remint /fred"
        assert found.not_valid_before_utc.timestamp() <= clock.now()
        assert 3650 <= (found.not_valid_after_utc - found.not_valid_before_utc).days <= 3654
        assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert found.signature_hash_algorithm is not None
        assert found.signature_hash_algorithm.name == "sha256"


async def test_long_realm_still_has_a_certificate(clock: FrozenClock) -> None:
    """A realm longer than a common name may be is cut there."""
    ring = await a_ring(clock, realms=("/" + "r" * 100,))
    assert len(ring.list("/" + "r" * 100)) == 2


async def test_realms_come_and_go(clock: FrozenClock) -> None:
    """A realm that is made gets its keys, one that is gone loses them, at every broker."""
    store = open_memory().configuration
    ring, other = await a_ring(clock, store), await a_ring(clock, store)
    await ring.ensure("/later")
    await ring.ensure("/later/")
    before = ring.list("/later")
    assert len(before) == 2
    assert await other.refresh()
    assert other.list("later/") == before
    await other.forget("/later")
    assert other.list("/later") == []
    await ring.refresh()
    assert ring.list("/later") == []
    assert len(ring.list("/")) == 2
    await ring.forget("/never")


async def test_jwks_shows_public_keys_and_nothing_private(clock: FrozenClock) -> None:
    """Each key is in the set with its thumbprint, use and algorithm, and no private member."""
    ring = await a_ring(clock)
    await ring.generate("/", "ES256")
    jwks: Any = ring.jwks("/")
    signing = [key["kid"] for key in jwks["keys"] if key["use"] == "sig"]
    assert signing == [key.kid for key in ring.list("/")]
    assert len(jwks["keys"]) == 5
    algorithms = {
        ("sig", "RSA"): "RS256",
        ("sig", "EC"): "ES256",
        ("enc", "RSA"): "RSA-OAEP-256",
        ("enc", "EC"): "ECDH-ES",
    }
    for key, judged in zip(jwks["keys"], KeySet.import_key_set(jwks).keys, strict=True):
        assert key["kid"] == judged.thumbprint()
        assert not judged.is_private
        assert key["alg"] == algorithms[key["use"], key["kty"]]
        assert set(key) <= {"kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"}


async def test_other_broker_s_change_is_seen(clock: FrozenClock) -> None:
    """What one broker changed another has after a refresh, and no key is parsed a second time."""
    store = open_memory().configuration
    ring, other = await a_ring(clock, store), await a_ring(clock, store)
    signer = ring.signer("/", RS256, signs(ring, RS256))
    new = await other.generate("/", "ES256")
    assert new.kid not in published(ring)
    assert await ring.refresh()
    assert new.kid in published(ring)
    assert ring.signer("/", RS256, signs(ring, RS256)) is signer


async def test_refresh_asks_one_question_while_nothing_changes(clock: FrozenClock) -> None:
    """The documents are read once for each generation, however many ask at once."""
    store = FailingStore(open_memory().configuration)
    ring, other = await a_ring(clock, store), await a_ring(clock, store)
    await ring.refresh()
    store.mend()
    await ring.refresh()
    assert store.calls == 1
    await other.generate("/", "ES256")
    store.mend()
    await asyncio.gather(*(ring.refresh() for _ in range(50)))
    assert store.calls == 50 + 3 + 50  # three kinds of documents


async def test_cancelled_refresh_takes_it_from_nobody(clock: FrozenClock) -> None:
    """Of two that wait for one look at the store, the second is served if the first goes away."""
    store = open_memory().configuration
    ring, other = await a_ring(clock, store), await a_ring(clock, store)
    new = await other.generate("/", "ES256")
    first, second = (asyncio.ensure_future(ring.refresh()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second
    assert new.kid in published(ring)


async def test_store_that_is_down_leaves_the_known_keys(
    clock: FrozenClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """While the store cannot be asked the known keys are used on, which is said once; afterwards
    what was missed is seen."""
    inner = open_memory().configuration
    store = FailingStore(inner)
    ring, other = await a_ring(clock, store), await a_ring(clock, inner)
    before = ring.jwks("/")
    new = await other.generate("/", "ES256")
    for call in (0, 1):
        store.end_at(call)
        for _ in range(3):
            assert not await ring.refresh()
            await ring.tend()
    assert ring.jwks("/") == before
    await verified(ring.signer("/", ES256, signs(ring)), b"data")
    out, err = capsys.readouterr()
    assert (out + err).count("working with the keys that are known") == 1
    with pytest.raises(Unavailable):
        await ring.rotate("/", "ES256")
    store.mend()
    assert await ring.refresh()
    assert new.kid in published(ring)


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b"{}", b'{"keys":[{}]}'])
async def test_broken_document_never_replaces_a_good_one(
    broken: bytes, clock: FrozenClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """A document that cannot be read is reported, the keys in use stay in use, and the other
    realms follow; a broker that starts then says so."""
    store = open_memory().configuration
    ring, other = await a_ring(clock, store), await a_ring(clock, store, realms=("/a",))
    before = ring.list("/")
    assert await store.swap("keys/", await store.get("keys/"), broken)
    new = await other.generate("/a", "ES256")
    assert await ring.refresh()
    assert ring.list("/") == before
    assert new.kid in published(ring, "/a")
    out, err = capsys.readouterr()
    assert "cannot read the keys of a realm" in out + err
    with pytest.raises(Unavailable, match="cannot be read"):
        await a_ring(clock, store)


@pytest.mark.parametrize(
    "damage", [{"private_key": b"nothing"}, {"kid": "another"}, {"algorithm": "ES256"}], ids=str
)
async def test_document_with_another_key_than_it_says(
    damage: dict[str, Any], clock: FrozenClock
) -> None:
    """A key under another's name, or one that is no key, is not signed with."""
    store = open_memory().configuration
    await a_ring(clock, store)
    raw = await store.get("keys/")
    document = RingDocument.read(raw)
    rsa = document.signing_order("RS256")[0]
    damaged = replace(
        document, keys=tuple(replace(k, **damage) if k == rsa else k for k in document.keys)
    )
    assert await store.swap("keys/", raw, damaged.written())
    with pytest.raises(Unavailable, match="cannot be read"):
        await a_ring(clock, store)


async def test_nothing_private_is_shown(clock: FrozenClock) -> None:
    """Neither a representation nor what administrators see holds a private key."""
    store = open_memory().configuration
    ring = await a_ring(clock, store)
    document = RingDocument.read(await store.get("keys/"))
    key = document.keys[0]
    told = repr(document) + repr(ring.list("/")) + str([key.shown() for key in ring.list("/")])
    assert repr(key.private_key) not in told
    assert "private_key" not in told


async def test_concurrent_requests_on_one_broker(clock: FrozenClock) -> None:
    """Many changes asked of one broker at once all happen, one after the other."""
    ring = await a_ring(clock)
    made = await asyncio.gather(*(ring.generate("/", "ES256") for _ in range(10)))
    assert len({key.kid for key in made}) == 10
    await ring.refresh()
    assert set(states(ring)) == {key.kid for key in made} | {signs(ring)}


async def test_clock_that_is_behind_has_a_key_to_sign_with(clock: FrozenClock) -> None:
    """A broker whose clock is behind that of the one that made the first keys signs with them."""
    store = open_memory().configuration
    ring = await a_ring(clock, store)
    behind = await a_ring(FrozenClock(clock.now() - 60), store)
    assert [signs(behind, key) for key in (RS256, ES256)] == [
        signs(ring, key) for key in (RS256, ES256)
    ]
    assert set(states(behind).values()) == {"active"}
    assert published(behind) == published(ring)


async def test_key_made_on_a_thread(clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop turns while a key is being found."""
    ring, turns = await a_ring(clock), 0
    started = asyncio.Event()
    loop = asyncio.get_running_loop()
    quick = private_keys.generated

    def slow(algorithm: str) -> private_keys.PrivateKey:
        loop.call_soon_threadsafe(started.set)
        asyncio.run_coroutine_threadsafe(_turned(), loop).result(10)
        return quick(algorithm)

    async def _turned() -> None:
        nonlocal turns
        turns += 1

    monkeypatch.setattr(private_keys, "generated", slow)
    await ring.generate("/", "RS256")
    assert (started.is_set(), turns) == (True, 1)


class _Restless:
    """A ConfigurationStore that changes while it is listed, and is asked again in that moment."""

    def __init__(self, store: ConfigurationStore) -> None:
        self._store = store
        self.on_list: Callable[[], None] | None = None
        self.asked = 0

    async def generation(self) -> int:
        self.asked += 1
        if self.asked > 1000:
            raise RuntimeError("asked without end")
        return await self._store.generation()

    async def get(self, name: str) -> bytes | None:
        return await self._store.get(name)

    async def swap(
        self,
        name: str,
        expected: bytes | None,
        value: bytes | None,
        announcement: Announcement | None = None,
    ) -> bool:
        return await self._store.swap(name, expected, value, announcement)

    async def list(self, prefix: str = "") -> dict[str, bytes]:
        found = await self._store.list(prefix)
        if self.on_list is not None:
            await self._store.swap("other", await self._store.get("other"), b"%d" % self.asked)
            self.on_list()
        return found


async def test_change_at_the_moment_of_a_look(clock: FrozenClock) -> None:
    """Whoever asks in the moment between the end of one look and the next change gets a look of its
    own, and the event loop turns on."""
    store = _Restless(open_memory().configuration)
    ring = await a_ring(clock, store)
    late: list[asyncio.Task[bool]] = []

    def once_more() -> None:
        store.on_list = None
        late.append(asyncio.create_task(ring.refresh()))

    store.on_list = once_more
    await ring.generate("/", "ES256")
    assert await ring.refresh()
    assert await asyncio.gather(*late) == [True]
