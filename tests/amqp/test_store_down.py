"""While the store is down nothing is taken on, nothing is lost, and nobody is told a lie."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from adapters.amqp.topology import CONTROL, REQUESTS
from tests.amqp.caller import Caller, translation
from tests.amqp.conftest import Opened, until_consuming, until_ready
from tests.support.door import Door
from tests.support.redis_rules import documented_rules
from tests.support.redis_server import RedisServer, running_redis

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running_redis(documented_rules()) as running:
        running.empty()
        yield running


@pytest.fixture
async def door(opened: Opened, redis: RedisServer) -> AsyncIterator[Door]:
    """A broker whose store is a Redis that the test may kill."""
    async with opened(store={"url": redis.url}) as door:
        yield door


async def _down(door: Door, redis: RedisServer, alice: Caller) -> None:
    """Kills the store and sends the request by which that is noticed."""
    await asyncio.to_thread(redis.kill)
    await alice.send(translation(), message_id="m-0")
    await until_ready(door, ready=False)


async def test_requests_wait_for_the_store(door: Door, redis: RedisServer, alice: Caller) -> None:
    """Nothing is consumed while the store is down; when it is back every request gets its token."""
    await _down(door, redis, alice)
    assert door.broker.amqp is not None
    assert "the store is down" in str(door.broker.amqp.trouble)
    await until_consuming(door)
    for number in (1, 2, 3):
        await alice.send(translation(), message_id=f"m-{number}")
    assert await alice.silent()
    assert await alice.waiting(REQUESTS) == 3
    await asyncio.to_thread(redis.start)
    replies = [await alice.reply() for _ in range(4)]
    assert [reply.status for reply in replies] == [200] * 4
    assert {reply.message.correlation_id for reply in replies} == {f"m-{n}" for n in range(4)}
    await until_ready(door)
    assert len(await door.tokens()) == 4


async def test_control_waits_too(door: Door, redis: RedisServer, alice: Caller) -> None:
    """A cancel that comes while the store is down takes effect when it is back."""
    token = (await alice.ask(translation())).body["issued_token"]
    await _down(door, redis, alice)
    state = {"token_type": "OPENIDCONNECT", "oidc_id_token": token}
    body = {"instance": "username-transformer", "cancelled_token_state": state}
    await alice.send(body, type="cancel", message_id="m-1", queue=CONTROL)
    await asyncio.to_thread(redis.start)
    assert {(await alice.reply()).status for _ in range(2)} == {200}
    assert len(await door.tokens()) == 1


async def test_a_deadline_passes(door: Door, redis: RedisServer, alice: Caller) -> None:
    """A request in hand whose deadline passes meanwhile is answered with a 408, never signed."""
    await asyncio.to_thread(redis.kill)
    deadline = int(time.time() * 1000) + 1500
    reply = await alice.ask(translation(), headers={"deadline": deadline})
    assert (reply.status, reply.headers["retry"]) == (408, "later")
    assert reply.message.timestamp is not None
    assert reply.message.timestamp.timestamp() * 1000 >= deadline - 1000
    await asyncio.to_thread(redis.start)
    await until_ready(door)
    assert await door.tokens() == []
