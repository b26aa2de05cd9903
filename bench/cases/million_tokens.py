"""What an operation costs with many stored tokens, beside what it costs with a thousand.

Both stores stand side by side, and rounds alternate between them. Measured is the CPU of our own
process and, for Redis, that of redis-server too. ``HTTP`` are whole requests to a broker on that
store, ``store`` the calls to it alone; 16 at a time. A page of ``store`` has 100 tokens, a query of
``HTTP`` finds 500. The default size takes less than a minute; the promise is for
``--tokens 1000000``.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from bench.figures import Series, plain, ratio, table
from bench.filled import ROOT_SECRET, Filled, Place, filled, redis_place, sqlite_place
from bench.operations import Cost, Operations
from bench.requests import Requests
from bench.served import served
from bench.tokens import PER_PRINCIPAL

NAME = "million-tokens"
TITLE = "operations with many stored tokens beside a thousand: CPU, µs an operation"
TOKENS = 20_000
FEW = 1000
ROUNDS = 10
OPERATIONS = 300
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
class Side:
    """One of the two stores, and what its rounds cost, by name of the operation."""

    filled: Filled
    operations: Operations
    requests: Requests
    costs: dict[str, list[Cost]] = field(default_factory=dict)

    def note(self, name: str, cost: Cost) -> None:
        self.costs.setdefault(name, []).append(cost)

    def series(self, name: str) -> tuple[Series, Series]:
        """Of our process, and of the store's server."""
        costs = self.costs[name]
        return (
            Series(tuple(cost.broker for cost in costs)),
            Series(tuple(cost.server for cost in costs)),
        )


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--tokens", type=_tokens, default=TOKENS, help="in the larger store")
    parser.add_argument("--few", type=_tokens, default=FEW, help="in the smaller one")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--operations", type=int, default=OPERATIONS, help="in each round")
    parser.add_argument("--store", choices=list(KINDS), help="one kind of store alone")


def _tokens(text: str) -> int:
    number = int(text)
    if number < PER_PRINCIPAL or number % PER_PRINCIPAL:
        raise ArgumentTypeError(f"write a multiple of {PER_PRINCIPAL}, so that pages are full")
    return number


def report(options: Namespace) -> Iterator[str]:
    """Raises RedisMissing, WrongAnswer, WrongResult."""
    for kind in [options.store] if options.store else KINDS:
        few, many = measured(kind, options)
        yield f"{kind}, {options.few:,} and {options.tokens:,} tokens"
        held = many.filled
        yield f"filled in {held.seconds:.0f} s; {held.bytes_each:.0f} bytes for each token"
        yield from table(_rows(few, many))
        yield ""


def measured(kind: str, options: Namespace) -> tuple[Side, Side]:
    """The smaller side and the larger one. Raises WrongAnswer, WrongResult."""
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        sides = (
            _side(stack, runner, KINDS[kind], options.few, options.operations),
            _side(stack, runner, KINDS[kind], options.tokens, options.operations),
        )
        for number in range(options.rounds + 1):
            order = sides if number % 2 else sides[::-1]
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
    return sides


def _called(step: Callable[..., object]) -> str:
    return step.__name__.replace("_", " ")


def _side(
    stack: contextlib.ExitStack,
    runner: asyncio.Runner,
    kind: Callable[[], contextlib.AbstractContextManager[Place]],
    tokens: int,
    operations: int,
) -> Side:
    place = stack.enter_context(kind())
    store = runner.run(filled(place, tokens))
    stack.callback(lambda: runner.run(store.stores.close()))
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="remint-bench-"))
    settings = {"REMINT_KEYS__ROOT_SECRET": ROOT_SECRET.hex()}
    broker = stack.enter_context(served(Path(folder), place.url, settings))
    return Side(
        store,
        Operations(store, operations, seed=1),
        Requests(store, broker, operations, seed=2),
    )


def _rows(few: Side, many: Side) -> list[list[str]]:
    """A row for each operation; the server's columns only where there is one."""
    sizes = [f"at {side.filled.tokens:,}" for side in (few, many)]
    has_server = any(cost.server for costs in many.costs.values() for cost in costs)
    head = ["", *(f"broker {size}" for size in sizes), "ratio"]
    if has_server:
        head += [*(f"Redis {size}" for size in sizes), "ratio", "both together"]
    rows = [head]
    for name in few.costs:
        (ours, our_server), (theirs, their_server) = few.series(name), many.series(name)
        row = [name, plain(ours), plain(theirs), ratio(theirs.over(ours))]
        if has_server:
            together = theirs.plus(their_server).over(ours.plus(our_server))
            row += [plain(our_server), plain(their_server)]
            row += [ratio(their_server.over(our_server)), ratio(together)]
        rows.append(row)
    return rows
