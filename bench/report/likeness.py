"""Ratios between servers that were asked the same, and beside each what they do for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.report import words
from bench.report.blocks import Block, Grid, Heading, Words
from bench.report.groups import Group, cpu_cost, rate, resident
from bench.report.plots.servers import asked_alike
from bench.target import Likeness

OURS = "Remint"
DIFFERENT = "differs: "


def beside(gathered: Sequence[Group]) -> Iterator[Block]:
    """For each request: what the other servers take, as a ratio to ours, and the likeness table."""
    for request, several in asked_alike(gathered).items():
        base = next((group for group in several if group.name.startswith(OURS)), several[0])
        others = [group for group in several if group is not base]
        yield Heading(f"Ratios: {words.plain(request)}")
        yield Words(
            f"Each server's figure over that of {words.plain(base.name)}, at the highest load that "
            "each kept up with. Read the table below before the ratio: a server that does less for "
            "a token has to be cheaper."
        )
        yield Grid(
            ("server", "load", "CPU for a token", "tokens a second", "memory", "valid"),
            [_ratios(group, base) for group in (base, *others)],
            frozenset(at for at, group in enumerate((base, *others)) if not group.valid),
        )
        yield from _likeness((base, *others))


def _ratios(group: Group, base: Group) -> tuple[str, ...]:
    cells = []
    for figure in (cpu_cost, rate, resident):
        ours, theirs = base.best.values(figure), group.best.values(figure)
        if not all(ours) or not all(theirs):
            cells.append("-")
        elif group is base:
            cells.append("1")
        elif len(ours) == len(theirs):
            cells.append(words.spread([b / a for a, b in zip(ours, theirs, strict=True)]))
        else:
            one = group.best.median(figure) / base.best.median(figure)
            cells.append(f"{words.figure(one)} (of medians)")
    sure = "yes" if group.valid and base.valid else "no"
    return (words.plain(group.name), words.load(group.best.load), *cells, sure)


def _likeness(several: Sequence[Group]) -> Iterator[Block]:
    """One column for each server, and a word where they are not alike."""
    known = [(group.name, one) for group in several if (one := group.runs[0].likeness)]
    yield Heading("What each does for its token", 3)
    yield likeness_table(known)


def likeness_table(known: Sequence[tuple[str, Likeness]]) -> Grid:
    """One column for each server; rows in which they are not alike say so."""
    rows = list(_rows([one for _, one in known]))
    return Grid(("", *(name for name, _ in known)), rows, wordy=True)


def _rows(columns: Sequence[Likeness]) -> Iterator[tuple[str, ...]]:
    for name in columns[0].rows():
        values = [column.rows()[name] or "-" for column in columns]
        differ = len(set(values)) > 1 and name != "notes"
        yield (f"{DIFFERENT if differ else ''}{name.replace('_', ' ')}", *values)
