"""Events on their way to RabbitMQ: the topic exchange ``remint.events``, every message confirmed.

The connection is the events' own, so that a message server that stops reading what is published
there holds up no answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import aio_pika
from aio_pika import DeliveryMode, ExchangeType, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import AMQPError, ChannelClosed, ChannelInvalidStateError, DeliveryError

from adapters.amqp.topology import EVENTS
from adapters.events.channels import CONTENT_TYPE, EventsNotSent
from broker.model import Announcement, Secret

OPEN_SECONDS = 4.0
CONFIRM_SECONDS = 2.0
"""For a whole batch. A server with an alarm reads nothing meanwhile: the outbox waits for it."""

CLOSE_SECONDS = 1.0

_LOST = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError)


class AmqpEvents:
    """A ``Channel``. Its connection is opened by the first batch, and again after a failure."""

    name = "amqp"

    def __init__(self, url: Secret) -> None:
        self._url = url
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None

    async def send(self, announcements: Sequence[Announcement]) -> None:
        """Publish all and await all confirms. Nobody need be listening. Raises EventsNotSent."""
        try:
            exchange = await self._opened()
            async with asyncio.timeout(CONFIRM_SECONDS):
                refused = await _refused(exchange, announcements)
        except EventsNotSent:
            await self.close()
            raise
        except _LOST as error:
            await self.close()
            raise EventsNotSent(_reason(error)) from None
        except BaseException:
            await self.close()
            raise
        if refused:  # the connection is good; trying again later is all that helps
            raise EventsNotSent(f"a queue that is bound to {EVENTS} refuses them", refused)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        self._channel = self._exchange = None
        if connection is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await connection.close()

    async def _opened(self) -> AbstractExchange:
        if self._exchange and self._channel and not self._channel.is_closed:
            return self._exchange
        await self.close()
        async with asyncio.timeout(OPEN_SECONDS):
            self._connection = await aio_pika.connect(self._url.reveal())
            self._channel = self._connection.channel(publisher_confirms=True)
            await self._channel.initialize()
            self._exchange = await _declared(self._channel)
        return self._exchange


async def _declared(channel: AbstractChannel) -> AbstractExchange:
    try:
        return await channel.declare_exchange(EVENTS, ExchangeType.TOPIC, durable=True)
    except ChannelClosed as error:
        raise EventsNotSent(
            f"exchange {EVENTS} cannot be declared ({error}); if it exists with other arguments, "
            "delete it, or make it a durable topic exchange"
        ) from None


async def _refused(
    exchange: AbstractExchange, announcements: Sequence[Announcement]
) -> list[Announcement]:
    """Those that some queue would not take. Raises what the first other failure raised."""
    publishing = [
        exchange.publish(_message(one), routing_key=one.routing_key, mandatory=False)
        for one in announcements
    ]
    ended = await asyncio.gather(*publishing, return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, BaseException) and not isinstance(outcome, DeliveryError):
            raise outcome
    pairs = zip(announcements, ended, strict=True)
    return [one for one, outcome in pairs if isinstance(outcome, DeliveryError)]


def _message(announcement: Announcement) -> Message:
    return Message(
        announcement.body,
        content_type=CONTENT_TYPE,
        delivery_mode=DeliveryMode.PERSISTENT,
        message_id=announcement.id,
        type=announcement.type,
    )


def _reason(error: BaseException) -> str:
    """Without the text of the library, which may quote the address with the password in it."""
    return (
        "no word from RabbitMQ in time"
        if isinstance(error, TimeoutError)
        else (f"RabbitMQ was not reached: {type(error).__name__}")
    )
