"""Several driver processes as one: started, told the same, and their results put together."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.driver.orders import Order, Part, Progress, Setup, line

READY_SECONDS = 60.0
"""For importing, connecting, and computing when requests are to begin."""
START_SECONDS = 0.3
SECONDS_PER_REQUEST = 0.5e-6
"""How much later the common start is for each request of the schedule."""
GONE_SECONDS = 10.0
LONGEST_LINE = 1 << 30
"""A result carries one in a hundred answers."""


class DriverFailed(Exception):
    """The driver itself could not do it; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What all driver processes are made with."""

    sender: Mapping[str, Any] = field(repr=False)
    pool: Path
    lanes: int
    """Most requests under way at once, of all processes together."""
    seed: int
    timeout: float
    processes: int = 0
    """0: one for each two cores."""
    different: int = 0
    """How many bodies, from the first on, show a token of their own; 0: all."""

    def setups(self, bodies: int) -> list[Setup]:
        """One for each process; never more of them than lanes or bodies."""
        parts = max(1, min(self.processes or (os.cpu_count() or 2) // 2, self.lanes, bodies))
        lanes, more = divmod(self.lanes, parts)
        return [
            Setup(
                sender=self.sender,
                pool=str(self.pool),
                part=part,
                parts=parts,
                lanes=max(1, lanes + (part < more)),
                seed=self.seed,
                timeout=self.timeout,
                different=self.different,
            )
            for part in range(parts)
        ]


Shown = Callable[[list[Progress]], None]
Started = Callable[[float], None]


class Drivers:
    """Processes that are connected and wait for orders."""

    def __init__(self, drivers: Sequence[_Driver]) -> None:
        self._drivers = drivers
        self.stopped: float | None = None
        """When somebody ended it, as ``time.monotonic()``."""

    @property
    def pids(self) -> list[int]:
        return [driver.pid for driver in self._drivers]

    async def stage(
        self,
        order: Order,
        *,
        shown: Shown = lambda _: None,
        started: Started = lambda _: None,
    ) -> list[list[Part]]:
        """Run one stage: the parts of all processes, by window.

        ``started`` hears the common start (``time.monotonic()``) before it comes, ``shown`` how far
        all of them are. Raises DriverFailed.
        """
        await asyncio.gather(*(driver.armed(order) for driver in self._drivers))
        requests = sum(segment.requests for segment in order.segments)
        start = time.monotonic() + START_SECONDS + SECONDS_PER_REQUEST * requests
        started(start)
        latest: dict[int, Progress] = {}

        def hearing(number: int) -> Callable[[Progress], None]:
            def heard(progress: Progress) -> None:
                latest[number] = progress
                if len(latest) == len(self._drivers):
                    shown(list(latest.values()))
                    latest.clear()

            return heard

        asking = [
            asyncio.create_task(driver.result(start, hearing(number)))
            for number, driver in enumerate(self._drivers)
        ]
        try:
            results = await asyncio.gather(*asking)
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        return [list(window) for window in zip(*results, strict=True)]

    def stop(self) -> None:
        """End the stage under way early; what was answered until now is its result."""
        self.stopped = self.stopped or time.monotonic()
        for driver in self._drivers:
            driver.tell("stop", None)


@contextlib.asynccontextmanager
async def driven(fleet: Fleet, bodies: int) -> AsyncIterator[Drivers]:
    """Driver processes that have connected; gone at the end. Raises DriverFailed."""
    drivers: list[_Driver] = []
    try:
        for setup in fleet.setups(bodies):
            drivers.append(await _Driver.begun(setup))  # noqa: PERF401  # each is ended below
        await asyncio.gather(*(driver.ready() for driver in drivers))
        yield Drivers(drivers)
    finally:
        await asyncio.gather(*(driver.gone() for driver in drivers), return_exceptions=True)


class _Driver:
    """One process."""

    def __init__(self, process: Process, number: int) -> None:
        self._process, self._number = process, number
        self.pid = process.pid

    @classmethod
    async def begun(cls, setup: Setup) -> _Driver:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.driver.process"),
            stdin=PIPE,
            stdout=PIPE,
            limit=LONGEST_LINE,
            start_new_session=True,  # Ctrl-C is for the parent, which says when to stop
        )
        driver = cls(process, setup.part)
        driver.tell("setup", asdict(setup))
        return driver

    def tell(self, kind: str, value: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(line(kind, value))

    async def ready(self) -> None:
        await self._within(READY_SECONDS, self._heard("ready"))

    async def armed(self, order: Order) -> None:
        self.tell("order", asdict(order))
        await self._within(READY_SECONDS, self._heard("armed"))

    async def result(self, start: float, shown: Callable[[Progress], None]) -> list[Part]:
        self.tell("start", start)
        return [Part.read(given) for given in await self._heard("result", shown)]

    async def gone(self) -> None:
        """Its lines end, so it does; if not, it is killed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(0 if sys.exc_info()[0] else GONE_SECONDS):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _within(self, seconds: float, heard: Any) -> None:
        try:
            async with asyncio.timeout(seconds):
                await heard
        except TimeoutError:
            raise DriverFailed(f"driver process {self._number} did not get ready") from None

    async def _heard(self, kind: str, shown: Callable[[Progress], None] | None = None) -> Any:
        """The value of the next line of a kind. Raises DriverFailed if there is none."""
        stdout = self._process.stdout
        while stdout is not None and (text := await stdout.readline()):
            said, value = next(iter(json.loads(text).items()))
            if said == kind:
                return value
            if said == "failed":
                raise DriverFailed(str(value))
            if said == "progress" and shown is not None:
                shown(Progress(**value))
        raise DriverFailed(f"driver process {self._number} {_end(await self._process.wait())}")


def _end(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name} before its result"
    return f"ended with exit code {code} before its result"
