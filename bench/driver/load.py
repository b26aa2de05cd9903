"""How much load, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Closed:
    """So many requests in flight; the next is sent when one is answered."""

    in_flight: int
    model: Literal["closed"] = "closed"


@dataclass(frozen=True, slots=True)
class Open:
    """So many requests begin in each second, answered or not.

    A latency counts from the moment when its request was to begin (no coordinated omission).
    ``arrivals``: evenly spaced, or a Poisson process from the run's seed.
    """

    rate: float
    arrivals: Literal["even", "poisson"] = "poisson"
    model: Literal["open"] = "open"


Load = Closed | Open


@dataclass(frozen=True, slots=True)
class Stage:
    """One load, kept up for ``seconds`` after ``warm_up`` seconds that do not count."""

    load: Load
    seconds: float
    warm_up: float = 0.0
