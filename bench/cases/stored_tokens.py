"""What an operation costs with many stored tokens, beside what it costs with a thousand.

Both stores stand side by side, and rounds alternate between them. Measured is the CPU of our own
process; that of redis-server stands beside it. ``HTTP`` are whole requests to a broker on that
store, ``store`` the calls to it alone; 16 at a time. A page of ``store`` has 100 tokens, a query of
``HTTP`` finds 500. The promise is for a million tokens.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from bench.case import Case, NotAnOption, Say
from bench.figures import Series
from bench.filled import ROOT_SECRET, Filled, Place, filled, redis_place, sqlite_place
from bench.operations import Cost, Operations
from bench.requests import Requests
from bench.result import Row
from bench.served import served
from bench.tokens import PER_PRINCIPAL

FEW = 1000
TARGET = 1.10
KINDS = {"redis": redis_place, "sqlite": sqlite_place}

STEPS: tuple[Callable[[Operations], Coroutine[None, None, Cost]], ...] = (
    Operations.commit,
    Operations.get,
    Operations.page_by_instance,
    Operations.page_by_principal,
    Operations.cancel,
)
"""In this order in each round: what was committed is cancelled at its end. So here."""

REQUESTS: tuple[Callable[[Requests], Cost], ...] = (
    Requests.translate,
    Requests.validate,
    Requests.query,
    Requests.cancel,
)


@dataclass(frozen=True, slots=True)
class Options:
    store: str
    tokens: int = 20_000
    """In the larger store."""
    few: int = FEW
    rounds: int = 5
    operations: int = 200
    """In each round."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two stores, and what its rounds cost, by name of the operation."""

    filled: Filled
    operations: Operations
    requests: Requests
    costs: dict[str, list[Cost]] = field(default_factory=dict)

    def note(self, name: str, cost: Cost) -> None:
        self.costs.setdefault(name, []).append(cost)


def rows(options: Options, say: Say) -> Iterator[Row]:
    """Raises RedisMissing, NotAnOption, WrongAnswer."""
    for name, number in (("tokens", options.tokens), ("few", options.few)):
        if number % PER_PRINCIPAL:
            raise NotAnOption(f"{name} is a multiple of {PER_PRINCIPAL}, so that pages are full")
    few, many = measured(options, say)
    for name in few.costs:
        yield _row(name, options, few, many)


def measured(options: Options, say: Say) -> tuple[Side, Side]:
    """The smaller side and the larger one. Raises RedisMissing, WrongAnswer."""
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        found = []
        for tokens in (options.few, options.tokens):
            say(f"filling in {tokens:,} tokens")
            kind = KINDS[options.store]
            found.append(_side(stack, runner, kind, tokens, options))
        for number in range(options.rounds + 1):
            say(f"round {number} of {options.rounds}")
            order = found if number % 2 else found[::-1]
            for step in STEPS:
                for side in order:
                    cost = runner.run(step(side.operations))
                    if number:  # the first round warms up
                        side.note(f"store: {_called(step)}", cost)
            for request in REQUESTS:
                for side in order:
                    cost = request(side.requests)
                    if number:
                        side.note(f"HTTP: {_called(request)}", cost)
    return found[0], found[1]


def _called(step: Callable[..., object]) -> str:
    return step.__name__.replace("_", " ")


def _side(
    stack: contextlib.ExitStack,
    runner: asyncio.Runner,
    kind: Callable[[], contextlib.AbstractContextManager[Place]],
    tokens: int,
    options: Options,
) -> Side:
    place = stack.enter_context(kind())
    store = runner.run(filled(place, tokens))
    stack.callback(lambda: runner.run(store.stores.close()))
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="remint-bench-"))
    settings = {"REMINT_KEYS__ROOT_SECRET": ROOT_SECRET.hex()}
    sessions = (options.rounds + 1) * options.operations
    broker = stack.enter_context(served(Path(folder), place.url, settings, sessions=sessions))
    return Side(
        store,
        Operations(store, options.operations, seed=1),
        Requests(store, broker, options.operations, seed=2),
    )


def _row(name: str, options: Options, few: Side, many: Side) -> Row:
    facts: dict[str, str | int | float] = {
        "store": options.store,
        "tokens": options.tokens,
        "few": options.few,
        "bytes_each": many.filled.bytes_each,
        "fill_seconds": many.filled.seconds,
    }
    servers = [Series(tuple(cost.server for cost in side.costs[name])) for side in (few, many)]
    if servers[1].median > 0:
        facts["cpu_redis"], facts["few_cpu_redis"] = servers[1].median, servers[0].median
    return Row(
        name,
        "µs",
        tuple(cost.broker for cost in many.costs[name]),
        tuple(cost.broker for cost in few.costs[name]),
        TARGET,
        facts,
    )


def _case(store: str) -> Case[Options]:
    return Case(
        name=f"stored-tokens-{store}",
        title=f"operations with many stored tokens, {store} store: CPU of our process, µs each",
        formula=f"the same operation with {FEW:,} tokens in the store",
        quick=Options(store),
        full=Options(store, tokens=1_000_000, rounds=15, operations=300),
        rows=rows,
        servers=("redis-server",) if store == "redis" else (),
    )


CASES = (_case("redis"), _case("sqlite"))
