"""How new requests are counted in Redis: in no round trip of its own, under a key that ends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.keys.root_secret import Sealer
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_ledger import RedisLedger
from adapters.stores.redis_outbox import RedisOutbox
from adapters.stores.redis_urls import link_to
from broker.errors import TooManyAttempts
from broker.testing import NOW, a_claim
from tests.contract.redis_helpers import keys_in
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]

QUOTA = 3
DAY_SECONDS = 24 * 3600


@pytest.fixture
async def commands(redis: RedisServer) -> AsyncIterator[Commands]:
    opened = Commands(link_to(redis.url))
    yield opened
    await opened.close()


@pytest.fixture
def ledger(commands: Commands) -> RedisLedger:
    outbox = RedisOutbox(commands, Sealer(b"o" * 32))
    return RedisLedger(commands, Sealer(b"a" * 32), Sealer(b"r" * 32), outbox)


async def test_counting_takes_no_round_trip(commands: Commands, ledger: RedisLedger) -> None:
    """A claim that is counted, one that is known and one that is refused are one trip each."""
    for number in range(QUOTA):
        await ledger.claim(a_claim(request_id=str(number)), NOW, 5.0, QUOTA)
    await ledger.claim(a_claim(request_id="0"), NOW, 5.0, QUOTA)
    with pytest.raises(TooManyAttempts):
        await ledger.claim(a_claim(request_id="over"), NOW, 5.0, QUOTA)
    assert commands.round_trips == QUOTA + 2


async def test_counters_end_by_themselves(redis: RedisServer, ledger: RedisLedger) -> None:
    """A window of a scope has one key, which nobody's name is in; it lives a day past its end."""
    for number in range(QUOTA):
        await ledger.claim(a_claim(request_id=str(number), scope="requester:x}y"), NOW, 5.0, QUOTA)
    (key,) = [key for key in keys_in(redis) if key.endswith(":quota")]
    assert "x}y" not in key
    assert redis.cli("GET", key).strip() == str(QUOTA)
    assert 0 < int(redis.cli("TTL", key)) <= DAY_SECONDS


async def test_a_refused_request_leaves_nothing(redis: RedisServer, ledger: RedisLedger) -> None:
    """Over the quota no request is written; without one, none is counted."""
    await ledger.claim(a_claim(), NOW, 5.0)
    assert not [key for key in keys_in(redis) if key.endswith(":quota")]
    await ledger.claim(a_claim(request_id="first"), NOW, 5.0, 1)
    before = {key for key in keys_in(redis) if key.endswith(":request")}
    with pytest.raises(TooManyAttempts):
        await ledger.claim(a_claim(request_id="over"), NOW, 5.0, 1)
    assert {key for key in keys_in(redis) if key.endswith(":request")} == before
