"""Many callers at once, who go on as far as the nemesis lets them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from tests.chaos.scenario import Caller, Story, Teller


class Pace:
    """How many stories were let go, and how many are over.

    The nemesis lets them go slice by slice, so that each of its strikes falls into a load.
    """

    def __init__(self) -> None:
        self.over = 0
        self._released = 0
        self._begun = 0
        self._moved = asyncio.Condition()

    async def release(self, count: int) -> None:
        """Let stories begin until ``count`` have."""
        async with self._moved:
            self._released = max(self._released, count)
            self._moved.notify_all()

    async def reached(self, count: int) -> None:
        """Returns once as many are over."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.over >= count)

    async def begin(self) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: self._begun < self._released)
            self._begun += 1

    async def end(self) -> None:
        async with self._moved:
            self.over += 1
            self._moved.notify_all()


class Driver:
    """Plays stories in lanes, each transport's in lanes of its own."""

    def __init__(self, teller: Teller, pace: Pace) -> None:
        self._teller = teller
        self._pace = pace

    async def run(
        self, stories: Iterable[Story], callers: dict[str, list[Caller]], lanes: int
    ) -> None:
        """``lanes`` is the number for each transport."""
        queues: dict[str, deque[Story]] = {name: deque() for name in callers}
        for story in stories:
            queues[story.transport].append(story)
        async with asyncio.TaskGroup() as group:
            for name, queue in queues.items():
                for number in range(lanes):
                    caller = callers[name][number % len(callers[name])]
                    group.create_task(self._lane(queue, caller))

    async def _lane(self, queue: deque[Story], caller: Caller) -> None:
        while queue:
            story = queue.popleft()
            await self._pace.begin()
            await self._teller.play(story, caller)
            await self._pace.end()
