"""Looking after a Redis in use: is it still the same, and is it still worth the same?"""

from __future__ import annotations

import asyncio
import contextlib

import structlog
from redis.exceptions import RedisError

from adapters.stores.condition import Condition, Durability, StoreReplaced
from adapters.stores.redis_commands import CALL_SECONDS, unavailable
from adapters.stores.redis_durability import durability_of
from adapters.stores.redis_guard import Guard
from adapters.stores.redis_links import Link

LOOK_SECONDS = 1.0
"""Between two looks at the marker, which find what no lost connection gives away (FLUSHALL)."""

DURABILITY_SECONDS = 30.0
"""How old the facts about durability may be."""

_log = structlog.get_logger(__name__)


async def looked_at(link: Link, wait_replicas: int) -> Durability:
    """What Redis says of itself, and whether this user may wait for replicas.

    Raises Unavailable.
    """
    try:
        async with asyncio.timeout(CALL_SECONDS):
            if wait_replicas:
                for reply in await link.everywhere("WAIT", 0, 0):
                    if isinstance(reply, Exception):
                        raise unavailable(reply)
            return await durability_of(link, wait_replicas)
    except (RedisError, OSError) as error:
        raise unavailable(error) from error


class Watch(Condition):
    """The condition of a store in Redis."""

    def __init__(
        self, link: Link, guard: Guard, durability: Durability, wait_replicas: int
    ) -> None:
        """Must be called on the event loop it will serve. ``durability`` is what was just seen."""
        super().__init__(durability)
        self._link = link
        self._guard = guard
        self._wait_replicas = wait_replicas
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def trouble(self) -> str | None:
        return self._guard.trouble

    async def replaced(self) -> None:
        await self._guard.replaced.wait()
        raise StoreReplaced("the store was made anew")

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        seen_at = loop.time()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    await self._guard.look(self._link)
                    if loop.time() >= seen_at + DURABILITY_SECONDS:
                        self._seen(await durability_of(self._link, self._wait_replicas))
                        seen_at = loop.time()
            except (RedisError, OSError):
                continue  # requests fail of the same, and the guard knows what it saw
            except Exception as error:
                _log.error("could not look after the store", error=type(error).__name__)

    def _seen(self, durability: Durability) -> None:
        for sentence in durability.sentences:
            if sentence not in self.durability.sentences:
                _log.warning(sentence)
        self.durability = durability
