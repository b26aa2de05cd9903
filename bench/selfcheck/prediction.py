"""What a server of known delays must show: arithmetic over the moments when requests begin."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from itertools import cycle

CURVE: tuple[float, ...] = (50.0, 75.0, 95.0, 99.0, 99.5, 99.9, 100.0)
"""The percentiles of a stall that are compared."""


def latencies(
    intended: Sequence[float],
    delays: Sequence[float],
    *,
    lanes: int,
    stall: tuple[float, float] | None = None,
) -> list[float]:
    """Seconds from each intended start to its answer, in order.

    ``lanes`` requests can be under way at once; others wait. During the stall the server neither
    takes nor answers a request.
    """
    free = [-math.inf] * min(lanes, len(intended))
    found = []
    for moment, delay in zip(intended, cycle(delays), strict=False):
        begun = max(moment, heapq.heappop(free))
        answered = _resumed(_resumed(begun, stall) + delay, stall)
        heapq.heappush(free, answered)
        found.append(answered - moment)
    return found


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many of a hundred do not exceed: as HDR histograms count."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def _resumed(moment: float, stall: tuple[float, float] | None) -> float:
    if stall is not None and stall[0] <= moment < stall[1]:
        return stall[1]
    return moment
