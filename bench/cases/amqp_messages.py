"""Session in, ID token ES256 out, by message on the memory store: one by one, and in batches.

Floor: an aio-pika consumer that reads the bytes, makes as many bare ES256 signatures, publishes an
answer of that size, waits for its confirm and acknowledges.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.amqp_load import Asker, Kind, asking
from bench.figures import MICRO, Series, micros, plain, ratio, table
from bench.process import cpu_seconds, first_line, started
from bench.rabbitmq_server import rabbitmq_server
from bench.served import served

NAME = "amqp"
TITLE = "session → OIDC ES256 by message, memory store: CPU of the consumer's process, µs a token"
ROUNDS = 5
TOKENS = 2000
BATCHES = (1, 10, 100, 1000)
IN_FLIGHT = 32
BATCHES_IN_FLIGHT = 2
WARM_UP = 200

SINGLE = Kind("remint.requests", "translate")
BATCH = Kind("remint.requests.batch", "translate.batch")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one round: CPU microseconds a token, and tokens a second."""

    cpu: float
    rate: float


@dataclass(frozen=True, slots=True)
class Result:
    """The rounds with messages of ``size`` requests, ours and the floor's."""

    size: int
    ours: Series
    floor: Series
    rate: Series
    floor_rate: Series


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--tokens", type=int, default=TOKENS, help="in each round, at least")


def report(options: Namespace) -> Iterator[str]:
    rows = [("in a message", "ours", "floor", "ratio", "tokens/s", "floor's", "messages/s")]
    with rabbitmq_server() as url:
        for size in BATCHES:
            result = measured(url, size, options.rounds, options.tokens)
            rows.append(
                (
                    str(size),
                    micros(result.ours),
                    micros(result.floor),
                    ratio(result.ours.over(result.floor)),
                    plain(result.rate),
                    plain(result.floor_rate),
                    f"{result.rate.median / size:.1f}",
                )
            )
    yield from table(rows)


def measured(url: str, size: int, rounds: int, tokens: int) -> Result:
    """Alternate broker and floor, ``rounds`` times, with messages of ``size`` requests."""
    kind = SINGLE if size == 1 else BATCH
    queue = f"bench.floor.{size}"
    in_flight = IN_FLIGHT if size == 1 else BATCHES_IN_FLIGHT
    settings = {
        "REMINT_AMQP__URL": url,
        "REMINT_AMQP__REQUIRE_ENCRYPTED_CREDENTIALS": "false",
        "REMINT_EVENTS__KEEP": "0",
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), "memory://", settings) as broker,
        started(
            *("-m", "bench.floors.amqp_echo_es256"), url, queue, str(size), str(in_flight)
        ) as floor,
    ):
        first_line(floor)
        bodies = _bodies([request.body or b"" for request in broker.translations], size)
        sides = ((broker.pid, kind), (floor.pid, Kind(queue, kind.type)))

        async def run() -> list[list[Cost]]:
            found: list[list[Cost]] = [[], []]
            async with asking(url) as asker:
                for pid, where in sides:
                    await _cost(asker, pid, where, bodies, _messages(WARM_UP, size), size)
                for _ in range(rounds):
                    for side, (pid, where) in enumerate(sides):
                        total = _messages(tokens, size)
                        cost = await _cost(asker, pid, where, bodies, total, size)
                        found[side].append(cost)
            return found

        ours, floors = asyncio.run(run())
    return Result(
        size,
        Series(tuple(cost.cpu for cost in ours)),
        Series(tuple(cost.cpu for cost in floors)),
        Series(tuple(cost.rate for cost in ours)),
        Series(tuple(cost.rate for cost in floors)),
    )


async def _cost(
    asker: Asker, pid: int, kind: Kind, bodies: Sequence[bytes], total: int, size: int
) -> Cost:
    in_flight = IN_FLIGHT if size == 1 else BATCHES_IN_FLIGHT
    cpu, clock = cpu_seconds(pid), time.perf_counter()
    await asker.all_answered(kind, bodies, total=total, in_flight=in_flight, tokens=size)
    tokens = total * size
    seconds = time.perf_counter() - clock
    return Cost((cpu_seconds(pid) - cpu) / tokens * MICRO, tokens / seconds)


def _messages(tokens: int, size: int) -> int:
    """How many messages hold that many requests, one at least."""
    return max(1, tokens // size)


def _bodies(translations: Sequence[bytes], size: int) -> list[bytes]:
    """Bodies of messages, each request in them another."""
    requests = [json.loads(body) for body in translations]
    if size == 1:
        return [json.dumps({"instance": "bench", **one}).encode() for one in requests]
    wanted = [requests[number % len(requests)] for number in range(size)]
    return [json.dumps({"instance": "bench", "requests": wanted}).encode()]
