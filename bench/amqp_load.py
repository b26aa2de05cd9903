"""A closed loop of requests by message: a number in flight, until all are answered."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from bench.endtoend import TOKEN
from bench.lanes import in_lanes
from bench.target import WrongAnswer

ANSWER_SECONDS = 60.0


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
        self, kind: Kind, bodies: Sequence[bytes], *, in_flight: int, tokens: int
    ) -> list[bytes]:
        """Send each body once; the bodies of the answers, in order.

        Raises WrongAnswer unless each answer has that many tokens in it.
        """
        answers = [b""] * len(bodies)

        async def send(number: int) -> None:
            answer = await self._answered(kind, bodies[number])
            found = answer.body.count(TOKEN)
            if found != tokens:
                raise WrongAnswer(f"from {kind.queue}: {found} tokens where {tokens} were to come")
            answers[number] = answer.body

        await in_lanes(send, len(bodies), in_flight)
        return answers

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
        except TimeoutError:
            raise WrongAnswer(f"from {kind.queue}: none in {ANSWER_SECONDS:.0f} s") from None
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
