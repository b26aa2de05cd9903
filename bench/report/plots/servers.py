"""Plots of servers: CPU of each process for a token, and several servers side by side."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.report import look, words
from bench.report.groups import Group, resident, tokens_per_cpu_second
from bench.report.look import Plot
from bench.result import Measured

BASE_HEIGHT, ROW_HEIGHT = 1.5, 0.5
BAR = 0.6
MOST_ROWS = 24
MEBI = 2**20


def by_process(groups: Sequence[Group]) -> Iterator[Plot]:
    """CPU for each token at the highest load that was kept up with, stacked by process."""
    shown = [
        group for group in groups if any(one.server_cpu and one.tokens for one in group.best.rounds)
    ]
    if not shown:
        return
    left_out = max(len(shown) - MOST_ROWS, 0)
    shown = shown[:MOST_ROWS]
    processes = sorted({name for group in shown for name in _costs(group)})
    colours = {name: look.SERIES[at % len(look.SERIES)] for at, name in enumerate(processes)}
    with look.canvas(BASE_HEIGHT + ROW_HEIGHT * len(shown)) as (figure, axes):
        for at, group in enumerate(shown):
            end = 0.0
            for name, micros in sorted(_costs(group).items()):
                style = look.bar_style(group.valid, colours[name])
                axes.barh(at, micros, BAR, left=end, **style)
                end += micros
            _label(axes, end, at, words.figure(end), valid=group.valid)
        _rows(axes, [f"{group.name}\n{group.request}, {group.transport}" for group in shown])
        axes.set_xlabel("CPU for each token, µs")
        look.key(figure, [(words.plain(name, 20), colours[name]) for name in processes])
        said = "At the highest load that each kept up with. Medians of the rounds."
        said += f" Left out of the plot: {left_out}." if left_out else ""
        yield look.saved(figure, "cpu-by-process", "CPU for each token, by process", said)


def side_by_side(groups: Sequence[Group]) -> Iterator[Plot]:
    """Tokens for a second of CPU and resident memory of all that were asked the same."""
    for request, several in asked_alike(groups).items():
        with look.canvas(BASE_HEIGHT + ROW_HEIGHT * len(several), columns=2) as (
            figure,
            (left, right),
        ):
            _bars(left, several, tokens_per_cpu_second)
            _rows(left, [group.name for group in several])
            left.set_xlabel("tokens for a CPU-second\n(all processes of the server)")
            _bars(right, several, lambda one: resident(one) / MEBI)
            _rows(right, [""] * len(several))
            right.set_xlabel("resident memory, MiB\n(all processes of the server)")
            if not all(group.valid for group in several):
                look.key(figure, [("not valid", look.PALE)])
            title = f"Side by side: {words.plain(request)}"
            said = "Medians of the rounds, with their range. More tokens and less memory are better"
            yield look.saved(
                figure, "side-by-side", title, f"{said}; what each does for them differs."
            )


def asked_alike(groups: Sequence[Group]) -> dict[str, list[Group]]:
    """Servers with CPU figures by the request (and transport) that two of them or more answered."""
    found: dict[str, list[Group]] = {}
    for group in groups:
        if group.runs[0].likeness and any(tokens_per_cpu_second(one) for one in group.best.rounds):
            found.setdefault(f"{group.request}, {group.transport.upper()}", []).append(group)
    return {
        request: sorted(several, key=lambda group: -group.best.median(tokens_per_cpu_second))
        for request, several in found.items()
        if len({group.name for group in several}) > 1
    }


def _bars(axes: Axes, groups: Sequence[Group], figure: Callable[[Measured], float]) -> None:
    for at, group in enumerate(groups):
        values = group.best.values(figure)
        middle = statistics.median(values)
        colour = look.BLUE if group.name.startswith("Remint") else look.FLOOR
        axes.barh(at, middle, BAR, **look.bar_style(group.valid, colour))
        if len(values) > 1:
            axes.hlines(at, min(values), max(values), color=look.INK, linewidth=1.4)
        if middle:
            _label(axes, max(values), at, words.figure(middle), valid=group.valid)


def _rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), ["\n".join(map(_short, n.split("\n"))) for n in names])
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.set_xlim(0, (axes.get_xlim()[1] or 1.0) * 1.15)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(4 if names[0].count("\n") == 0 else 8))
    axes.xaxis.set_major_formatter(FuncFormatter(words.tick))


def _short(name: str) -> str:
    return words.plain(name, 34)


def _label(axes: Axes, x: float, y: float, text: str, *, valid: bool) -> None:
    axes.annotate(
        *(text if valid else f"{text} (not valid)", (x, y)),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
        color=look.INK if valid else look.FAINT,
    )


def _costs(group: Group) -> dict[str, float]:
    """Median µs for each token by process, at the highest load that was kept up with."""
    rounds = [one for one in group.best.rounds if one.answered]
    names = {name for one in rounds for name in one.server_cpu}
    return {
        name: statistics.median(one.server_cpu.get(name, 0.0) / one.tokens for one in rounds) * 1e6
        for name in names
    }
