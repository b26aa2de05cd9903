"""Failed logins at two brokers on one Redis."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from adapters.authentication.counting import PAIR
from adapters.authentication.throttling import Throttling
from adapters.clock import SystemClock
from adapters.stores import open_stores
from broker.errors import AuthenticationFailed
from tests.contract.roots import ROOT
from tests.support import door as doors
from tests.support.door import Door
from tests.support.planted import MARK, USER_PASSWORD, Planted
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.9"
WRONG = f"wrong-{MARK}"


async def _status(door: Door, password: str, address: str) -> int:
    given, head = doors.user_input(password), {"X-Forwarded-For": address}
    return (await door.translate(given, doors.ID_TOKEN, headers=head)).status


async def test_two_brokers_count_as_one(
    redis: RedisServer, tmp_path: Path, planted: Planted
) -> None:
    """Half of the guesses at each of two brokers are as many as all of them at one; who is known at
    one is known at both; a third one, started later, knows all of it."""
    clock, http = doors.FrozenClock(), {"trusted_proxies": ["127.0.0.0/8"]}
    async with AsyncExitStack() as stack:

        async def another() -> Door:
            stores = await open_stores(redis.url, ROOT)
            state = tmp_path / str(len(brokers))
            opened = doors.opened(state, planted, clock=clock, stores=stores, http=http)
            brokers.append(await stack.enter_async_context(opened))
            return brokers[-1]

        brokers: list[Door] = []
        first, second = await another(), await another()
        assert await _status(first, USER_PASSWORD, ELSEWHERE) == 200
        for number in range(PAIR.free):
            assert await _status((first, second)[number % 2], WRONG, HERE) == 401
        await another()
        for broker in brokers:
            assert await _status(broker, USER_PASSWORD, HERE) == 429
            assert await _status(broker, USER_PASSWORD, ELSEWHERE) == 200


async def test_what_is_counted_ends_by_itself(redis: RedisServer) -> None:
    """A tally has a time to live, and tells neither a name nor an address."""
    stores = await open_stores(redis.url, ROOT)
    throttling = Throttling(stores.attempts, key=b"k" * 32, clock=SystemClock())

    async def wrong() -> None:
        raise AuthenticationFailed("Authentication Failed")

    async def right() -> None:
        return None

    with pytest.raises(AuthenticationFailed):
        await throttling.guarded("/", "bartholomew", HERE, wrong)
    await throttling.guarded("/", "bartholomew", ELSEWHERE, right)
    await stores.close()
    keys = [key for key in redis.cli("--scan").splitlines() if key.endswith(":attempts")]
    assert len(keys) == 5  # pair, account, newcomers, address; the pair that succeeded
    for key in keys:
        assert int(redis.cli("TTL", key)) > 0
        assert "bartholomew" not in key + redis.cli("GET", key)
