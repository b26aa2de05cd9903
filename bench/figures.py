"""Figures of repeated rounds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

MICRO = 1e6


@dataclass(frozen=True, slots=True)
class Series:
    """One figure from each round. ``low`` and ``high`` hold the middle half of them."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        return self._quartiles()[0]

    @property
    def high(self) -> float:
        return self._quartiles()[2]

    def _quartiles(self) -> Sequence[float]:
        if len(self.values) < 2:
            return [self.median] * 3
        return statistics.quantiles(self.values, n=4, method="inclusive")
