"""Requests in an open or a closed model: lanes that each ask one thing at a time.

An open model fixes beforehand when each request is to begin. Those that find no free lane wait in
their order, and that wait is part of their latency: what a stalled server does to its callers is
seen in full, not only in the few requests that were under way (no coordinated omission).
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import Protocol

from bench.driver.record import Record
from bench.driver.refusal import words
from bench.driver.samples import Samples
from bench.driver.sender import CONNECTION, TIMEOUT, Failed, Sender
from bench.driver.timer import FineTimer

END = -1
SWEEP_SECONDS = 0.05
PAUSE_SECONDS = 0.05
"""After a failed connection, in a closed model: it would else ask a dead server all the time."""
LAST_SECONDS = 1.0
"""For what is under way when somebody stops the run."""


class Numbered(Protocol):
    """Bodies by number."""

    def __getitem__(self, number: int) -> bytes: ...


class Model(ABC):
    """Both models. ``until``: the moment after which no request begins; what is unanswered
    ``timeout`` seconds later never will be."""

    def __init__(
        self,
        sender: Sender,
        bodies: Numbered,
        record: Record,
        samples: Samples,
        *,
        until: float,
        timeout: float,
    ) -> None:
        self.record = record
        self._sender, self._bodies, self._samples = sender, bodies, samples
        self._until, self._timeout = until, timeout
        self._deadline = until + timeout
        self._lanes: list[asyncio.Task[None]] = []
        self._since: list[float] = []
        self._cut: set[int] = set()
        self.answered = self.failed = 0
        self.recent: list[float] = []
        """Latencies since somebody last emptied it; for the live view."""

    @property
    def sent(self) -> int:
        """Requests that have begun, warm-up included."""
        return self.answered + self.failed + self.in_flight

    @property
    def in_flight(self) -> int:
        return sum(1 for since in self._since if since)

    @property
    @abstractmethod
    def waiting(self) -> int:
        """Requests whose time has come, and which no lane has taken."""

    @abstractmethod
    async def _next(self) -> int:
        """The number of the request that a lane takes next, or END."""

    async def run(self, lanes: int) -> None:
        """Until every request is answered or given up. Raises what is not a sender's Failed."""
        self._since = [0.0] * lanes
        self._lanes = [asyncio.create_task(self._lane(lane)) for lane in range(lanes)]
        sweeper = asyncio.create_task(self._sweep())
        try:
            await asyncio.gather(*self._lanes)
        finally:
            for task in (*self._lanes, sweeper):
                task.cancel()
            await asyncio.gather(*self._lanes, sweeper, return_exceptions=True)

    def stop(self) -> None:
        """Begin no more requests; those under way have a moment left."""
        now = time.monotonic()
        if self.record.stopped is None and now < self._until:
            self.record.stopped = self._until = now
            self._deadline = now + min(self._timeout, LAST_SECONDS)

    async def _lane(self, lane: int) -> None:
        record, samples, bodies = self.record, self._samples, self._bodies
        ask, clock, since = self._sender.ask, time.monotonic, self._since
        while (number := await self._next()) != END:
            since[lane] = record.begun[number] = clock()
            try:
                answer = await ask(bodies[number])
            except Failed as failure:
                since[lane] = 0.0
                if failure.kind not in record.refusals:
                    record.refusals[failure.kind] = failure.detail or words(failure.body)
                await self._given_up(number, failure.kind)
            except asyncio.CancelledError:
                since[lane] = 0.0
                if lane not in self._cut:
                    raise
                self._cut.remove(lane)
                self._lanes[lane].uncancel()
                if record.stopped is None or clock() < self._deadline:
                    await self._given_up(number, TIMEOUT)
            else:
                since[lane] = 0.0
                record.ended[number] = ended = clock()
                intended = record.intended[number]
                self.answered += 1
                self.recent.append(ended - intended)
                samples.offer(intended, number, answer)

    async def _given_up(self, number: int, kind: str) -> None:
        self.record.failed[number] = kind
        self.failed += 1
        if kind == CONNECTION and not self.record.open:
            await asyncio.sleep(PAUSE_SECONDS)

    async def _sweep(self) -> None:
        """One timer for all requests: one for each would cost as much as sending it."""
        while True:
            await asyncio.sleep(min(SWEEP_SECONDS, self._timeout / 4))
            now = time.monotonic()
            over = now >= self._deadline
            for lane, since in enumerate(self._since):
                if since and (over or now - since > self._timeout) and lane not in self._cut:
                    self._cut.add(lane)
                    self._lanes[lane].cancel()


class ClosedModel(Model):
    """Each lane asks again once it has its answer."""

    @property
    def waiting(self) -> int:
        return 0

    async def _next(self) -> int:
        now = time.monotonic()
        return END if now >= self._until else self.record.begin(now)


class OpenModel(Model):
    """A request begins when its time has come, if a lane is free, else as soon as one is."""

    def __init__(
        self,
        sender: Sender,
        bodies: Numbered,
        record: Record,
        samples: Samples,
        *,
        until: float,
        timeout: float,
    ) -> None:
        super().__init__(sender, bodies, record, samples, until=until, timeout=timeout)
        self._total = len(record.intended)
        self._due = self._taken = 0
        self._free: deque[asyncio.Future[int]] = deque()

    @property
    def waiting(self) -> int:
        return self._due - self._taken

    async def run(self, lanes: int) -> None:
        self._timer = FineTimer(self._tick)
        self._tick()
        try:
            await super().run(lanes)
        finally:
            self._timer.close()

    def stop(self) -> None:
        super().stop()
        if self.record.stopped is not None:
            self._total = self._due = self._taken
            self._tick()

    async def _next(self) -> int:
        if self._taken < self._due:
            if time.monotonic() >= self._deadline:
                return END
            self._taken += 1
            return self._taken - 1
        if self._due == self._total:
            return END
        free: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._free.append(free)
        number = await free
        if number != END:
            self.record.late[number] = time.monotonic() - self.record.intended[number]
        return number

    def _tick(self) -> None:
        """Hand out what is due, and come again for the next."""
        record, free, due, now = self.record, self._free, self._due, time.monotonic()
        while due < self._total and record.intended[due] <= now:
            record.late[due] = now - record.intended[due]
            due += 1
        self._due = due
        while free and self._taken < due:
            if _given(free.popleft(), self._taken):
                self._taken += 1
        if due < self._total:
            self._timer.at(record.intended[due])
            return
        while free:
            _given(free.popleft(), END)


def _given(lane: asyncio.Future[int], number: int) -> bool:
    """Whether the lane could take it: one that is being cancelled cannot."""
    if not lane.done():
        lane.set_result(number)
        return True
    return False
