"""Looking after ``remint.dead``: list, read, send again, throw away.

Looking takes messages without acknowledging any, and RabbitMQ puts them back where they were when
the channel closes. So nothing is consumed but what ``drop`` and ``replay`` were told to.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import AMQPError, ChannelClosed, DeliveryError

from adapters.amqp import letter_mac
from adapters.amqp.connecting import connected
from adapters.amqp.publish import CONFIRM_SECONDS
from adapters.amqp.tolerance import tolerate_unreadable_properties
from adapters.amqp.topology import BATCHES, CONTROL, DEAD, REQUESTS
from broker.errors import InvalidRequest, NotFound, Refusal, Unavailable
from broker.model import Secret

MAX_LOOKED_AT = 1000
"""How far into the queue anything is looked for: what is taken meanwhile is hidden from others."""

CONNECT_SECONDS = 15.0

QUEUE_OF_TYPE = {
    "translate.batch": BATCHES,
    "validate": CONTROL,
    "cancel": CONTROL,
    "result": CONTROL,
}
KEPT_HEADERS = ("deadline", "traceparent", "tracestate")

_LOST = (AMQPError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One of them, without its body: ``number`` counts from 1, the oldest first."""

    number: int
    message_id: str | None
    reason: str
    properties: dict[str, Any] = field(repr=False)
    sealed: bool = False
    """Whether it has a body, encrypted to the operator's key."""
    ours: bool = True
    """Whether a broker of this deployment wrote it, and nobody has changed it since."""


Opener = Callable[[bytes], bytes]


class DeadLetters:
    """The queue, over one connection. Made by :func:`opened`."""

    def __init__(self, channel: AbstractChannel, queue: AbstractQueue, digest_key: bytes) -> None:
        self._channel = channel
        self._queue = queue
        self._digest_key = digest_key

    async def all(self, limit: int) -> list[DeadLetter]:
        """The oldest ones, at most ``limit``."""
        return [self._read(number, taken) async for number, taken in self._taken(limit)]

    async def one(self, wanted: str) -> DeadLetter:
        """By number or message id. Raises NotFound."""
        number, taken = await self._find(wanted)
        return self._read(number, taken)

    async def drop(self, wanted: str) -> DeadLetter:
        """Throw one away. Raises NotFound."""
        number, taken = await self._find(wanted)
        await taken.ack()
        return self._read(number, taken)

    async def replay(self, wanted: str, opener: Opener) -> tuple[DeadLetter, str]:
        """Send one again, under its own message id; it is gone from here once the queue, which is
        named, has confirmed it. ``opener`` decrypts the body.

        Raises NotFound, InvalidRequest and Unavailable; then it is still here.
        """
        number, taken = await self._find(wanted)
        letter = self._read(number, taken)
        if not letter.ours:
            raise InvalidRequest(
                "no broker of this deployment wrote this letter, so it is not sent in anybody's "
                "name: drop it"
            )
        if not letter.sealed:
            raise InvalidRequest(
                "this dead letter has no body to send again: set amqp.dead_letter_key, so that "
                "later ones have, and ask whoever sent this one to send it again"
            )
        queue = QUEUE_OF_TYPE.get(taken.type or "", REQUESTS)
        await self._publish(queue, _again(taken, opener(taken.body)))
        await taken.ack()
        return letter, queue

    async def _publish(self, queue: str, message: Message) -> None:
        try:
            await self._channel.default_exchange.publish(
                message, routing_key=queue, mandatory=True, timeout=CONFIRM_SECONDS
            )
        except DeliveryError:
            raise Unavailable(f"{queue} does not take it; it stays in {DEAD}") from None
        except ChannelClosed:
            raise InvalidRequest(
                f"RabbitMQ does not let this login send in the name of {message.user_id}: give it "
                f"the tag impersonator, or have {message.user_id} send the request again"
            ) from None

    async def _find(self, wanted: str) -> tuple[int, AbstractIncomingMessage]:
        async for number, taken in self._taken(MAX_LOOKED_AT):
            if wanted in (str(number), taken.message_id):
                return number, taken
        raise NotFound(f"no such letter among the first {MAX_LOOKED_AT} of {DEAD}")

    def _read(self, number: int, taken: AbstractIncomingMessage) -> DeadLetter:
        return _letter(number, taken, ours=letter_mac.holds(taken, self._digest_key))

    async def _taken(self, limit: int) -> AsyncIterator[tuple[int, AbstractIncomingMessage]]:
        for number in range(1, limit + 1):
            taken = await self._queue.get(fail=False, no_ack=False)
            if taken is None:
                return
            yield number, taken


@asynccontextmanager
async def opened(url: Secret, digest_key: bytes) -> AsyncIterator[DeadLetters]:
    """The dead letters of a message server; ``digest_key`` is the one that brokers write them with.

    Raises Unavailable, and NotFound without the queue.
    """
    tolerate_unreadable_properties()
    try:
        connection = await connected(url, timeout=CONNECT_SECONDS)
    except _LOST:
        raise Unavailable(f"RabbitMQ at {_place(url)} is not reached") from None
    try:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        try:
            queue = await channel.declare_queue(DEAD, passive=True)
        except ChannelClosed:
            raise NotFound(f"there is no queue {DEAD} yet: brokers declare it") from None
        yield DeadLetters(channel, queue, digest_key)
    except Refusal:
        raise
    except _LOST:
        raise Unavailable(f"RabbitMQ at {_place(url)} was lost; nothing else was done") from None
    finally:
        with contextlib.suppress(*_LOST):
            await connection.close()


def _letter(number: int, taken: AbstractIncomingMessage, *, ours: bool) -> DeadLetter:
    headers = dict(taken.headers)
    properties = {
        "type": taken.type,
        "message_id": taken.message_id,
        "correlation_id": taken.correlation_id,
        "reply_to": taken.reply_to,
        "app_id": taken.app_id,
        "content_type": taken.content_type,
        "content_encoding": taken.content_encoding,
        "timestamp": taken.timestamp,
        **headers,
    }
    return DeadLetter(
        number,
        taken.message_id,
        str(headers.get("x-remint-reason", "")),
        {name: value for name, value in properties.items() if value is not None},
        bool(taken.body),
        ours,
    )


def _again(taken: AbstractIncomingMessage, body: bytes) -> Message:
    """The request as it was, as far as it is known. What had expired does not expire again."""
    headers = taken.headers
    user = headers.get("x-remint-user-id")
    return Message(
        body,
        headers={name: headers[name] for name in KEPT_HEADERS if name in headers},
        delivery_mode=DeliveryMode.PERSISTENT,
        type=taken.type,
        message_id=taken.message_id,
        correlation_id=taken.correlation_id,
        reply_to=taken.reply_to,
        app_id=taken.app_id,
        content_type=taken.content_type,
        content_encoding=taken.content_encoding,
        timestamp=taken.timestamp,
        user_id=str(user) if user else None,
    )


def _place(url: Secret) -> str:
    """Host and port, without the login."""
    return urlsplit(url.reveal()).netloc.rpartition("@")[2]
