"""Rounds of several sides in turn, and what a call costs in CPU time."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from bench.figures import MICRO

T = TypeVar("T")


def in_turn(
    sides: Sequence[Callable[[], T]], rounds: int, *, warm_up: bool = True
) -> list[list[T]]:
    """What each side gave in each round.

    The order is reversed from round to round, so that what one side leaves behind meets each of
    them. One round before the first does not count.
    """
    found: list[list[T]] = [[] for _ in sides]
    for number in range(0 if warm_up else 1, rounds + 1):
        order = list(enumerate(sides))
        for at, side in order if number % 2 else reversed(order):
            value = side()
            if number:
                found[at].append(value)
    return found


def cpu_micros(call: Callable[[int], object], number: int) -> float:
    """CPU microseconds of this process for one of ``number`` calls, all its threads together."""
    before = time.process_time()
    for at in range(number):
        call(at)
    return (time.process_time() - before) / number * MICRO


async def cpu_micros_awaited(call: Callable[[int], Awaitable[object]], number: int) -> float:
    """The same of a call that is awaited, one after the other."""
    before = time.process_time()
    for at in range(number):
        await call(at)
    return (time.process_time() - before) / number * MICRO
