"""The table of a case, as it is shown on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as Shown

from bench.figures import Series
from bench.result import Row, Table

WIDTH = 150
"""Of what is no terminal, such as a file: nothing is to be cut off there."""

FACTS = {
    "tokens_per_second": ("tokens/s", 0),
    "cpu_redis": ("Redis", 1),
    "cpu_rabbitmq": ("RabbitMQ", 1),
    "writes_a_trip": ("writes a trip", 1),
    "start_seconds": ("start s", 2),
    "publish_ms": ("publish ms", 2),
}
"""Facts that have a column where a row has them, and their digits; all are in the JSON."""


def console() -> Console:
    """Standard output, wide enough for a table where it is no terminal."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=WIDTH)


def shown(table: Table) -> Shown:
    """A line for each row: medians, in brackets the middle half of the rounds."""
    made = Shown(title=f"{table.case}: {table.title}", title_justify="left", box=None)
    made.caption = f"floor: {table.formula}"
    made.caption_justify = "left"
    facts = [name for name in FACTS if any(name in row.facts for row in table.rows)]
    made.add_column("")
    for name in ("ours", "floor", "ratio", "target", *(FACTS[name][0] for name in facts)):
        made.add_column(name, justify="right", no_wrap=True)
    units = {row.unit for row in table.rows}
    for row in table.rows:
        made.add_row(*_cells(row, facts, show_unit=len(units) > 1))
    return made


def _cells(row: Row, facts: Sequence[str], *, show_unit: bool) -> list[str]:
    label = f"{row.label} ({row.unit})" if show_unit else row.label
    return [
        label,
        figure(row.ours, 1),
        figure(row.floor, 1),
        figure(row.ratios, 3),
        f"≤ {row.target:.3g}" if row.target else "",
        *(_fact(row, name) for name in facts),
    ]


def _fact(row: Row, name: str) -> str:
    value = row.facts.get(name)
    return "" if value is None else f"{value:,.{FACTS[name][1]}f}"


def figure(values: Sequence[float], digits: int) -> str:
    """``12.3 (11.8-12.9)``: median and middle half; nothing where there are no values."""
    if not values:
        return ""
    series = Series(tuple(values))
    median, low, high = (
        f"{value:,.{digits}f}" for value in (series.median, series.low, series.high)
    )
    return median if len(values) == 1 else f"{median} ({low}-{high})"
