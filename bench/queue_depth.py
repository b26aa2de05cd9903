"""How many messages wait in the queue of a load's requests, looked at once a second."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from pamqp import commands

from bench.driver.amqp import QUEUES
from bench.driver.amqp_link import AmqpLink, Heard, linked
from bench.driver.exchange import Exchange
from bench.driver.sender import Failed

LOOK_SECONDS = 1.0


class Depth:
    """Looks until nobody lets it any more. Made by :func:`watched`."""

    def __init__(self) -> None:
        self._looks: list[tuple[float, int]] = []

    def most(self, begun: float, ended: float) -> int | None:
        """Most messages that were seen to wait between two moments of ``time.monotonic()``; None
        if nobody looked."""
        seen = [number for moment, number in self._looks if begun <= moment <= ended]
        return max(seen, default=None)

    async def look(self, link: AmqpLink, queue: str) -> None:
        """Until the server refuses."""
        with contextlib.suppress(Failed):
            while True:
                declared = await link.call(commands.Queue.Declare(queue=queue, passive=True))
                self._looks.append((time.monotonic(), declared.message_count))
                await asyncio.sleep(LOOK_SECONDS)


@contextlib.asynccontextmanager
async def watched(exchange: Exchange) -> AsyncIterator[Depth | None]:
    """None where there is no queue to look at, or the user may not."""
    if exchange.transport != "amqp":
        yield None
        return
    nothing = Heard(
        message=lambda *_: None,
        returned=lambda _: None,
        refused=lambda _: None,
        lost=lambda _: None,
    )
    try:
        link = await linked(
            nothing,
            host=exchange.host,
            port=exchange.port,
            tls=exchange.tls(),
            login=(exchange.user, exchange.password),
            virtual_host=exchange.place,
        )
    except Failed:
        yield None  # the drivers will say so
        return
    depth = Depth()
    looking = asyncio.create_task(depth.look(link, QUEUES[exchange.type]))
    try:
        yield depth
    finally:
        looking.cancel()
        link.drop()
        await asyncio.gather(looking, return_exceptions=True)
