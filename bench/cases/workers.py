"""More workers on one port: what a token costs and how many come out, beside one worker.

Brokers with one worker and with several stand side by side, each on a Redis of its own, and rounds
alternate between them. Measured is the CPU of all the broker's processes, parent and workers; every
request carries another session.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.case import Case, Say
from bench.cases.http import REDIS, TRANSLATIONS, target_of
from bench.endtoend import Clock, Cost, Loop, cost, facts
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
class _Side:
    workers: int
    target: Target
    loop: Loop
    round: Callable[[], Cost]


def rows(options: Options, say: Say) -> Iterator[Row]:
    """Raises RedisMissing."""
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        sides = []
        for workers in _numbers(options.most):
            say(f"starting {workers}")
            sides.append(_side(stack, runner, workers, options))
        say(" against ".join(str(side.workers) for side in sides))
        found = in_turn([side.round for side in sides], options.rounds)
        for side in sides:
            runner.run(side.loop.close())
            runner.run(verified(side.target, side.loop.samples))
    one = tuple(cost.cpu for cost in found[0])
    for side, costs in zip(sides, found, strict=True):
        yield _row(side.workers, costs, one if side.workers > 1 else ())


def _numbers(most: int) -> list[int]:
    found = [1]
    while found[-1] * 2 <= most:
        found.append(found[-1] * 2)
    return found


def _side(
    stack: contextlib.ExitStack, runner: asyncio.Runner, workers: int, options: Options
) -> _Side:
    redis = stack.enter_context(redis_server())
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="remint-bench-"))
    settings = {"REMINT_WORKERS": str(workers), "REMINT_EVENTS__KEEP": "0"}
    broker = stack.enter_context(served(Path(folder), redis.url, settings, sessions=0))
    target = target_of(TRANSLATION, broker)
    each = options.requests
    bodies = list(target.bodies((options.rounds + 1) * each))
    loop = Loop(target.url, target.head, options.in_flight)
    runner.run(loop.open())
    watch = Watch({"broker": broker.pid})
    others: dict[str, Clock] = {REDIS: lambda: cpu_seconds(redis.pid)}
    parts = iter([bodies[start : start + each] for start in range(0, len(bodies), each)])

    def server() -> float:
        return watch.look().cpu["broker"]

    return _Side(workers, target, loop, lambda: cost(runner, loop, next(parts), server, others))


def _row(workers: int, costs: list[Cost], one: tuple[float, ...]) -> Row:
    ours = tuple(each.cpu for each in costs)
    return Row(
        f"{workers} worker{'s' if workers > 1 else ''}",
        "µs",
        ours,
        one,
        TARGET if one else None,
        {
            **facts(costs),
            "workers": workers,
            "store": REDIS,
            "cores": os.cpu_count() or 0,
            "tokens_per_cpu_second": MICRO / Series(ours).median,
        },
    )


CASE = Case(
    name="workers",
    title="session to OIDC ES256 over HTTP, Redis, several workers: CPU of the broker, µs a token",
    formula="the same with one worker",
    quick=Options(),
    full=Options(rounds=15, requests=4000),
    rows=rows,
    servers=("redis-server",),
)
