"""A closed loop of requests by message: a number in flight, until a number is answered."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from bench.lanes import in_lanes
from bench.load import SHOWN, WrongAnswer

ANSWER_SECONDS = 60.0
TOKEN = b'"issued_token"'


@dataclass(frozen=True, slots=True)
class Kind:
    """What the messages of a round have in common: where they go, and their property ``type``."""

    queue: str
    type: str


class Asker:
    """Publishes requests, each under a new id, and takes their answers. Made by ``asking``."""

    def __init__(self, channel: AbstractChannel, replies: AbstractQueue, user: str) -> None:
        self._channel = channel
        self._replies = replies
        self._user = user
        self._waiting: dict[str, asyncio.Future[AbstractIncomingMessage]] = {}

    async def all_answered(
        self, kind: Kind, bodies: Sequence[bytes], *, total: int, in_flight: int, tokens: int
    ) -> None:
        """Send ``total`` messages, going round the bodies given.

        Raises WrongAnswer unless each answer has that many tokens in it.
        """

        async def send(number: int) -> None:
            body = bodies[number % len(bodies)]
            answer = await self._answered(kind, body)
            if answer.body.count(TOKEN) != tokens:
                raise WrongAnswer(f"from {kind.queue}: {answer.body[:SHOWN]!r}")

        await in_lanes(send, total, in_flight)

    async def _answered(self, kind: Kind, body: bytes) -> AbstractIncomingMessage:
        id = uuid.uuid4().hex
        future: asyncio.Future[AbstractIncomingMessage]
        future = asyncio.get_running_loop().create_future()
        self._waiting[id] = future
        message = aio_pika.Message(
            body,
            type=kind.type,
            message_id=id,
            correlation_id=id,
            user_id=self._user,
            reply_to=self._replies.name,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        try:
            await self._channel.default_exchange.publish(message, kind.queue)
            async with asyncio.timeout(ANSWER_SECONDS):
                return await future
        finally:
            del self._waiting[id]

    async def take(self, answer: AbstractIncomingMessage) -> None:
        future = self._waiting.get(answer.correlation_id or "")
        if future is not None and not future.done():
            future.set_result(answer)


@asynccontextmanager
async def asking(url: str) -> AsyncIterator[Asker]:
    """A connection with a queue for answers, gone afterwards."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        replies = await channel.declare_queue(exclusive=True)
        asker = Asker(channel, replies, connection.url.user or "")
        await replies.consume(asker.take, no_ack=True)
        yield asker
