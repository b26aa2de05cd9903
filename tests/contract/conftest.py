"""Servers that the contract tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
