"""Thousands of translations queued: what a cancel, an HTTP request and the memory see of it.

They are published many times faster than one broker works them off. All the while tokens are
translated over HTTP, one after the other, and each is cancelled by ``remint.control``. A part of
the queued requests has a deadline that has passed: they must be answered with a 408, and none of
them signed. On the memory store, so that what is measured is the broker and not a disk.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aio_pika
import aiohttp
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, FieldValue

from bench.case import Case, Say
from bench.lanes import in_lanes
from bench.load import JSON
from bench.rabbitmq_server import USER, rabbitmq_server
from bench.result import Row
from bench.served import Broker, served
from bench.target import WrongAnswer

REQUESTS = "remint.requests"
CONTROL = "remint.control"
INSTANCE = "bench"

EXPIRED_EVERY = 20
"""One of so many requests has a deadline that has passed."""

PROBE_PAUSE_SECONDS = 0.05
MEMORY_PAUSE_SECONDS = 0.1
PUBLISHING = 500  # unconfirmed at once
DRAIN_SECONDS = 1800.0
PERCENTILES = (0.5, 0.99, 1.0)


@dataclass(slots=True)
class Seen:
    """What came back. Latencies in seconds, memory in bytes."""

    statuses: Counter[int] = field(default_factory=Counter)
    expired: Counter[int] = field(default_factory=Counter)
    cancels: list[float] = field(default_factory=list)
    http: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    seconds: float = 0.0
    published: float = 0.0


@dataclass(frozen=True, slots=True)
class Options:
    queued: int = 2_000
    """Translations in the queue; the promise is made for 20,000."""


def rows(options: Options, say: Say) -> Iterator[Row]:
    """Figures that stand alone. Raises RabbitMQMissing, WrongAnswer."""
    say(f"{options.queued:,} translations")
    seen = measured(options.queued)
    facts: dict[str, str | int | float] = {"queued": options.queued, "store": "memory"}
    yield Row(
        "queue drained",
        "requests/s",
        (options.queued / seen.seconds,),
        facts={
            **facts,
            "publish_seconds": seen.published,
            "answered": _counted(seen.statuses),
            "expired": _counted(seen.expired),
        },
    )
    for name, seconds in (("cancel by message", seen.cancels), ("translate by HTTP", seen.http)):
        for part in PERCENTILES:
            label = f"{name}, {'max' if part == 1.0 else f'p{part * 100:g}'}"
            yield Row(
                label, "ms", (_latency(seconds, part),), facts={**facts, "probes": len(seconds)}
            )
    for label, size in (("before", seen.resident[0]), ("at most", max(seen.resident))):
        yield Row(f"resident memory {label}", "MiB", (size / 2**20,), facts=facts)


def measured(queued: int) -> Seen:
    """Raises RabbitMQMissing, NotServed, WrongAnswer."""
    with tempfile.TemporaryDirectory(prefix="remint-bench-") as name, rabbitmq_server() as server:
        environment = {
            "REMINT_AMQP__URL": server.url,
            "REMINT_AMQP__REQUIRE_ENCRYPTED_CREDENTIALS": "false",
        }
        with served(Path(name), "memory://", environment, sessions=queued) as broker:
            return asyncio.run(_overloaded(server.url, broker, queued))


def _counted(counts: Counter[int]) -> str:
    return " ".join(f"{status}: {count}" for status, count in sorted(counts.items())) or "none"


def _latency(seconds: list[float], part: float) -> float:
    """Milliseconds that this part of them did not exceed."""
    ordered = sorted(seconds)
    return ordered[round(part * (len(ordered) - 1))] * 1000


async def _overloaded(url: str, broker: Broker, queued: int) -> Seen:
    """Raises WrongAnswer for a token that was issued to an expired request."""
    seen = Seen()
    async with await aio_pika.connect(url) as filling, await aio_pika.connect(url) as probing:
        asker = _Asker(await filling.channel(), broker, seen)
        prober = _Asker(await probing.channel(), broker, seen)
        await asker.listen()
        await prober.listen()
        seen.resident.append(_resident(broker.pid))
        begun = time.monotonic()
        watching = [asyncio.create_task(prober.probe()), asyncio.create_task(_weigh(broker, seen))]
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await asker.fill(queued)
                seen.published = time.monotonic() - begun
                await asker.answered(queued)
        finally:
            seen.seconds = time.monotonic() - begun
            for task in watching:
                task.cancel()
            ends = await asyncio.gather(*watching, return_exceptions=True)
    for end in ends:
        if isinstance(end, WrongAnswer):
            raise end
    if set(seen.expired) != {408}:
        raise WrongAnswer(f"expired requests were answered {_counted(seen.expired)}")
    return seen


class _Asker:
    """Fills the queue, takes the answers, and cancels tokens meanwhile."""

    def __init__(self, channel: AbstractChannel, broker: Broker, seen: Seen) -> None:
        self._channel = channel
        self._broker = broker
        self._seen = seen
        self._replies = ""
        self._count = 0
        self._changed = asyncio.Event()
        self._cancelled: asyncio.Future[AbstractIncomingMessage] | None = None

    async def listen(self) -> None:
        replies = await self._channel.declare_queue(exclusive=True)
        self._replies = replies.name
        await replies.consume(self._take, no_ack=True)

    async def fill(self, queued: int) -> None:
        """Publish the translations, confirmed."""
        bodies = [_with_instance(request.body or b"{}") for request in self._broker.translations]

        async def publish(number: int) -> None:
            late = number % EXPIRED_EVERY == 0
            passed = int((time.time() - 1) * 1000)
            headers: dict[str, FieldValue] = {"deadline": passed} if late else {}
            body = bodies[number % len(bodies)]
            kind = "late" if late else "queued"
            await self._send(REQUESTS, "translate", body, f"{kind}-{number}", headers)

        await in_lanes(publish, queued, PUBLISHING)

    async def answered(self, queued: int) -> None:
        """Returns once as many answers have come."""
        while self._count < queued:
            self._changed.clear()
            await self._changed.wait()

    async def probe(self) -> None:
        """Translate over HTTP, cancel by message, and again."""
        request = self._broker.translations[0]
        async with aiohttp.ClientSession(headers=JSON) as http:
            while True:
                begun = time.monotonic()
                async with http.post(request.url, data=request.body) as response:
                    answer = await response.json()
                self._seen.http.append(time.monotonic() - begun)
                if response.status != 200:
                    raise WrongAnswer(f"{response.status} over HTTP while the queue was full")
                await self._cancel(answer["issued_token"])
                await asyncio.sleep(PROBE_PAUSE_SECONDS)

    async def _cancel(self, token: str) -> None:
        state = {"token_type": "OPENIDCONNECT", "oidc_id_token": token}
        body = json.dumps({"instance": INSTANCE, "cancelled_token_state": state}).encode()
        self._cancelled = asyncio.get_running_loop().create_future()
        begun = time.monotonic()
        await self._send(CONTROL, "cancel", body, f"cancel-{uuid.uuid4().hex}", {})
        answer = await self._cancelled
        self._seen.cancels.append(time.monotonic() - begun)
        if _status(answer) != 200:
            raise WrongAnswer(f"a cancel was answered {_status(answer)}")

    async def _send(
        self, queue: str, kind: str, body: bytes, id: str, headers: dict[str, FieldValue]
    ) -> None:
        message = aio_pika.Message(
            body,
            type=kind,
            message_id=id,
            correlation_id=id,
            user_id=USER,
            reply_to=self._replies,
            headers=headers,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await self._channel.default_exchange.publish(message, queue)

    async def _take(self, answer: AbstractIncomingMessage) -> None:
        kind = str(answer.correlation_id).partition("-")[0]
        if kind == "cancel":
            if self._cancelled is not None and not self._cancelled.done():
                self._cancelled.set_result(answer)
            return
        counts = self._seen.expired if kind == "late" else self._seen.statuses
        counts[_status(answer)] += 1
        self._count += 1
        self._changed.set()


def _status(answer: AbstractIncomingMessage) -> int:
    status = answer.headers["status"]
    return status if isinstance(status, int) else 0


def _with_instance(body: bytes) -> bytes:
    return json.dumps({**json.loads(body), "instance": INSTANCE}).encode()


async def _weigh(broker: Broker, seen: Seen) -> None:
    while True:
        seen.resident.append(_resident(broker.pid))
        await asyncio.sleep(MEMORY_PAUSE_SECONDS)


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


CASE = Case(
    name="amqp-overload",
    title="many translations queued: latency of a cancel and of HTTP, memory of the broker",
    formula="none: these figures stand alone",
    quick=Options(),
    full=Options(queued=20_000),
    rows=rows,
    servers=("rabbitmq",),
)
