"""What every AttemptStore must do."""

from __future__ import annotations

import asyncio

from broker.attempts import NONE_YET, AttemptStore, Failure, Rule, Tally
from broker.testing.builders import NOW
from broker.testing.expect import holds, same
from broker.testing.stores import StoresUnderTest

RULE = Rule("a key", free=3, first_wait=1.0, longest_wait=60.0, leak_seconds=100.0)
ONE, OTHER = b"1" * 32, b"\x00\xff" * 16


def _failure(key: bytes = ONE, at: float = NOW) -> Failure:
    return Failure(key, RULE, at)


async def _tally(store: AttemptStore, key: bytes = ONE) -> Tally:
    (tally,) = await store.tallies([key])
    return tally


class AttemptStoreContract:
    """Inherit, and give it a fixture ``stores``."""

    async def test_nothing_is_known_at_first(self, stores: StoresUnderTest) -> None:
        """Of a key that nobody has counted nothing is known, and no keys have no tallies."""
        same(await stores.attempts.tallies([ONE, OTHER]), [NONE_YET, NONE_YET])
        same(await stores.attempts.tallies([]), [])
        same(await stores.attempts.failed([]), [])

    async def test_failures_are_counted(self, stores: StoresUnderTest) -> None:
        """Each failure counts once, and tells what was counted before it."""
        same(await stores.attempts.failed([_failure(), _failure(OTHER)]), [NONE_YET, NONE_YET])
        same(await stores.attempts.failed([_failure()]), [Tally(1.0, NOW)])
        same(await stores.attempts.tallies([OTHER, ONE]), [Tally(1.0, NOW), Tally(2.0, NOW)])

    async def test_failures_leak_away(self, stores: StoresUnderTest) -> None:
        """After half of the time that one takes to leak, half of it is left."""
        await stores.attempts.failed([_failure()])
        await stores.attempts.failed([_failure(at=NOW + 50)])
        same(await _tally(stores.attempts), Tally(1.5, NOW + 50))
        await stores.attempts.failed([_failure(at=NOW + 1000)])
        same(await _tally(stores.attempts), Tally(1.0, NOW + 1000))

    async def test_a_clock_behind_gains_nothing(self, stores: StoresUnderTest) -> None:
        """A broker whose clock is behind counts as well, and moves no time back."""
        await stores.attempts.failed([_failure()])
        await stores.attempts.failed([_failure(at=NOW - 500)])
        same(await _tally(stores.attempts), Tally(2.0, NOW))

    async def test_counting_ends(self, stores: StoresUnderTest) -> None:
        """A flood of failures is counted up to the longest wait and no further."""
        for _ in range(20):
            await stores.attempts.failed([_failure()])
        same((await _tally(stores.attempts)).failures, RULE.most)

    async def test_of_many_at_once_each_counts(self, stores: StoresUnderTest) -> None:
        """Eight failures at the same moment see none to seven before them."""
        before = await asyncio.gather(*(stores.attempts.failed([_failure()]) for _ in range(8)))
        same(sorted(tally.failures for (tally,) in before), [float(n) for n in range(8)])

    async def test_success_is_remembered(self, stores: StoresUnderTest) -> None:
        """A success forgets the failures before it, and is known beside those after it."""
        await stores.attempts.failed([_failure()])
        await stores.attempts.succeeded(ONE, NOW + 1, NOW + 900)
        same(await _tally(stores.attempts), Tally(0.0, NOW + 1, NOW + 1))
        await stores.attempts.failed([_failure(at=NOW + 2)])
        same(await _tally(stores.attempts), Tally(1.0, NOW + 2, NOW + 1))
        same(await _tally(stores.attempts, OTHER), NONE_YET)

    async def test_what_is_over_is_forgotten(self, stores: StoresUnderTest) -> None:
        """The reaper forgets no failure that counts and no success that is remembered."""
        await stores.attempts.failed([_failure()])
        await stores.attempts.succeeded(OTHER, NOW, NOW + 9000)
        await stores.attempts.failed([_failure(OTHER)])
        await stores.attempts.reap(NOW + 99)
        same(await _tally(stores.attempts), Tally(1.0, NOW))
        await stores.attempts.reap(NOW + 8999)
        holds((await _tally(stores.attempts, OTHER)).succeeded_at == NOW, "a success was forgotten")
