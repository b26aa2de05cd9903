"""Answers to direct reply-to, on a connection of their own.

RabbitMQ hands the requester a name such as ``amq.rabbitmq.reply-to.g1h2…``, which it decodes when
an answer is published there. A name that somebody made up ends the connection that publishes to
it, and would do so again at each redelivery. So these answers go one at a time over a connection
that nothing else uses: whoever ends it twice in a row is the one that gets no answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import DeliveryError

from adapters.amqp.publish import LinkLostError, UnconfirmedError, publish

ATTEMPTS = 2
OPEN_SECONDS = 5.0
CLOSE_SECONDS = 2.0


class DirectReplies:
    """Opened at the first such answer; ``connect`` makes its connection."""

    def __init__(self, connect: Callable[[], Awaitable[AbstractConnection]]) -> None:
        self._connect = connect
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._turn = asyncio.Lock()

    async def answer(self, target: str, message: Message) -> bool:
        """Send an answer; False if its name is no good. Raises UnconfirmedError.

        True does not say that the requester was still there: nothing does.
        """
        async with self._turn:
            for _ in range(ATTEMPTS):
                try:
                    # Not mandatory: RabbitMQ returns such messages though it delivers them.
                    await publish(await self._opened(), target, message, mandatory=False)
                    return True
                except DeliveryError:
                    return False
                except LinkLostError:
                    await self.close()
            return False

    async def close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await connection.close()

    async def _opened(self) -> AbstractChannel:
        """The open channel; raises UnconfirmedError if the message server cannot be reached."""
        if self._channel is not None and not self._channel.is_closed:
            return self._channel
        await self.close()
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                self._connection = await self._connect()
                channel = self._connection.channel(publisher_confirms=True, on_return_raises=True)
                await channel.initialize()
        except Exception:
            await self.close()
            raise UnconfirmedError from None
        self._channel = channel
        return channel
