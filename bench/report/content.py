"""What the page says, out of what was gathered, in its order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.report import repeating, tables, words
from bench.report.blocks import Block, Grid, Heading, Listing, Picture, Words
from bench.report.gather import Gathered
from bench.report.groups import Group, groups
from bench.report.likeness import beside
from bench.report.limits import ran_out
from bench.report.plots import KINDS

TITLE = "What the bench measured"
FOLDER = "plots"


def content(found: Gathered) -> Iterator[Block]:
    """The blocks of the page, plots drawn on the way."""
    gathered = groups(found.runs)
    yield Heading(TITLE, 1)
    yield Words(_opening(found))
    yield from _headline(gathered)
    yield from _plots(gathered, found)
    yield from beside(gathered)
    yield from _limits(gathered)
    yield from tables.of_runs(gathered)
    yield from tables.of_cases(found.tables)
    yield from _doubted(found)
    yield from repeating.steps(found)
    if found.unread:
        yield Heading("Files that were not read")
        yield Listing(found.unread)


def _opening(found: Gathered) -> str:
    times = sorted(at.at for at in repeating.circumstances(found))
    said = f"{words.counted(len(found.runs), 'run')}, {words.counted(len(found.tables), 'table')}"
    when = times[0] if times[0] == times[-1] else f"{times[0]} to {times[-1]}"
    return (
        f"{said} of cases; {when}. Every figure is out of the result files; what they do not hold "
        "is not here."
    )


def _headline(gathered: Sequence[Group]) -> Iterator[Block]:
    """Valid runs alone."""
    valid = [group for group in gathered if group.valid]
    if gathered:
        yield Heading("At a glance")
    if valid:
        yield Words(
            "Each server at the highest load that it kept up with; medians of the rounds, and "
            "their range in brackets. All of a line is of the same stage."
        )
        yield Grid(tables.GLANCE, [tables.glance(group) for group in valid])
    elif gathered:
        yield Words("None of the runs is valid, so there is nothing to sum up.")


def _plots(gathered: Sequence[Group], found: Gathered) -> Iterator[Block]:
    yield Heading("Plots")
    missing, taken = [], set[str]()
    for kind in KINDS:
        number = 0
        for plot in kind.draw(gathered, found.tables):
            number += 1
            path = f"{FOLDER}/{plot.name}" if plot.name not in taken else None
            yield Picture(plot, path or f"{FOLDER}/{plot.name}-{number}")
            taken.add(plot.name)
        if not number:
            missing.append(f"{kind.name}: needs {kind.needs}.")
    if missing:
        yield Heading("Plots left out, for want of data", 3)
        yield Listing(missing)


def _limits(gathered: Sequence[Group]) -> Iterator[Block]:
    if gathered:
        yield Heading("What ran out first")
        yield Grid(
            ("run", "what the figures say"),
            [(group.title, ran_out(group)) for group in gathered],
            frozenset(at for at, group in enumerate(gathered) if not group.valid),
            wordy=True,
        )


def _doubted(found: Gathered) -> Iterator[Block]:
    """Every reason why something does not count."""
    rows = [
        (f"{run.name}, {run.request}", run.circumstances.at, words.load(one.stage.load), problem)
        for run in found.runs
        for one in run.stages
        for problem in one.problems
    ]
    rows += [
        (f"{run.name}, {run.request}", run.circumstances.at, "-", "the run has no stage")
        for run in found.runs
        if not run.stages
    ]
    rows += [
        (table.case, table.circumstances.at, "-", problem)
        for table in found.tables
        for problem in table.problems
    ]
    if rows:
        yield Heading("Not valid")
        yield Words("These figures are shown grey or hatched, and are in no headline.")
        yield Grid(("run or case", "at", "load", "why"), rows, wordy=True)
