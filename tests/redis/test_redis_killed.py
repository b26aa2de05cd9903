"""Redis killed with ``kill -9``: nothing that was answered is lost, and nothing happens twice."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis.conftest import Figure
from tests.support.caller import Caller, set_up
from tests.support.door import an_instance, session_input
from tests.support.load import Load, all_valid, claims, client, translated
from tests.support.planted import Planted
from tests.support.process import BrokerProcess
from tests.support.redis_server import RedisServer, wait_until
from tests.support.sharing import sharing

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("redis-brokers")]

TRANSLATIONS = 2_000
LANES = 32
KILLS = 3
SOON_SECONDS = 3.0
"""The promise is one second from the first connection; the rest is for a machine that is busy."""

WITH_ID, WITHOUT_ID = "with-id", "without-id"
LOOK_SECONDS = 0.002


@pytest.fixture
def two(mortal: RedisServer, tmp_path: Path) -> Iterator[list[BrokerProcess]]:
    with sharing(tmp_path, mortal.url, mortal.url) as brokers:
        yield brokers


async def test_redis_killed_in_the_midst_of_translations(
    mortal: RedisServer,
    two: list[BrokerProcess],
    planted: Planted,
    chance: random.Random,
    figure: Figure,
) -> None:
    """While Redis is killed again and again, each of 2,000 translations ends in a token that is in
    the store or in a clean 503; a request with an id gets one token, however often it is sent; and
    the brokers go on by themselves within a second of Redis being back."""
    given = session_input(set_up(two[0].url, planted))
    with Caller(two[0].url, planted) as caller:
        admin = caller.admin()
        for element in (WITH_ID, WITHOUT_ID):
            caller.publish(admin, an_instance(element, oidc="ES256"))
    half = TRANSLATIONS // 2
    requests = [(WITH_ID, f"request-{n}") for n in range(half)] + [(WITHOUT_ID, None)] * half

    async with client() as http:
        load = Load(http, [broker.url for broker in two], given, chance)
        nemesis = asyncio.create_task(_kill_now_and_then(mortal, load, chance))
        await load.run(requests, LANES)
        back = await nemesis

        took = [load.first_after(at, broker.url) - at for at in back for broker in two]
        figure("seconds until the first good answer", took)
        figure("refused", load.refused)
        figure("answered", len(load.answered))
        assert not load.surprises
        assert load.refused
        assert max(took) < SOON_SECONDS

        mortal.kill()  # what only stood in its memory is not stored
        mortal.start()
        wait_until(lambda: "PONG" in mortal.cli("PING"), mortal.log)  # it may be loading still
        handed_out = [(said.token, said.instance) for said in load.answered]
        for broker in two:
            assert all(await all_valid(http, handed_out, broker.url))

        named = {said.key: said for said in load.answered if said.key}
        assert len(named) == half
        assert len({claims(said.token)["jti"] for said in named.values()}) == half
        for key, said in named.items():
            (elsewhere,) = {broker.url for broker in two} - {said.url}
            again = await translated(http, elsewhere, given, WITH_ID, key)
            assert again.body == said.body, key
    with Caller(two[0].url, planted) as caller:
        assert len(caller.issued(caller.admin(), WITH_ID)) == half
        unnamed = len(load.answered) - half
        assert len(caller.issued(caller.admin(), WITHOUT_ID)) >= unnamed


async def _kill_now_and_then(redis: RedisServer, load: Load, chance: random.Random) -> list[float]:
    """Three times during the load; the moments when Redis took connections again."""
    back = []
    for number in range(KILLS):
        share = TRANSLATIONS * 0.8 / KILLS
        await load.more_than(int(share * (number + chance.random() * 0.8)))
        await asyncio.to_thread(redis.kill)
        await asyncio.sleep(chance.uniform(0.05, 0.3))
        redis.launch()
        back.append(await asyncio.to_thread(accepting, redis.port))
        await load.more_than(len(load.answered) + LANES)
    return back


def accepting(port: int) -> float:
    """Returns once a server takes connections: the moment, of the monotonic clock."""
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1.0):
                return time.monotonic()
        except OSError:
            time.sleep(LOOK_SECONDS)
