"""When requests begin in an open model: fixed before the first of them is sent."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

MOST_REQUESTS = 20_000_000
"""Of one process in one stage: each takes 32 bytes."""


class TooMany(Exception):
    """More requests than a process can keep account of."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Seconds in which the rate goes evenly from ``first`` to ``last`` requests a second."""

    first: float
    last: float
    seconds: float

    @property
    def requests(self) -> float:
        """How many begin in it, on the average."""
        return (self.first + self.last) / 2 * self.seconds

    def moment(self, done: float) -> float:
        """Seconds into the segment when so many requests have begun."""
        slope = (self.last - self.first) / self.seconds
        root = math.sqrt(max(0.0, self.first**2 + 2 * slope * done))
        return 2 * done / (self.first + root) if done else 0.0


def moments(
    segments: Sequence[Segment], *, arrivals: str, seed: str, part: int, parts: int
) -> array[float]:
    """Seconds from the start at which one of ``parts`` processes begins its requests.

    Even arrivals of all processes together are evenly spaced; Poisson processes of a part of the
    rate add up to one of the whole. Raises TooMany.
    """
    if sum(segment.requests for segment in segments) / parts > MOST_REQUESTS:
        raise TooMany(f"more than {MOST_REQUESTS:,} requests in one stage of one process")
    ticks = _poisson(seed, parts) if arrivals == "poisson" else _even(part, parts)
    found = array("d")
    begin = passed = 0.0
    tick = next(ticks)
    for segment in segments:
        while tick - passed < segment.requests:
            found.append(begin + segment.moment(tick - passed))
            tick = next(ticks)
        begin += segment.seconds
        passed += segment.requests
    return found


def _even(part: int, parts: int) -> Iterator[float]:
    """Every ``parts``-th of the whole numbers."""
    yield from (float(number) for number in count(part, parts))


def _poisson(seed: str, parts: int) -> Iterator[float]:
    """Distances with the mean ``parts``, exponentially distributed."""
    source = random.Random(seed)  # noqa: S311  # a run is repeated from its seed
    tick = 0.0
    while True:
        tick += source.expovariate(1 / parts)
        yield tick
