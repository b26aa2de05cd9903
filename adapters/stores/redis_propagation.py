"""Hearing at once that another broker changed an instance.

A message only makes the broker ask again, so that a forged one can do no harm and a lost one costs
a second (``redis_instances.REFRESH_SECONDS``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from redis.exceptions import RedisError

from adapters.stores.redis_keys import INSTANCES_CHANNEL
from adapters.stores.redis_links import Link

PAUSE_SECONDS = 0.5
"""Between two tries to subscribe."""


class Propagation:
    """Calls ``stale`` for each message, and whenever messages may have been missed."""

    def __init__(self, link: Link, stale: Callable[[], None]) -> None:
        """Must be called on the event loop it will serve."""
        self._link = link
        self._stale = stale
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(RedisError, OSError):
                await self._listen()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _listen(self) -> None:
        """Until the connection breaks. The first message confirms the subscription."""
        listener = self._link.listener()
        try:
            await listener.subscribe(INSTANCES_CHANNEL)
            async for _ in listener.listen():
                self._stale()
        finally:
            await listener.aclose()  # type: ignore[no-untyped-call] # redis-py has no type for it
