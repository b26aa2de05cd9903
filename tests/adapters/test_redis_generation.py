"""How the generation is asked of Redis, with Redis itself left out."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from adapters.keys.root_secret import Sealer
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_instances import RedisInstances
from adapters.stores.redis_outbox import RedisOutbox

GENERATION = 7


class NewsAtTheEnd:
    """Commands: while the first reply is read, news come, and another request asks."""

    def __init__(self) -> None:
        self.instances: RedisInstances | None = None
        self.other: asyncio.Task[int] | None = None
        self.asked = 0

    async def call(self, *_: Any) -> bytes:
        self.asked += 1
        if self.asked == 1 and self.instances is not None:
            self.instances.stale()
            self.other = asyncio.create_task(self.instances.generation())
        return str(GENERATION).encode()


async def test_news_at_the_end_of_a_look() -> None:
    """A request that comes between the end of one look and its notice asks anew, and nobody waits
    for ever."""
    commands = NewsAtTheEnd()
    asked, sealer = cast("Commands", commands), Sealer(bytes(32))
    instances = RedisInstances(asked, sealer, RedisOutbox(asked, sealer))
    commands.instances = instances
    assert await instances.generation() == GENERATION
    assert commands.other is not None
    assert await commands.other == GENERATION
    assert commands.asked == 2
