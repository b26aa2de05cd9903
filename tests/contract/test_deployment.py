"""Wrapping keys on real stores: first contact, rotation while brokers run, stores of version 1."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest
import redis.asyncio as redis_asyncio

from adapters.keys.certificate_wrapper import CertificateWrapper
from adapters.keys.deployment import (
    DeploymentKey,
    KeyWrapper,
    Slots,
    read_slots,
    remove_slot,
)
from adapters.keys.root_secret import RootSecret
from adapters.settings import Keys, Settings, Store
from adapters.state_folder import opened_stores
from adapters.stores import ForeignStore, Stores, open_stores
from adapters.stores.redis_keys import META
from broker.errors import Unavailable
from broker.model import Secret
from broker.testing import (
    NOW,
    a_claim,
    a_session,
    a_user,
    an_answer,
    an_instance_document,
)
from tests.contract.redis_helpers import issue_claimed
from tests.contract.roots import OTHER_ROOT, ROOT
from tests.support.redis_server import RedisServer
from tests.support.wrapping_keys import pem_pair, private_key

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

OLD_KEY = DeploymentKey(ROOT.as_deployment_key())
CONTENDERS = 4
VERSION_1 = Path(__file__).with_name("version_1.sql")


class Place(Protocol):
    """A store that does not exist yet."""

    url: str

    async def age(self) -> None:
        """Make it one of schema version 1, of the root secret ``ROOT``, with something in it."""


class InSqlite:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.url = f"sqlite:///{path}"

    async def age(self) -> None:
        connection = sqlite3.connect(self._path)
        connection.executescript(VERSION_1.read_text())
        connection.close()


class InRedis:
    def __init__(self, redis: RedisServer) -> None:
        self._redis = redis
        self.url = redis.url

    async def age(self) -> None:
        slots = Slots("store", {ROOT.id: await OLD_KEY.wrapped_by(ROOT)})
        self._redis.cli("HSET", META, "schema", "1", "deployment", slots.written().decode())
        stores = await open_stores(self.url, ROOT)
        await _write(stores)
        await stores.close()
        async with redis_asyncio.from_url(self._redis.administrator_url) as client:
            await client.execute_command("HDEL", META, "deployment")
            await client.execute_command("HSET", META, "root-secret", ROOT.fingerprint)


async def _write(stores: Stores) -> None:
    """What is in ``VERSION_1`` too."""
    await stores.instances.create(an_instance_document())
    await stores.users.put(a_user())
    await stores.sessions.put(a_session())
    await issue_claimed(stores, "a")


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return InSqlite(tmp_path / "remint.db")
    return InRedis(request.getfixturevalue("redis"))


@asynccontextmanager
async def broker(place: Place, *wrappers: KeyWrapper) -> AsyncIterator[Stores]:
    stores = await open_stores(place.url, *wrappers)
    try:
        yield stores
    finally:
        await stores.close()


async def _ids(stores: Stores) -> set[str]:
    assert stores.slots is not None
    return set((await read_slots(stores.slots))[1].wrapped)


# -- first contact -------------------------------------------------------------------------------


async def test_brokers_that_start_at_once_share_one_key(place: Place) -> None:
    """Of several brokers with one secret at an empty store, all end with the same key and id."""
    opened = await asyncio.gather(*(open_stores(place.url, ROOT) for _ in range(CONTENDERS)))
    assert len({stores.deployment.key.derive("test") for stores in opened}) == 1
    assert len({stores.deployment.store_id for stores in opened}) == 1
    await opened[0].instances.create(an_instance_document())
    assert await opened[-1].instances.list() == [an_instance_document()]
    await asyncio.gather(*(stores.close() for stores in opened))


async def test_of_two_deployments_that_start_at_once_one_is_refused(place: Place) -> None:
    """Of two wrapping keys at an empty store exactly one is refused, whichever is faster."""
    results = await asyncio.gather(
        *(open_stores(place.url, wrapper) for wrapper in (ROOT, OTHER_ROOT)), return_exceptions=True
    )
    opened = [result for result in results if isinstance(result, Stores)]
    assert [type(r) for r in results if not isinstance(r, Stores)] == [ForeignStore]
    assert len(await _ids(opened[0])) == 1
    await opened[0].close()


async def test_a_broker_without_a_root_secret_makes_none_for_a_store_of_others(
    place: Place, tmp_path: Path
) -> None:
    """It says where to put the secret of the others, and no root secret is made."""
    settings = Settings(state_dir=tmp_path / "new", store=Store(url=place.url))
    async with broker(place, ROOT):
        with pytest.raises(ForeignStore, match="there is no root secret here: copy that of"):
            await opened_stores(settings)
    assert "root-secret" not in os.listdir(tmp_path / "new")


# -- rotation ------------------------------------------------------------------------------------


class Traffic:
    """Writes a session through one running broker and reads it through the next, all the time."""

    def __init__(self) -> None:
        self.brokers: list[Stores] = []
        self.done = 0
        self._enough, self._wanted = asyncio.Event(), 0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            running = tuple(self.brokers)
            if running:
                session = a_session(id=Secret(f"session-{self.done}"))
                await running[0].sessions.put(session)
                for each in running:
                    assert await each.sessions.get(session.id) == session
                self.done += 1
                if self.done >= self._wanted:
                    self._enough.set()
            await asyncio.sleep(0)

    async def some(self) -> None:
        """Until a few more went through. Raises what went wrong."""
        self._enough, self._wanted = asyncio.Event(), self.done + 3
        enough = asyncio.create_task(self._enough.wait())
        await asyncio.wait((enough, self._task), return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        await self.some()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def _restarted(place: Place, old: Stores, traffic: Traffic, *wrappers: KeyWrapper) -> Stores:
    """One broker is taken out and comes back with other settings, while the rest goes on."""
    traffic.brokers.remove(old)
    await traffic.some()
    await old.close()
    new = await open_stores(place.url, *wrappers)
    traffic.brokers.append(new)
    await traffic.some()
    return new


@pytest.mark.parametrize("kind", ["root-secret", "certificate"])
async def test_rotation_disturbs_nobody(place: Place, kind: str) -> None:
    """Two brokers move to a new wrapping key in turns, the old one is removed, and no call fails
    in between; then the old key opens the store no more."""
    new: KeyWrapper = OTHER_ROOT
    if kind == "certificate":
        new = CertificateWrapper(*pem_pair(private_key("p256")))
    traffic = Traffic()
    first, second = await open_stores(place.url, ROOT), await open_stores(place.url, ROOT)
    traffic.brokers += [first, second]
    await traffic.some()
    first = await _restarted(place, first, traffic, new, ROOT)
    assert await _ids(first) == {ROOT.id, new.id}
    async with broker(place, ROOT):  # one that crashed in the middle of it comes back as it was
        second = await _restarted(place, second, traffic, new, ROOT)
    assert first.slots is not None
    await remove_slot(first.slots, ROOT.id, in_use=new.id)
    await traffic.some()
    with pytest.raises(ForeignStore):
        await open_stores(place.url, ROOT)
    async with broker(place, new) as third:
        assert await _ids(third) == {new.id}
        traffic.brokers.append(third)
        await traffic.stop()
    await asyncio.gather(first.close(), second.close())


async def test_two_brokers_that_add_their_slots_at_once_both_succeed(place: Place) -> None:
    """Each of several new wrapping keys gets its slot, whoever is faster."""
    new = [RootSecret(bytes([number] * 32)) for number in range(1, 1 + CONTENDERS)]
    async with broker(place, ROOT) as first:
        opened = await asyncio.gather(*(open_stores(place.url, each, ROOT) for each in new))
        assert await _ids(first) == {ROOT.id, *(each.id for each in new)}
        await asyncio.gather(*(stores.close() for stores in opened))


# -- schema version 1 ----------------------------------------------------------------------------


async def _all_there(stores: Stores) -> None:
    assert await stores.instances.list() == [an_instance_document()]
    assert await stores.users.list("/") == [a_user()]
    assert await stores.sessions.get(Secret("session-1")) == a_session()
    assert await stores.ledger.fetch("requester:alice", "a", NOW) == an_answer(token_id="a")
    assert await stores.ledger.claim(a_claim(request_id="a"), NOW, 5.0) == an_answer(token_id="a")
    assert await stores.tokens.get("a") is not None


async def test_a_store_of_version_1_is_adopted(place: Place) -> None:
    """What was sealed under the root secret itself stays readable, and the store gets its slot."""
    await place.age()
    async with broker(place, ROOT) as stores:
        await _all_there(stores)
        assert await _ids(stores) == {ROOT.id}
    async with broker(place, ROOT) as stores:
        await _all_there(stores)


async def test_a_store_of_version_1_is_adopted_by_the_next_secret(place: Place) -> None:
    """A new secret that knows the one before adopts the store, and leaves the old one its way."""
    await place.age()
    async with broker(place, OTHER_ROOT, ROOT) as stores:
        await _all_there(stores)
    for root in (ROOT, OTHER_ROOT):
        async with broker(place, root) as stores:
            await _all_there(stores)


async def test_a_store_of_version_1_of_another_secret_is_refused(place: Place) -> None:
    """A foreign broker neither adopts the store nor spoils it for its own."""
    await place.age()
    with pytest.raises(ForeignStore, match="another root secret: copy that of the broker"):
        await open_stores(place.url, OTHER_ROOT)
    async with broker(place, ROOT) as stores:
        await _all_there(stores)


async def test_an_older_broker_s_first_contact_is_left_alone(redis: RedisServer) -> None:
    """Where a broker of version 1 is half-way into making the store, this one waits its turn."""
    redis.cli("HSET", META, "schema", "1")
    with pytest.raises(Unavailable, match="try again"):
        await open_stores(redis.url, ROOT)
    assert redis.cli("HGETALL", META).split() == ["schema", "1"]


async def test_settings_lead_to_the_same_store(place: Place, tmp_path: Path) -> None:
    """Root secrets in the settings, present and previous, open a store as wrapping keys do."""
    present, previous = bytes(range(1, 33)).hex(), bytes(range(32)).hex()
    async with broker(place, ROOT) as first:
        keys = Keys(root_secret=present, previous_root_secret=previous)
        store = Store(url=place.url)
        settings = Settings(state_dir=tmp_path / "state", store=store, keys=keys)
        second = await opened_stores(settings)
        assert second.deployment.store_id == first.deployment.store_id
        assert await _ids(first) == {ROOT.id, OTHER_ROOT.id}
        await second.close()
    assert "root-secret" not in os.listdir(tmp_path / "state")
