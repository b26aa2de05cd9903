"""Brokers killed with ``kill -9``, alone or together with Redis."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.redis.conftest import Figure
from tests.support.caller import set_up
from tests.support.door import ELEMENT, session_input
from tests.support.load import Load, Said, all_valid, cancelled, claims, client, translated
from tests.support.planted import Planted
from tests.support.process import START_SECONDS, BrokerProcess
from tests.support.redis_server import RedisServer
from tests.support.sharing import sharing

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("redis-brokers")]

KILLS = 8
CANCELS_A_KILL = 100
KILL_WITHIN_SECONDS = 0.005
LANES = 16
REQUESTS = 400
CANCELLED = 20
AWAY_SECONDS = 1.0


@pytest.fixture
def two(mortal: RedisServer, tmp_path: Path) -> Iterator[list[BrokerProcess]]:
    with sharing(tmp_path, mortal.url, mortal.url) as brokers:
        yield brokers


async def test_a_cancel_that_was_answered_holds(
    two: list[BrokerProcess], planted: Planted, chance: random.Random, figure: Figure
) -> None:
    """A broker is killed at many moments among its cancels: each one that it answered holds on
    every broker, at once and after the restart, and the others can be sent again (F12)."""
    dying, other = two
    given = session_input(set_up(other.url, planted))
    counts = []
    async with client() as http:
        for _ in range(KILLS):
            load = Load(http, [other.url], given, chance)
            await load.run([(ELEMENT, None)] * CANCELS_A_KILL, LANES)
            issued = [said.token for said in load.answered]
            done, unanswered = await _killed_among_cancels(http, dying, issued, chance)
            counts.append((len(done), len(unanswered)))
            assert not any(await _valid(http, done, other))

            await asyncio.to_thread(dying.start)
            assert not any(await _valid(http, done, dying))
            for token in unanswered:
                assert (await cancelled(http, dying.url, token, ELEMENT)).status == 200
            assert not any(await _valid(http, issued, other))
    figure("cancels answered and not, for each kill", counts)
    answered, not_answered = map(sum, zip(*counts, strict=True))
    assert answered
    assert not_answered


async def _killed_among_cancels(
    http: aiohttp.ClientSession, dying: BrokerProcess, tokens: list[str], chance: random.Random
) -> tuple[list[str], list[str]]:
    """The tokens whose cancel was answered, and those whose was not."""

    answered: list[str] = []
    left = deque(tokens)

    async def lane() -> None:
        while left:
            token = left.popleft()
            try:
                said = await cancelled(http, dying.url, token, ELEMENT)
            except (aiohttp.ClientError, OSError):
                continue
            assert said.status == 200
            answered.append(token)

    async def kill() -> None:
        count = chance.randrange(len(tokens) - LANES)
        while True:
            if len(answered) >= count:
                break
            await asyncio.sleep(0)
        await asyncio.sleep(chance.uniform(0, KILL_WITHIN_SECONDS))
        await asyncio.to_thread(dying.kill)

    await asyncio.gather(kill(), *(lane() for _ in range(LANES)))
    return answered, [token for token in tokens if token not in answered]


def _redis_first(redis: RedisServer, broker: BrokerProcess) -> None:
    redis.start()
    broker.start()


def _broker_first(redis: RedisServer, broker: BrokerProcess) -> None:
    """It ends while there is no store, and is started again, as service managers do."""
    broker.launch()
    until = time.monotonic() + AWAY_SECONDS
    while not broker.ended and time.monotonic() < until:
        time.sleep(0.02)
    redis.start()
    until = time.monotonic() + START_SECONDS
    while not broker.answers("/readyz"):
        assert time.monotonic() < until, broker.output()[-4000:]
        if broker.ended:
            assert broker.wait() == 1
            broker.launch()
        time.sleep(0.02)


@pytest.mark.parametrize("restarted", [_redis_first, _broker_first])
async def test_broker_and_redis_killed_together(
    mortal: RedisServer,
    two: list[BrokerProcess],
    planted: Planted,
    chance: random.Random,
    figure: Figure,
    restarted: Callable[[RedisServer, BrokerProcess], None],
) -> None:
    """A broker and Redis are killed together under load and started again in either order: every
    request gets one token, each is stored, and what was cancelled stays so (F41)."""
    dying, other = two
    given = session_input(set_up(other.url, planted))
    urls = [broker.url for broker in two]
    async with client() as http:
        load = Load(http, urls, given, chance, mortal=True)

        async def kill_both() -> list[Said]:
            await load.more_than(REQUESTS // 4)
            gone = load.answered[:CANCELLED]
            for said in gone:
                assert (await cancelled(http, dying.url, said.token, ELEMENT)).status == 200
            dying.kill()
            mortal.kill()
            await asyncio.to_thread(restarted, mortal, dying)
            return gone

        nemesis = asyncio.create_task(kill_both())
        await load.run([(ELEMENT, f"request-{n}") for n in range(REQUESTS)], LANES)
        gone = [said.token for said in await nemesis]
        assert not load.surprises
        assert len(load.answered) == REQUESTS
        figure("refused", load.refused)
        for broker in two:
            kept = [said.token for said in load.answered if said.token not in gone]
            assert all(await _valid(http, kept, broker))
            assert not any(await _valid(http, gone, broker))
        for said in load.answered:
            again = await translated(http, chance.choice(urls), given, ELEMENT, said.key)
            assert again.body == said.body
        assert len({claims(said.token)["jti"] for said in load.answered}) == REQUESTS


async def _valid(
    http: aiohttp.ClientSession, tokens: list[str], broker: BrokerProcess
) -> list[bool]:
    return await all_valid(http, [(token, ELEMENT) for token in tokens], broker.url)
