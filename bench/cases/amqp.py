"""Session in, ID token out, by message: one request in a message, and in batches.

Every request carries another session, all of them logged in before. Measured is the CPU of the
broker's process; RabbitMQ and Redis stand beside it. On memory no events are sent; on Redis each
token is announced through the outbox to RabbitMQ. Floor: an aio-pika consumer that reads the bytes,
makes as many bare signatures, publishes an answer of that size, waits for its confirm and
acknowledges. The largest batches also stand beside the bare signatures alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.amqp_load import Asker, Kind, asking
from bench.case import Case, Say
from bench.endtoend import CHECKED_EVERY, Clock, Cost, facts
from bench.figures import MICRO
from bench.floors import signatures
from bench.process import cpu_seconds, first_line, started
from bench.rabbitmq_server import rabbitmq_server
from bench.redis_server import redis_server
from bench.result import Row
from bench.rounds import cpu_micros, in_turn
from bench.served import INSTANCE, PASSWORD, RSA_INSTANCE, TRANSLATE, USER, Broker, served
from bench.target.options import Input, Output, TargetOptions
from bench.target.rest_sts import RestSts
from bench.target.sessions import logged_in
from bench.verification import Sample, verified

MEMORY, REDIS = "memory", "redis"
BATCHES = (1, 10, 100, 1000)
LARGEST = 1000
IN_FLIGHT = 32
BATCHES_IN_FLIGHT = 2
SIGNED = b"x" * 500
BARE_TARGETS = {"RS256": 1.15, "ES256": 2.0}
"""Of the largest batch, on memory, against the bare signatures."""

SINGLE = Kind("remint.requests", "translate")
BATCH = Kind("remint.requests.batch", "translate.batch")


@dataclass(frozen=True, slots=True)
class Options:
    store: str
    rounds: int = 5
    tokens: int = 1000
    """In each round, and one message at least."""
    largest: int = LARGEST


@dataclass(frozen=True, slots=True)
class _World:
    """What all rows of the case have in common."""

    runner: asyncio.Runner
    asker: Asker
    url: str
    broker: Broker
    sessions: Path
    others: dict[str, Clock]


@dataclass(frozen=True, slots=True)
class _Plan:
    """The messages of a row."""

    size: int
    algorithm: str
    instance: str
    store: str
    rounds: int
    messages: int
    in_flight: int
    beside_bare: bool
    """Whether it stands beside the bare signatures too."""

    @property
    def kind(self) -> Kind:
        return SINGLE if self.size == 1 else BATCH


def rows(options: Options, say: Say) -> Iterator[Row]:
    with _world(options) as world:
        for size in (*(size for size in BATCHES if size < options.largest), options.largest):
            say(f"ES256, {size} in a message")
            yield from _rows(world, _plan(options, size, "ES256", INSTANCE))
        say(f"RS256, {options.largest} in a message")
        yield from _rows(world, _plan(options, options.largest, "RS256", RSA_INSTANCE))


def _plan(options: Options, size: int, algorithm: str, instance: str) -> _Plan:
    messages = max(1, options.tokens // size)
    in_flight = IN_FLIGHT if size == 1 else BATCHES_IN_FLIGHT
    return _Plan(
        size=size,
        algorithm=algorithm,
        instance=instance,
        store=options.store,
        rounds=options.rounds,
        messages=messages,
        in_flight=in_flight,
        beside_bare=size == options.largest,
    )


@contextlib.contextmanager
def _world(options: Options) -> Iterator[_World]:
    """Raises RedisMissing, RabbitMQMissing."""
    with contextlib.ExitStack() as stack:
        others: dict[str, Clock] = {}
        store_url = "memory://"
        if options.store == REDIS:
            redis = stack.enter_context(redis_server())
            store_url, others["redis"] = redis.url, lambda: cpu_seconds(redis.pid)
        rabbitmq = stack.enter_context(rabbitmq_server())
        others["rabbitmq"] = lambda: cpu_seconds(rabbitmq.pid)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="remint-bench-")))
        settings = {
            "REMINT_AMQP__URL": rabbitmq.url,
            "REMINT_AMQP__REQUIRE_ENCRYPTED_CREDENTIALS": "false",
            "REMINT_EVENTS__KEEP": "0",
            "REMINT_KEYS__SIGNING_THREADS": "inline",  # as the floors sign
            "REMINT_EVENTS__SEND": "true" if options.store == REDIS else "false",
        }
        broker = stack.enter_context(served(folder, store_url, settings, sessions=0))
        sessions = folder / "sessions.txt"
        each = max(options.tokens, options.largest)
        sessions.write_text("\n".join(_sessions(broker, (options.rounds + 1) * each)))
        runner = stack.enter_context(asyncio.Runner())
        connection = asking(rabbitmq.url)
        asker = runner.run(connection.__aenter__())
        stack.callback(lambda: runner.run(connection.__aexit__(None, None, None)))
        yield _World(runner, asker, rabbitmq.url, broker, sessions, others)


def _sessions(broker: Broker, number: int) -> list[str]:
    url = f"{broker.url}/json/authenticate"
    found = logged_in(url, [(USER, PASSWORD)], number, ca=None, quiet=True)
    return [session for session, _ in found]


def _rows(world: _World, plan: _Plan) -> Iterator[Row]:
    """Beside the consumer, and of the largest batch beside the bare signatures."""
    url = f"{world.broker.url}{TRANSLATE}".replace(INSTANCE, plan.instance)
    options = TargetOptions(
        input=Input.OPENAM, output=Output.OIDC, subjects=world.sessions, kept_url=url, quiet=True
    )
    target = RestSts(plan.instance, options)
    number = (plan.rounds + 1) * plan.messages * plan.size
    bodies = _messages(list(target.bodies(number)), plan)
    samples: list[Sample] = []
    queue = f"bench.floor.{plan.algorithm}.{plan.size}"
    words = (plan.algorithm, str(plan.size), str(plan.in_flight))
    with started("-m", "bench.floors.amqp_echo", world.url, queue, *words) as floor:
        first_line(floor)
        sides = [
            _side(world, plan, plan.kind, bodies, world.broker.pid, samples),
            _side(world, plan, Kind(queue, plan.kind.type), bodies, floor.pid, None),
            _bare(plan),
        ]
        costs, floors, bare = in_turn(sides, plan.rounds)
    world.runner.run(verified(target, samples))
    found: dict[str, str | int | float] = {
        **facts(costs),
        "algorithm": plan.algorithm,
        "operation": "beside a consumer",
        "store": plan.store,
        "batch": plan.size,
        "in_flight": plan.in_flight,
        "floor_tokens_per_second": facts(floors)["tokens_per_second"],
    }
    label = f"{plan.algorithm}, {plan.size:,} in a message"
    ours = tuple(one.cpu for one in costs)
    yield Row(label, "µs", ours, tuple(one.cpu for one in floors), None, found)
    if plan.beside_bare:
        target_ratio = BARE_TARGETS[plan.algorithm] if plan.store == MEMORY else None
        label = f"{plan.algorithm}, {plan.size:,}, beside bare signatures"
        found = {**found, "operation": "beside bare signatures"}
        yield Row(label, "µs", ours, tuple(one.cpu for one in bare), target_ratio, found)


def _messages(requests: Sequence[bytes], plan: _Plan) -> list[bytes]:
    """Bodies of messages, each request in them another."""
    if plan.size == 1:
        return list(requests)
    found = []
    for start in range(0, len(requests), plan.size):
        parts = [json.loads(body) for body in requests[start : start + plan.size]]
        for part in parts:
            del part["instance"]
        found.append(json.dumps({"instance": plan.instance, "requests": parts}).encode())
    return found


def _side(
    world: _World,
    plan: _Plan,
    kind: Kind,
    bodies: Sequence[bytes],
    pid: int,
    samples: list[Sample] | None,
) -> Callable[[], Cost]:
    """A round of it takes the next messages."""
    starts = iter(range(0, len(bodies), plan.messages))

    def clocks() -> dict[str, float]:
        return {name: clock() for name, clock in world.others.items()}

    def measure() -> Cost:
        start = next(starts)
        part = bodies[start : start + plan.messages]
        cpu, before, began = cpu_seconds(pid), clocks(), time.perf_counter()
        answers = world.runner.run(
            world.asker.all_answered(kind, part, in_flight=plan.in_flight, tokens=plan.size)
        )
        seconds = time.perf_counter() - began
        tokens = len(part) * plan.size
        spent = {name: value - before[name] for name, value in clocks().items()}
        cost = Cost(
            (cpu_seconds(pid) - cpu) / tokens * MICRO,
            tokens / seconds,
            {name: value / tokens * MICRO for name, value in spent.items()},
        )
        if samples is not None:
            samples.extend(_sampled(part, answers, plan.size))
        return cost

    return measure


def _sampled(asked: Sequence[bytes], answers: Sequence[bytes], size: int) -> Iterator[Sample]:
    """One of ``CHECKED_EVERY`` requests with its answer; of a batch its parts, written alone."""
    if size == 1:
        yield from zip(asked[::CHECKED_EVERY], answers[::CHECKED_EVERY], strict=True)
        return
    for body, answer in zip(asked, answers, strict=True):
        requests, results = json.loads(body)["requests"], json.loads(answer)["results"]
        for request, result in zip(
            requests[::CHECKED_EVERY], results[::CHECKED_EVERY], strict=True
        ):
            yield json.dumps(request).encode(), json.dumps(result).encode()


def _bare(plan: _Plan) -> Callable[[], Cost]:
    sign, _ = signatures.calls(plan.algorithm, signatures.key(plan.algorithm))
    number = plan.messages * plan.size
    return lambda: Cost(cpu_micros(lambda _: sign(SIGNED), number), 0.0)


def _case(store: str) -> Case[Options]:
    return Case(
        name=f"amqp-{store}",
        title=f"session → OIDC by message, {store} store, "
        f"{'events' if store == REDIS else 'no events'}: CPU of the broker, µs a token",
        formula="aio-pika consumer: parse + signatures + confirmed answer + acknowledgement; "
        "or the bare signatures alone",
        quick=Options(store),
        full=Options(store, rounds=15, tokens=4000),
        rows=rows,
        servers=("rabbitmq", "redis-server") if store == REDIS else ("rabbitmq",),
    )


CASES = (_case(MEMORY), _case(REDIS))
