"""Work side by side: in order, bounded, and without holding up everybody else."""

from __future__ import annotations

import asyncio
import time

import pytest

from adapters.clock import SystemClock
from broker.lanes import SLICE_SECONDS, in_lanes


async def test_results_are_in_order() -> None:
    """Whichever piece ends first, its result stands where the piece stood."""

    async def work(piece: int) -> int:
        for _ in range(piece % 3):
            await asyncio.sleep(0)
        return piece * 2

    assert await in_lanes(work, range(20), 4, SystemClock()) == [piece * 2 for piece in range(20)]


async def test_no_more_than_there_are_lanes() -> None:
    """So many pieces are in work at a time, and no more."""
    in_work = most = 0

    async def work(_: int) -> None:
        nonlocal in_work, most
        in_work += 1
        most = max(most, in_work)
        await asyncio.sleep(0)
        in_work -= 1

    await in_lanes(work, range(20), 4, SystemClock())
    assert most == 4


async def test_the_first_error_after_all_have_ended() -> None:
    """A piece that fails stops no other; of several errors that of the first piece is raised."""
    ended: list[int] = []

    async def work(piece: int) -> None:
        await asyncio.sleep(0)
        ended.append(piece)
        if piece in (3, 7):
            raise ValueError(piece)

    with pytest.raises(ValueError, match="3"):
        await in_lanes(work, range(10), 2, SystemClock())
    assert sorted(ended) == list(range(10))


async def test_cancelled() -> None:
    """Once cancelled, no further piece is begun."""
    begun: list[int] = []
    entered = asyncio.Event()

    async def work(piece: int) -> None:
        begun.append(piece)
        entered.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(in_lanes(work, range(10), 2, SystemClock()))
    await entered.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert begun == [0, 1]


async def test_others_have_their_turn() -> None:
    """Work that never waits lets the event loop look after others, every few milliseconds."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def work(_: int) -> None:
        time.sleep(SLICE_SECONDS / 2)  # noqa: ASYNC251  # what computes waits for nothing

    beside = asyncio.create_task(other())
    await in_lanes(work, range(20), 4, SystemClock())
    beside.cancel()
    assert turns >= 5


async def test_one_lane_is_enough_for_work_that_never_waits() -> None:
    """Such work opens no task beside the caller's own, however often it gives others their turn."""
    tasks = set()

    async def work(_: int) -> None:
        time.sleep(SLICE_SECONDS / 2)  # noqa: ASYNC251  # what computes waits for nothing
        tasks.add(asyncio.current_task())

    await in_lanes(work, range(20), 4, SystemClock())
    assert tasks == {asyncio.current_task()}


async def test_lanes_open_once_something_is_waited_for() -> None:
    """After work that never waited, the first piece that does lets all lanes open."""
    in_work = most = 0

    async def work(piece: int) -> None:
        nonlocal in_work, most
        if piece < 10:
            return
        in_work += 1
        most = max(most, in_work)
        await asyncio.sleep(0)
        in_work -= 1

    await in_lanes(work, range(30), 4, SystemClock())
    assert most == 4


async def test_a_failure_that_is_no_exception() -> None:
    """It is raised, and nothing is in work any more."""
    in_work = 0

    class Panic(BaseException):
        pass

    async def work(piece: int) -> None:
        nonlocal in_work
        in_work += 1
        try:
            await asyncio.sleep(0)
            if piece == 2:
                raise Panic
            await asyncio.sleep(0)
        finally:
            in_work -= 1

    with pytest.raises(Panic):
        await in_lanes(work, range(10), 4, SystemClock())
    assert in_work == 0
