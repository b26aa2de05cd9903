"""The highest rate that a server keeps up with: doubled until it does not, then narrowed down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.driver.load import Open
from bench.result import Measured

FIRST_RATE = 50.0
NARROW = 1.1
"""The search ends where the rate that failed is at most so many times the one that did not."""
MOST_STAGES = 20
ATTEMPTS = 3
"""At a rate where the driver or the machine, not the server, spoilt the figures."""
LOWEST_RATE = 0.5
KEPT_UP = 0.98
"""Part of the offered rate that must be answered."""
P99_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Bounds:
    """What it means to keep up."""

    p99: float = P99_SECONDS
    """Seconds."""
    answered: float = KEPT_UP
    errors: float = 0.0
    """Part of the requests that may fail."""

    def exceeded(self, measured: Measured) -> str | None:
        """Why the server did not keep up; None if it did."""
        p99, failed = measured.latency.percentile(99), sum(measured.errors.values())
        if measured.sent and failed / measured.sent > self.errors:
            return f"{failed / measured.sent:.1%} of the requests failed"
        if (part := _kept_up(measured)) < self.answered:
            return f"{part:.0%} of the offered rate was answered"
        if p99 > self.p99:
            return f"p99 was {p99 * 1000:.0f} ms, above {self.p99 * 1000:.0f} ms"
        return None


@dataclass(frozen=True, slots=True)
class Found:
    """Where the search ended."""

    stages: tuple[Measured, ...]
    highest: Measured | None
    """The stage with the highest rate that was kept up with."""
    reason: str
    """Why there is no higher one."""


async def saturation(
    measure: Callable[[float], Awaitable[Measured | None]],
    *,
    first: float = FIRST_RATE,
    bounds: Bounds,
) -> Found:
    """Stages of doubled rates from ``first``, then between the last that was kept up with and the
    first that was not.

    ``measure`` gives None when somebody stopped the run. A stage that is not valid is measured
    again; if it never is, it counts as one that was not kept up with, since with a higher rate the
    driver would know even less.
    """
    stages: list[Measured] = []
    highest: Measured | None = None
    low, high, rate, reason = 0.0, 0.0, first, ""
    while len(stages) < MOST_STAGES and rate >= LOWEST_RATE:
        measured = await _valid(measure, rate, bounds, stages)
        if measured is None:
            return Found(tuple(stages), highest, "the run was stopped")
        exceeded = bounds.exceeded(measured) or "; ".join(measured.problems)
        if exceeded:
            high, reason = rate, f"at {rate:,.0f}/s {exceeded}"
        else:
            low, highest = rate, measured
        if low and high and high <= low * NARROW:
            break
        if high:
            rate = (low + high) / 2 if low else rate / 2
        else:
            rate *= 2
    return Found(tuple(stages), highest, reason or f"{MOST_STAGES} stages were enough")


async def _valid(
    measure: Callable[[float], Awaitable[Measured | None]],
    rate: float,
    bounds: Bounds,
    stages: list[Measured],
) -> Measured | None:
    """A stage that is valid or says that the server did not keep up; else the last attempt. All of
    them go to ``stages``."""
    measured = None
    for _ in range(ATTEMPTS):
        measured = await measure(rate)
        if measured is None:
            return None
        stages.append(measured)
        if measured.valid or bounds.exceeded(measured):
            break
    return measured


def _kept_up(measured: Measured) -> float:
    """Part of the offered rate that was answered; the wait for the last answer is no backlog."""
    if not isinstance(measured.stage.load, Open) or not measured.sent:
        return 1.0
    wanted = measured.stage.seconds
    took = max(wanted, measured.seconds - measured.latency.percentile(50))
    return measured.answered / measured.sent * wanted / took
