"""One link's life: opened whole, closed whole, never repaired.

A link is two connections. Deliveries come over one, which publishes nothing, each queue on a
channel of its own; so acknowledgements go through, and cancels come, while the message server
takes no publishes. Answers leave over the other. Whatever ends first (a connection, a channel of
deliveries, or a consumer that the message server cancelled) ends the link; ``lost`` tells.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aio_pika.abc import AbstractConnection
from aiormq.abc import AbstractChannel as RawChannel
from aiormq.abc import DeliveredMessage

from adapters.amqp import topology
from adapters.amqp.acknowledgements import Acknowledgements
from adapters.amqp.alarm import Alarm
from adapters.amqp.alone import Alone
from adapters.amqp.connecting import connected
from adapters.amqp.publisher import Publisher
from adapters.amqp.quiet import QuietQueues
from adapters.amqp.tolerance import tolerate_unreadable_properties
from broker.model import Secret

OPEN_SECONDS = 15.0
CLOSE_SECONDS = 3.0
CANCEL_SECONDS = 2.0
HEARTBEAT_SECONDS = "15"  # a dead peer is noticed within a minute; the URL may say otherwise

OnDelivery = Callable[["Link", str, DeliveredMessage], None]


class Link:
    """Two open connections with their channels. Made by :meth:`open`."""

    def __init__(
        self,
        connections: Sequence[AbstractConnection],
        channels: Mapping[str, RawChannel],
        prefetch: Mapping[str, int],
        publisher: Publisher,
    ) -> None:
        self.publisher = publisher
        self.lost = asyncio.Event()
        self._connections = connections
        self._channels = channels
        self._acknowledgements = {
            queue: Acknowledgements(channel) for queue, channel in channels.items()
        }
        self._prefetch = prefetch
        self._consumers: dict[str, str] = {}
        for connection in connections:
            connection.close_callbacks.add(self._on_end)
        for channel in channels.values():
            channel.closing.add_done_callback(self._on_end)
            channel.on_consumer_cancel_callbacks.add(self._on_end)

    @classmethod
    async def open(
        cls, url: Secret, prefetch: Mapping[str, int], changed: Callable[[], None]
    ) -> Link:
        """Connect, declare the queues, open a channel for each queue of ``prefetch``, which says
        how many of its deliveries may be in work.

        ``changed`` is called when the message server begins or ends to take no answers. Raises
        TopologyError, OSError, TimeoutError, and the library's AMQPError.
        """
        tolerate_unreadable_properties()
        async with contextlib.AsyncExitStack() as undo, asyncio.timeout(OPEN_SECONDS):
            receiving = await _connected(url)
            undo.push_async_callback(_closed, receiving)
            await _declare(receiving)
            channels = {queue: await _raw_channel(receiving, prefetch[queue]) for queue in prefetch}
            sending = await _connected(url)
            undo.push_async_callback(_closed, sending)
            quiet = QuietQueues()
            alone = Alone(lambda: _connected(url), changed, quiet)
            publisher = Publisher(sending, Alarm(sending, changed), alone, quiet)
            link = cls((sending, receiving), channels, prefetch, publisher)
            undo.pop_all()
            return link

    @property
    def consumed(self) -> frozenset[str]:
        """The queues whose deliveries come now."""
        return frozenset(self._consumers)

    async def consume(self, queues: Set[str], on_delivery: OnDelivery) -> None:
        """Take deliveries from these queues and from no other; those that came before are still
        ours to acknowledge. Raises what ended the link."""
        for queue in self.consumed - queues:
            tag = self._consumers.pop(queue)
            await self._channels[queue].basic_cancel(tag, timeout=CANCEL_SECONDS)
        for queue in self._prefetch:
            if queue in queues and queue not in self._consumers:
                await self._start(queue, on_delivery)

    async def acknowledge(self, queue: str, tag: int) -> None:
        """A failed acknowledgement is no failure: the delivery comes again and is known by then."""
        with contextlib.suppress(Exception):
            await self._acknowledgements[queue].acknowledge(tag)

    async def give_back(self, queue: str, tag: int) -> None:
        """Let it come again. One that cannot be given back comes when this link is closed."""
        with contextlib.suppress(Exception):
            await self._acknowledgements[queue].give_back(tag)

    async def close(self) -> None:
        """Whatever is unacknowledged goes back to its queue."""
        self.lost.set()
        await self.publisher.close()
        for connection in self._connections:
            await _closed(connection)

    def abandon(self) -> None:
        """Give this link up; its owner closes it and opens another."""
        self.lost.set()

    async def _start(self, queue: str, on_delivery: OnDelivery) -> None:
        async def deliver(message: DeliveredMessage) -> None:
            on_delivery(self, queue, message)

        started = await self._channels[queue].basic_consume(queue, deliver, timeout=OPEN_SECONDS)
        self._consumers[queue] = started.consumer_tag or ""

    def _on_end(self, *_: object) -> None:
        self.lost.set()


async def _connected(url: Secret) -> AbstractConnection:
    return await connected(url, **_heartbeat(url))


async def _closed(connection: AbstractConnection) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CLOSE_SECONDS):
            await connection.close()


async def _declare(connection: AbstractConnection) -> None:
    channel = connection.channel(publisher_confirms=False)
    await channel.initialize()
    await topology.declare(channel)
    await channel.close()


async def _raw_channel(connection: AbstractConnection, prefetch: int) -> RawChannel:
    """A channel for deliveries.

    The library's own message class cannot be built from some properties that RabbitMQ lets
    through, so deliveries are taken from the layer below it.
    """
    if connection.transport is None:
        raise ConnectionError("the connection was lost while it was opened")
    channel = await connection.transport.connection.channel(publisher_confirms=False)
    await channel.basic_qos(prefetch_count=prefetch, timeout=OPEN_SECONDS)
    return channel


def _heartbeat(url: Secret) -> dict[str, Any]:
    given = parse_qs(urlsplit(url.reveal()).query)
    return {} if "heartbeat" in given else {"heartbeat": HEARTBEAT_SECONDS}
