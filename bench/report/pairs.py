"""Two servers side by side, for a terminal and for a page: figures, ratios, what each does."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from bench.compare import Comparison, compared
from bench.pair import Compared
from bench.report import words
from bench.report.blocks import Block, Grid, Heading, Listing, Words
from bench.report.groups import rate, resident, tokens_per_cpu_second
from bench.report.likeness import likeness_table
from bench.result import Measured, Run

MICRO, MILLI, MEBI = 1e6, 1e3, 2**20
BETTER = {"A is better": "{ours} is better", "B is better": "{theirs} is better"}


def blocks(found: Compared) -> Iterator[Block]:
    """The figures, the ratio of the other server to ours, and the likeness table below it."""
    ours, theirs = found.ours, found.theirs
    both = compared(ours, theirs, anyway=True)
    yield Heading(f"{found.request}: {ours[0].name} beside {theirs[0].name}")
    yield Words(
        f"{words.counted(len(ours), 'round')} {both.order}. Medians, and the range of the rounds "
        "in brackets. CPU is that of all the server's processes."
    )
    yield _figures(found)
    yield Heading(f"Ratios: {theirs[0].name} over {ours[0].name}, round by round", 3)
    yield _ratios(both)
    if both.warnings:
        yield Heading("Mind", 3)
        yield Listing(both.warnings)
    known = [(run.name, run.likeness) for run in (ours[0], theirs[0]) if run.likeness]
    if known:
        yield Heading("What each does for its token", 3)
        yield likeness_table(known)


def _figures(found: Compared) -> Grid:
    head = (
        *("server", "load", "tokens a second", "CPU µs a token", "tokens a CPU-second"),
        *("p50 ms", "p99 ms", "RSS MiB", "PSS MiB", "valid"),
    )
    rows: list[tuple[str, ...]] = []
    doubted: set[int] = set()
    for at in range(len(found.ours[0].stages)):
        for runs in (found.ours, found.theirs):
            stages = [run.stages[at] for run in runs]
            if not all(one.valid for one in stages):
                doubted.add(len(rows))
            rows.append(_row(runs[0], stages, found.proportional.get(runs[0].name, 0)))
    return Grid(head, rows, frozenset(doubted))


def _row(run: Run, stages: Sequence[Measured], proportional: int) -> tuple[str, ...]:
    return (
        *(run.name, words.pace(stages[0].stage.load)),
        *(words.spread([rate(one) for one in stages]), _cpu(stages)),
        words.spread([tokens_per_cpu_second(one) for one in stages]),
        words.spread([one.latency.percentile(50.0) * MILLI for one in stages]),
        words.spread([one.latency.percentile(99.0) * MILLI for one in stages]),
        words.figure(resident(stages[-1]) / MEBI),
        words.figure(proportional / MEBI) if proportional else "-",
        "yes" if all(one.valid for one in stages) else "no",
    )


def _cpu(stages: Sequence[Measured]) -> str:
    """Each process for itself, and their sum where there are several."""
    together = words.spread([one.cpu_per_token * MICRO for one in stages])
    names = sorted(stages[0].server_cpu)
    if len(names) < 2:
        return together
    parts = [f"{name} {words.figure(_part(stages, name))}" for name in names]
    return f"{', '.join(parts)}, together {together}"


def _part(stages: Sequence[Measured], name: str) -> float:
    costs = (one.server_cpu.get(name, 0.0) / one.answered for one in stages if one.answered)
    return statistics.median([*costs] or [0.0]) * MICRO


def _ratios(both: Comparison) -> Grid:
    names = {"ours": both.a[0].name, "theirs": both.b[0].name}
    head = ("load", "figure", "unit", names["ours"], names["theirs"], "ratio", "")
    rows = [
        (
            *(line.load, line.metric.name, line.metric.unit),
            *(words.spread(line.a), words.spread(line.b), words.spread(line.ratios)),
            BETTER.get(line.verdict, line.verdict).format(**names),
        )
        for line in both.lines
    ]
    return Grid(head, rows)
