"""One stage of the driver against the stub, with what the stub says of itself."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.driver.http import Endpoint
from bench.driver.load import Stage
from bench.driver.merge import merged
from bench.driver.plan import Planned
from bench.driver.processes import Drivers, Fleet, driven
from bench.pool import write_pool
from bench.result import Measured
from bench.selfcheck.stubs import RunningStub

BODIES = 10_000
TIMEOUT_SECONDS = 30.0
MILLI = 1000.0
LATE_SECONDS = 0.005
"""What the driver's schedule and the stub's answers may be late together, at the 99th percentile:
on a busier machine a check says nothing of the driver."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One stage."""

    measured: Measured
    start: float
    """``time.monotonic()`` of the beginning of its warm-up."""
    stub_late: float
    """Seconds by which the stub's own answers were late, at the 99th percentile."""

    @property
    def late(self) -> float:
        """Seconds that requests began late, and answers: the machine's doing, not the driver's."""
        return self.measured.lag.percentile(99) + self.stub_late

    @property
    def disturbed(self) -> str | None:
        """Why this stage says nothing; None if it does."""
        if self.late <= LATE_SECONDS:
            return None
        lag = self.measured.lag.percentile(99)
        return f"requests began {lag * MILLI:.1f} ms late, answers {self.stub_late * MILLI:.1f} ms"


@asynccontextmanager
async def drivers(
    stub: RunningStub, folder: Path, *, lanes: int, seed: int
) -> AsyncIterator[Drivers]:
    """One driver process on the stub. Raises DriverFailed."""
    pool = folder / "requests"
    number = write_pool(pool, (b'{"number": %d}' % body for body in range(BODIES)))
    sender = Endpoint(stub.url).options()
    fleet = Fleet(sender, pool, lanes, seed, TIMEOUT_SECONDS, processes=1)
    async with driven(fleet, number) as running:
        yield running


async def loaded(
    running: Drivers,
    stub: RunningStub,
    stage: Stage,
    *,
    started: Callable[[float], None] = lambda _: None,
) -> Loaded:
    """Raises DriverFailed."""
    begun = math.nan

    def heard(start: float) -> None:
        nonlocal begun
        begun = start
        started(start)

    await stub.late()
    planned = Planned.of(stage, "check")
    windows = await running.stage(planned.order, started=heard)
    bounds = planned.order.bounds
    measured = merged(stage, windows[0], begun=begun + bounds[0], ended=begun + bounds[1])
    return Loaded(measured, begun, await stub.late())
