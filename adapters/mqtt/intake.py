"""How many requests are in hand: those that are worked on, and a few that wait their turn.

The Receive Maximum should see to it, but Mosquitto 2.0 forgets it once something was acknowledged
and sends all it has. So beyond a bound the connection is not read from, and TCP holds it back; and
as a new connection brings all of it again, none is opened meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.mqtt.client import MqttClient

WAITING = 1  # requests that may wait, for each that is worked on


class Intake:
    """Of one lane. ``at_once`` is how many requests are worked on together."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.room = asyncio.Event()  # set while a connection may be opened
        self.room.set()
        self._most = at_once * (1 + WAITING)
        self._turns = asyncio.Semaphore(at_once)
        self._in_hand = 0
        self._paused: set[MqttClient] = set()

    def enter(self, client: MqttClient) -> None:
        """A request came over ``client``."""
        self._in_hand += 1
        if self._in_hand > self.at_once:
            self.room.clear()
        if self._in_hand >= self._most:
            client.pause()
            self._paused.add(client)

    def leave(self) -> None:
        """One of them is done with."""
        self._in_hand -= 1
        if self._in_hand <= self.at_once:
            self.room.set()
            for client in self._paused:
                client.resume()
            self._paused.clear()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until it is worked on."""
        async with self._turns:
            yield
