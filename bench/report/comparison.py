"""A comparison as blocks, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from bench.compare import Comparison, Line
from bench.report import words
from bench.report.blocks import Block, Grid, Heading, Listing, Words
from bench.result import Run

FORMAT = "remint-bench-comparison/1"


def blocks(found: Comparison) -> Iterator[Block]:
    """What is to be known first, then the figures."""
    yield Heading("Comparison", 1)
    yield Grid(
        ("", "A", "B"),
        list(_who(found.a, found.b)),
        wordy=True,
    )
    yield Words(f"{words.counted(len(found.a), 'round')} {found.order}.")
    if found.warnings:
        yield Heading("Mind")
        yield Listing(found.warnings)
    if found.unlike:
        yield Heading("Not alike: what each does for its token")
        rows = [(name.replace("_", " "), *both) for name, both in found.unlike.items()]
        yield Grid(("", "A", "B"), rows, wordy=True)
    yield Heading("Figures")
    yield Words("The median, and the range of the rounds in brackets. The ratio is B over A.")
    head = ("load", "figure", "unit", "A", "B", "ratio", "")
    yield Grid(head, [_row(line) for line in found.lines])


def document(found: Comparison) -> str:
    """JSON, every round in it."""
    return json.dumps(
        {
            "format": FORMAT,
            "a": [_run(run) for run in found.a],
            "b": [_run(run) for run in found.b],
            "order": found.order,
            "warnings": found.warnings,
            "unlike": found.unlike,
            "figures": [
                {
                    "load": line.load,
                    "figure": line.metric.name,
                    "unit": line.metric.unit,
                    "a": line.a,
                    "b": line.b,
                    "ratios": line.ratios,
                    "verdict": line.verdict,
                }
                for line in found.lines
            ],
        },
        indent=1,
    )


def _who(a: Sequence[Run], b: Sequence[Run]) -> Iterator[tuple[str, str, str]]:
    one, other = a[0], b[0]
    yield "server", one.name, other.name
    yield "request", one.request, other.request
    ours, theirs = one.circumstances, other.circumstances
    yield "commit", ours.commit, theirs.commit
    yield "command", ours.command, theirs.command
    yield from _facts("version", ours.versions, theirs.versions)
    yield from _facts("configuration", ours.configuration, theirs.configuration)


def _facts(
    kind: str, ours: Mapping[str, str], theirs: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Those that differ."""
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            yield f"{kind}: {name}", ours.get(name, "-"), theirs.get(name, "-")


def _row(line: Line) -> tuple[str, ...]:
    return (
        *(line.load, line.metric.name, line.metric.unit),
        *(words.spread(line.a), words.spread(line.b)),
        *(words.spread(line.ratios), line.verdict),
    )


def _run(run: Run) -> dict[str, object]:
    at = run.circumstances
    return {"name": run.name, "request": run.request, "at": at.at, "commit": at.commit}
