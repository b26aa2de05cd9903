"""Driver processes on a server of a test's own, and what they measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from bench.driver.http import Endpoint
from bench.driver.load import Stage
from bench.driver.merge import merged
from bench.driver.orders import Part, Progress
from bench.driver.plan import Planned
from bench.driver.processes import Drivers, Fleet, driven
from bench.pool import write_pool
from bench.result import Measured
from bench.target import WrongAnswer


def fleet_of(
    folder: Path,
    url: str,
    *,
    lanes: int = 8,
    bodies: int = 100,
    timeout: float = 20.0,
    processes: int = 1,
) -> Fleet:
    """Drivers for requests that say their number."""
    pool = folder / "pool"
    write_pool(pool, (b"%d" % number for number in range(bodies)))
    return Fleet(Endpoint(url).options(), pool, lanes, 1, timeout, processes)


async def staged(
    drivers: Drivers,
    planned: Planned,
    *,
    started: Callable[[float], None] = lambda _: None,
    shown: Callable[[list[Progress]], None] = lambda _: None,
) -> tuple[list[Measured], list[list[Part]]]:
    """A Measured for each window, and its parts."""
    starts: list[float] = []

    def heard(start: float) -> None:
        starts.append(start)
        started(start)

    windows = await drivers.stage(planned.order, started=heard, shown=shown)
    bounds = pairwise([starts[0] + bound for bound in planned.order.bounds])
    measured = [
        merged(stage, parts, begun=begun, ended=ended)
        for stage, parts, (begun, ended) in zip(planned.stages, windows, bounds, strict=True)
    ]
    return measured, windows


async def one_stage(fleet: Fleet, stage: Stage, *, bodies: int = 100) -> Measured:
    """New drivers for one stage."""
    async with driven(fleet, bodies) as drivers:
        measured, _ = await staged(drivers, Planned.of(stage, "test"))
    return measured[0]


class Numbers:
    """A target whose requests are numbers, and whose answers must repeat them."""

    kind = "client-credentials"
    head: Mapping[str, str] = {}

    def __init__(self, url: str, wrong: str = "") -> None:
        self.url, self._wrong = url, wrong
        self.kept: list[bytes] = []

    def bodies(self, number: int) -> Iterator[bytes]:
        yield from (b"%d" % one for one in range(number))

    def token(self, answer: bytes) -> str:
        return answer.decode()

    def check(self, body: bytes, answer: bytes) -> str:
        if answer != body:
            raise WrongAnswer(f"{self._wrong or 'another number'}")
        return answer.decode()

    async def check_kept(self, answers: list[bytes]) -> None:
        self.kept.extend(answers)


def echo(body: bytes) -> bytes:
    """An answer that repeats a request."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
