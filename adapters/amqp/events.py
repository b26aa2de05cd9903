"""Events on their way to RabbitMQ: the topic exchange ``remint.events``, every message confirmed.

The connection is the events' own, so that a message server that stops reading what is published
there holds up no answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Sequence
from typing import Any

from aio_pika import DeliveryMode, ExchangeType, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import AMQPError, ChannelClosed, ChannelInvalidStateError, DeliveryError

from adapters.amqp.connecting import connected
from adapters.amqp.topology import EVENTS
from adapters.events.channels import CONTENT_TYPE, EventsNotSent
from broker.model import Announcement, Secret

OPEN_SECONDS = 4.0
CONFIRM_SECONDS = 2.0
"""For a whole batch. A server with an alarm reads nothing meanwhile: the outbox waits for it."""

LOOK_SECONDS = 1.0
"""Without all confirms by then, does the server confirm anything?"""

CLOSE_SECONDS = 1.0
DISCARD_SECONDS = 60.0
"""RabbitMQ 3.10 may hold a channel up for 30 seconds at one message."""

MAX_CHANNELS = 256
"""More than there are events in a batch."""

PROBE_PREFIX = "remint.probe."

_LOST = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError)


class AmqpEvents:
    """A ``Channel``. Its connection is opened by the first batch, and again after a failure.

    RabbitMQ confirms an event once every queue that it matches has it, and a queue that does not
    react may hold a whole channel up. So each routing key has a channel of its own, and a new one
    after an event that was not confirmed, which is left alone for a while.
    """

    name = "amqp"

    def __init__(self, url: Secret) -> None:
        self._url = url
        self._connection: AbstractConnection | None = None
        self._channels: dict[str, AbstractChannel] = {}  # by routing key, the last used last
        self._discarding: set[asyncio.Task[None]] = set()

    async def send(self, announcements: Sequence[Announcement]) -> None:
        """Publish all and await all confirms. Nobody need be listening. Raises EventsNotSent."""
        if not announcements:
            return
        try:
            refused, silent = await self._sent(announcements)
        except EventsNotSent:
            await self.close()
            raise
        except _LOST as error:
            await self.close()
            raise EventsNotSent(_reason(error)) from None
        except BaseException:
            await self.close()
            raise
        if refused or silent:  # the connection is good; trying again later is all that helps
            does = "refuses them" if refused else "confirms nothing"
            raise EventsNotSent(f"a queue that is bound to {EVENTS} {does}", [*refused, *silent])

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        self._channels.clear()
        for task in self._discarding:
            task.cancel()
        if connection is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await connection.close()

    async def _sent(
        self, announcements: Sequence[Announcement]
    ) -> tuple[list[Announcement], list[Announcement]]:
        """Those that some queue would not take, and those that one did not confirm in time while
        the server confirms others. Raises EventsNotSent, and what the first failure raised."""
        sending: dict[asyncio.Task[Any], Announcement] = {}
        try:
            for one in announcements:
                exchange = await self._exchange(one.routing_key)
                publishing = exchange.publish(_message(one), one.routing_key, mandatory=False)
                sending[asyncio.create_task(publishing)] = one
            _, late = await asyncio.wait(sending, timeout=LOOK_SECONDS)
            if late:
                await self._wait_longer(late)
            refused = [one for task, one in sending.items() if task.done() and _is_refusal(task)]
            silent = [one for task, one in sending.items() if not task.done()]
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
        for one in silent:
            self._discard(one.routing_key)
        return refused, silent

    async def _wait_longer(self, late: set[asyncio.Task[Any]]) -> None:
        """For the rest of the time. Raises TimeoutError if the server confirms nothing at all."""
        probe = asyncio.create_task(self._probed())
        try:
            await asyncio.wait({*late, probe}, timeout=CONFIRM_SECONDS - LOOK_SECONDS)
            if not probe.done():
                raise TimeoutError
            await probe
        finally:
            probe.cancel()

    async def _probed(self) -> None:
        """Returns once a message without a queue is confirmed, on a channel of its own."""
        if self._connection is None:
            raise TimeoutError
        channel = await _new_channel(self._connection)
        nowhere = f"{PROBE_PREFIX}{uuid.uuid4().hex}"
        await channel.default_exchange.publish(Message(b""), nowhere, mandatory=False)
        await channel.close()

    async def _exchange(self, routing_key: str) -> AbstractExchange:
        """To publish events of this routing key on."""
        async with asyncio.timeout(OPEN_SECONDS):
            channel = self._channels.pop(routing_key, None)
            if channel is None or channel.is_closed:
                channel = await _new_channel(await self._connected())
            self._channels[routing_key] = channel
            if len(self._channels) > MAX_CHANNELS:
                self._discard(next(iter(self._channels)))
            return await channel.get_exchange(EVENTS, ensure=False)

    async def _connected(self) -> AbstractConnection:
        """The open connection; the exchange is declared at its opening."""
        if self._connection is None or self._connection.is_closed:
            await self.close()
            self._connection = await connected(self._url)
            channel = await _new_channel(self._connection)
            await _declare(channel)
            await channel.close()
        return self._connection

    def _discard(self, routing_key: str) -> None:
        """Its next event has a new channel."""
        channel = self._channels.pop(routing_key, None)
        if channel is not None:
            task = asyncio.create_task(_closed(channel))
            self._discarding.add(task)
            task.add_done_callback(self._discarding.discard)


async def _new_channel(connection: AbstractConnection) -> AbstractChannel:
    """Raises OSError on a connection that has just been lost and does not know it yet."""
    try:
        return await connection.channel(publisher_confirms=True)
    except RuntimeError as error:  # so aiormq says that it is closed
        raise ConnectionResetError(type(error).__name__) from None


async def _declare(channel: AbstractChannel) -> None:
    try:
        await channel.declare_exchange(EVENTS, ExchangeType.TOPIC, durable=True)
    except ChannelClosed as error:
        raise EventsNotSent(
            f"exchange {EVENTS} cannot be declared ({error}); if it exists with other arguments, "
            "delete it, or make it a durable topic exchange"
        ) from None


async def _closed(channel: AbstractChannel) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(DISCARD_SECONDS):
            await channel.close()


def _is_refusal(task: asyncio.Task[Any]) -> bool:
    """Raises what it failed of, if that was no refusal."""
    try:
        task.result()
    except DeliveryError:
        return True
    return False


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
