"""Serves what slots left behind that nobody holds, and ends their sessions.

As long as a session exists, the message server gives it its share of new requests. So a survivor
takes the session over, stops its subscriptions, serves what was kept for it, and ends it. It knows
that nothing is left by a message that it sends to the session itself, behind all others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from adapters.messages.waiting import first
from adapters.mqtt.address import MqttAddress
from adapters.mqtt.client import SUBSCRIBE_SECONDS, MqttClient
from adapters.mqtt.intake import Intake
from adapters.mqtt.link import Accept
from adapters.mqtt.names import Names
from adapters.mqtt.packets import (
    FIRST_FAILURE,
    CannotConnect,
    Delivery,
    UnconfirmedError,
    publish_properties,
)
from adapters.mqtt.slots import Lease, Slots
from adapters.mqtt.topics import REPLIES, REQUESTS, Lane
from broker.errors import Unavailable

LOOK_SECONDS = 1.0  # between looks at slots that somebody held
FULL_LOOK_SECONDS = 15.0  # and at those that nobody held

_log = structlog.get_logger(__name__)


class Survivor:
    """Looks after the slots of others. ``lanes`` are those of this worker, with what is in
    hand of each."""

    def __init__(
        self,
        *,
        slots: Slots,
        address: MqttAddress,
        names: Names,
        lanes: Mapping[Lane, Intake],
        session_expiry: int,
        accept: Accept,
    ) -> None:
        self._names = names
        self._slots = slots
        self._address = address
        self._lanes = lanes
        self._session_expiry = session_expiry
        self._accept = accept
        self._problem: str | None = None  # of the last look
        self._settled: dict[int, float] = {}  # slots without a session, and when they were seen so

    async def run(self, own: int) -> None:
        """Until cancelled. ``own`` is the slot that this worker holds itself."""
        while True:
            problem: str | None = None
            try:
                await self._look(own)
            except (CannotConnect, UnconfirmedError) as error:
                problem = str(error) or "a message was not confirmed"
            except Unavailable as error:
                problem = error.sentence
            except Exception as error:
                problem = type(error).__name__
            if problem is not None and problem != self._problem:
                _log.warning("mqtt slots not looked after", problem=problem)
            self._problem = problem
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, own: int) -> None:
        now = asyncio.get_running_loop().time()
        for slot in range(await self._slots.highest() + 1):
            seen = self._settled.get(slot)
            if slot == own or (seen is not None and now - seen < FULL_LOOK_SECONDS):
                continue
            async with self._slots.held(slot) as lease:
                if lease is None:
                    self._settled.pop(slot, None)
                elif await self._settle(lease):
                    self._settled[slot] = now

    async def _settle(self, lease: Lease) -> bool:
        """End the sessions of a slot; True if none is left.

        The first lane's goes last: it tells whether there may be others.
        """
        first = await self._open(lease, REQUESTS)
        if not first.client.session_present:
            await first.client.close(end_session=True)
            return True
        _log.info("mqtt slot taken over", slot=lease.slot)
        try:
            for lane in self._lanes:
                if lane != REQUESTS and not await _ended(await self._open(lease, lane)):
                    await first.client.close()
                    return False
        except BaseException:
            await first.client.close()
            raise
        return await _ended(first)

    async def _open(self, lease: Lease, lane: Lane) -> _Estate:
        marker = self._names.marker(lease.slot, lane, self._address.user or "")
        estate = _Estate(lease, lane, marker, self._accept)
        await first(lease.lost, self._lanes[lane].room)
        estate.client = await MqttClient.open(
            self._address,
            self._names.client_id(lease.slot, lane),
            receive_maximum=self._lanes[lane].at_once,
            session_expiry=self._session_expiry,
            on_delivery=estate.take,
        )
        return estate


async def _ended(estate: _Estate) -> bool:
    """Serve what is left in one session, then end it; if that fails, the session stays."""
    empty = False
    try:
        empty = await estate.emptied()
    finally:
        await estate.client.close(end_session=empty)
    return empty


class _Estate:
    """One session that was left, while it is emptied."""

    client: MqttClient

    def __init__(self, lease: Lease, lane: Lane, marker: str, accept: Accept) -> None:
        self._lease = lease
        self._lane = lane
        self._marker = marker
        self._accept = accept
        self._open = 0  # deliveries that came and were not acknowledged
        self._marked = False
        self._changed = asyncio.Event()

    def take(self, client: MqttClient, delivery: Delivery) -> None:
        if delivery.topic == self._marker:
            client.acknowledge(delivery)
            self._marked = True
            self._changed.set()
            return
        self._open += 1
        work = self._accept(self._lane, client, delivery)
        if work is not None:
            asyncio.ensure_future(work).add_done_callback(self._done)

    async def emptied(self) -> bool:
        """True once all that was kept for the session is served; False if that failed.

        Raises CannotConnect, UnconfirmedError.
        """
        await self.client.unsubscribe(self._lane.subscriptions())
        await self.client.subscribe([self._marker])
        code = await self.client.publish(
            self._marker, b"", publish_properties(), seconds=SUBSCRIBE_SECONDS
        )
        if code >= FIRST_FAILURE:
            raise CannotConnect(f"may not publish below {REPLIES}")
        lost = [self.client.lost, self._lease.lost]
        while not (self._marked and not self._open):
            self._changed.clear()
            await first(self._changed, *lost)
            if any(event.is_set() for event in lost):
                return False
        return True

    def _done(self, work: asyncio.Future[bool]) -> None:
        if not work.cancelled() and work.exception() is None and work.result():
            self._open -= 1
            self._changed.set()
