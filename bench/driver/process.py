"""One driver process: ``python -m bench.driver.process``, started by ``bench.driver.processes``.

Lines in: ``setup``, then for each stage ``order`` and ``start``; ``stop`` ends one early. Lines
out: ``ready``, then ``armed``, ``progress`` a second, ``result``; or ``failed`` with a sentence.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import uvloop

from bench.driver.bodies import Bodies
from bench.driver.model import ClosedModel, Model, OpenModel
from bench.driver.orders import Order, Part, Progress, Setup, line
from bench.driver.record import Record
from bench.driver.samples import Samples
from bench.driver.schedule import TooMany, moments
from bench.driver.sender import Failed, Sender, Strays, made
from bench.pool import Pool

PROGRESS_SECONDS = 1.0
MOST_SHOWN = 200
"""Latencies in a line of progress."""
LONGEST_LINE = 1 << 20
MARK_SECONDS = 0.001
"""Two marks nearer than this tell nothing."""


class Driver:
    """The stages of a run, one after the other."""

    def __init__(self, setup: Setup, pool: Pool, commands: Commands) -> None:
        self._setup, self._commands = setup, commands
        self._bodies = Bodies(pool, part=setup.part, parts=setup.parts, different=setup.different)
        self._sender: Sender = made(setup.sender, setup.lanes)

    async def run(self) -> None:
        """Until there are no more orders. Raises Failed, TooMany."""
        await self._sender.open()
        say("ready", None)
        try:
            while (given := await self._commands.next("order")) is not None:
                await self._stage(Order.read(given))
        finally:
            await self._sender.close()

    async def _stage(self, order: Order) -> None:
        intended = moments(
            order.segments,
            arrivals=order.arrivals,
            seed=f"{self._setup.seed}/{order.name}/{self._setup.part}",
            part=self._setup.part,
            parts=self._setup.parts,
        )
        say("armed", None)
        start = await self._commands.next("start")
        if start is None:
            return
        for number, moment in enumerate(intended):
            intended[number] = start + moment
        bounds = [start + bound for bound in order.bounds]
        samples = Samples(bounds, f"{self._setup.seed}/{order.name}/{self._setup.part}")
        record = Record(intended if order.segments else None)
        kind = OpenModel if order.segments else ClosedModel
        model = kind(
            self._sender,
            self._bodies,
            record,
            samples,
            until=bounds[-1],
            timeout=self._setup.timeout,
        )
        shares = await self._driven(model, order.share(self._setup), start, bounds)
        parts = list(self._parts(record, samples, bounds, shares))
        if isinstance(self._sender, Strays):
            parts[-1].tally.errors.update(self._sender.strays())
        say("result", [part.written() for part in parts])
        self._bodies.used(len(record.intended))

    async def _driven(
        self, model: Model, lanes: int, start: float, bounds: list[float]
    ) -> list[float]:
        """Run it; the CPU share of each window."""
        marks = CpuMarks(bounds)
        others = [
            asyncio.create_task(self._told(model)),
            asyncio.create_task(_shown(model)),
            marking := asyncio.create_task(marks.taken()),
        ]
        gc.collect()
        gc.freeze()
        gc.disable()  # a collection would look like a slow answer
        try:
            if not model.record.open:
                await asyncio.sleep(max(0.0, start - time.monotonic()))
            await model.run(lanes)
            if model.record.stopped is None:
                await marking
            return marks.shares()
        finally:
            gc.enable()
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    async def _told(self, model: Model) -> None:
        await self._commands.next("stop")  # or the end of all lines: the parent is gone
        model.stop()

    def _parts(
        self, record: Record, samples: Samples, bounds: list[float], cpu: list[float]
    ) -> Iterable[Part]:
        for tally, sampler, share in zip(record.tallies(bounds), samples.windows, cpu, strict=True):
            kept = tuple((self._bodies.index(number), body) for number, body in sampler.kept)
            fresh = self._bodies.fresh(tally.first, tally.last)
            yield Part(tally, share, fresh, kept, record.refusals)


class Commands:
    """The parent's lines, by kind. Its end is everybody's end."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._given: dict[str, asyncio.Queue[Any]] = {}
        self._ended = False
        self._task = asyncio.create_task(self._read())

    async def next(self, kind: str) -> Any:
        """What the next line of a kind says; None once there are no more lines."""
        queue = self._given.setdefault(kind, asyncio.Queue())
        return None if self._ended and queue.empty() else await queue.get()

    async def _read(self) -> None:
        while text := await self._reader.readline():
            for kind, value in json.loads(text).items():
                self._given.setdefault(kind, asyncio.Queue()).put_nowait(value)
        self._ended = True
        for queue in self._given.values():
            queue.put_nowait(None)


class CpuMarks:
    """CPU time of this process where windows begin and end."""

    def __init__(self, bounds: list[float]) -> None:
        self._bounds = bounds
        self._marks: list[tuple[float, float]] = []

    async def taken(self) -> None:
        for bound in self._bounds:
            await asyncio.sleep(max(0.0, bound - time.monotonic()))
            self._mark()

    def shares(self) -> list[float]:
        """CPU seconds a second by window; 0 for one that did not come."""
        while len(self._marks) < len(self._bounds):
            self._mark()
        return [
            (after[0] - before[0]) / max(after[1] - before[1], MARK_SECONDS)
            for before, after in pairwise(self._marks)
        ]

    def _mark(self) -> None:
        self._marks.append((time.process_time(), time.monotonic()))


async def _shown(model: Model) -> None:
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        recent, model.recent = model.recent, []
        shown = tuple(recent[:: len(recent) // MOST_SHOWN + 1])
        counts = (model.sent, model.answered, model.failed, model.in_flight, model.waiting)
        say("progress", asdict(Progress(*counts, shown)))


def say(kind: str, value: object) -> None:
    sys.stdout.buffer.write(line(kind, value))
    sys.stdout.buffer.flush()


async def _main() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    commands = Commands(reader)
    given = await commands.next("setup")
    if given is None:
        return
    try:
        setup = Setup(**given)
        with Pool(Path(setup.pool)) as pool:
            await Driver(setup, pool, commands).run()
    except Failed as failed:
        say("failed", failed.detail or failed.kind)
    except (TooMany, ValueError, OSError) as error:
        say("failed", str(error))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    with contextlib.suppress(BrokenPipeError):  # the parent has gone, and said why
        uvloop.run(_main())
