"""A cancel is not lost, though libraries may swallow it on its way."""

from __future__ import annotations

import asyncio

import pytest

from adapters.messages import waiting
from adapters.messages.breaker import Breaker
from adapters.messages.lifetime import Lifetime
from adapters.messages.waiting import ended, first

PATIENCE_SECONDS = 30.0


async def _swallowing(begun: asyncio.Event) -> None:
    """A call like ``asyncio.wait_for`` of Python 3.11 whose result comes with the cancel."""
    begun.set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return


async def test_first_ends_with_a_cancel_that_was_swallowed_before() -> None:
    """Who waits after a call that swallowed the cancel is cancelled there."""
    begun, never = asyncio.Event(), asyncio.Event()

    async def serving() -> None:
        await _swallowing(begun)
        await first(never)

    task = asyncio.create_task(serving())
    await begun.wait()
    task.cancel()
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_lifetime_ends_with_a_swallowed_cancel() -> None:
    """A transport whose link swallows the cancel is not served anew, and ends."""
    begun = asyncio.Event()
    served: list[str] = []

    async def serve() -> None:
        served.append("link")
        await _swallowing(begun)

    task = asyncio.create_task(Lifetime(serve, Breaker()).run())
    await begun.wait()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await ended([task])
    assert (task.cancelled(), served) == (True, ["link"])


async def test_ended_cancels_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that waits on after a swallowed cancel is cancelled once more; others' ends stand."""
    monkeypatch.setattr(waiting, "AGAIN_SECONDS", 0.05)
    begun = asyncio.Event()

    async def serving() -> None:
        await _swallowing(begun)
        await asyncio.Event().wait()

    async def failing() -> None:
        raise ValueError("told to nobody")

    tasks = [asyncio.create_task(serving()), asyncio.create_task(failing())]
    await begun.wait()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await ended(tasks)
    assert tasks[0].cancelled()
    assert isinstance(tasks[1].exception(), ValueError)


async def test_ended_with_nothing_to_end() -> None:
    """No tasks are no trouble."""
    await ended([])
