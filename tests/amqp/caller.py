"""A requester on the message server, as any client library would have it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from adapters.amqp.topology import BATCHES, DEAD, REQUESTS
from tests.support.door import ELEMENT, user_input
from tests.support.planted import Planted
from tests.support.rabbitmq import RabbitMQ

ANSWER_SECONDS = 15.0
SILENCE_SECONDS = 0.3
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Reply:
    """An answer as it came, its body both raw and parsed."""

    raw: bytes
    message: AbstractIncomingMessage

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def headers(self) -> Mapping[str, Any]:
        return self.message.headers

    @property
    def status(self) -> int:
        status = self.headers["status"]
        assert isinstance(status, int)
        return status


def translation(
    given: Mapping[str, Any] | None = None,
    wanted: Mapping[str, Any] | None = None,
    *,
    instance: str = ELEMENT,
) -> dict[str, Any]:
    """The body of a translate request: a password in, an ID token out, unless said otherwise."""
    return {
        "instance": instance,
        "input_token_state": dict(given or user_input()),
        "output_token_state": dict(
            wanted or {"token_type": "OPENIDCONNECT", "nonce": "n-1", "allow_access": True}
        ),
    }


@dataclass
class Caller:
    """One user's connection, with a reply queue that the server named."""

    user: str
    channel: AbstractChannel
    replies: AbstractQueue
    planted: Planted

    async def send(
        self,
        body: Any,
        *,
        message_id: str | None = "",
        reply_to: str | None = "",
        user_id: str | None = "",
        headers: Mapping[str, Any] | None = None,
        type: str | None = None,
        correlation_id: str | None = None,
        content_type: str | None = "application/json",
        content_encoding: str | None = None,
        expiration: float | None = None,
        timestamp: datetime | None = None,
        queue: str = "",
    ) -> str | None:
        """Publish a request, confirmed. An empty string means the usual value, None means none."""
        if message_id == "":
            message_id = uuid.uuid4().hex
        message = aio_pika.Message(
            body if isinstance(body, bytes) else json.dumps(body).encode(),
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=message_id,
            reply_to=self.replies.name if reply_to == "" else reply_to,
            user_id=self.user if user_id == "" else user_id,
            headers=dict(headers or {}),
            type=type,
            correlation_id=correlation_id,
            content_type=content_type,
            content_encoding=content_encoding,
            expiration=expiration,
            timestamp=timestamp,
        )
        if message_id is None:
            await self._publish_without_id(message)
        else:
            usual = BATCHES if type == "translate.batch" else REQUESTS
            await self.channel.default_exchange.publish(message, queue or usual)
        return message_id

    async def hold(
        self, body: Any, *, queue: str = REQUESTS, **properties: Any
    ) -> Callable[[], Awaitable[None]]:
        """A request that is with the message server already; it enters ``queue`` upon the call."""
        room = await self.channel.declare_queue(
            exclusive=True,
            arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue},
        )
        await self.send(body, queue=room.name, **properties)
        message = await take(room, no_ack=False)
        return functools.partial(message.reject, requeue=False)

    async def ask(self, body: Any, **properties: Any) -> Reply:
        await self.send(body, **properties)
        return await self.reply()

    async def reply(self) -> Reply:
        message = await take(self.replies)
        reply = Reply(message.body, message)
        readable = message.content_type == "application/json"
        body = reply.body if readable else None
        token = body.get("issued_token") if isinstance(body, dict) else None
        if token:
            self.planted.note(token)
        return reply

    async def silent(self) -> bool:
        """True if no further answer comes for a while."""
        await asyncio.sleep(SILENCE_SECONDS)
        return await self.replies.get(fail=False, no_ack=True) is None

    async def dead_letter(self) -> AbstractIncomingMessage:
        return await take(await self.channel.get_queue(DEAD))

    async def waiting(self, queue: str = REQUESTS) -> int:
        """How many messages in the queue nobody has taken."""
        declared = await self.channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0

    async def until_waiting(self, queue: str, count: int) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            while await self.waiting(queue) != count:  # noqa: ASYNC110  # nobody tells us
                await asyncio.sleep(POLL_SECONDS)

    async def _publish_without_id(self, message: aio_pika.Message) -> None:
        raw = await self.channel.get_underlay_channel()
        properties = message.properties
        properties.message_id = _Empty()
        await raw.basic_publish(message.body, routing_key=REQUESTS, properties=properties)


class _Empty(str):
    """An empty message id that counts as one, so that the library does not make one up."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


async def take(queue: AbstractQueue, *, no_ack: bool = True) -> AbstractIncomingMessage:
    """The next message of a queue; fails the test if none comes."""
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            message = await queue.get(fail=False, no_ack=no_ack)
            if message is not None:
                return message
            await asyncio.sleep(POLL_SECONDS)


@contextlib.asynccontextmanager
async def calling(
    rabbitmq: RabbitMQ, planted: Planted, user: str, url: str | None = None
) -> AsyncIterator[Caller]:
    connection = await aio_pika.connect(url or rabbitmq.url_for(user))
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        yield Caller(user, channel, await channel.declare_queue(exclusive=True), planted)
