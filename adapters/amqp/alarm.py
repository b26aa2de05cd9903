"""Whether the message server has stopped reading what we publish.

RabbitMQ does so while its memory or disk runs out: it says ``connection.blocked`` to a connection
at the first message published there, and lets everything wait that is sent after it. Deliveries
still come, over a connection that publishes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aio_pika.abc import AbstractConnection

LOOK_SECONDS = 0.05  # a connection that is not blocked is ready within one turn of the loop


class Alarm:
    """Of one connection. ``changed`` is called when it is raised, and when it is over."""

    def __init__(self, connection: AbstractConnection, changed: Callable[[], None]) -> None:
        self._connection = connection
        self._changed = changed
        self._over = asyncio.Event()
        self._over.set()
        self._waiting: asyncio.Task[None] | None = None

    @property
    def raised(self) -> bool:
        """True from the first publish that got no word until the server reads again."""
        return not self._over.is_set()

    async def look(self) -> bool:
        """Ask, after a publish without a word, whether that is why."""
        if not self.raised and await self._blocked() and not self.raised:
            self._over.clear()
            self._waiting = asyncio.create_task(self._wait_for_end())
            self._changed()
        return self.raised

    async def over(self) -> None:
        """Returns at once unless raised; else when the server reads again, or the link is lost."""
        await self._over.wait()

    def stop(self) -> None:
        """Look no more: the connection is being closed."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._over.set()

    async def _blocked(self) -> bool:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._ready()
        except TimeoutError:
            return True
        return False

    async def _wait_for_end(self) -> None:
        transport = self._connection.transport
        ended = asyncio.create_task(self._ready())
        try:
            if transport is not None:
                closing = transport.connection.closing
                await asyncio.wait({ended, closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            self._over.set()
            self._changed()

    async def _ready(self) -> None:
        transport = self._connection.transport
        if transport is not None:
            await transport.connection.ready()
