"""Waiting for whichever comes first, and for tasks to end.

``asyncio.wait_for`` of Python 3.11 returns a result that comes in the moment of a cancel, and the
cancel is lost; libraries call it, so that what runs for ever has to look whether it was cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

AGAIN_SECONDS = 10.0
"""A task that is cancelled closes what it has open within this time."""


async def first(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Wait for any of ``events``, or until ``seconds`` have passed.

    Raises CancelledError also for an earlier cancel that was lost on its way here.
    """
    if (task := asyncio.current_task()) is not None and task.cancelling():
        raise asyncio.CancelledError
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def unless(lost: asyncio.Event, call: Coroutine[Any, Any, T]) -> T:
    """What the call returns; raises what it raises, and ConnectionError once ``lost`` is set."""
    calling = asyncio.create_task(call)
    losing = asyncio.create_task(lost.wait())
    try:
        await asyncio.wait([calling, losing], return_when=asyncio.FIRST_COMPLETED)
        if not calling.done():
            raise ConnectionError
        return calling.result()
    finally:
        losing.cancel()
        calling.cancel()


async def ended(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel ``tasks``, again if need be, until all have ended; what they raise is not told."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
