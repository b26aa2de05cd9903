"""Failed logins are counted, and who fails too often waits: the rule, and the port that counts.

A failure leaks away with time. The first few cost nothing; each one more doubles the wait after it,
up to a longest one. So a typing error is free, and a guesser is as slow as failures leak, for ever.
Nobody is locked out for good, by himself or by others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Tally:
    """What is known of one key: how many failures had not leaked away at ``counted_at``, and when
    a login last succeeded (0: not lately). Times are seconds since the epoch."""

    failures: float = 0.0
    counted_at: float = 0.0
    succeeded_at: float = 0.0


NONE_YET = Tally()


@dataclass(frozen=True, slots=True)
class Rule:
    """``of`` says what is counted, for the audit. ``free`` failures cost nothing. The wait after
    the last of them is ``first_wait`` seconds, and twice as long after each further one, up to
    ``longest_wait``. One failure leaks away in ``leak_seconds``."""

    of: str
    free: int
    first_wait: float
    longest_wait: float
    leak_seconds: float

    @property
    def most(self) -> float:
        """No more are counted than the longest wait takes: a flood must not make it longer."""
        return self.free + math.ceil(math.log2(self.longest_wait / self.first_wait))

    def left(self, tally: Tally, now: float) -> float:
        """Failures that have not leaked away by ``now``."""
        gone = max(0.0, now - tally.counted_at) / self.leak_seconds
        return max(0.0, tally.failures - gone)

    def ready_at(self, tally: Tally) -> float:
        """When the next attempt may be made."""
        return tally.counted_at + self._wait(tally.failures)

    def forgotten_at(self, tally: Tally) -> float:
        """When nothing of its failures is left."""
        return tally.counted_at + tally.failures * self.leak_seconds

    def _wait(self, failures: float) -> float:
        over = math.ceil(failures) - self.free  # what leaked since the last one is no forgiveness
        if over < 0:
            return 0.0
        return float(min(self.longest_wait, self.first_wait * 2.0**over))


@dataclass(frozen=True, slots=True)
class Failure:
    """One more failure of a key, under a rule; ``at`` is seconds since the epoch."""

    key: bytes
    rule: Rule
    at: float

    def counted(self, before: Tally) -> Tally:
        """The tally with it."""
        failures = min(self.rule.most, self.rule.left(before, self.at) + 1)
        return Tally(failures, max(before.counted_at, self.at), before.succeeded_at)


class AttemptStore(Protocol):
    """Tallies of logins, by keys that tell nobody whom they are about.

    Brokers share them. A tally is forgotten once its failures have leaked away and its success is
    long ago; who is forgotten is as if he had never tried.
    """

    async def tallies(self, keys: Sequence[bytes]) -> list[Tally]:
        """What is known of each key; ``NONE_YET`` of one that nothing is known of."""

    async def failed(self, failures: Sequence[Failure]) -> list[Tally]:
        """Count each of them; the tallies as they were just before. Atomic for each key, so that of
        many who fail at once each sees those who came before."""

    async def succeeded(self, key: bytes, at: float, until: float) -> None:
        """Remember a success until ``until``, and forget the failures before it."""

    async def reap(self, now: float) -> int:
        """Forget what is over; how many tallies that were."""
