"""Connections to RabbitMQ, each opened whole and dropped whole; a lost one is replaced by need."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aio_pika
from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelClosed,
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    DeliveryError,
    ProbableAuthenticationError,
)

from remint_client.errors import Closed, NotAllowed

OPEN_SECONDS = 15.0
CLOSE_SECONDS = 3.0
CONFIRM_SECONDS = 15.0  # longer, and the connection counts as lost
HEARTBEAT_SECONDS = "15"  # a dead server is noticed within a minute; the URL may say otherwise
FIRST_PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 5.0

OnAnswer = Callable[[AbstractIncomingMessage], None]

_LOGIN_REFUSED = (AuthenticationError, ProbableAuthenticationError)


class NotTakenError(Exception):
    """The message server would not take the message now: no such queue yet, or it is full."""


class LinkLostError(Exception):
    """The connection ended before the message server had answered."""


class Link:
    """An open connection with a channel and a reply queue of its own. Made by :meth:`open`."""

    def __init__(self, connection: AbstractConnection, channel: AbstractChannel) -> None:
        self.lost = asyncio.Event()
        self.reply_to = ""
        self._connection = connection
        self._channel = channel

    @classmethod
    async def open(cls, url: str, on_answer: OnAnswer) -> Link:
        """Raises NotAllowed, OSError, TimeoutError, and the library's AMQPError."""
        async with asyncio.timeout(OPEN_SECONDS):
            try:
                connection = await aio_pika.connect(url, **_heartbeat(url))
            except _LOGIN_REFUSED as error:
                raise NotAllowed(f"RabbitMQ refused the login: {error}") from None
            try:
                return await cls._opened(connection, on_answer)
            except BaseException:
                await _closed(connection)
                raise

    @classmethod
    async def _opened(cls, connection: AbstractConnection, on_answer: OnAnswer) -> Link:
        channel = connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.initialize()
        link = cls(connection, channel)
        connection.close_callbacks.add(link._on_end)
        channel.close_callbacks.add(link._on_end)
        raw = await channel.get_underlay_channel()
        raw.on_consumer_cancel_callbacks.add(link._on_end)

        async def deliver(message: AbstractIncomingMessage) -> None:
            on_answer(message)

        try:
            replies = await channel.declare_queue(exclusive=True)
            await replies.consume(deliver, no_ack=True)
        except ChannelClosed as error:
            if _forbidden(error):
                raise NotAllowed(f"RabbitMQ refused a reply queue: {error}") from None
            raise
        link.reply_to = replies.name
        return link

    async def publish(self, queue: str, message: Message) -> None:
        """Returns once RabbitMQ has the message. Raises NotTakenError, LinkLostError, NotAllowed.

        A message that is confirmed is on disk: it waits for a broker whatever happens to us.
        """
        try:
            await self._channel.default_exchange.publish(
                message, routing_key=queue, mandatory=True, timeout=CONFIRM_SECONDS
            )
        except DeliveryError:
            raise NotTakenError from None
        except (AMQPError, ChannelInvalidStateError, OSError, TimeoutError) as error:
            self.lost.set()
            if _forbidden(error):
                raise NotAllowed(f"RabbitMQ refused a request: {error}") from None
            raise LinkLostError from None

    async def close(self) -> None:
        self.lost.set()
        await _closed(self._connection)

    def _on_end(self, *_: object) -> None:
        self.lost.set()


class Links:
    """The one open link, opened when it is needed."""

    def __init__(self, url: str, on_answer: OnAnswer) -> None:
        self._url = url
        self._on_answer = on_answer
        self._link: Link | None = None
        self._closed = False
        self._turn = asyncio.Lock()
        self._pause = FIRST_PAUSE_SECONDS

    async def current(self) -> Link:
        """The open link; waits for the message server as long as it takes.

        Raises NotAllowed, and Closed once the client is.
        """
        async with self._turn:
            while not self._closed:
                if self._link is not None and not self._link.lost.is_set():
                    return self._link
                await self._drop()
                try:
                    self._link = await Link.open(self._url, self._on_answer)
                except (AMQPError, OSError, TimeoutError):
                    await asyncio.sleep(self._pause)
                    self._pause = min(2 * self._pause, MAX_PAUSE_SECONDS)
                else:
                    self._pause = FIRST_PAUSE_SECONDS
            raise Closed("the client is closed")

    async def close(self) -> None:
        """Whoever waits for an answer hears Closed."""
        self._closed = True
        if self._link is not None:
            self._link.lost.set()
        async with self._turn:
            await self._drop()

    async def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()


async def _closed(connection: AbstractConnection) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CLOSE_SECONDS):
            await connection.close()


def _forbidden(error: Exception) -> bool:
    """Whether RabbitMQ closed the channel over what was asked (403, 405, 406).

    The library has a class for each of them; one that ended with its connection is a plain one.
    """
    closed = isinstance(error, ChannelClosed) and type(error) is not ChannelClosed
    return closed and not isinstance(error, ChannelNotFoundEntity)


def _heartbeat(url: str) -> dict[str, Any]:
    given = parse_qs(urlsplit(url).query)
    return {} if "heartbeat" in given else {"heartbeat": HEARTBEAT_SECONDS}
