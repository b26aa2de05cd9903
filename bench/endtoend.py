"""A server under a closed loop of prepared requests: what an answer costs its processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bench.driver.http import Endpoint, HttpSender
from bench.driver.sender import Failed
from bench.figures import MICRO, Series
from bench.lanes import in_lanes
from bench.target import WrongAnswer

TOKEN = b'"issued_token"'
CHECKED_EVERY = 100
"""One of so many answers is verified after the run."""

Clock = Callable[[], float]
"""CPU seconds so far."""

T = TypeVar("T")
Run = Callable[[Coroutine[None, None, T]], T]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one round: CPU microseconds an answer, of the server and of others by name, and answers a
    second."""

    cpu: float
    rate: float
    others: Mapping[str, float] = field(default_factory=dict)


class Loop:
    """Connections to one place that stay open from round to round."""

    def __init__(self, url: str, head: Mapping[str, str], in_flight: int) -> None:
        self._url = url
        self._sender = HttpSender(Endpoint(url, head), in_flight)
        self._in_flight = in_flight
        self.samples: list[tuple[bytes, bytes]] = []
        """Requests with their answers, one of ``CHECKED_EVERY``."""

    async def open(self) -> None:
        """Raises WrongAnswer."""
        try:
            await self._sender.open()
        except Failed as failed:
            raise WrongAnswer(f"from {self._url}: {failed}") from None

    async def all_answered(self, bodies: Sequence[bytes]) -> None:
        """Each body once; raises WrongAnswer unless every answer has a token in it."""

        async def ask(number: int) -> None:
            body = bodies[number]
            try:
                answer = await self._sender.ask(body)
            except Failed as failed:
                raise WrongAnswer(f"from {self._url}: {failed}") from None
            if TOKEN not in answer:
                raise WrongAnswer(f"from {self._url}: {len(answer)} bytes without a token")
            if number % CHECKED_EVERY == 0:
                self.samples.append((body, answer))

        await in_lanes(ask, len(bodies), self._in_flight)

    async def close(self) -> None:
        await self._sender.close()


def cost(
    runner: asyncio.Runner,
    loop: Loop,
    bodies: Sequence[bytes],
    server: Clock,
    others: Mapping[str, Clock],
) -> Cost:
    """One round; raises WrongAnswer."""
    before, clocks = server(), {name: clock() for name, clock in others.items()}
    began = time.perf_counter()
    runner.run(loop.all_answered(bodies))
    seconds = time.perf_counter() - began
    each = MICRO / len(bodies)
    return Cost(
        (server() - before) * each,
        len(bodies) / seconds,
        {name: (clock() - clocks[name]) * each for name, clock in others.items()},
    )


def facts(costs: Sequence[Cost]) -> dict[str, float]:
    """Medians for a row: ``tokens_per_second``, and ``cpu_NAME`` of each of the others."""
    found = {"tokens_per_second": _median([cost.rate for cost in costs])}
    for name in costs[0].others:
        found[f"cpu_{name}"] = _median([cost.others[name] for cost in costs])
    return found


def _median(values: Sequence[float]) -> float:
    return Series(tuple(values)).median
