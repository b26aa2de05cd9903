"""One message to one queue, and the message server's word on it."""

from __future__ import annotations

import asyncio

from aio_pika import Message
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import DeliveryError

from adapters.amqp.alarm import Alarm

LOOK_AFTER_SECONDS = 2.0  # without a confirm by then, is it an alarm?
CONFIRM_SECONDS = 10.0  # a server that has not answered by then, without an alarm, is given up


class UnconfirmedError(Exception):
    """Nobody knows whether the message arrived: build a new link, and the request comes again."""


class LinkLostError(UnconfirmedError):
    """The channel or its connection ended before the message server had answered."""


async def publish(
    channel: AbstractChannel,
    queue: str,
    message: Message,
    *,
    alarm: Alarm,
    mandatory: bool = True,
) -> None:
    """Returns once the message is confirmed; ``mandatory`` asks for word of a missing queue.

    While ``alarm`` is raised it waits, and sends nothing twice: what was sent is confirmed then.
    Raises DeliveryError if the server refused it (PublishError: no such queue), LinkLostError
    (whose fault that was is not known: RabbitMQ ends a channel over one message, and all that are
    unconfirmed there share its lot), or UnconfirmedError if there was no word within
    ``CONFIRM_SECONDS``. ``channel`` must raise for returned messages.
    """
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
            elif waited >= CONFIRM_SECONDS:
                raise UnconfirmedError
        await sending
    except (DeliveryError, UnconfirmedError):
        raise
    except Exception:
        raise LinkLostError from None
    finally:
        sending.cancel()
