"""What a worker holds in memory after many translations, beside what it held after a tenth.

Session in, ID token ES256 out, over HTTP on Redis. Sessions go round, since what is looked for is
growth; tokens live for a minute, so that Redis holds no more than that.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.case import Case, NotAnOption, Say
from bench.cases.http import TRANSLATIONS, target_of
from bench.endtoend import Loop
from bench.proc import resident
from bench.redis_server import redis_server
from bench.result import Row
from bench.served import INSTANCE, INSTANCES, served
from bench.verification import verified

PARTS = 10
LIMIT_MIB = 120e6 / 2**20
"""120 MB, for one worker."""
LIFETIME = "lifetime_seconds = 60\n"
LAST_SAMPLES = 100
"""Tokens of the last minute are judged: the others have expired."""


@dataclass(frozen=True, slots=True)
class Options:
    translations: int = 1_000_000
    sessions: int = 10_000
    in_flight: int = 32


def rows(options: Options, say: Say) -> Iterator[Row]:
    """Raises RedisMissing, NotAnOption."""
    each, rest = divmod(options.translations, PARTS)
    if rest or each % options.sessions:
        raise NotAnOption(f"translations is a multiple of {PARTS * options.sessions:,}")
    found = _measured(options, say)
    facts: dict[str, str | int | float] = {"store": "redis", "translations": options.translations}
    last = (found[-1],)
    for part, size in enumerate(found):
        label = f"resident after {part * each:,}"
        yield Row(label, "MiB", (size,), facts={**facts, "after": part * each})
    yield Row(f"after {options.translations:,}, to {each:,}", "MiB", last, (found[1],), 1.0, facts)
    yield Row("after all of them, to 120 MB", "MiB", last, (LIMIT_MIB,), 1.0, facts)


def _measured(options: Options, say: Say) -> list[float]:
    """MiB before the first translation and after each part of them."""
    instances = {INSTANCE: INSTANCES[INSTANCE] + LIFETIME}
    with (
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        tempfile.TemporaryDirectory(prefix="remint-bench-") as folder,
        redis_server() as redis,
        served(Path(folder), redis.url, {}, sessions=0, instances=instances) as broker,
    ):
        target = target_of(TRANSLATIONS[0], broker)
        bodies = list(target.bodies(options.sessions))
        loop = Loop(target.url, target.head, options.in_flight)
        runner.run(loop.open())
        found = [resident(broker.pid) / 2**20]
        turns = options.translations // options.sessions
        for turn in range(1, turns + 1):
            say(f"{turn * options.sessions:,} of {options.translations:,}")
            loop.samples.clear()
            runner.run(loop.all_answered(bodies))
            if turn % (turns // PARTS) == 0:
                found.append(resident(broker.pid) / 2**20)
        runner.run(loop.close())
        runner.run(verified(target, loop.samples[-LAST_SAMPLES:]))
    return found


CASE = Case(
    name="memory",
    title="resident memory of a worker over many translations, Redis: MiB",
    formula="what it held after the first tenth; and the limit of 120 MB",
    quick=None,
    full=Options(),
    rows=rows,
    servers=("redis-server",),
)
