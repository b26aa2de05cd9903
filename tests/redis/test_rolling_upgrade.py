"""A broker of the revision before is replaced by one of this one while requests go on."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.redis.conftest import Figure
from tests.support.caller import set_up
from tests.support.door import ELEMENT, session_input
from tests.support.load import Load, all_valid, claims, client, translated
from tests.support.planted import Planted
from tests.support.process import BrokerProcess, ended
from tests.support.redis_server import RedisServer
from tests.support.sharing import sharer

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("redis-brokers")]

LANES = 16
REQUESTS = 300
ASKED = 2
"""How often each is asked, by either broker."""


@pytest.fixture
def two(mortal: RedisServer, tmp_path: Path) -> Iterator[list[BrokerProcess]]:
    """One of the revision before and one of this one, both serving."""
    with ExitStack() as stack:
        old = sharer(tmp_path / "old", mortal.url, module="tests.redis.older_broker")
        new = sharer(tmp_path / "new", mortal.url)
        brokers = [stack.enter_context(ended(broker)) for broker in (old, new)]
        for broker in brokers:
            broker.start()
        yield brokers


async def test_requests_go_on_while_brokers_are_replaced(
    mortal: RedisServer,
    two: list[BrokerProcess],
    planted: Planted,
    chance: random.Random,
    figure: Figure,
) -> None:
    """The same ids go to both, and both are killed and started again in the midst of it: each
    request gets one token, which both call valid and either gives again, and each is counted
    once."""
    given = session_input(set_up(two[0].url, planted))
    urls = [broker.url for broker in two]
    async with client() as http:
        load = Load(http, urls, given, chance, mortal=True)

        async def replace() -> None:
            for number, broker in enumerate(two, start=1):
                await load.more_than(number * REQUESTS // 3)
                broker.kill()
                await asyncio.to_thread(broker.start)

        nemesis = asyncio.create_task(replace())
        await load.run([(ELEMENT, f"request-{n}") for n in range(REQUESTS)] * ASKED, LANES)
        await nemesis
        figure("refused", load.refused)
        assert not load.surprises
        tokens = defaultdict(set)
        for said in load.answered:
            tokens[said.key].add(said.token)
        assert [len(each) for each in tokens.values()] == [1] * REQUESTS
        issued = [(said.key, said.token) for said in load.answered[:: 2 * ASKED]]
        for url in urls:
            assert all(await all_valid(http, [(token, ELEMENT) for _, token in issued], url))
            for key, token in issued:
                again = await translated(http, url, given, ELEMENT, key)
                assert again.token == token
        assert len({claims(*each)["jti"] for each in tokens.values()}) == REQUESTS
    # two, if an hour ended meanwhile
    counters = [key for key in mortal.cli("--scan").split() if key.endswith(":quota")]
    assert sum(int(mortal.cli("GET", counter)) for counter in counters) == REQUESTS
