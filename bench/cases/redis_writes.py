"""Writes to Redis that share round trips, beside writes that each wait for their own reply.

``SET`` goes through the broker's ``Commands``, from a number of callers at once; its floor is
redis-py's plain client in the same process, with as many callers, each on a connection of its own.
``commit`` is what a translation writes: the record of a token and its index entries; its floor are
SETs in redis-py's pipelines, 32 to a round trip. Measured is the CPU of our process alone, on a
Redis that syncs every write.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

import uvloop
from redis.asyncio import Redis

from adapters.keys.root_secret import RootSecret
from adapters.stores import open_stores
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_urls import link_to
from bench.case import Case, Say
from bench.figures import MICRO, Series
from bench.floors import redis_set
from bench.lanes import in_lanes
from bench.redis_server import RedisServer, redis_server
from bench.result import Row
from bench.tokens import issued

CALLERS = (1, 8, 32, 128)
VALUE = b"x" * 300  # about what a token's record takes
IN_A_TRIP = 32

Write = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Options:
    rounds: int = 5
    writes: int = 1000
    """In each round."""


@dataclass(slots=True)
class Result:
    """CPU microseconds per write of each round, by way of writing and number of callers; and how
    many writes shared a round trip."""

    taken: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    trips: dict[int, list[float]] = field(default_factory=dict)

    def note(self, way: str, callers: int, spent: float) -> None:
        self.taken.setdefault((way, callers), []).append(spent)


def rows(options: Options, say: Say) -> Iterator[Row]:
    """Raises RedisMissing."""
    with redis_server() as server:
        say(f"{options.rounds} rounds")
        result = uvloop.run(measured(server, options.rounds, options.writes))
    for way, floor in (("SET", "plain"), ("commit", "pipeline")):
        for callers in CALLERS:
            shared = {"writes_a_trip": Series(tuple(result.trips[callers])).median}
            yield Row(
                f"{way}, {callers} caller{'s' if callers > 1 else ''}",
                "µs",
                tuple(result.taken[way, callers]),
                tuple(result.taken[floor, callers]),
                facts={"callers": callers, "store": "redis", **(shared if way == "SET" else {})},
            )


async def measured(server: RedisServer, rounds: int, writes: int) -> Result:
    """All in one process, in rounds that go through every way of writing."""
    commands = Commands(link_to(server.url))
    stores = await open_stores(server.url, RootSecret(bytes(32)))
    plain = Redis(port=server.port, max_connections=2 * max(CALLERS))
    result = Result()

    ways: dict[str, Write] = {
        "plain": lambda at: plain.set(f"remint:{at}", VALUE),
        "SET": lambda at: commands.call("SET", f"remint:{at}", VALUE),
        "commit": lambda at: fresh[at].commit(stores),
    }
    now, numbers = int(time.time()), count()
    for number in range(rounds + 1):
        for callers in CALLERS:
            fresh = [issued(next(numbers), now) for _ in range(writes)]
            for way in (*ways, "pipeline"):
                before = commands.round_trips
                if way == "pipeline":
                    spent = await redis_set.micros(server.port, writes, IN_A_TRIP, len(VALUE))
                else:
                    spent = await _cost(ways[way], writes, callers)
                if number:  # the first round warms up
                    result.note(way, callers, spent)
                if number and way == "SET":
                    shared = writes / (commands.round_trips - before)
                    result.trips.setdefault(callers, []).append(shared)
    await plain.aclose()
    await stores.close()
    await commands.close()
    return result


async def _cost(write: Write, writes: int, callers: int) -> float:
    before = time.process_time()
    await in_lanes(write, writes, callers)
    return (time.process_time() - before) / writes * MICRO


CASE = Case(
    name="redis-writes",
    title="writes to Redis that share round trips: CPU of our process, µs a write",
    formula="SET: redis-py's plain client, as many callers; commit: pipelined SET, 32 to a trip",
    quick=Options(),
    full=Options(rounds=15, writes=3000),
    rows=rows,
    servers=("redis-server",),
)
