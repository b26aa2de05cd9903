"""Lets announcements out: those of this process at once, and those that others left behind.

What has been stored with its fact is in the outbox and stays there until every channel has
confirmed it. So whatever fails here costs time, never an event: a full queue, a message server that
is away, the end of the process. Only rejections are not stored, and may be lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from adapters.events.allowance import Allowance
from adapters.events.channels import Channel, EventsNotSent
from adapters.events.cloudevents import CloudEvents
from broker.errors import Unavailable
from broker.events import Event
from broker.model import Announcement
from broker.ports import Clock, Outbox

BATCH = 100
"""How many announcements travel, and leave the outbox, together."""

GATHER_SECONDS = 0.02
"""How long those of one moment wait for more: a batch costs the channels and the outbox a round
trip each, however many are in it."""

QUEUE_SIZE = 4096
"""How many wait in memory; more are left to the outbox."""

MAX_QUEUED_BYTES = 8 * 1024
"""A body beyond this is left to the outbox too, so that the queue's memory is bounded."""

SWEEP_SECONDS = 3.0
"""How often the outbox is looked into for what has fallen due."""

LEASE_SECONDS = 30.0
"""How long what one broker took up is left alone by the others: longer than all sending takes."""

SEND_SECONDS = 8.0
"""How long one channel may take for one batch."""

FIRST_PAUSE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 10.0
"""How long a channel that failed is left alone, doubling from the first to the last."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Way:
    """A channel, and how it fares. ``until`` is when it may be tried again."""

    channel: Channel
    pause: float = 0.0
    until: float = 0.0

    @property
    def well(self) -> bool:
        return not self.pause


class Announcer:
    """The ``EventSink`` of a broker that has somebody to tell.

    ``now`` is a clock in seconds that never goes back; the pauses go by it.
    """

    def __init__(
        self,
        *,
        writer: CloudEvents,
        outbox: Outbox,
        channels: Sequence[Channel],
        clock: Clock,
        sweep_seconds: float = SWEEP_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = writer
        self._outbox = outbox
        self._ways = [_Way(channel) for channel in channels]
        self._clock = clock
        self._sweep_seconds = sweep_seconds
        self._now = now
        self._allowance = Allowance(now)
        self._queue: deque[Announcement] = deque()
        self._queued = asyncio.Event()
        self._unstored: set[str] = set()
        self._sweep_at = 0.0
        self._busy = asyncio.Lock()
        self._running = False

    # -- what the core asks for ----------------------------------------------------------------

    @property
    def listening(self) -> bool:
        """Whether there is a way out for announcements, or will be."""
        return bool(self._ways)

    def prepare(
        self,
        event: Event,
        *,
        request: tuple[str, str] | None = None,
        alias: str | None = None,
        trace: Mapping[str, str] | None = None,
    ) -> Announcement | None:
        """The announcement to store with the fact; None while nobody is to be told."""
        if not self._ways:
            return None
        return self._writer.announcement(event, request=request, alias=alias, trace=trace)

    def announce(self, announcement: Announcement | None) -> None:
        """Never waits: where there is no room, the outbox has it."""
        if announcement is not None:
            self._enqueued(announcement)

    async def publish(self, event: Event) -> None:
        """At best effort: not stored, and no more than the allowance. Never fails."""
        if not self._ways or not self._allowance.take():
            return
        announcement = self._writer.announcement(event)
        if self._enqueued(announcement):
            self._unstored.add(announcement.id)

    def _enqueued(self, announcement: Announcement) -> bool:
        _log.debug("event", type=announcement.type, key=announcement.routing_key)
        if len(self._queue) >= QUEUE_SIZE or len(announcement.body) > MAX_QUEUED_BYTES:
            return False
        self._queue.append(announcement)
        self._queued.set()
        return True

    # -- letting out ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled."""
        self._running = True
        try:
            while self._ways:
                try:
                    await self._turn()
                except Exception as error:
                    _log.error("events not let out", error=type(error).__name__)
                    await asyncio.sleep(MAX_PAUSE_SECONDS)
        finally:
            self._running = False
            for way in self._ways:
                await way.channel.close()

    async def drain(self, seconds: float) -> None:
        """Let out what is queued, within ``seconds``; the rest is in the outbox."""
        if not self._running:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._queue and all(way.well for way in self._ways):
                    await self._let_out_queued()
                async with self._busy:  # what is on its way arrives
                    return

    async def _turn(self) -> None:
        """One batch of the queue and one of the outbox; waits while there is neither."""
        self._report()
        self._queued.clear()
        left = self._sweep_at - self._now()
        if left > 0 and not self._queue:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._queued.wait()
        if self._queue:
            if len(self._queue) < BATCH:
                await asyncio.sleep(GATHER_SECONDS)
            await self._let_out_queued()
        if self._now() >= self._sweep_at:
            await self._sweep()

    async def _let_out_queued(self) -> None:
        async with self._busy:
            batch: dict[str, Announcement] = {}
            while len(batch) < BATCH and self._queue:
                announcement = self._queue.popleft()
                batch[announcement.id] = announcement
            unstored = self._unstored.intersection(batch)
            self._unstored -= unstored
            announcements = list(batch.values())
            missing = [await self._missing(way, announcements) for way in self._ways]
            stays = unstored.union(*missing)
            await self._forget([one for one in announcements if one.id not in stays])

    async def _sweep(self) -> None:
        """One batch of what has fallen due. The next one follows at once if this one was full."""
        self._sweep_at = self._now() + self._sweep_seconds
        # A channel that is out of order is tried first: while it fails, nobody else gets the batch
        # again and again.
        ways = sorted(self._ways, key=lambda way: way.well)
        if any(way.until > self._now() for way in ways):
            self._sweep_at = max(way.until for way in ways)
            return
        async with self._busy:
            try:
                due = await self._outbox.due(self._clock.now(), LEASE_SECONDS, BATCH)
            except Unavailable:
                return
            arrived = due
            for way in ways:
                missing = await self._missing(way, arrived) if arrived else set()
                arrived = [one for one in arrived if one.id not in missing]
            await self._forget(arrived)
        if len(arrived) < len(due):
            await self._say_how_many_wait()
        again_at = max(way.until for way in ways)
        if again_at > self._now():
            self._sweep_at = again_at
        elif len(due) == BATCH:
            self._sweep_at = self._now()

    async def _missing(self, way: _Way, announcements: Sequence[Announcement]) -> set[str]:
        """The ids of those that one channel has not confirmed; one that is out of order is left
        alone."""
        everything = {announcement.id for announcement in announcements}
        if way.until > self._now():
            return everything
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await way.channel.send(announcements)
        except (EventsNotSent, TimeoutError) as error:
            unsent = getattr(error, "unsent", None)
            reason = str(error) or "no word of them in time"
            if unsent is not None:
                _log.warning(
                    "events not sent", channel=way.channel.name, reason=reason, number=len(unsent)
                )
                # The channel works, and took the others. These are left alone for their lease.
                way.pause = way.until = 0.0
                return {one.id for one in unsent}
            way.pause = min(max(way.pause * 2, FIRST_PAUSE_SECONDS), MAX_PAUSE_SECONDS)
            way.until = self._now() + way.pause
            _log.warning("events not sent", channel=way.channel.name, reason=reason)
            return everything
        if not way.well:
            _log.info("events are sent again", channel=way.channel.name)
        way.pause = way.until = 0.0
        return set()

    async def _forget(self, announcements: Sequence[Announcement]) -> None:
        """If the store cannot be told, they come again under the same ids."""
        if announcements:
            with contextlib.suppress(Unavailable):
                await self._outbox.done(announcements)

    async def _say_how_many_wait(self) -> None:
        with contextlib.suppress(Unavailable):
            _log.warning("events wait in the outbox", number=await self._outbox.size())

    def _report(self) -> None:
        dropped = self._allowance.report()
        if dropped:
            _log.warning("rejections not announced, as there were too many", number=dropped)
