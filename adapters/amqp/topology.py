"""The queues and their exact arguments. A queue that exists with others is left alone.

The queues of requests have no delivery limit: each crash counts every prefetched message, so a
limit would remove good requests. They dead-letter at least once, which RabbitMQ offers to quorum
queues that reject publishers when they are full.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelClosed

REQUESTS: Final = "remint.requests"
BATCHES: Final = "remint.requests.batch"
CONTROL: Final = "remint.control"
EXPIRED: Final = "remint.expired"
DEAD: Final = "remint.dead"
EVENTS: Final = "remint.events"

MAX_DEAD_BYTES: Final = 1024**3
"""Of dead letters, bodies included; then the oldest go. Whoever may publish can make them."""

_OF_REQUESTS: Mapping[str, str | int] = MappingProxyType(
    {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": EXPIRED,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
)

QUEUES: Mapping[str, Mapping[str, str | int]] = MappingProxyType(
    {
        REQUESTS: _OF_REQUESTS,
        BATCHES: _OF_REQUESTS,
        CONTROL: _OF_REQUESTS,
        EXPIRED: MappingProxyType({"x-queue-type": "quorum"}),
        DEAD: MappingProxyType({"x-queue-type": "quorum", "x-max-length-bytes": MAX_DEAD_BYTES}),
    }
)

EXCHANGES: Mapping[str, ExchangeType] = MappingProxyType({EVENTS: ExchangeType.TOPIC})


class TopologyError(Exception):
    """Something is not as it must be; the text says which, and what the message server said."""


async def declare(channel: AbstractChannel) -> None:
    """Declare every queue and exchange, durable. Raises TopologyError; ``channel`` is closed
    then."""
    for name, arguments in QUEUES.items():
        try:
            await channel.declare_queue(name, durable=True, arguments=dict(arguments))
        except ChannelClosed as error:
            raise TopologyError(
                f"queue {name} cannot be declared ({error}); if it exists with other arguments, "
                "empty and delete it, or give it the documented ones"
            ) from None
    for name, kind in EXCHANGES.items():
        try:
            await channel.declare_exchange(name, kind, durable=True)
        except ChannelClosed as error:
            raise TopologyError(
                f"exchange {name} cannot be declared ({error}); if it exists and is not a durable "
                f"{kind.value} exchange, delete it"
            ) from None
