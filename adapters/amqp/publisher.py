"""Answers and dead letters on their way out, each confirmed before its request is let go."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from weakref import WeakValueDictionary

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import DeliveryError, PublishError

from adapters.amqp.alarm import Alarm
from adapters.amqp.alone import OPEN_SECONDS, Alone
from adapters.amqp.message import DIRECT_REPLY
from adapters.amqp.publish import (
    CONFIRM_SECONDS,
    LinkLostError,
    RebuildError,
    UnconfirmedError,
    nothing,
    publish,
)
from adapters.amqp.quiet import QuietQueue, QuietQueues
from adapters.amqp.topology import DEAD

NACK_PAUSES = (0.1, 0.5)  # seconds before a refused answer is offered again
PROBE_SECONDS = 4.0  # to confirm a message to no queue, for which there is nothing to wait
PROBE_PREFIX = "remint.probe."
DISCARD_SECONDS = 60.0  # RabbitMQ 3.10 may hold a channel up for 30 seconds at one message


class Publisher:
    """Publishes over ``connection``: answers on one channel, dead letters on another.

    Such a channel is opened anew when a message ended it, and when one was not confirmed: RabbitMQ
    works on the messages of a channel in order, and may be held up by one whose queue does not
    react. So a message to a queue that confirms nothing has a channel to itself.

    ``slow``, in each call, is called while a confirm is waited for long.
    """

    def __init__(
        self,
        connection: AbstractConnection,
        alarm: Alarm,
        alone: Alone,
        quiet: QuietQueues,
    ) -> None:
        self._connection = connection
        self._channels: dict[bool, AbstractChannel] = {}  # that of dead letters, and the other
        self._discarding: set[asyncio.Task[None]] = set()
        self._opening = asyncio.Lock()
        self._alarm = alarm
        self._alone = alone
        self._quiet = quiet
        self._heard_at = 0.0  # when the message server last said something of a message
        self._probe: asyncio.Task[bool] | None = None
        self._dead_letters: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def blocked(self) -> bool:
        """True while the message server takes no answers (memory or disk alarm)."""
        return self._alarm.raised or self._alone.blocked

    def quiet(self, queue: str | None) -> QuietQueue | None:
        """What is known of a queue that confirms nothing; None of any other."""
        return None if queue is None else self._quiet.get(queue)

    async def close(self) -> None:
        """Before its connection is closed: nobody waits for it any longer."""
        self._alarm.stop()
        if self._probe is not None:
            self._probe.cancel()
        for task in self._discarding:
            task.cancel()
        await self._alone.close()

    async def answer(
        self,
        target: str,
        message: Message,
        *,
        alone: bool = False,
        slow: Callable[[], None] = nothing,
    ) -> bool:
        """Send an answer; False if RabbitMQ or its queue will not take it. Raises UnconfirmedError.

        ``alone`` for one that may have ended a connection. A queue that keeps refusing must not
        hold us up, as it is the requester's own; nor must one that is not there.

        True does not say that the requester of a direct reply was still there: nothing does.
        """
        for pause in (*NACK_PAUSES, None):
            try:
                return await self._sent(target, message, alone=alone, slow=slow)
            except PublishError:
                return False
            except DeliveryError:
                if pause is not None:
                    await asyncio.sleep(pause)
        return False

    async def dead_letter(
        self, message: Message, *, alone: bool = False, slow: Callable[[], None] = nothing
    ) -> bool:
        """Send to ``remint.dead``; False if RabbitMQ will not take it. Raises UnconfirmedError,
        also if the queue refuses it; RebuildError if the queue has gone: a new link declares it.

        Two with one message id go one after the other: a dead letter keeps the id of its request,
        and the library tells returned messages apart by theirs.
        """
        turn = self._dead_letters.setdefault(message.message_id or "", asyncio.Lock())
        async with turn:
            try:
                return await self._sent(DEAD, message, alone=alone, slow=slow)
            except PublishError:
                raise RebuildError(DEAD) from None
            except DeliveryError:
                raise UnconfirmedError from None

    async def _sent(
        self, queue: str, message: Message, *, alone: bool, slow: Callable[[], None]
    ) -> bool:
        """False if this message ends whatever it is sent over."""
        direct = queue.startswith(DIRECT_REPLY)
        if not (alone or direct):
            try:
                with self._quiet.turn(queue):
                    await self._published(queue, message, slow=slow)
            except LinkLostError:
                # The channel alone was ended: over this message, or another that shared it.
                if self._connection.is_closed:
                    raise
            else:
                return True
        # A direct reply is not mandatory: RabbitMQ returns such messages though it delivers them.
        return await self._alone.send(queue, message, mandatory=not direct, slow=slow)

    async def _published(self, queue: str, message: Message, *, slow: Callable[[], None]) -> None:
        """Raises what ``publish`` does, and RebuildError if nothing is confirmed over this
        connection any more."""
        began = asyncio.get_running_loop().time()
        shared = self._quiet.get(queue) is None
        channel = await (self._opened(queue == DEAD) if shared else self._new_channel())
        keep = False
        try:
            await publish(channel, queue, message, alarm=self._alarm, slow=slow)
            keep = shared
        except DeliveryError:
            keep = shared
            self._hear()
            raise
        except LinkLostError:
            raise
        except UnconfirmedError:
            if self._heard_at < began and not await self._confirms():
                raise RebuildError from None
            raise
        finally:
            if not keep:
                self._discard(channel)
        self._hear()

    async def _confirms(self) -> bool:
        """Whether a message without a queue is confirmed. Many ask at once; one is sent."""
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._probed())
        return await asyncio.shield(self._probe)

    async def _probed(self) -> bool:
        message = Message(b"", delivery_mode=DeliveryMode.NOT_PERSISTENT)
        nowhere = f"{PROBE_PREFIX}{uuid.uuid4().hex}"
        try:
            channel = await self._new_channel()
            await publish(
                channel,
                nowhere,
                message,
                alarm=self._alarm,
                mandatory=False,
                seconds=PROBE_SECONDS,
            )
        except (DeliveryError, UnconfirmedError):
            return False
        self._hear()
        self._discard(channel)
        return True

    def _hear(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()

    def _discard(self, channel: AbstractChannel) -> None:
        """Use it no more. Others may still wait for their confirms there."""
        for letters, present in list(self._channels.items()):
            if present is channel:
                del self._channels[letters]
        task = asyncio.create_task(_closed(channel))
        self._discarding.add(task)
        task.add_done_callback(self._discarding.discard)

    async def _opened(self, letters: bool) -> AbstractChannel:
        """The open channel of dead letters, or of answers. Raises LinkLostError."""
        async with self._opening:
            channel = self._channels.get(letters)
            if channel is None or channel.is_closed:
                channel = self._channels[letters] = await self._new_channel()
            return channel

    async def _new_channel(self) -> AbstractChannel:
        """A channel where unroutable messages raise. Raises LinkLostError."""
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                return await self._connection.channel(
                    publisher_confirms=True, on_return_raises=True
                )
        except Exception:
            raise LinkLostError from None


async def _closed(channel: AbstractChannel) -> None:
    with contextlib.suppress(Exception):
        await asyncio.sleep(CONFIRM_SECONDS)
        async with asyncio.timeout(DISCARD_SECONDS):
            await channel.close()
