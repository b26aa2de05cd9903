"""Answers and dead letters on their way out, each confirmed before its request is let go."""

from __future__ import annotations

import asyncio

from aio_pika import Message
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import DeliveryError, PublishError

from adapters.amqp.direct import DirectReplies
from adapters.amqp.message import DIRECT_REPLY
from adapters.amqp.publish import UnconfirmedError, publish
from adapters.amqp.topology import DEAD

NACK_PAUSES = (0.1, 0.5)  # seconds before a refused answer is offered again


class Publisher:
    """Publishes on one channel with confirms, where unroutable messages raise."""

    def __init__(self, channel: AbstractChannel, direct: DirectReplies) -> None:
        self._channel = channel
        self._direct = direct
        self._dead_letters = asyncio.Lock()

    async def answer(self, target: str, message: Message) -> bool:
        """Send an answer; False if its queue is gone or will not take it. Raises UnconfirmedError.

        A queue that keeps refusing must not hold us up, as it is the requester's own.
        """
        if target.startswith(DIRECT_REPLY):
            return await self._direct.answer(target, message)
        for pause in (*NACK_PAUSES, None):
            try:
                await publish(self._channel, target, message)
            except PublishError:
                return False
            except DeliveryError:
                if pause is not None:
                    await asyncio.sleep(pause)
            else:
                return True
        return False

    async def dead_letter(self, message: Message) -> None:
        """Send to ``remint.dead``. Raises UnconfirmedError, also if the queue has gone.

        One at a time: a dead letter keeps the message id of its request, and the library tells
        returned messages apart by theirs.
        """
        async with self._dead_letters:
            try:
                await publish(self._channel, DEAD, message)
            except DeliveryError:
                raise UnconfirmedError from None
