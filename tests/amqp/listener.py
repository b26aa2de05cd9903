"""Somebody who listens to events on the message server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from adapters.amqp.topology import EVENTS
from tests.amqp.caller import POLL_SECONDS
from tests.events.judging import check
from tests.support.rabbitmq import RabbitMQ

EVENT_SECONDS = 60.0
QUEUE = "listener"


class Listener:
    """Every event that was bound for, valid against its schemas, in the order of arrival."""

    def __init__(self, queue: AbstractQueue) -> None:
        self._queue = queue
        self.messages: list[AbstractIncomingMessage] = []
        self.bodies: list[dict[str, Any]] = []

    async def take(self) -> dict[str, Any]:
        """The next event; fails the test if none comes."""
        async with asyncio.timeout(EVENT_SECONDS):
            while (message := await self._got()) is None:  # noqa: ASYNC110  # nobody tells us
                await asyncio.sleep(POLL_SECONDS)
        body: dict[str, Any] = json.loads(message.body)
        check(body)
        self.messages.append(message)
        self.bodies.append(body)
        return body

    async def silent(self) -> bool:
        """True if no event is there."""
        return await self._got() is None

    async def _got(self) -> AbstractIncomingMessage | None:
        return await self._queue.get(fail=False, no_ack=True)

    async def until(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """Takes events until there are ``count`` different ones of a type; those."""
        while len(found := self.of(name)) < count:
            await self.take()
        return found

    def of(self, name: str) -> list[dict[str, Any]]:
        """The events of a type that came so far, each once."""
        known = {body["id"]: body for body in self.bodies if body["type"] == f"remint.{name}"}
        return list(known.values())


@contextlib.asynccontextmanager
async def listening(rabbitmq: RabbitMQ, binding: str = "#") -> AsyncIterator[Listener]:
    """A queue of its own that survives its listener, bound to the exchange."""
    connection = await aio_pika.connect(rabbitmq.url_for("alice"))
    async with connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(EVENTS, "topic", durable=True)
        queue = await channel.declare_queue(QUEUE, durable=True)
        await queue.bind(exchange, binding)
        yield Listener(queue)


async def forgotten(rabbitmq: RabbitMQ) -> None:
    """Neither exchange nor listener."""
    async with await aio_pika.connect(rabbitmq.url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(QUEUE)
        await channel.exchange_delete(EVENTS)
