"""What happened to each request of a stage: times by number, judged when the stage is over."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bench.driver.schedule import MOST_REQUESTS, TooMany
from bench.driver.sender import TIMEOUT
from bench.histogram import Histogram


@dataclass(slots=True)
class Tally:
    """The requests of one process whose intended start lies in one window."""

    first: int
    """The number of the first of them; they end before ``last``."""
    last: int
    answered: int = 0
    unfinished: int = 0
    """Cut off because somebody stopped the run: they count for nothing."""
    last_answer: float = 0.0
    """``time.monotonic()`` of the last good answer; 0 without any."""
    errors: Counter[str] = field(default_factory=Counter)
    latency: Histogram = field(default_factory=Histogram)
    service: Histogram = field(default_factory=Histogram)
    lag: Histogram = field(default_factory=Histogram)

    @property
    def sent(self) -> int:
        return self.last - self.first - self.unfinished


class Record:
    """Times of ``time.monotonic()`` by a request's number. Without ``intended`` (a closed model)
    numbers are given out as requests begin."""

    def __init__(self, intended: array[float] | None = None) -> None:
        nothing = array("d")
        self.open = intended is not None
        self.intended = nothing if intended is None else intended
        number = len(self.intended)
        self.begun = array("d", [0.0]) * number
        self.ended = array("d", [math.nan]) * number
        self.late = array("d", [0.0]) * number
        """Seconds by which the driver noticed a request's time, or sent it, too late."""
        self.failed: dict[int, str] = {}
        self.refusals: dict[str, str] = {}
        """What the first failure of each kind said; empty where it said nothing."""
        self.stopped: float | None = None

    def begin(self, moment: float) -> int:
        """The number of a request that begins now. Raises TooMany."""
        number = len(self.intended)
        if number >= MOST_REQUESTS:
            raise TooMany(f"more than {MOST_REQUESTS:,} requests in one stage of one process")
        self.intended.append(moment)
        self.begun.append(moment)
        self.ended.append(math.nan)
        return number

    def tallies(self, bounds: Sequence[float]) -> list[Tally]:
        """One for each window between two moments."""
        if self.stopped is not None:
            bounds = [min(bound, self.stopped) for bound in bounds]
        numbers = [bisect_left(self.intended, bound) for bound in bounds]
        return [self._tally(first, last) for first, last in pairwise(numbers)]

    def _tally(self, first: int, last: int) -> Tally:
        tally = Tally(first, last)
        for number in range(first, last):
            ended = self.ended[number]
            if ended == ended:
                tally.answered += 1
                tally.last_answer = max(tally.last_answer, ended)
                tally.latency.record(ended - self.intended[number])
                tally.service.record(ended - self.begun[number])
            elif number in self.failed:
                tally.errors[self.failed[number]] += 1
            elif self.stopped is not None:
                tally.unfinished += 1
            else:
                tally.errors[TIMEOUT] += 1  # never sent: its turn had not come at the end
            if self.open:
                tally.lag.record(self.late[number])
        return tally
