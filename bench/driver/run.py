"""A run against a target: each stage measured, watched, verified and judged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from bench.caches import Asked, counted, hit_rates
from bench.driver.live import View
from bench.driver.merge import merged
from bench.driver.orders import Part
from bench.driver.plan import Planned
from bench.driver.processes import Drivers
from bench.pool import Pool
from bench.processes import Reading, Watch, used
from bench.result import Measured
from bench.target import Target, WrongAnswer
from bench.validity import judged
from bench.verification import verified

WRONG = "a wrong answer: "


@dataclass(frozen=True, slots=True)
class Rules:
    """What a stage is judged by: see :func:`bench.validity.judged`."""

    saturated: bool = False
    allow_errors: float = 0.0
    headline: bool = True
    checked: bool = True


class Depth(Protocol):
    """Somebody who looks at the queue of the requests, as ``bench.queue_depth``."""

    def most(self, begun: float, ended: float) -> int | None:
        """Most messages that waited between two moments of ``time.monotonic()``; None if nobody
        looked."""


class Once:
    """A target that no answer may give a token twice, over all stages of a run."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._seen: set[str] = set()

    def __getattr__(self, name: str) -> object:
        return getattr(self._target, name)

    def check(self, body: bytes, answer: bytes) -> str:
        """Raises WrongAnswer."""
        found = self._target.check(body, answer)
        if found in self._seen:
            raise WrongAnswer("two requests got the same token")
        self._seen.add(found)
        return found


class Bench:
    """Drivers, what they load, and who watches it."""

    def __init__(
        self,
        drivers: Drivers,
        target: Target,
        pool: Pool,
        *,
        pids: Mapping[str, int] | None = None,
        metrics: str = "",
        ca: Path | None = None,
        view: View | None = None,
        batch: int = 1,
        depth: Depth | None = None,
    ) -> None:
        """``metrics``: the server's Prometheus page, empty for none. ``batch``: requests in each
        message. ``depth``: of the queue that they wait in. Raises NotHere."""
        self.drivers = drivers
        self._target = target
        self._once: Target = Once(target)  # type: ignore[assignment]  # by __getattr__
        self._pool = pool
        self._watch = Watch(pids or {})
        self._metrics, self._ca = metrics, ca
        self._view = view or View(quiet=True)
        self._batch, self._depth = batch, depth
        self.refusals: dict[str, str] = {}
        """What the first failure of each kind said, over all stages."""

    @property
    def stopped(self) -> bool:
        """Whether somebody ended it, or an answer was wrong: there is no next stage."""
        return self.drivers.stopped is not None

    async def measured(self, planned: Planned, rules: Rules, title: str = "") -> list[Measured]:
        """Its windows; those that a stop left empty are left out. Raises DriverFailed."""
        caches = await self._counted()
        readings: list[Reading] = []
        looking: list[asyncio.Task[None]] = []
        begun = 0.0

        def started(start: float) -> None:
            nonlocal begun
            begun = start
            self._view.begins(planned, title, start)
            moments = [start + bound for bound in planned.order.bounds[:-1]]
            looking.append(asyncio.create_task(self._look_at(moments, readings)))

        try:
            windows = await self.drivers.stage(
                planned.order, started=started, shown=self._view.shown
            )
        finally:
            for task in looking:
                task.cancel()
        for part in (part for parts in windows for part in parts):
            self.refusals = {**part.refusals, **self.refusals}
        readings.append(self._watch.look())  # the last window ends when all is answered
        stages = self._merged(planned, windows, [begun + bound for bound in planned.order.bounds])
        rates = hit_rates(caches, await self._counted())
        found = []
        for measured, parts, looks in zip(stages, windows, pairwise(readings), strict=False):
            seen = replace(self._watched(measured, *looks), caches=rates)
            if seen.sent:
                found.append(await self._judged(seen, parts, rules))
        return found

    def _merged(
        self, planned: Planned, windows: Sequence[Sequence[Part]], bounds: Sequence[float]
    ) -> list[Measured]:
        stop = self.drivers.stopped
        found = []
        for stage, parts, (begun, ended) in zip(
            planned.stages, windows, pairwise(bounds), strict=True
        ):
            end = ended if stop is None else min(ended, max(stop, begun))
            measured = merged(stage, parts, begun=begun, ended=end)
            most = self._depth.most(begun, begun + measured.seconds) if self._depth else None
            measured = replace(measured, batch=self._batch, queued=most)
            if end < ended:
                cut = f"stopped after {end - begun:.1f} of {stage.seconds:g} s"
                measured = replace(measured, problems=(cut,))
            found.append(measured)
        return found

    async def _judged(self, measured: Measured, parts: Sequence[Part], rules: Rules) -> Measured:
        samples = [
            (self._pool[number], answer) for part in parts for number, answer in part.samples
        ]
        try:
            checked = await verified(self._once, samples) if rules.checked else 0
        except WrongAnswer as wrong:
            self.drivers.stop()
            return replace(measured, problems=(*measured.problems, f"{WRONG}{wrong}"))
        return judged(
            replace(measured, checked=checked),
            target=self._target,
            saturated=rules.saturated,
            allow_errors=rules.allow_errors,
            headline=rules.headline,
            checked=rules.checked,
        )

    def _watched(self, measured: Measured, before: Reading, after: Reading) -> Measured:
        between = used(before, after)
        gone = tuple(f"the process {name} has ended" for name in self._watch.gone())
        return replace(
            measured,
            server_cpu=dict(between.cpu),
            server_memory=dict(between.memory),
            steal=between.steal,
            problems=(*measured.problems, *gone),
        )

    async def _look_at(self, moments: Sequence[float], readings: list[Reading]) -> None:
        for moment in moments:
            await asyncio.sleep(max(0.0, moment - time.monotonic()))
            readings.append(self._watch.look())

    async def _counted(self) -> dict[str, Asked]:
        return await counted(self._metrics, self._ca) if self._metrics else {}
