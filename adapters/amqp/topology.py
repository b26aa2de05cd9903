"""The queues and their exact arguments. A queue that exists with others is left alone.

``remint.requests`` has no delivery limit: each crash counts every prefetched message, so a limit
would remove good requests. It dead-letters at least once, which RabbitMQ offers to quorum queues
that reject publishers when they are full.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelClosed

REQUESTS: Final = "remint.requests"
EXPIRED: Final = "remint.expired"
DEAD: Final = "remint.dead"

QUEUES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        REQUESTS: {
            "x-queue-type": "quorum",
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": EXPIRED,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
        EXPIRED: {"x-queue-type": "quorum"},
        DEAD: {"x-queue-type": "quorum"},
    }
)


class TopologyError(Exception):
    """A queue is not as it must be; the text says which, and what the message server said."""


async def declare(channel: AbstractChannel) -> None:
    """Declare every queue, durable. Raises TopologyError; ``channel`` is closed then."""
    for name, arguments in QUEUES.items():
        try:
            await channel.declare_queue(name, durable=True, arguments=dict(arguments))
        except ChannelClosed as error:
            raise TopologyError(
                f"queue {name} cannot be declared ({error}); if it exists with other arguments, "
                "empty and delete it, or give it the documented ones"
            ) from None
