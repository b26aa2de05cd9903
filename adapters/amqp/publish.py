"""One message to one queue, and the message server's word on it."""

from __future__ import annotations

from aio_pika import Message
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError, DeliveryError

CONFIRM_SECONDS = 5.0


class UnconfirmedError(Exception):
    """Nobody knows whether the message arrived: build a new link, and the request comes again."""


class LinkLostError(UnconfirmedError):
    """The channel or its connection ended before the message server had answered."""


async def publish(
    channel: AbstractChannel, queue: str, message: Message, *, mandatory: bool = True
) -> None:
    """Returns once the message is confirmed; ``mandatory`` asks for word of a missing queue.

    Raises DeliveryError if the server refused it (PublishError: no such queue), LinkLostError, or
    UnconfirmedError if there was no word within ``CONFIRM_SECONDS``. ``channel`` must raise for
    returned messages.
    """
    try:
        await channel.default_exchange.publish(
            message, routing_key=queue, mandatory=mandatory, timeout=CONFIRM_SECONDS
        )
    except DeliveryError:
        raise
    except TimeoutError:
        raise UnconfirmedError from None
    except (AMQPError, ChannelInvalidStateError, OSError):
        raise LinkLostError from None
