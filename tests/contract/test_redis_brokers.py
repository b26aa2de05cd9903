"""Many brokers on one Redis, and a Redis that refuses."""

from __future__ import annotations

import asyncio

import pytest

from adapters.stores import Stores, open_stores
from broker.errors import RequestInProgress, Unavailable
from broker.model import Secret
from broker.testing import (
    NOW,
    a_claim,
    a_session,
    an_instance_document,
)
from tests.contract.redis_helpers import issue, issue_claimed
from tests.contract.roots import ROOT
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]


# -- many brokers --------------------------------------------------------------------------------


async def test_two_brokers_see_each_other(redis: RedisServer, stores: Stores) -> None:
    """A lease taken and a token cancelled through one broker are so in another at once."""
    second = await open_stores(redis.url, ROOT)
    await stores.ledger.claim(a_claim(), NOW, 5.0)
    with pytest.raises(RequestInProgress):
        await second.ledger.claim(a_claim(owner="worker-2"), NOW, 5.0)
    await issue_claimed(stores, "a")
    assert await second.tokens.cancel("a")
    assert await stores.tokens.get("a") is None
    await second.close()


async def generation_after(stores: Stores, known: int) -> int:
    """The first other generation that is seen by asking again and again, as requests do."""
    while True:
        generation = await stores.instances.generation()
        if generation != known:
            return generation
        await asyncio.sleep(0.01)


async def subscribed(redis: RedisServer, channel: str, brokers: int) -> None:
    """Returns once as many listen to the channel."""
    while True:
        if int(redis.cli("PUBSUB", "NUMSUB", channel).split()[1]) == brokers:
            return
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("heard", [True, False], ids=["message", "no message"])
async def test_a_publish_is_seen_by_others(
    redis: RedisServer, stores: Stores, heard: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another broker sees a publish by its message, and by asking where no message comes."""
    if heard:
        monkeypatch.setattr("adapters.stores.redis_instances.REFRESH_SECONDS", 1000.0)
        await subscribed(redis, "remint:instances", 1)
    else:
        monkeypatch.setattr("adapters.stores.redis_propagation.INSTANCES_CHANNEL", "remint:none")
    second = await open_stores(redis.url, ROOT)
    await subscribed(redis, "remint:instances" if heard else "remint:none", 2 if heard else 1)
    known = await second.instances.generation()
    await stores.instances.create(an_instance_document())
    async with asyncio.timeout(5.0):
        assert await generation_after(second, known) == known + 1
    await second.close()


async def test_the_generation_is_asked_for_once_a_second(
    redis: RedisServer, stores: Stores
) -> None:
    """A thousand requests that ask for the generation cost a handful of questions to Redis."""
    await stores.instances.generation()
    before = redis.cli("INFO", "commandstats")
    for _ in range(1000):
        await stores.instances.generation()
    after = redis.cli("INFO", "commandstats")
    assert _gets(after) - _gets(before) <= 5


def _gets(stats: str) -> int:
    for line in stats.splitlines():
        if line.startswith("cmdstat_get:"):
            return int(line.split("calls=")[1].split(",")[0])
    return 0


# -- refusals of Redis ---------------------------------------------------------------------------


async def test_a_full_store_still_cancels(redis: RedisServer, stores: Stores) -> None:
    """Out of memory, new tokens are refused as Unavailable; cancel, logout and reading go on."""
    await issue_claimed(stores, "a")
    await issue(stores, "b")
    await stores.sessions.put(a_session())
    redis.cli("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(Unavailable) as raised:
            await issue(stores, "c")
        assert "OutOfMemory" in str(raised.value.detail)
        assert await stores.tokens.get("b") is not None
        assert await stores.tokens.cancel("a")
        assert await stores.sessions.end(Secret("session-1"))
        assert len(await stores.tokens.reap(NOW + 600)) == 1
    finally:
        redis.cli("CONFIG", "SET", "maxmemory", "0")
    await issue(stores, "c")


async def test_a_replica_is_unavailable(redis: RedisServer, stores: Stores) -> None:
    """A server that turned read-only refuses writes as Unavailable, and is used again later."""
    redis.cli("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(Unavailable) as raised:
            await issue(stores, "a")
        assert "ReadOnly" in str(raised.value.detail)
    finally:
        redis.cli("REPLICAOF", "NO", "ONE")
    await issue(stores, "a")
