"""Figures of repeated rounds, and how they are printed."""

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

    def over(self, other: Series) -> Series:
        """The ratios, round by round; raises ValueError for another number of rounds."""
        return Series(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))

    def plus(self, other: Series) -> Series:
        """The sums, round by round; raises ValueError for another number of rounds."""
        return Series(tuple(a + b for a, b in zip(self.values, other.values, strict=True)))

    def _quartiles(self) -> Sequence[float]:
        if len(self.values) < 2:
            return [self.median] * 3
        return statistics.quantiles(self.values, n=4, method="inclusive")


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with the first column to the left and all others to the right, two blanks between."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def micros(series: Series) -> str:
    """``12.3 (11.8-12.9)``: median and middle half."""
    return f"{series.median:.1f} ({series.low:.1f}-{series.high:.1f})"


def plain(series: Series) -> str:
    """The median alone."""
    return f"{series.median:.1f}"


def ratio(series: Series) -> str:
    return f"{series.median:.3f} ({series.low:.3f}-{series.high:.3f})"
