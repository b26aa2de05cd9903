"""Messages that may end the connection they are sent over, on one that nothing else uses.

RabbitMQ ends a connection over a direct reply-to name that somebody made up, and a channel over a
message larger than it takes; and would do so again at each redelivery. So such messages go one at a
time over a connection of their own: whichever ends it twice in a row is the one that is not sent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractConnection

from adapters.amqp.alarm import Alarm
from adapters.amqp.publish import LinkLostError, UnconfirmedError, nothing, publish
from adapters.amqp.quiet import QuietQueues

ATTEMPTS = 2
OPEN_SECONDS = 5.0
CLOSE_SECONDS = 2.0


class Alone:
    """Opened at the first such message; ``connect`` makes its connection.

    ``changed`` is called when the message server begins or ends to take no answers. ``quiet`` are
    the queues of the link that it belongs to.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[AbstractConnection]],
        changed: Callable[[], None],
        quiet: QuietQueues,
    ) -> None:
        self._connect = connect
        self._changed = changed
        self._quiet = quiet
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._alarm: Alarm | None = None
        self._turn = asyncio.Lock()

    @property
    def blocked(self) -> bool:
        """True while the message server takes nothing here."""
        return self._alarm is not None and self._alarm.raised

    async def send(
        self,
        queue: str,
        message: Message,
        *,
        mandatory: bool,
        slow: Callable[[], None] = nothing,
    ) -> bool:
        """Send one; False if it cannot be sent, as the connection ends over it.

        Raises DeliveryError and UnconfirmedError, as ``publish`` does; in the latter case the next
        one has a new connection, as nobody knows what is left of this one.
        """
        self._quiet.check(queue)
        async with self._turn:
            for _ in range(ATTEMPTS):
                channel, alarm = await self._opened()
                try:
                    with self._quiet.turn(queue):
                        await publish(
                            channel, queue, message, alarm=alarm, mandatory=mandatory, slow=slow
                        )
                except LinkLostError:
                    await self.close()
                except UnconfirmedError:
                    await self.close()
                    raise
                else:
                    return True
            return False

    async def close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.stop()
        if connection is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await connection.close()

    async def _opened(self) -> tuple[AbstractChannel, Alarm]:
        """The open channel; raises UnconfirmedError if the message server cannot be reached."""
        if self._channel is not None and self._alarm is not None and not self._channel.is_closed:
            return self._channel, self._alarm
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
        self._alarm = Alarm(self._connection, self._changed)
        return self._channel, self._alarm
