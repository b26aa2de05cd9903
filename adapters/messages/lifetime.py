"""One link to a message server after another, while the broker runs, and the end of that."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from adapters.messages.breaker import Breaker
from adapters.messages.waiting import first

FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 10.0  # a link that lived this long starts the pauses anew
CLOSE_SECONDS = 6.0  # how long a drain waits for the last link to be closed

T = TypeVar("T")


class Lifetime:
    """Of one transport. ``serve`` has one link from its opening to its loss, and does not raise.

    ``stopping`` asks it to take no new work, ``stopped`` to close: the work in hand is done then,
    or its time is up.
    """

    def __init__(self, serve: Callable[[], Awaitable[None]], breaker: Breaker) -> None:
        self.stopping = asyncio.Event()
        self.stopped = asyncio.Event()
        self._serve = serve
        self._breaker = breaker
        self._work: set[asyncio.Task[Any]] = set()
        self._ended = asyncio.Event()
        self._ended.set()

    @property
    def in_hand(self) -> int:
        """Deliveries that work was begun on and has not ended."""
        return len(self._work)

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start work on a delivery, apart from the link's own tasks: it outlives the link."""
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def run(self) -> None:
        """Serve until cancelled or drained."""
        self._ended.clear()
        pause = FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        try:
            while not self.stopping.is_set():
                started = loop.time()
                await self._serve()
                if loop.time() - started >= STEADY_SECONDS:
                    pause = FIRST_PAUSE_SECONDS
                await first(self.stopping, seconds=pause)
                pause = min(pause * 2, MAX_PAUSE_SECONDS)
        finally:
            await self._drop_work()
            await self._breaker.stop()
            self._ended.set()

    async def drain(self, seconds: float) -> None:
        """Take no more, finish the work in hand within ``seconds``, drop what is left, close."""
        self.stopping.set()
        if self._work:
            await asyncio.wait(self._work, timeout=seconds)
        await self._drop_work()
        self.stopped.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._ended.wait()

    async def _drop_work(self) -> None:
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
