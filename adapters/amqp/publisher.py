"""Answers and dead letters on their way out, each confirmed before its request is let go."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import DeliveryError, PublishError

from adapters.amqp.alarm import Alarm
from adapters.amqp.alone import OPEN_SECONDS, Alone
from adapters.amqp.message import DIRECT_REPLY
from adapters.amqp.publish import LinkLostError, UnconfirmedError, publish
from adapters.amqp.topology import DEAD

NACK_PAUSES = (0.1, 0.5)  # seconds before a refused answer is offered again


class Publisher:
    """Publishes on one channel of ``connection``, which is opened anew when a message ended it."""

    def __init__(self, connection: AbstractConnection, alarm: Alarm, alone: Alone) -> None:
        self._connection = connection
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self._alarm = alarm
        self._alone = alone
        self._dead_letters: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def blocked(self) -> bool:
        """True while the message server takes no answers (memory or disk alarm)."""
        return self._alarm.raised or self._alone.blocked

    async def close(self) -> None:
        """Before its connection is closed: nobody waits for it any longer."""
        self._alarm.stop()
        await self._alone.close()

    async def answer(self, target: str, message: Message, *, alone: bool = False) -> bool:
        """Send an answer; False if RabbitMQ or its queue will not take it. Raises UnconfirmedError.

        ``alone`` for one that may have ended a connection. A queue that keeps refusing must not
        hold us up, as it is the requester's own; nor must one that is not there.

        True does not say that the requester of a direct reply was still there: nothing does.
        """
        for pause in (*NACK_PAUSES, None):
            try:
                return await self._sent(target, message, alone=alone)
            except PublishError:
                return False
            except DeliveryError:
                if pause is not None:
                    await asyncio.sleep(pause)
        return False

    async def dead_letter(self, message: Message, *, alone: bool = False) -> bool:
        """Send to ``remint.dead``; False if RabbitMQ will not take it. Raises UnconfirmedError,
        also if the queue has gone.

        Two with one message id go one after the other: a dead letter keeps the id of its request,
        and the library tells returned messages apart by theirs.
        """
        turn = self._dead_letters.setdefault(message.message_id or "", asyncio.Lock())
        async with turn:
            try:
                return await self._sent(DEAD, message, alone=alone)
            except DeliveryError:
                raise UnconfirmedError from None

    async def _sent(self, queue: str, message: Message, *, alone: bool) -> bool:
        """False if this message ends whatever it is sent over."""
        direct = queue.startswith(DIRECT_REPLY)
        if not (alone or direct):
            try:
                await publish(await self._opened(), queue, message, alarm=self._alarm)
            except LinkLostError:
                # The channel alone was ended: over this message, or another that shared it.
                if self._connection.is_closed:
                    raise
            else:
                return True
        # A direct reply is not mandatory: RabbitMQ returns such messages though it delivers them.
        return await self._alone.send(queue, message, mandatory=not direct)

    async def _opened(self) -> AbstractChannel:
        """The open channel, where unroutable messages raise. Raises LinkLostError."""
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                try:
                    async with asyncio.timeout(OPEN_SECONDS):
                        self._channel = await self._connection.channel(
                            publisher_confirms=True, on_return_raises=True
                        )
                except Exception:
                    raise LinkLostError from None
            return self._channel
