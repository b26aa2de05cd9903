"""Session in, ID token ES256 out, over HTTP on the memory store, records kept, audit on.

Floor: an aiohttp echo of the same bytes plus one bare ES256 signature a request.
"""

from __future__ import annotations

import asyncio
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.figures import MICRO, Series, micros, ratio, table
from bench.load import Request, all_answered
from bench.process import cpu_seconds, first_line, started
from bench.served import TRANSLATE, served

NAME = "translate"
TITLE = "session → OIDC ES256, HTTP, memory store: CPU of the server's process, µs a request"
ROUNDS = 5
REQUESTS = 3000
WARM_UP = 500
IN_FLIGHT = 16


@dataclass(frozen=True, slots=True)
class Result:
    """CPU microseconds per request of each round, ours and the floor's."""

    ours: Series
    floor: Series


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="in each round")


def report(options: Namespace) -> Iterator[str]:
    result = measured(options.rounds, options.requests)
    yield from table(
        [
            ("ours", micros(result.ours)),
            ("floor", micros(result.floor)),
            ("ratio", ratio(result.ours.over(result.floor))),
        ]
    )


def measured(rounds: int, requests: int) -> Result:
    """Alternate broker and floor, ``rounds`` times."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), "memory://", {}) as broker,
        started("-m", "bench.floors.echo_es256") as floor,
    ):
        floor_url = f"http://127.0.0.1:{first_line(floor)}{TRANSLATE}"
        ask = broker.translations
        ask_floor = [replace(request, url=floor_url) for request in ask]
        ours, floors = [], []
        cost(broker.pid, ask, WARM_UP)
        cost(floor.pid, ask_floor, WARM_UP)
        for _ in range(rounds):
            ours.append(cost(broker.pid, ask, requests))
            floors.append(cost(floor.pid, ask_floor, requests))
    return Result(Series(tuple(ours)), Series(tuple(floors)))


def cost(pid: int, requests: Sequence[Request], total: int) -> float:
    """CPU microseconds of a process per request; raises WrongAnswer."""
    before = cpu_seconds(pid)
    asyncio.run(all_answered(requests, total=total, in_flight=IN_FLIGHT, holding=b"issued_token"))
    return (cpu_seconds(pid) - before) / total * MICRO
