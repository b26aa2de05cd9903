"""The Redis stores keep the contract of every store port, and their own promises.

All of it as the broker's user with exactly the rights that docs/redis.md gives.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.stores import Stores, open_stores
from broker.testing import (
    InstanceStoreContract,
    ReplayCacheContract,
    RequestLedgerContract,
    SessionStoreContract,
    TokenStoreContract,
    UserStoreContract,
)
from tests.contract.roots import ROOT
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redis")]


@pytest.fixture
async def stores(redis: RedisServer) -> AsyncIterator[Stores]:
    opened = await open_stores(redis.url, ROOT)
    yield opened
    await opened.close()


class TestRedisTokens(TokenStoreContract):
    pass


class TestRedisLedger(RequestLedgerContract):
    pass


class TestRedisReplays(ReplayCacheContract):
    pass


class TestRedisSessions(SessionStoreContract):
    pass


class TestRedisInstances(InstanceStoreContract):
    pass


class TestRedisUsers(UserStoreContract):
    pass
