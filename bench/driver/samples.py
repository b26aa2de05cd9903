"""Which answers are kept, to be verified when the run is over."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence

BLOCK = 100
"""One answer of so many is kept: which one, the run's seed decides."""

LEAST = 20
"""The first answers of each process, all of them kept, so that a short run is verified too."""


class Samples:
    """Answers by window and number of their request."""

    def __init__(self, bounds: Sequence[float], seed: str) -> None:
        self._bounds = list(bounds)
        self.windows = [Sampler(f"{seed}/{window}") for window in range(len(bounds) - 1)]

    def offer(self, moment: float, number: int, answer: bytes) -> None:
        """The good answer to a request that was to begin at this moment."""
        window = bisect_right(self._bounds, moment) - 1
        if 0 <= window < len(self.windows):
            self.windows[window].offer(number, answer)


class Sampler:
    """Those of one window: never less than one in a hundred."""

    def __init__(self, seed: str) -> None:
        self.kept: list[tuple[int, bytes]] = []
        self._seed = seed
        self._seen = 0
        self._next = self._chosen(0)

    def offer(self, number: int, answer: bytes) -> None:
        seen = self._seen
        self._seen = seen + 1
        if seen == self._next:
            self._next = self._chosen(seen // BLOCK + 1)
        elif seen >= LEAST:
            return
        self.kept.append((number, answer))

    def _chosen(self, block: int) -> int:
        digest = hashlib.blake2b(f"{self._seed}/{block}".encode(), digest_size=8).digest()
        return block * BLOCK + int.from_bytes(digest) % BLOCK
