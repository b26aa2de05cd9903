"""The connections of one slot: opened whole, closed whole, never repaired.

Each lane has a session of its own. Whichever connection ends first ends the link; ``lost`` tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from adapters.mqtt.address import MqttAddress
from adapters.mqtt.client import MqttClient, nothing_expected
from adapters.mqtt.intake import Intake
from adapters.mqtt.names import Names
from adapters.mqtt.packets import Delivery
from adapters.mqtt.slots import Lease
from adapters.mqtt.topics import Lane

Accept = Callable[[Lane, MqttClient, Delivery], Awaitable[bool] | None]
"""Starts the work on a delivery. What it returns says whether the delivery was acknowledged; None
means that it was not taken."""


class Link:
    """Open connections that take requests, and ``publisher`` for the answers: one that is always
    read from, so that confirms come even while requests wait. Made by :meth:`open`."""

    publisher: MqttClient

    def __init__(self, names: Names) -> None:
        self._names = names
        self.lost = asyncio.Event()
        self._clients: list[MqttClient] = []
        self._watches: list[asyncio.Task[None]] = []

    @classmethod
    async def open(cls, address: MqttAddress, lease: Lease, names: Names) -> Link:
        """Connect, for answers at first. Raises CannotConnect."""
        link = cls(names)
        link._watch(lease.lost)
        try:
            link.publisher = await MqttClient.open(
                address,
                names.answers(lease.slot),
                receive_maximum=1,
                session_expiry=0,
                on_delivery=nothing_expected,
            )
            link._add(link.publisher)
        except BaseException:
            await link.close()
            raise
        return link

    async def consume(
        self,
        address: MqttAddress,
        slot: int,
        lanes: Mapping[Lane, Intake],
        *,
        session_expiry: int,
        accept: Accept,
    ) -> None:
        """Connect each of ``lanes`` and subscribe. Raises CannotConnect.

        What was left in the sessions comes before it returns. What is in hand of an earlier link
        comes again with it, so there has to be room first.
        """
        for lane, intake in lanes.items():
            await intake.room.wait()
            marker = self._names.marker(slot, lane, address.user or "")
            client = await MqttClient.open(
                address,
                self._names.client_id(slot, lane),
                receive_maximum=intake.at_once,
                session_expiry=session_expiry,
                on_delivery=_taker(lane, marker, accept),
            )
            self._add(client)
            await client.subscribe(lane.subscriptions())

    def abandon(self) -> None:
        """Give this link up; its owner closes it and opens another."""
        self.lost.set()

    async def close(self) -> None:
        """Whatever is unacknowledged comes again; the sessions stay."""
        await asyncio.gather(*(client.close() for client in self._clients))
        for watch in self._watches:
            watch.cancel()

    def _add(self, client: MqttClient) -> None:
        self._clients.append(client)
        self._watch(client.lost)

    def _watch(self, end: asyncio.Event) -> None:
        self._watches.append(asyncio.create_task(self._watched(end)))

    async def _watched(self, end: asyncio.Event) -> None:
        await end.wait()
        self.lost.set()


def _taker(lane: Lane, marker: str, accept: Accept) -> Callable[[MqttClient, Delivery], None]:
    def take(client: MqttClient, delivery: Delivery) -> None:
        if delivery.topic == marker:  # of a survivor that did not come to its end
            client.acknowledge(delivery)
        else:
            accept(lane, client, delivery)

    return take
