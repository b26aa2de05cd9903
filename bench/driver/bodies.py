"""The part of the prepared requests that is one driver process's own."""

from __future__ import annotations

from bench.pool import Pool


class Bodies:
    """Bodies in their order, none of them another process's; after the last the first again.

    The first ``different`` of the pool, 0 for all, show a token that none before them shows.
    """

    def __init__(self, pool: Pool, *, part: int, parts: int, different: int = 0) -> None:
        self._pool = pool
        self._first = len(pool) * part // parts
        self.size = max(1, len(pool) * (part + 1) // parts - self._first)
        self._fresh = min(self.size, (different or len(pool)) - self._first)
        self._given = 0

    def index(self, number: int) -> int:
        """The number in the pool of this stage's ``number``-th request."""
        return self._first + (self._given + number) % self.size

    def __getitem__(self, number: int) -> bytes:
        return self._pool[self.index(number)]

    def fresh(self, first: int, last: int) -> int:
        """How many of this stage's requests from ``first`` up to ``last`` showed what none before
        them did, in any stage."""
        return max(0, min(last, self._fresh - self._given) - first)

    def used(self, number: int) -> None:
        """The next stage begins behind so many more."""
        self._given += number
