"""A Redis that answers late: requests are answered in time or refused, and it passes (F31)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.stores.redis_commands import CALL_SECONDS
from tests.redis.conftest import Figure
from tests.support.caller import Caller, set_up
from tests.support.door import ELEMENT, session_input
from tests.support.load import Said, client, translated
from tests.support.planted import Planted
from tests.support.process import BrokerProcess
from tests.support.proxy_beside import proxy_beside
from tests.support.redis_server import RedisServer
from tests.support.sharing import sharing
from tests.support.slow_proxy import SlowProxy

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("redis-brokers")]

AT_ONCE = 400
IN_WORK = 128
SLOW_SECONDS = 0.5
TOO_SLOW_SECONDS = CALL_SECONDS + 0.5
CALLS = 6
"""That a translation makes one after the other, at most: generation, instance, session, its touch,
profile, commit."""

SPARE_SECONDS = 3.0
"""For a machine that is busy."""

PULSE_SECONDS = 0.05


@dataclass(frozen=True)
class Slow:
    """A broker that reaches Redis through the proxy."""

    broker: BrokerProcess
    proxy: SlowProxy
    given: dict[str, Any]


@pytest.fixture
def slow(mortal: RedisServer, tmp_path: Path, planted: Planted) -> Iterator[Slow]:
    settings = {"HTTP__MAX_CONCURRENCY": str(IN_WORK)}
    with proxy_beside(mortal.port) as proxy:
        around = f"redis://{mortal.login}@127.0.0.1:{proxy.port}"
        with sharing(tmp_path, around, settings=settings) as (broker,):
            given = session_input(set_up(broker.url, planted))
            with Caller(broker.url, planted) as caller:  # from here on the instance is known
                assert caller.translate(given).status == 200
            yield Slow(broker, proxy, given)


async def test_a_slow_redis(slow: Slow, figure: Figure) -> None:
    """While each reply comes half a second late, no more requests than http.max_concurrency are in
    work and these are answered within their calls' deadlines; more are refused at once."""
    async with client() as http:
        said, alive = await _all_at_once(slow, http, SLOW_SECONDS)
        good = [one.ended - one.began for one in said if one.status == 200]
        at_once = [
            one for one in said if one.status == 503 and one.ended - one.began < CALL_SECONDS
        ]
        figure("answered, within seconds", (len(good), max(good)))
        figure("slowest sign of life", alive)
        assert 0 < len(good) <= IN_WORK
        assert len(at_once) >= AT_ONCE - IN_WORK
        assert max(one.ended - one.began for one in said) < CALLS * CALL_SECONDS + SPARE_SECONDS
        assert alive < SPARE_SECONDS
        await _recovers(slow, http, figure)


async def test_a_redis_too_slow(slow: Slow, figure: Figure) -> None:
    """While replies come later than a call may wait, every request is refused when its call's two
    seconds are over, and the broker goes on at once when Redis does."""
    async with client() as http:
        said, alive = await _all_at_once(slow, http, TOO_SLOW_SECONDS)
        longest = max(one.ended - one.began for one in said)
        figure("refused, within seconds", longest)
        figure("slowest sign of life", alive)
        assert {one.status for one in said} == {503}
        assert longest < CALL_SECONDS + SPARE_SECONDS
        assert alive < SPARE_SECONDS
        await _recovers(slow, http, figure)


async def _all_at_once(
    slow: Slow, http: aiohttp.ClientSession, delay: float
) -> tuple[list[Said], float]:
    """The answers to all, and the slowest sign of life that the broker gave meanwhile."""
    slow.proxy.delay_seconds = delay
    signs: list[float] = []

    async def pulse() -> None:
        while True:
            since = time.monotonic()
            async with http.get(f"{slow.broker.url}/livez") as answer:
                assert answer.status == 200
            signs.append(time.monotonic() - since)
            await asyncio.sleep(PULSE_SECONDS)

    feeling = asyncio.create_task(pulse())
    said = await asyncio.gather(
        *(translated(http, slow.broker.url, slow.given, ELEMENT) for _ in range(AT_ONCE))
    )
    feeling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await feeling
    return said, max(signs)


async def _recovers(slow: Slow, http: aiohttp.ClientSession, figure: Figure) -> None:
    slow.proxy.delay_seconds = 0.0
    since = time.monotonic()
    async with asyncio.timeout(SPARE_SECONDS):
        while True:
            if (await translated(http, slow.broker.url, slow.given, ELEMENT)).status == 200:
                break
            await asyncio.sleep(PULSE_SECONDS)
    figure("seconds until the first good answer", time.monotonic() - since)
