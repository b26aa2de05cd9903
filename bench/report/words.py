"""Figures as words: with their unit, three digits, and no more than a label can take."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bench.driver.load import Load, Open

MAX_LABEL = 60
"""Characters of a label in a plot; a document may hold any name."""
LINE = 100_000
"""Characters of a text in a table."""


def plain(text: object, most: int = MAX_LABEL) -> str:
    """One line that any font and any XML can show, cut where it is too long."""
    line = "".join(c if c.isprintable() else " " for c in str(text)[:LINE])
    line = " ".join(line.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def figure(value: float) -> str:
    """Three digits: ``0.0123``, ``12.3``, ``1,230``; larger ones with all of theirs."""
    size = abs(value)
    if size >= 99.95 or value == 0:
        return f"{value:,.0f}"
    if size >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.9995 else f"{value:.3g}"


def tick(value: float, _: object = None) -> str:
    """The same on an axis, without zeros that say nothing: ``10``, ``0.5``, ``1,250``."""
    return f"{value:,.10g}"


def duration(seconds: float) -> str:
    """``850 µs``, ``12.3 ms``, ``2.10 s``; ``-`` for none."""
    if seconds <= 0:
        return "-"
    for unit, size in (("µs", 1e-6), ("ms", 1e-3)):
        if seconds < 999.5 * size:
            return f"{figure(seconds / size)} {unit}"
    return f"{figure(seconds)} s"


def memory(size: float) -> str:
    """``115 MiB``; ``-`` for none."""
    return f"{figure(size / 2**20)} MiB" if size > 0 else "-"


def micros(seconds: float) -> str:
    """CPU time for a token; ``-`` where none was measured."""
    return f"{figure(seconds * 1e6)} µs" if seconds > 0 else "-"


def part(share: float) -> str:
    """``1.2 %``."""
    return f"{share * 100:.3g} %"


def load(given: Load) -> str:
    """``800/s, poisson`` or ``16 in flight``."""
    if isinstance(given, Open):
        return f"{figure(given.rate)}/s, {given.arrivals}"
    return f"{given.in_flight:,} in flight"


def pace(given: Load) -> str:
    """The same without the arrivals: ``800/s``."""
    return f"{figure(given.rate)}/s" if isinstance(given, Open) else load(given)


def spread(values: Sequence[float]) -> str:
    """``1.23 (1.20 to 1.31)``: the median and the range, where there is one to see."""
    middle, low, high = (figure(f(values)) for f in (statistics.median, min, max))
    return middle if low == high else f"{middle} ({low} to {high})"


def counted(number: int, one: str, many: str | None = None) -> str:
    """``1 run``, ``2 runs``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
