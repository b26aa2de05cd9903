"""The tables of the page: runs by stage, and cases by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bench.histogram import SHOWN
from bench.report import words
from bench.report.blocks import Block, Grid, Heading, Words
from bench.report.groups import Group, cpu_cost, rate, resident
from bench.result import Measured, Row, Table

GLANCE = (
    *("server", "request", "over", "rounds", "load", "tokens a second"),
    *("CPU for a token, µs", "p50", "p99", "memory, MiB"),
)
MICRO, MEBI = 1e6, 2**20

ANSWERS = (
    *("load", "round", "answers/s", "p50", "p90", "p99", "p99.9", "max", "errors"),
    *("lag p99", "checked", "valid"),
)
COSTS = (
    "load",
    "round",
    "server CPU for a token",
    "memory",
    "distinct",
    "caches",
    "driver CPU",
    "steal",
)


def glance(group: Group) -> tuple[str, ...]:
    """One line of the summary."""
    best = group.best
    cpu = [value * MICRO for value in best.values(cpu_cost)]
    memory = [value / MEBI for value in best.values(resident)]
    return (
        *(words.plain(group.name), words.plain(group.request), words.plain(group.transport)),
        *(f"{len(group.runs)}", words.load(best.load), words.spread(best.values(rate))),
        words.spread(cpu) if all(cpu) else "-",
        *(words.duration(best.latency.percentile(percent)) for percent in (50.0, 99.0)),
        words.spread(memory) if all(memory) else "-",
    )


def of_runs(gathered: Sequence[Group]) -> Iterator[Block]:
    """Every stage of every round."""
    if gathered:
        yield Heading("All runs")
    for group in gathered:
        yield Heading(f"{group.title}, from {group.runs[0].circumstances.at}", 3)
        stages = [(f"{n}", one) for n, run in enumerate(group.runs, 1) for one in run.stages]
        doubted = frozenset(at for at, (_, stage) in enumerate(stages) if not stage.valid)
        yield Grid(ANSWERS, [_answers(number, stage) for number, stage in stages], doubted)
        yield Grid(COSTS, [_told(number, stage) for number, stage in stages], doubted)


def of_cases(tables: Iterable[Table]) -> Iterator[Block]:
    """Every row of every case."""
    for table in tables:
        yield Heading(f"Case {table.case}: {table.title}")
        formula = f" The floor: {table.formula}." if table.formula else ""
        yield Words(f"Medians of the rounds, the range in brackets.{formula}")
        facts = sorted({name for row in table.rows for name in row.facts})
        head = ("", "unit", "ours", "floor", "ratio", "target", *facts)
        doubted = frozenset(range(len(table.rows)) if table.problems else ())
        yield Grid(head, [_row(row, facts) for row in table.rows], doubted)


def _answers(number: str, one: Measured) -> tuple[str, ...]:
    return (
        *(words.load(one.stage.load), number, words.figure(one.rate)),
        *(words.duration(one.latency.percentile(percent)) for percent in SHOWN),
        _named({kind: f"{count:,}" for kind, count in one.errors.items()}) or "none",
        words.duration(one.lag.percentile(99.0)),
        f"{one.checked:,}",
        "yes" if one.valid else "no",
    )


def _told(number: str, one: Measured) -> tuple[str, ...]:
    return (
        *(words.load(one.stage.load), number, _costs(one) or "-"),
        _named({name: words.memory(size) for name, size in one.server_memory.items()}) or "-",
        f"{one.distinct:,} of {one.sent:,}",
        _named({name: words.part(hits) for name, hits in one.caches.items()}) or "not told",
        *(words.part(one.driver_cpu), words.part(one.steal)),
    )


def _costs(one: Measured) -> str:
    if not one.answered:
        return ""
    return _named({n: words.micros(cpu / one.tokens) for n, cpu in one.server_cpu.items()})


def _named(cells: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in cells.items())


def _row(row: Row, facts: Sequence[str]) -> tuple[str, ...]:
    return (
        *(row.label, row.unit, words.spread(row.ours) if row.ours else "-"),
        words.spread(row.floor) if row.floor else "-",
        words.spread(row.ratios) if row.ratios else "-",
        words.figure(row.target) if row.target else "-",
        *(_fact(row.facts.get(name, "-")) for name in facts),
    )


def _fact(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else words.figure(value)
