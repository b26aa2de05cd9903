"""The announcer: nothing that is stored is lost, and nobody is held up or flooded."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import structlog

from adapters.events import allowance, announcer
from adapters.events.allowance import Allowance
from adapters.events.announcer import BATCH, MAX_QUEUED_BYTES, QUEUE_SIZE, Announcer
from adapters.events.channels import Channel, EventsNotSent, JournalChannel
from adapters.stores.memory import open_memory
from broker.errors import Unavailable
from broker.events import TranslationRejected
from broker.model import Announcement
from broker.ports import Outbox
from tests.events.samples import AT, a_writer, an_announcement, issued
from tests.support.door import FrozenClock

WAIT_SECONDS = 30.0
QUICK_SECONDS = 0.01


class Recorder:
    """A channel that keeps what it is sent; ``broken`` makes it fail, ``gate`` makes it wait."""

    def __init__(self, name: str = "recorder") -> None:
        self.name = name
        self.batches: list[list[str]] = []
        self.broken = False
        self.attempts = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.closed = False

    async def send(self, announcements: Sequence[Announcement]) -> None:
        self.attempts += 1
        await self.gate.wait()
        if self.broken:
            raise EventsNotSent("broken on purpose")
        self.batches.append([announcement.id for announcement in announcements])

    async def close(self) -> None:
        self.closed = True

    @property
    def ids(self) -> list[str]:
        return [id for batch in self.batches for id in batch]


class World:
    """An announcer on an outbox in memory, with a clock that the test moves."""

    def __init__(self, *channels: Channel, outbox: Outbox | None = None) -> None:
        self.clock = FrozenClock(AT)
        self.outbox = outbox or open_memory().outbox
        self.announcer = Announcer(
            writer=a_writer(self.clock),
            outbox=self.outbox,
            channels=channels,
            clock=self.clock,
            sweep_seconds=QUICK_SECONDS,
        )

    async def stored(self, number: int = 1) -> Announcement:
        """An announcement that is in the outbox, as after a commit."""
        announcement = self.announcer.prepare(issued(number))
        assert announcement is not None
        await self.outbox.add(announcement)
        return announcement

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.announcer.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until_empty(self) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while await self.outbox.size():  # noqa: ASYNC110  # nobody tells us
                await asyncio.sleep(QUICK_SECONDS)


async def until(found: Callable[[], Any]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not found():  # noqa: ASYNC110  # what is looked at has no event
            await asyncio.sleep(QUICK_SECONDS)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that failed is tried again at once; how long it is left alone has its own test."""
    monkeypatch.setattr(announcer, "FIRST_PAUSE_SECONDS", QUICK_SECONDS)
    monkeypatch.setattr(announcer, "MAX_PAUSE_SECONDS", QUICK_SECONDS)


async def test_announced_at_once() -> None:
    """What was announced reaches every channel once, in order, and leaves the outbox."""
    one, other = Recorder("one"), Recorder("other")
    world = World(one, other)
    announcements = [await world.stored(number) for number in range(250)]
    async with world.running():
        for announcement in announcements:
            world.announcer.announce(announcement)
        await world.until_empty()
    wanted = [announcement.id for announcement in announcements]
    assert one.ids == other.ids == wanted
    assert max(len(batch) for batch in one.batches) == BATCH
    assert one.closed
    assert other.closed


async def test_nothing_is_prepared_for_nobody() -> None:
    """Without a channel there is nothing to store, and nothing to let out."""
    world = World()
    assert world.announcer.prepare(issued()) is None
    world.announcer.announce(None)
    await world.announcer.publish(TranslationRejected(AT, "/", "x", "InvalidToken"))
    assert await world.outbox.size() == 0


async def test_left_behind_by_another() -> None:
    """What nobody announced, since its maker died, goes out once it has fallen due."""
    channel = Recorder()
    world = World(channel)
    left = [(await world.stored(number)).id for number in range(2 * BATCH + 10)]
    async with world.running():
        await asyncio.sleep(10 * QUICK_SECONDS)
        assert channel.attempts == 0
        world.clock.advance(announcer.LEASE_SECONDS)
        await world.until_empty()
    assert channel.ids == left


async def test_channel_that_fails_loses_nothing() -> None:
    """While a channel is out of order all waits in the outbox, and all arrives afterwards."""
    channel = Recorder()
    channel.broken = True
    world = World(channel)
    announcements = [await world.stored(number) for number in range(30)]
    async with world.running():
        for announcement in announcements:
            world.announcer.announce(announcement)
        await until(lambda: channel.attempts)
        assert await world.outbox.size() == len(announcements)
        channel.broken = False
        world.clock.advance(announcer.LEASE_SECONDS)
        await world.until_empty()
    assert sorted(channel.ids) == sorted(one.id for one in announcements)


async def test_one_channel_does_not_wait_for_another() -> None:
    """A channel that works gets events at once while another fails; that one gets them later."""
    works, fails = Recorder("works"), Recorder("fails")
    fails.broken = True
    world = World(works, fails)
    async with world.running():
        announcement = await world.stored()
        world.announcer.announce(announcement)
        await until(lambda: works.ids)
        assert await world.outbox.size() == 1
        fails.broken = False
        world.clock.advance(announcer.LEASE_SECONDS)
        await world.until_empty()
    assert fails.ids == [announcement.id]
    assert set(works.ids) == {announcement.id}


async def test_failing_channel_repeats_nothing_to_the_others() -> None:
    """However often a failing channel is tried, the others do not get the same batch each time."""
    works, fails = Recorder("works"), Recorder("fails")
    fails.broken = True
    world = World(works, fails)
    await world.stored()
    async with world.running():
        world.clock.advance(announcer.LEASE_SECONDS)
        await until(lambda: works.ids)
        for attempts in range(2, 8):
            world.clock.advance(announcer.LEASE_SECONDS)
            await until(lambda wanted=attempts: fails.attempts >= wanted)
    assert len(works.ids) == 1


class Picky(Recorder):
    """Takes all but those of one listener whose queue is full; ``refused`` counts those."""

    def __init__(self, full: str) -> None:
        super().__init__("picky")
        self.full = full
        self.refused = 0

    async def send(self, announcements: Sequence[Announcement]) -> None:
        unsent = [one for one in announcements if one.id == self.full]
        await super().send([one for one in announcements if one not in unsent])
        if unsent:
            self.refused += 1
            raise EventsNotSent("a queue is full", unsent)


async def test_a_listener_that_is_full_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only some did not arrive the channel is not left alone: all others go out at once, and
    those come again after their lease."""
    monkeypatch.setattr(announcer, "FIRST_PAUSE_SECONDS", WAIT_SECONDS)
    monkeypatch.setattr(announcer, "MAX_PAUSE_SECONDS", WAIT_SECONDS)
    picky, other = Picky(""), Recorder("other")
    world = World(picky, other)
    stuck = await world.stored(0)
    picky.full = stuck.id
    async with world.running():
        world.announcer.announce(stuck)
        await until(lambda: picky.refused)
        for number in range(1, 4):
            world.announcer.announce(await world.stored(number))
            await until(lambda wanted=number: len(picky.ids) == wanted)
        left = [(await world.stored(number)).id for number in range(10, 15)]
        world.clock.advance(announcer.LEASE_SECONDS)
        await until(lambda: set(left) <= set(picky.ids))
        assert await world.outbox.size() == 1
        for attempts in range(2, 4):
            await until(lambda wanted=attempts: picky.refused >= wanted)
            world.clock.advance(announcer.LEASE_SECONDS)
        picky.full = ""
        world.clock.advance(announcer.LEASE_SECONDS)
        await world.until_empty()
    assert picky.ids[-1] == stuck.id
    assert len(picky.ids) == len(other.ids) - other.ids.count(stuck.id) + 1


async def test_failing_channel_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """After each failure a channel is left alone for longer, up to a bound, and never spun on."""
    monkeypatch.setattr(announcer, "FIRST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(announcer, "MAX_PAUSE_SECONDS", 0.08)
    moments: list[float] = []

    class Timed(Recorder):
        async def send(self, announcements: Sequence[Announcement]) -> None:
            moments.append(asyncio.get_running_loop().time())
            await super().send(announcements)

    channel = Timed()
    channel.broken = True
    world = World(channel)
    async with world.running():
        for number in range(6):
            world.announcer.announce(await world.stored(number))
            world.clock.advance(announcer.LEASE_SECONDS)
            await until(lambda wanted=number: len(moments) > wanted)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert all(
        gap >= least for gap, least in zip(gaps, [0.02, 0.04, 0.08, 0.08, 0.08], strict=False)
    )


async def test_slow_channel_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that gives no word in time has failed; what it was sent comes again."""
    monkeypatch.setattr(announcer, "SEND_SECONDS", QUICK_SECONDS)
    channel = Recorder()
    channel.gate.clear()
    world = World(channel)
    announcement = await world.stored()
    async with world.running():
        world.announcer.announce(announcement)
        await until(lambda: channel.attempts)
        channel.gate.set()
        monkeypatch.setattr(announcer, "SEND_SECONDS", WAIT_SECONDS)
        await asyncio.sleep(5 * QUICK_SECONDS)
        world.clock.advance(announcer.LEASE_SECONDS)
        await world.until_empty()
    assert announcement.id in channel.ids


async def test_memory_is_bounded() -> None:
    """While nothing gets out, no more than the queue's size waits in memory; the rest is stored."""
    channel = Recorder()
    world = World(channel)
    for number in range(QUEUE_SIZE + 100):
        world.announcer.announce(an_announcement(number))
    channel.gate.set()
    async with world.running():
        await until(lambda: len(channel.ids) >= QUEUE_SIZE)
        await asyncio.sleep(10 * QUICK_SECONDS)
    assert len(channel.ids) == QUEUE_SIZE


async def test_large_body_waits_in_the_outbox() -> None:
    """A body beyond the bound is not held in memory; it goes out of the outbox."""
    channel = Recorder()
    world = World(channel)
    large = world.announcer.prepare(issued(1, token_type="x" * MAX_QUEUED_BYTES))
    assert large is not None
    await world.outbox.add(large)
    world.announcer.announce(large)
    async with world.running():
        await asyncio.sleep(5 * QUICK_SECONDS)
        assert channel.ids == []
        world.clock.advance(announcer.LEASE_SECONDS)
        await world.until_empty()
    assert channel.ids == [large.id]


async def test_store_away() -> None:
    """While the store is away events still go out, and they leave the outbox when it is back."""

    class Away:
        """Outbox that cannot be reached while ``away``."""

        def __init__(self) -> None:
            self.kept = open_memory().outbox
            self.away = False
            self.asked = 0

        async def add(self, announcement: Announcement) -> None:
            await self.kept.add(announcement)

        async def due(self, now: float, lease: float, limit: int) -> list[Announcement]:
            self._look()
            return await self.kept.due(now, lease, limit)

        async def done(self, announcements: Sequence[Announcement]) -> None:
            self._look()
            await self.kept.done(announcements)

        async def size(self) -> int:
            return await self.kept.size()

        def _look(self) -> None:
            self.asked += 1
            if self.away:
                raise Unavailable("away")

    outbox, channel = Away(), Recorder()
    world = World(channel, outbox=outbox)
    async with world.running():
        outbox.away = True
        world.announcer.announce(await world.stored())
        await until(lambda: channel.ids)
        await until(lambda: outbox.asked > 5)
        outbox.away = False
        world.clock.advance(announcer.LEASE_SECONDS)
        await world.until_empty()
    assert len(set(channel.ids)) == 1


async def test_rejections_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rejections go out at best effort: no more than allowed, never stored, the rest counted."""
    monkeypatch.setattr(allowance, "REPORT_SECONDS", QUICK_SECONDS)
    channel = Recorder()
    world = World(channel)
    event = TranslationRejected(AT, "/", "orders", "InvalidToken")
    with structlog.testing.capture_logs() as logs:
        for _ in range(3 * allowance.PER_SECOND):
            await world.announcer.publish(event)
        async with world.running():
            await until(lambda: [line for line in logs if line.get("number")])
    sent = len(channel.ids)
    assert allowance.PER_SECOND <= sent < 3 * allowance.PER_SECOND
    assert [line["number"] for line in logs if "rejections" in line["event"]] == [
        3 * allowance.PER_SECOND - sent
    ]
    assert len(set(channel.ids)) == sent
    assert await world.outbox.size() == 0


def test_allowance_comes_back() -> None:
    """The allowance is full after a second of silence, and never more than full."""
    now = 0.0
    permits = Allowance(lambda: now, per_second=10)
    assert [permits.take() for _ in range(12)] == [True] * 10 + [False] * 2
    now = 0.5
    assert [permits.take() for _ in range(6)] == [True] * 5 + [False]
    now = 100.0
    assert [permits.take() for _ in range(11)] == [True] * 10 + [False]
    assert permits.report() == 4
    assert permits.report() == 0


async def test_drain_lets_out_what_is_queued() -> None:
    """A broker that stops lets out what it has queued, and what is on its way arrives."""
    channel = Recorder()
    channel.gate.clear()
    world = World(channel)
    announcements = [await world.stored(number) for number in range(150)]
    async with world.running():
        for announcement in announcements:
            world.announcer.announce(announcement)
        await until(lambda: channel.attempts)
        draining = asyncio.create_task(world.announcer.drain(WAIT_SECONDS))
        channel.gate.set()
        await draining
        assert await world.outbox.size() == 0
    assert channel.ids == [one.id for one in announcements]


async def test_drain_does_not_wait_for_a_channel_that_hangs() -> None:
    """A stop takes no longer than it may; what is left is in the outbox."""
    channel = Recorder()
    channel.gate.clear()
    world = World(channel)
    async with world.running():
        world.announcer.announce(await world.stored())
        await until(lambda: channel.attempts)
        async with asyncio.timeout(WAIT_SECONDS):
            await world.announcer.drain(QUICK_SECONDS)
    assert await world.outbox.size() == 1


async def test_journal_is_a_channel() -> None:
    """What goes out is in the journal, in order, body by body; a journal that fails loses none."""
    stores = open_memory()
    world = World(JournalChannel(stores.journal))
    announcements = [await world.stored(number) for number in range(3)]
    async with world.running():
        for announcement in announcements:
            world.announcer.announce(announcement)
        await world.until_empty()
    read = await stores.journal.read("0", 10)
    assert [body for _, body in read] == [one.body for one in announcements]

    class Full:
        async def append(self, bodies: Sequence[bytes]) -> None:
            raise Unavailable("no room")

        async def read(self, after: str | None, limit: int) -> list[tuple[str, bytes]]:
            return []

    with pytest.raises(EventsNotSent, match="no room"):
        await JournalChannel(Full()).send(announcements)


async def test_channel_with_a_fault_stops_nothing() -> None:
    """A fault in a channel is logged, and the announcer goes on."""

    class Faulty(Recorder):
        async def send(self, announcements: Sequence[Announcement]) -> None:
            self.attempts += 1
            if self.attempts == 1:
                raise KeyError("a fault")
            await super().send(announcements)

    channel = Faulty()
    world = World(channel)
    with structlog.testing.capture_logs() as logs:
        async with world.running():
            world.announcer.announce(await world.stored())
            await until(lambda: channel.attempts)
            world.clock.advance(announcer.LEASE_SECONDS)
            await world.until_empty()
    assert [line["error"] for line in logs if line["event"] == "events not let out"] == ["KeyError"]
