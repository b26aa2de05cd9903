"""One message to one queue, and the message server's word on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aio_pika import Message
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import DeliveryError

from adapters.amqp.alarm import Alarm

LOOK_AFTER_SECONDS = 2.0  # without a confirm by then, is it an alarm?
CONFIRM_SECONDS = 10.0  # what is not confirmed by then, without an alarm, is given up


class UnconfirmedError(Exception):
    """Nobody knows whether the message arrived: its request goes back, and comes again.

    ``queue`` confirms nothing at present; None where it is not known to be at fault.
    """

    def __init__(self, queue: str | None = None) -> None:
        super().__init__(queue)
        self.queue = queue


class RebuildError(UnconfirmedError):
    """This link is of no use any more: build a new one."""


class LinkLostError(RebuildError):
    """The channel or its connection ended before the message server had answered."""


def nothing() -> None:
    """Nobody minds that a confirm takes long."""


async def publish(
    channel: AbstractChannel,
    queue: str,
    message: Message,
    *,
    alarm: Alarm,
    mandatory: bool = True,
    slow: Callable[[], None] = nothing,
    seconds: float | None = None,
) -> None:
    """Returns once the message is confirmed; ``mandatory`` asks for word of a missing queue.

    While ``alarm`` is raised it waits, and sends nothing twice: what was sent is confirmed then.
    ``slow`` is called if there is neither confirm nor alarm after ``LOOK_AFTER_SECONDS``.
    Raises DeliveryError if the server refused it (PublishError: no such queue), LinkLostError
    (whose fault that was is not known: RabbitMQ ends a channel over one message, and all that are
    unconfirmed there share its lot), or UnconfirmedError if there was no word within ``seconds``
    (``CONFIRM_SECONDS``); a confirm that comes later is nobody's any more. ``channel`` must raise
    for returned messages.
    """
    patience = CONFIRM_SECONDS if seconds is None else seconds
    await alarm.over()
    sending = asyncio.create_task(
        channel.default_exchange.publish(message, routing_key=queue, mandatory=mandatory)
    )
    waited = 0.0
    try:
        while not (await asyncio.wait({sending}, timeout=LOOK_AFTER_SECONDS))[0]:
            waited += LOOK_AFTER_SECONDS
            if await alarm.look():
                await alarm.over()
                waited = 0.0
            elif waited >= patience:
                raise UnconfirmedError
            else:
                slow()
        await sending
    except (DeliveryError, UnconfirmedError):
        raise
    except Exception:
        raise LinkLostError from None
    finally:
        sending.cancel()
