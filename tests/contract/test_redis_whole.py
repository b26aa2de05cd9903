"""A token and all that leads to it are written by one function, or none of it is."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from adapters.stores import Stores, open_stores
from broker.errors import Conflict, Unavailable
from broker.model import Claim
from broker.testing import NOW, a_claim, a_record, an_announcement, an_answer
from tests.contract.redis_helpers import issue, keys_in, unstored
from tests.contract.roots import ROOT
from tests.support.redis_rules import documented_rules
from tests.support.redis_server import RedisServer, running_redis

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

LEASE = 5.0
QUOTA = 5
CUTS = 8

Write = Callable[[Stores, Claim], Awaitable[object]]


async def claim(stores: Stores, name: str = "request-1") -> Claim:
    claimed = await stores.ledger.claim(a_claim(request_id=name), NOW, LEASE, QUOTA)
    assert isinstance(claimed, Claim)
    return claimed


async def commit(stores: Stores, claimed: Claim) -> None:
    """The token of a request with an id."""
    record = a_record(alias="a", token_id=claimed.token_id)
    request = (str(claimed.scope), str(claimed.request_id))
    announcement = an_announcement(request=request, alias="a")
    await stores.ledger.commit(claimed, record, an_answer(), NOW + 60, announcement)


async def add(stores: Stores, _: Claim) -> None:
    """The token of a request without one."""
    record = a_record(alias="a", token_id="beside")
    announcement = an_announcement(alias="a")
    await stores.ledger.commit(unstored("beside"), record, an_answer(), NOW, announcement)


async def claim_another(stores: Stores, _: Claim) -> None:
    await claim(stores, "request-2")


def contents(redis: RedisServer) -> dict[str, object]:
    """Every key with its value, whatever its type."""
    with Redis.from_url(redis.administrator_url) as server:
        return {name: _value(server, name) for name in keys_in(redis)}


def _value(server: Redis, name: str) -> object:
    match server.type(name):
        case b"hash":
            return server.hgetall(name)
        case b"zset":
            return server.zrange(name, 0, -1, withscores=True)
        case _:
            return server.get(name)


@pytest.mark.parametrize("write", [commit, add, claim_another])
async def test_a_full_redis_writes_nothing(
    redis: RedisServer, stores: Stores, write: Write
) -> None:
    """When memory is short a token, or a claim with its count, is refused as a whole; with memory
    again the same call succeeds."""
    claimed = await claim(stores)
    before = contents(redis)
    redis.cli("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(Unavailable):
            await write(stores, claimed)
    finally:
        redis.cli("CONFIG", "SET", "maxmemory", "0")
    assert contents(redis) == before
    await write(stores, claimed)
    assert contents(redis) != before


@pytest.mark.parametrize("write", [commit, add])
@pytest.mark.parametrize("other", ["beside", "elsewhere"])
async def test_another_s_alias_is_left_alone(
    redis: RedisServer, stores: Stores, write: Write, other: str
) -> None:
    """Where the alias is another token's already, nothing is written: no record, no name, no
    announcement; and the claim stays as it was."""
    if other == "beside":
        await issue(stores, "a")
    else:
        first = replace(await claim(stores, "first"), token_id="first")
        record = a_record(alias="a", token_id="first")
        await stores.ledger.commit(first, record, an_answer(), NOW + 60)
    claimed = await claim(stores)
    before = contents(redis)
    with pytest.raises(Conflict):
        await write(stores, claimed)
    assert contents(redis) == before


@pytest.fixture
def mortal() -> Iterator[RedisServer]:
    """A server of the test's own."""
    with running_redis(documented_rules()) as running:
        running.empty()
        yield running


@pytest.mark.parametrize("write", [commit, add, claim_another])
async def test_a_torn_append_only_file_has_all_of_it_or_nothing(
    mortal: RedisServer, write: Write
) -> None:
    """Wherever the file ends in the midst of it, after a restart all is as it was before; where it
    ends behind it, all is there."""
    async with _opened(mortal) as stores:
        claimed = await claim(stores)
        before = contents(mortal)
        began = _file(mortal).stat().st_size
        await write(stores, claimed)
        after = contents(mortal)
    mortal.kill()
    written = _file(mortal).read_bytes()
    step = (len(written) - began) // CUTS
    for end in (*range(began, len(written), step), len(written) - 1):
        assert _restarted_with(mortal, written[:end]) == before
    assert _restarted_with(mortal, written) == after != before


@contextlib.asynccontextmanager
async def _opened(redis: RedisServer) -> AsyncIterator[Stores]:
    opened = await open_stores(redis.url, ROOT)
    try:
        yield opened
    finally:
        await opened.close()


def _file(redis: RedisServer) -> Path:
    (found,) = redis.folder.glob("appendonlydir/*.incr.aof")
    return found


def _restarted_with(redis: RedisServer, written: bytes) -> dict[str, object]:
    """What a Redis with this append-only file has."""
    _file(redis).write_bytes(written)
    redis.start()
    try:
        return contents(redis)
    finally:
        redis.kill()
