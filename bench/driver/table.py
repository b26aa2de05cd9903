"""The stages of a run as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from bench.driver.load import Open
from bench.histogram import SHOWN
from bench.result import Measured, Run

WIDTH = 150
"""Of what is no terminal, such as a file: nothing is to be cut off there."""
MILLI = 1e3
MICRO = 1e6


def console() -> Console:
    """Standard output."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=WIDTH)


def tables(run: Run) -> Iterable[Table]:
    """What was answered and how fast; then what it took, and whether it counts."""
    yield _latencies(run.stages)
    yield _means(run.stages)


def reasons(run: Run) -> list[str]:
    """Why stages are not valid, each once."""
    found: dict[str, None] = {}
    for measured in run.stages:
        for problem in measured.problems:
            found[f"{load(measured)}: {problem}"] = None
    return list(found)


def load(measured: Measured) -> str:
    """``400/s`` or ``32 in flight``."""
    given = measured.stage.load
    return f"{given.rate:,.0f}/s" if isinstance(given, Open) else f"{given.in_flight} in flight"


def _latencies(stages: Iterable[Measured]) -> Table:
    made = _table("offered", "answered/s")
    for percent in SHOWN:
        made.add_column("max ms" if percent == 100 else f"p{percent:g} ms", justify="right")
    for name in ("lag p99 ms", "sent", "errors"):
        made.add_column(name, justify="right")
    for measured in stages:
        latencies = [_millis(value) for value in measured.latency.percentiles().values()]
        lag = _millis(measured.lag.percentile(99)) if len(measured.lag) else "-"
        made.add_row(
            load(measured),
            f"{measured.rate:,.1f}",
            *latencies,
            lag,
            f"{measured.sent:,}",
            _errors(measured),
        )
    return made


def _means(stages: Iterable[Measured]) -> Table:
    made = _table("offered", "distinct", "checked", "driver CPU")
    for name in ("server CPU µs a token", "server memory MiB", "cache hits", "steal"):
        made.add_column(name, justify="right")
    made.add_column("counts")
    for measured in stages:
        made.add_row(
            load(measured),
            f"{measured.distinct:,}",
            f"{measured.checked:,}",
            f"{measured.driver_cpu:.0%}",
            _cpu(measured),
            _named({name: f"{size / 2**20:,.0f}" for name, size in measured.server_memory.items()}),
            _named({name: f"{part:.1%}" for name, part in measured.caches.items()}),
            f"{measured.steal:.1%}",
            "yes" if measured.valid else "no",
        )
    return made


def _table(*columns: str) -> Table:
    made = Table(box=None, padding=(0, 2, 0, 0))
    for name in columns:
        made.add_column(name, justify="right")
    return made


def _errors(measured: Measured) -> str:
    kinds = sorted(measured.errors.items())
    return ", ".join(f"{kind}: {number:,}" for kind, number in kinds) or "0"


def _cpu(measured: Measured) -> str:
    """Each process for itself, and their sum where there are several."""
    tokens = measured.tokens
    if not tokens:
        return "-"
    parts = {name: seconds / tokens for name, seconds in measured.server_cpu.items()}
    if len(parts) > 1:
        parts["together"] = measured.cpu_per_token
    return _named({name: f"{seconds * MICRO:,.0f}" for name, seconds in parts.items()})


def _named(values: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "-"


def _millis(seconds: float) -> str:
    return f"{seconds * MILLI:,.2f}"
