"""What counts as a crash, and what does not."""

from __future__ import annotations

import asyncio

import pytest

from adapters.amqp.message import Incoming
from adapters.clock import SystemClock
from adapters.messages import suspects
from adapters.messages.breaker import Breaker
from adapters.messages.suspects import MAX_CRASHES, SUSPECT_FAILURES, Poison, Suspects
from adapters.stores.memory import open_memory
from broker.ports import Clock, RequestLedger
from tests.support.door import FrozenClock

SUSPECT = Incoming(b"{}", message_id="m-1", failures=SUSPECT_FAILURES)
PATIENCE_SECONDS = 30.0


class Process:
    """One broker at work on a suspect, until it is told."""

    def __init__(self, ledger: RequestLedger, clock: Clock, incoming: Incoming = SUSPECT) -> None:
        self.begun = asyncio.Event()
        self.let_go = asyncio.Event()
        self.poison: Poison | None = None
        self._suspects = Suspects(ledger, Breaker(), clock)
        self.task = asyncio.create_task(self.work(incoming))

    async def work(self, incoming: Incoming) -> None:
        async with self._suspects.counted(incoming) as self.poison:
            self.begun.set()
            await self.let_go.wait()

    def also(self, incoming: Incoming) -> asyncio.Task[None]:
        return asyncio.create_task(self.work(incoming))


async def test_cancelled_is_no_crash() -> None:
    """A message whose work was broken off in order, as at each stop, is not poison."""
    ledger, clock = open_memory().ledger, FrozenClock()
    for _ in range(MAX_CRASHES + 2):
        process = Process(ledger, clock)
        await process.begun.wait()
        assert process.poison is None
        process.task.cancel()
        await asyncio.gather(process.task, return_exceptions=True)
        clock.advance(suspects.LEASE_SECONDS + 1)


async def test_slow_work_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one broker works on a message another waits, however long that takes."""
    monkeypatch.setattr(suspects, "LEASE_SECONDS", 0.2)
    ledger, clock = open_memory().ledger, SystemClock()
    first = Process(ledger, clock)
    await first.begun.wait()
    second = Process(ledger, clock)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.8):  # four leases
            await second.begun.wait()
    first.let_go.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await second.begun.wait()
    assert second.poison is None
    second.let_go.set()
    await asyncio.gather(first.task, second.task)


async def test_control_waits_for_no_suspect() -> None:
    """A cancel that came back several times is worked on beside a batch that did."""
    process = Process(open_memory().ledger, FrozenClock())
    await process.begun.wait()
    process.begun.clear()
    cancel = process.also(Incoming(b"{}", type="cancel", message_id="m-2", failures=9))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await process.begun.wait()
    process.let_go.set()
    await asyncio.gather(process.task, cancel)


async def test_one_at_a_time() -> None:
    """Of other suspects one is worked on at a time, so that a crash counts against it alone."""
    process = Process(open_memory().ledger, FrozenClock())
    await process.begun.wait()
    process.begun.clear()
    other = process.also(Incoming(b"{}", message_id="m-2", failures=9))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await process.begun.wait()
    process.let_go.set()
    await asyncio.gather(process.task, other)
    assert process.begun.is_set()


async def test_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ended so many brokers is poison, and is read once more the first time that it is."""
    monkeypatch.setattr(Suspects, "_clear", _died)
    ledger, clock = open_memory().ledger, FrozenClock()
    found = []
    for _ in range(MAX_CRASHES + 2):
        process = Process(ledger, clock)
        await process.begun.wait()
        found.append(process.poison)
        process.task.cancel()
        await asyncio.gather(process.task, return_exceptions=True)
        clock.advance(suspects.LEASE_SECONDS + 1)
    assert found[:MAX_CRASHES] == [None] * MAX_CRASHES
    assert [poison.first_time for poison in found[MAX_CRASHES:] if poison] == [True, False]


async def _died(*_: object) -> None:
    """A process that is gone clears nothing."""
