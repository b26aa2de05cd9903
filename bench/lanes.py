"""A closed loop of calls: a number at once, until a number is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def in_lanes(call: Callable[[int], Awaitable[object]], total: int, lanes: int) -> None:
    """``call(0)`` to ``call(total - 1)``, at most ``lanes`` at once.

    Raises what the first call to fail raises; no other call is under way then.
    """
    numbers = iter(range(total))

    async def lane() -> None:
        for number in numbers:
            await call(number)

    tasks = [asyncio.create_task(lane()) for _ in range(lanes)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
