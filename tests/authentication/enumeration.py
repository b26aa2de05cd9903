"""Whether the work that a refusal takes tells if a name exists: ``python -m`` it with a name.

Ends with 0 if logins of the user ``demo`` and of NAME cannot be told apart, else with 1. It is a
process of its own, so that nothing else runs in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from adapters.authentication.throttling import ThrottledAuthenticator, Throttling
from adapters.directories.local import HashCost, LocalAuthenticator, Passwords
from adapters.stores.memory import open_memory
from broker.errors import AuthenticationFailed
from broker.model import Secret, User
from tests.support.door import FrozenClock

COST = HashCost(memory_kib=2560, passes=1, lanes=1)
SAMPLES = 10_000
ROUNDS = 6
"""A machine that others use is noisy: what is unequal is so in each round."""

MOST_APART = 0.02
KOLMOGOROV = 1.95
"""Of the test of Kolmogorov and Smirnov, where equal samples look unequal once in a thousand."""

FORGOTTEN_SECONDS = 3600.0
WRONG = Secret("wrong")


@dataclass
class Asked:
    """Logins that fail, and the processor time that each of them takes in all threads."""

    authenticator: ThrottledAuthenticator
    clock: FrozenClock

    async def nanoseconds(self, name: str) -> int:
        self.clock.advance(FORGOTTEN_SECONDS)  # no failure before it counts
        started = time.process_time_ns()
        try:
            await self.authenticator.authenticate("/", name, WRONG, "192.0.2.1")
        except AuthenticationFailed:
            return time.process_time_ns() - started
        raise AssertionError("a wrong password was let in")

    async def interleaved(self, one: str, other: str, pairs: int) -> tuple[list[int], list[int]]:
        """As many samples of each, in turns, and each first as often as the other."""
        taken: dict[str, list[int]] = {one: [], other: []}
        for number in range(pairs):
            for name in (one, other) if number % 2 else (other, one):
                taken[name].append(await self.nanoseconds(name))
        return taken[one], taken[other]


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[Asked]:
    """A user store with the user ``demo`` and one who is inactive."""
    stores, clock, passwords = open_memory(), FrozenClock(), Passwords(threads=1, cost=COST)
    stored = passwords.hash(Secret("right"))
    await stores.users.put(User("demo", "/", stored))
    await stores.users.put(User("idle", "/", stored, active=False))
    throttling = Throttling(stores.attempts, key=b"k" * 32, clock=clock)
    local = LocalAuthenticator(stores.users, passwords)
    yield Asked(ThrottledAuthenticator(local, throttling), clock)
    passwords.close()


def distance(one: Sequence[int], other: Sequence[int]) -> float:
    """The statistic of Kolmogorov and Smirnov: how far the two distributions are apart at most."""
    merged = sorted(
        [(value, 1 / len(one)) for value in one] + [(v, -1 / len(other)) for v in other]
    )
    apart = most = 0.0
    for place, (value, step) in enumerate(merged):
        apart += step
        if place + 1 == len(merged) or merged[place + 1][0] != value:
            most = max(most, abs(apart))
    return most


def alike(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether nobody can tell the one from the other."""
    apart = abs(statistics.median(one) / statistics.median(other) - 1)
    critical = KOLMOGOROV * math.sqrt((len(one) + len(other)) / (len(one) * len(other)))
    return apart < MOST_APART and distance(one, other) < critical


async def equal_work(other: str) -> bool:
    """Of 10,000 samples in turns; a second round is for what else the machine did meanwhile."""
    gc.collect()
    gc.disable()
    async with opened() as asked:
        for _ in range(ROUNDS):
            known, unknown = await asked.interleaved("demo", other, SAMPLES // 2)
            if alike(known, unknown):
                return True
    return False


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(equal_work(sys.argv[1])) else 1)
