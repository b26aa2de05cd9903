"""A whole load test: requests prepared, drivers started, stages run, the result put together."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.driver.live import View
from bench.driver.load import Open, Stage
from bench.driver.plan import Arrivals, Planned
from bench.driver.processes import Drivers, Fleet, driven
from bench.driver.run import Bench, Depth, Rules
from bench.driver.search import FIRST_RATE, Bounds, Found, saturation
from bench.pool import Pool, write_pool
from bench.result import Measured
from bench.target import NotPrepared, Target

CLOSED_PER_SECOND = 2_000
"""Requests prepared for each second of a load that nobody can know beforehand."""
SEARCH_STAGES = 8
MOST_PREPARED = 200_000
"""Of a load that nobody can know beforehand; ``--requests`` may ask for more."""


@dataclass(frozen=True, slots=True)
class Search:
    """Stages of ``seconds`` until the server does not keep up."""

    seconds: float
    warm_up: float
    arrivals: Arrivals = "poisson"
    first: float = FIRST_RATE
    bounds: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True, slots=True)
class Loading:
    """What to do; times in seconds."""

    sender: Mapping[str, Any] = field(repr=False)
    """For :func:`bench.driver.sender.made`."""
    plan: Sequence[Planned] | Search
    lanes: int
    """Connections, or messages under way: the most requests in flight."""
    seed: int = 1
    timeout: float = 10.0
    processes: int = 0
    requests: int = 0
    """How many to prepare; 0: as many as the load needs."""
    pids: Mapping[str, int] = field(default_factory=dict)
    """The server's processes on this machine by name, each with its descendants."""
    metrics: str = ""
    ca: Path | None = None
    rules: Rules = field(default_factory=Rules)
    quiet: bool = False
    batch: int = 1
    """Requests in each message."""
    watch_queue: Callable[[], AbstractAsyncContextManager[Depth | None]] | None = None
    """Who looks at the queue that messages wait in."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What all stages showed."""

    stages: tuple[Measured, ...]
    stopped: bool
    """Whether somebody ended it early, or an answer was wrong."""
    found: Found | None = None
    """Of a search."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """What the server's first answer of each kind of error said."""


def load(loading: Loading, target: Target) -> Outcome:
    """Prepare the requests, then send them.

    SIGINT ends it early, with what was measured until then. Raises NotPrepared, DriverFailed,
    NotHere, OSError.
    """
    with TemporaryDirectory(prefix="remint-bench-") as folder:
        path = Path(folder) / "requests"
        try:
            number = write_pool(
                path, target.bodies(loading.requests or needed(loading.plan, loading.batch))
            )
        except ValueError as error:
            raise NotPrepared(str(error)) from None
        with Pool(path) as pool:
            return asyncio.run(_loaded(loading, target, path, pool, number))


def needed(plan: Sequence[Planned] | Search, batch: int = 1) -> int:
    """How many messages of ``batch`` requests a load sends, with a margin: Poisson arrivals
    vary."""
    if isinstance(plan, Search):
        expected = round(plan.seconds * CLOSED_PER_SECOND * SEARCH_STAGES)
        return -(-min(MOST_PREPARED, expected) // batch)
    closed = sum(planned.seconds for planned in plan if not planned.requests)
    known = sum(planned.requests for planned in plan)
    margin = round(10 * math.sqrt(known)) + 10
    guessed = min(MOST_PREPARED, round(closed * CLOSED_PER_SECOND))
    return known + margin * bool(known) + -(-guessed // batch)


async def _loaded(loading: Loading, target: Target, path: Path, pool: Pool, number: int) -> Outcome:
    fleet = Fleet(
        loading.sender,
        path,
        loading.lanes,
        loading.seed,
        loading.timeout,
        loading.processes,
        min(number, getattr(target, "subjects", None) or number),
    )
    watch = loading.watch_queue or contextlib.nullcontext
    async with driven(fleet, number) as drivers, watch() as depth:
        with _stopped_by_interrupt(drivers), View(quiet=loading.quiet) as view:
            bench = Bench(
                drivers,
                target,
                pool,
                pids=loading.pids,
                metrics=loading.metrics,
                ca=loading.ca,
                view=view,
                batch=loading.batch,
                depth=depth,
            )
            if isinstance(loading.plan, Search):
                return await _searched(bench, loading.plan, loading.rules)
            return await _planned(bench, loading.plan, loading.rules)


async def _planned(bench: Bench, plan: Sequence[Planned], rules: Rules) -> Outcome:
    stages: list[Measured] = []
    for number, planned in enumerate(plan, 1):
        if bench.stopped:
            break
        title = f"stage {number} of {len(plan)}" if len(plan) > 1 else "stage"
        stages += await bench.measured(planned, rules, title)
    return Outcome(tuple(stages), bench.stopped, refusals=bench.refusals)


async def _searched(bench: Bench, search: Search, rules: Rules) -> Outcome:
    async def measure(rate: float) -> Measured | None:
        if bench.stopped:
            return None
        stage = Stage(Open(rate, search.arrivals), search.seconds, search.warm_up)
        planned = Planned.of(stage, f"rate {rate}")
        return next(iter(await bench.measured(planned, rules, f"{rate:,.0f}/s")), None)

    found = await saturation(measure, first=search.first, bounds=search.bounds)
    return Outcome(found.stages, bench.stopped, found, bench.refusals)


@contextlib.contextmanager
def _stopped_by_interrupt(drivers: Drivers) -> Iterator[None]:
    """The first SIGINT ends the stage under way, the second everything."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def interrupted() -> None:
        if drivers.stopped is None:
            drivers.stop()
        elif task is not None:
            task.cancel()

    loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
