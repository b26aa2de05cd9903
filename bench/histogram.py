"""Latencies, as HDR histograms: from a microsecond to an hour, three significant digits.

The encoded form is that of the HdrHistogram projects (version 2, compressed, base64), so that other
tools read what a result keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hdrh.histogram import HdrHistogram

LOWEST_MICROS = 1
HIGHEST_MICROS = 3_600_000_000
DIGITS = 3
MICRO = 1e6

SHOWN: tuple[float, ...] = (50.0, 90.0, 99.0, 99.9, 100.0)
"""The percentiles of every table; 100 is the maximum."""


class Histogram:
    """Durations. Whatever is longer than an hour counts as an hour."""

    def __init__(self) -> None:
        self._counts = HdrHistogram(LOWEST_MICROS, HIGHEST_MICROS, DIGITS)

    def record(self, seconds: float) -> None:
        """One duration, in seconds; one below a microsecond counts as a microsecond."""
        micros = int(seconds * MICRO)
        self._counts.record_value(min(max(micros, LOWEST_MICROS), HIGHEST_MICROS))

    def percentile(self, percent: float) -> float:
        """Seconds that so many of a hundred durations did not exceed; 0 without any."""
        return float(self._counts.get_value_at_percentile(percent)) / MICRO if len(self) else 0.0

    def percentiles(self, shown: Sequence[float] = SHOWN) -> dict[float, float]:
        """Seconds by percentile."""
        return {percent: self.percentile(percent) for percent in shown}

    @property
    def mean(self) -> float:
        """Seconds; 0 without any."""
        return float(self._counts.get_mean_value()) / MICRO if len(self) else 0.0

    def __len__(self) -> int:
        return int(self._counts.get_total_count())

    def encoded(self) -> str:
        """The whole histogram as text."""
        return bytes(self._counts.encode()).decode("ascii")

    @classmethod
    def decoded(cls, text: str) -> Histogram:
        """What :meth:`encoded` gave; raises ValueError for anything else."""
        histogram = cls()
        try:
            histogram._counts.decode_and_add(text.encode("ascii"))
        except Exception as error:  # the library's, of zlib and of base64: all mean the same
            raise ValueError("no encoded histogram") from error
        return histogram

    @classmethod
    def merged(cls, parts: Iterable[Histogram]) -> Histogram:
        """All durations of several histograms."""
        whole = cls()
        for part in parts:
            whole._counts.add(part._counts)
        return whole
