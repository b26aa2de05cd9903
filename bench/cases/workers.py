"""More workers on one port: what a token costs and how many come out, beside one worker.

Brokers with one worker and with several stand side by side, each on a Redis of its own, and rounds
alternate between them. Measured is the CPU of all the broker's processes, parent and workers; every
request carries another session.

Several workers are asked twice: with as many requests in flight as the one has, which they share,
so that each does less at once; and with as many for each worker. Beside them stand as many brokers
with one worker each and nothing in common: what those cost more than one alone is the machine's
doing, not that of workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.case import Case, Say
from bench.cases.http import REDIS, TRANSLATIONS, target_of
from bench.endtoend import Cost, Loop, facts
from bench.figures import MICRO, Series
from bench.process import cpu_seconds
from bench.processes import Watch
from bench.redis_server import redis_server
from bench.result import Row
from bench.rounds import in_turn
from bench.served import served
from bench.target import Target
from bench.verification import verified

TARGET = 1 / 0.95
"""Tokens per CPU-second with two workers are to be 0.95 of what they are with one."""
TRANSLATION = TRANSLATIONS[0]


@dataclass(frozen=True, slots=True)
class Options:
    most: int = 2
    """Workers; the rows double up to it."""
    rounds: int = 5
    requests: int = 800
    in_flight: int = 32


@dataclass(frozen=True, slots=True)
class _Place:
    """A broker, its Redis, and the requests of each round."""

    target: Target
    loop: Loop
    parts: Iterator[list[bytes]]
    watch: Watch
    redis: int


@dataclass(frozen=True, slots=True)
class _Side:
    """What is measured as one: a broker, or several with nothing in common."""

    label: str
    places: Sequence[_Place]
    workers: int
    """Of all its brokers."""
    in_flight: int
    plotted: bool = False
    beside: bool = True
    judged: bool = True


def rows(options: Options, say: Say) -> Iterator[Row]:
    """Raises RedisMissing."""
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        sides = list(_sides(stack, runner, options, say))
        say(" against ".join(side.label for side in sides))
        found = in_turn([_round(runner, side) for side in sides], options.rounds)
        for place in [place for side in sides for place in side.places]:
            runner.run(place.loop.close())
            runner.run(verified(place.target, place.loop.samples))
    one = tuple(cost.cpu for cost in found[0])
    for side, costs in zip(sides, found, strict=True):
        yield _row(side, costs, one if side.beside else ())


def _sides(
    stack: contextlib.ExitStack, runner: asyncio.Runner, options: Options, say: Say
) -> Iterator[_Side]:
    each, total = options.in_flight, options.requests

    def place(workers: int, in_flight: int, requests: int) -> _Place:
        return _place(stack, runner, workers, in_flight, requests, options.rounds)

    say("starting one worker")
    yield _Side("1 worker", [place(1, each, total)], 1, each, plotted=True, beside=False)
    for number in _numbers(options.most):
        say(f"starting {number} workers")
        label = f"{number} workers"
        yield _Side(f"{label}, {each} in flight", [place(number, each, total)], number, each, True)
        full = each * number
        yield _Side(f"{label}, {each} for each", [place(number, full, total)], number, full)
        apart = [place(1, each, total // number) for _ in range(number)]
        yield _Side(f"{number} brokers apart", apart, number, full, judged=False)


def _numbers(most: int) -> Iterator[int]:
    number = 2
    while number <= most:
        yield number
        number *= 2


def _place(
    stack: contextlib.ExitStack,
    runner: asyncio.Runner,
    workers: int,
    in_flight: int,
    requests: int,
    rounds: int,
) -> _Place:
    redis = stack.enter_context(redis_server())
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="remint-bench-"))
    settings = {"REMINT_WORKERS": str(workers), "REMINT_EVENTS__KEEP": "0"}
    broker = stack.enter_context(served(Path(folder), redis.url, settings, sessions=0))
    target = target_of(TRANSLATION, broker)
    bodies = list(target.bodies((rounds + 1) * requests))
    loop = Loop(target.url, target.head, in_flight)
    runner.run(loop.open())
    parts = iter([bodies[start : start + requests] for start in range(0, len(bodies), requests)])
    return _Place(target, loop, parts, Watch({"broker": broker.pid}), redis.pid)


def _round(runner: asyncio.Runner, side: _Side) -> Callable[[], Cost]:
    """A round of it takes the next requests; brokers that stand apart are asked side by side."""

    async def ask(parts: Sequence[list[bytes]]) -> None:
        asked = zip(side.places, parts, strict=True)
        await asyncio.gather(*(place.loop.all_answered(part) for place, part in asked))

    def clocks() -> tuple[float, float]:
        brokers = sum(place.watch.look().cpu["broker"] for place in side.places)
        return brokers, sum(cpu_seconds(place.redis) for place in side.places)

    def measure() -> Cost:
        parts = [next(place.parts) for place in side.places]
        number = sum(len(part) for part in parts)
        (broker, redis), began = clocks(), time.perf_counter()
        runner.run(ask(parts))
        seconds = time.perf_counter() - began
        broker_after, redis_after = clocks()
        cpu = (broker_after - broker) / number * MICRO
        others = {REDIS: (redis_after - redis) / number * MICRO}
        return Cost(cpu, number / seconds, others)

    return measure


def _row(side: _Side, costs: list[Cost], one: tuple[float, ...]) -> Row:
    ours = tuple(each.cpu for each in costs)
    found: dict[str, str | int | float] = {
        **facts(costs),
        "store": REDIS,
        "in_flight": side.in_flight,
        "cores": os.cpu_count() or 0,
        "tokens_per_cpu_second": MICRO / Series(ours).median,
    }
    found["workers" if side.plotted else "beside_workers"] = side.workers
    return Row(side.label, "µs", ours, one, TARGET if one and side.judged else None, found)


CASE = Case(
    name="workers",
    title="session to OIDC ES256 over HTTP, Redis, several workers: CPU of the broker, µs a token",
    formula="the same with one worker",
    quick=Options(),
    full=Options(rounds=15, requests=4000),
    rows=rows,
    servers=("redis-server",),
)
