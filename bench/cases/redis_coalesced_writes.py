"""Writes to Redis that share round trips, beside writes that each wait for their own reply.

``set`` is a SET through the broker's ``Commands``, from a number of callers at once; its floor is
redis-py's plain client in the same process, one call after the other, and for the same number of
callers each on a connection of its own. ``commit`` is what a translation writes: the record of a
token and its index entries. Measured is the CPU of our process alone, on a Redis that syncs every
write.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import count

import uvloop
from redis.asyncio import Redis

from adapters.keys.root_secret import RootSecret
from adapters.stores import open_stores
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_urls import link_to
from bench.figures import MICRO, Series, micros, ratio, table
from bench.lanes import in_lanes
from bench.redis_server import RedisServer, redis_server
from bench.tokens import issued

NAME = "redis-writes"
TITLE = "writes to Redis that share round trips: CPU of our process, µs a write"
ROUNDS = 9
WRITES = 2000
CALLERS = (1, 8, 32, 128)
VALUE = b"x" * 300  # about what a token's record takes

Write = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Result:
    """CPU microseconds per write of each round, by number of callers. ``alone`` is redis-py's
    plain client with one caller, ``plain`` the same with as many callers as ours have."""

    alone: Series
    plain: dict[int, Series]
    coalesced: dict[int, Series]
    commits: dict[int, Series]
    writes_a_trip: dict[int, float]


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--writes", type=int, default=WRITES, help="in each round")


def report(options: Namespace) -> Iterator[str]:
    """Raises RedisMissing."""
    with redis_server() as server:
        result = uvloop.run(measured(server, options.rounds, options.writes))
    yield f"SET, redis-py's plain client, one after the other: {micros(result.alone)}"
    rows = [("callers", "plain client", "coalesced", "writes a trip", "to one after the other")]
    for callers, series in result.coalesced.items():
        share = ratio(series.over(result.alone))
        shared = f"{result.writes_a_trip[callers]:.1f}"
        rows.append((str(callers), micros(result.plain[callers]), micros(series), shared, share))
    yield from table(rows)
    yield ""
    first = result.commits[min(result.commits)]
    yield from table(
        [
            ("callers", "commit of a token", "to one caller"),
            *(
                (str(callers), micros(series), ratio(series.over(first)))
                for callers, series in result.commits.items()
            ),
        ]
    )


async def measured(server: RedisServer, rounds: int, writes: int) -> Result:
    """All in one process, in rounds that go through every way of writing."""
    commands = Commands(link_to(server.url))
    stores = await open_stores(server.url, RootSecret(bytes(32)))
    plain = Redis(port=server.port, max_connections=2 * max(CALLERS))
    taken: dict[tuple[str, int], list[float]] = {}
    trips: dict[int, list[float]] = {callers: [] for callers in CALLERS}

    ways: dict[str, Write] = {
        "plain": lambda at: plain.set(f"remint:{at}", VALUE),
        "coalesced": lambda at: commands.call("SET", f"remint:{at}", VALUE),
        "commit": lambda at: fresh[at].commit(stores),
    }
    now, numbers = int(time.time()), count()
    for number in range(rounds + 1):
        for callers in CALLERS:
            fresh = [issued(next(numbers), now) for _ in range(writes)]
            for way, write in ways.items():
                before = commands.round_trips
                spent = await _cost(write, writes, callers)
                if number:  # the first round warms up
                    taken.setdefault((way, callers), []).append(spent)
                if number and way == "coalesced":
                    trips[callers].append(writes / (commands.round_trips - before))
    await plain.aclose()
    await stores.close()
    await commands.close()

    def of(way: str) -> dict[int, Series]:
        return {callers: Series(tuple(taken[way, callers])) for callers in CALLERS}

    return Result(
        of("plain")[1],
        of("plain"),
        of("coalesced"),
        of("commit"),
        {callers: Series(tuple(values)).median for callers, values in trips.items()},
    )


async def _cost(write: Write, writes: int, callers: int) -> float:
    before = time.process_time()
    await in_lanes(write, writes, callers)
    return (time.process_time() - before) / writes * MICRO
