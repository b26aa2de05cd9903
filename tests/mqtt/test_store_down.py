"""The store is away for a while: requests wait for it, and none is refused or lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mqtt.caller import Caller, translation
from tests.mqtt.conftest import OPEN, until_ready
from tests.support import door as doors
from tests.support.door import ID_TOKEN, session_input
from tests.support.mosquitto import Mosquitto
from tests.support.planted import Planted
from tests.support.redis_rules import documented_rules
from tests.support.redis_server import RedisServer, running_redis

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.xdist_group("mosquitto"),
]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running_redis(documented_rules()) as server:
        server.empty()
        yield server


async def test_redis_killed(
    mosquitto: Mosquitto,
    redis: RedisServer,
    tmp_path: Path,
    alice: Caller,
    planted: Planted,
    said: list[str],
) -> None:
    """Requests that come while Redis is down are answered with tokens once it is back."""
    settings = {"store": {"url": redis.url}, "mqtt": {"url": mosquitto.url, **OPEN}}
    async with doors.opened(tmp_path / "state", planted, **settings) as door:
        await until_ready(door)
        body = translation(session_input(await door.login()), ID_TOKEN)
        redis.kill()
        ids = [f"m-{number}" for number in range(50)]
        for message_id in ids:
            await alice.send(body, message_id=message_id)
        await until_ready(door, ready=False)
        assert await alice.silent()
        await asyncio.to_thread(redis.start)
        answers = [await alice.reply() for _ in ids]
        assert {answer.status for answer in answers} == {200}
        assert {answer.correlation for answer in answers} == {name.encode() for name in ids}
        await until_ready(door)
        assert len(await door.tokens()) == len(ids)
