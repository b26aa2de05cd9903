"""Servers that the contract tests share, and the stores of a file that opens none of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from adapters.stores import Stores, open_stores
from tests.contract.roots import ROOT
from tests.support.redis_rules import documented_rules
from tests.support.redis_server import RedisServer, running_redis


@pytest.fixture(scope="session")
def _redis_of_the_session() -> Iterator[RedisServer]:
    with running_redis(documented_rules()) as running:
        yield running


@pytest.fixture
def redis(_redis_of_the_session: RedisServer) -> RedisServer:
    """An empty Redis with the functions loaded and the broker's user as documented."""
    _redis_of_the_session.empty()
    return _redis_of_the_session


@pytest.fixture
async def stores(redis: RedisServer) -> AsyncIterator[Stores]:
    """Stores on that empty Redis, as the broker's user."""
    opened = await open_stores(redis.url, ROOT)
    yield opened
    await opened.close()
