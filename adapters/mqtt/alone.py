"""An answer on a connection of its own, once links were lost over it.

A message server may end the connection at a message that it finds too large, and not say why:
Mosquitto does, at its ``message_size_limit``. On the link that would take everybody's answers down
with it, again and again.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from adapters.mqtt.address import MqttAddress
from adapters.mqtt.client import MqttClient, nothing_expected
from adapters.mqtt.message import Incoming

MAX_LINKS_LOST = 2  # over one answer, before it goes alone
MAX_LOST_ALONE = 3  # connections of its own, before it is given up
MAX_BLAMED = 1000  # requests of which it is remembered


class Blamed:
    """How many links were lost over a request's answer: over this one, or another under way with
    it. It outlasts the link, as a request comes again that could not be acknowledged."""

    def __init__(self) -> None:
        self._lost: dict[Hashable, int] = {}

    def lost_over(self, incoming: Incoming) -> None:
        self._lost[_key(incoming)] = self._lost.pop(_key(incoming), 0) + 1
        if len(self._lost) > MAX_BLAMED:
            del self._lost[next(iter(self._lost))]

    def sends_alone(self, incoming: Incoming) -> bool:
        return self._lost.get(_key(incoming), 0) >= MAX_LINKS_LOST

    def forget(self, incoming: Incoming) -> None:
        """Its answer was taken."""
        self._lost.pop(_key(incoming), None)


def _key(incoming: Incoming) -> Hashable:
    return incoming.topic, incoming.message_id


@asynccontextmanager
async def own_connection(address: MqttAddress) -> AsyncIterator[MqttClient]:
    """A connection for one answer. Raises CannotConnect."""
    client = await MqttClient.open(
        address,
        f"remint-alone-{secrets.token_hex(16)}",
        receive_maximum=1,
        session_expiry=0,
        on_delivery=nothing_expected,
    )
    try:
        yield client
    finally:
        await client.close()
