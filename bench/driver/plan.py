"""What a run is to do: stages as orders for the driver processes, ramps among them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from bench.driver.load import Open, Stage
from bench.driver.orders import Order
from bench.driver.schedule import Segment

RAMP_WINDOWS = 10
"""A ramp is shown as so many stages, each with the mean of its rates."""

Arrivals = Literal["even", "poisson"]


class NotPlanned(Exception):
    """A load that cannot be understood; the sentence says which part of it."""


@dataclass(frozen=True, slots=True)
class Planned:
    """An order, and the stage that each of its windows is."""

    order: Order
    stages: tuple[Stage, ...]

    @classmethod
    def of(cls, stage: Stage, name: str) -> Planned:
        """Raises NotPlanned."""
        try:
            return cls(Order.of(stage, name), (stage,))
        except ValueError as error:
            raise NotPlanned(str(error)) from None

    @property
    def requests(self) -> int:
        """How many it begins, warm-up included; 0 in a closed model, where nobody knows."""
        return round(sum(segment.requests for segment in self.order.segments))

    @property
    def seconds(self) -> float:
        """From the start to the end of its last window."""
        return self.order.bounds[-1]


@dataclass(frozen=True, slots=True)
class Ramp:
    """The rate goes evenly from ``first`` to ``last`` requests a second."""

    first: float
    last: float
    seconds: float

    @classmethod
    def read(cls, text: str) -> Ramp:
        """``FROM:TO:SECONDS``. Raises NotPlanned."""
        numbers = _numbers(text, ":")
        if len(numbers) != 3 or min(numbers) <= 0:
            raise NotPlanned(f"write the ramp as FROM:TO:SECONDS, as in 50:500:60, not {text}")
        return cls(*numbers)

    def planned(self, arrivals: Arrivals, warm_up: float) -> Planned:
        """Windows of the same length, after a warm-up at the first rate."""
        length = self.seconds / RAMP_WINDOWS
        rise = (self.last - self.first) / RAMP_WINDOWS
        parts = [
            Segment(self.first + rise * part, self.first + rise * (part + 1), length)
            for part in range(RAMP_WINDOWS)
        ]
        bounds = [warm_up + length * part for part in range(RAMP_WINDOWS + 1)]
        warming = [Segment(self.first, self.first, warm_up)] if warm_up else []
        order = Order("ramp", tuple(bounds), (*warming, *parts), arrivals)
        stages = (
            Stage(Open((part.first + part.last) / 2, arrivals), length, warm_up) for part in parts
        )
        return Planned(order, tuple(stages))


def steps(text: str) -> list[float]:
    """``100,200,400``: rates one after the other. Raises NotPlanned."""
    rates = _numbers(text, ",")
    if not rates or min(rates) <= 0:
        raise NotPlanned(f"write the steps as rates, as in 100,200,400, not {text}")
    return rates


def _numbers(text: str, between: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(between)]
    except ValueError:
        return []
    return found if all(map(math.isfinite, found)) else []
