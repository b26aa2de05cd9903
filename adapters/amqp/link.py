"""One connection's life: opened whole, closed whole, never repaired.

There is one channel for deliveries and one for publishing. Whatever ends first (connection,
channel, or a consumer that the message server cancelled) ends the link; ``lost`` tells.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.abc import AbstractChannel as RawChannel
from aiormq.abc import DeliveredMessage

from adapters.amqp import topology
from adapters.amqp.direct import DirectReplies
from adapters.amqp.publisher import Publisher
from adapters.amqp.tolerance import tolerate_unreadable_properties
from broker.model import Secret

OPEN_SECONDS = 15.0
CLOSE_SECONDS = 3.0
CANCEL_SECONDS = 2.0
HEARTBEAT_SECONDS = "15"  # a dead peer is noticed within a minute; the URL may say otherwise

OnDelivery = Callable[["Link", str, DeliveredMessage], None]


class Link:
    """An open connection with its two channels. Made by :meth:`open`."""

    def __init__(
        self,
        connection: AbstractConnection,
        deliveries: RawChannel,
        publishing: AbstractChannel,
        direct: DirectReplies,
    ) -> None:
        self.publisher = Publisher(publishing, direct)
        self.lost = asyncio.Event()
        self._connection = connection
        self._deliveries = deliveries
        self._direct = direct
        self._consumers: list[str] = []
        connection.close_callbacks.add(self._on_end)

    @classmethod
    async def open(cls, url: Secret) -> Link:
        """Connect, declare the queues, open the channels.

        Raises TopologyError, OSError, TimeoutError, and the library's AMQPError.
        """
        tolerate_unreadable_properties()
        async with asyncio.timeout(OPEN_SECONDS):
            connection = await _connected(url)
            try:
                return await cls._opened(connection, DirectReplies(lambda: _connected(url)))
            except BaseException:
                with contextlib.suppress(Exception):
                    await connection.close()
                raise

    @classmethod
    async def _opened(cls, connection: AbstractConnection, direct: DirectReplies) -> Link:
        deliveries = connection.channel(publisher_confirms=False)
        await deliveries.initialize()
        await topology.declare(deliveries)
        publishing = connection.channel(publisher_confirms=True, on_return_raises=True)
        await publishing.initialize()
        # The library's own message class cannot be built from some properties that RabbitMQ lets
        # through, so deliveries are taken from the layer below it.
        raw = await deliveries.get_underlay_channel()
        link = cls(connection, raw, publishing, direct)
        deliveries.close_callbacks.add(link._on_end)
        publishing.close_callbacks.add(link._on_end)
        raw.on_consumer_cancel_callbacks.add(link._on_end)
        return link

    async def consume(self, queues: Mapping[str, int], on_delivery: OnDelivery) -> None:
        """Take deliveries from ``queues``, each with its number of unacknowledged ones."""
        for queue, prefetch in queues.items():

            async def deliver(message: DeliveredMessage, queue: str = queue) -> None:
                on_delivery(self, queue, message)

            await self._deliveries.basic_qos(prefetch_count=prefetch, timeout=OPEN_SECONDS)
            started = await self._deliveries.basic_consume(queue, deliver, timeout=OPEN_SECONDS)
            self._consumers.append(started.consumer_tag or "")

    async def stop_consuming(self) -> None:
        """No new deliveries; those that came are still ours to acknowledge."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CANCEL_SECONDS):
                for tag in self._consumers:
                    await self._deliveries.basic_cancel(tag)

    async def acknowledge(self, delivered: DeliveredMessage) -> None:
        """A failed acknowledgement is no failure: the delivery comes again and is known by then."""
        with contextlib.suppress(Exception):
            await self._deliveries.basic_ack(delivered.delivery_tag or 0)

    async def close(self) -> None:
        """Whatever is unacknowledged goes back to its queue."""
        self.lost.set()
        await self._direct.close()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._connection.close()

    def abandon(self) -> None:
        """Give this link up; its owner closes it and opens another."""
        self.lost.set()

    def _on_end(self, *_: object) -> None:
        self.lost.set()


async def _connected(url: Secret) -> AbstractConnection:
    connection: AbstractConnection = await aio_pika.connect(url.reveal(), **_heartbeat(url))
    return connection


def _heartbeat(url: Secret) -> dict[str, Any]:
    given = parse_qs(urlsplit(url.reveal()).query)
    return {} if "heartbeat" in given else {"heartbeat": HEARTBEAT_SECONDS}
