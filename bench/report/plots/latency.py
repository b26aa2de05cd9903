"""Latency against offered rate, over HTTP and by message, and its distribution."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bench.histogram import Histogram
from bench.report import look, words
from bench.report.groups import Group, Point, offered
from bench.report.look import Plot
from bench.result import Measured

SHOWN = (50.0, 90.0, 99.0, 99.9)
MOST_LINES = 6
"""Of one distribution; more cannot be told apart."""
FEW_TICKS = 500.0
"""Of the highest to the lowest latency: below it, powers of ten alone are too few to read by."""
MILLI = 1e3


def against_rate(groups: Sequence[Group]) -> Iterator[Plot]:
    """A plot for each group over HTTP with two offered rates or more."""
    for group in groups:
        if group.transport == "http" and len(group.opened) > 1:
            with look.canvas() as (figure, axes):
                _against_rate(axes, group)
                title = f"Latency against offered rate: {words.plain(group.title)}"
                yield look.saved(figure, "latency-by-rate", title, _said(group))


def by_message(groups: Sequence[Group]) -> Iterator[Plot]:
    """The same by message, with how far the queue and the driver fell behind beside it."""
    for group in groups:
        if group.transport != "http" and len(group.opened) > 1:
            with look.canvas(columns=2) as (figure, (left, right)):
                _against_rate(left, group)
                left.set_ylabel("publish to answer, ms")
                _behind(right, group)
                title = f"From publishing to the answer: {words.plain(group.title)}"
                yield look.saved(figure, "queue-by-rate", title, _said(group))


def distribution(groups: Sequence[Group]) -> Iterator[Plot]:
    """Percentile curves: of the stages of a group, and of servers under one and the same load."""
    alike: dict[str, list[tuple[str, Point]]] = {}
    for group in groups:
        points = [point for point in group.points if len(point.latency)]
        if len(points) > 1:
            lines = [(words.pace(point.load), point) for point in _chosen(points)]
            left_out = len(points) - len(lines)
            yield _distribution(group.title, lines, left_out)
        elif points:
            load = words.load(points[0].load)
            title = f"{group.request}, {group.transport.upper()}, {load}"
            alike.setdefault(title, []).append((words.plain(group.name, 20), points[0]))
    for title, lines in alike.items():
        yield _distribution(title, lines[:MOST_LINES], max(len(lines) - MOST_LINES, 0))


def _distribution(of: str, lines: Sequence[tuple[str, Point]], left_out: int) -> Plot:
    """Each curve ends at the highest percentile that its number of requests can show."""
    stages = len({name for name, _ in lines}) > 1 and len({p.load for _, p in lines}) > 1
    with look.canvas() as (figure, axes):
        ends, labels = [], []
        for at, (name, point) in enumerate(lines):
            colour = _colour(at, len(lines), point, ordered=stages)
            x, y = _curve(axes, point.latency, colour)
            ends.append(x)
            labels.append((y, name, colour))
        _percentile_axis(axes, max(ends))
        _milliseconds(axes, "latency, ms")
        look.end_labels(axes, labels)
        title = f"Latency distribution: {words.plain(of)}"
        said = f"Left out of the plot: {left_out}. " if left_out else ""
        said += "" if all(point.valid for _, point in lines) else "Grey lines are not valid."
        return look.saved(figure, "latency-distribution", title, said.strip())


def _against_rate(axes: Axes, group: Group) -> None:
    points = group.opened
    rates = [offered(point) for point in points]
    labels = []
    for percent, colour in zip(SHOWN, look.BY_DEPTH, strict=True):
        seconds = [point.median(_percentile(percent)) for point in points]
        heights = [max(value * MILLI, 1e-3) for value in seconds]
        axes.plot(rates, heights, color=colour)
        for point, x, y in zip(points, rates, heights, strict=True):
            if len(point.rounds) > 1:
                values = [value * MILLI for value in point.values(_percentile(percent))]
                axes.vlines(x, max(min(values), 1e-3), max(values), color=colour, alpha=0.5)
            face = colour if point.valid else "white"
            axes.plot([x], [y], "o", color=face, markeredgecolor=_ink(point, colour), zorder=3)
        labels.append((heights[-1], f"p{percent:g}", colour))
    _milliseconds(axes, "latency, ms")
    axes.set_xlim(0, max(rates) * 1.02)
    axes.set_xlabel("offered rate, requests a second")
    axes.xaxis.set_major_formatter(FuncFormatter(words.tick))
    _mark_saturation(axes, group)
    look.end_labels(axes, labels)


def _mark_saturation(axes: Axes, group: Group) -> None:
    at = group.saturated_from
    if at is None:
        return
    axes.axvline(at, color=look.RED, linestyle="--", linewidth=1.2)
    axes.annotate(
        f"falls behind from {words.figure(at)}/s",
        (at, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        va="bottom",
        color=look.RED,
        fontsize=9,
    )


def _behind(axes: Axes, group: Group) -> None:
    points = group.opened
    rates = [offered(point) for point in points]
    labels = []
    queued = [(x, point) for x, point in zip(rates, points, strict=True) if _looked(point)]
    if queued:
        heights = [point.median(_queued) for _, point in queued]
        axes.plot([x for x, _ in queued], heights, "o-", color=look.RED)
        labels.append((heights[-1], "waiting in\nthe queue", look.RED))
    lags = [max(point.median(_lag) * MILLI, 1e-3) for point in points]
    axes.plot(rates, lags, "o-", color=look.FAINT)
    labels.append((lags[-1], "driver's lag\np99, ms", look.FAINT))
    axes.set_yscale("symlog", linthresh=1.0)  # an empty queue stands at 0
    axes.set_ylim(bottom=0.0)
    axes.yaxis.set_major_formatter(FuncFormatter(words.tick))
    axes.set_ylabel("messages waiting, and lag in ms" if queued else "driver's lag p99, ms")
    axes.set_xlim(0, max(rates) * 1.02)
    axes.xaxis.set_major_formatter(FuncFormatter(words.tick))
    axes.set_xlabel("offered rate, requests a second")
    look.end_labels(axes, labels)


def _curve(axes: Axes, latency: Histogram, colour: str) -> tuple[float, float]:
    """Draw it; where it ends."""
    xs = [1.0]
    while xs[-1] * 10**0.1 < len(latency):
        xs.append(xs[-1] * 10**0.1)
    ys = [max(latency.percentile(100 * (1 - 1 / x)) * MILLI, 1e-3) for x in xs]
    axes.plot(xs, ys, color=colour)
    return xs[-1], ys[-1]


def _percentile_axis(axes: Axes, last: float) -> None:
    axes.set_xscale("log")
    ticks, names = [1.0, 2.0], ["0", "50 %"]
    digits = 1
    while 10**digits <= last:
        ticks.append(float(10**digits))
        names.append(f"{100 - 100 / 10**digits:g} %")
        digits += 1
    axes.set_xticks(ticks, names)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(1, max(last, 2.5))
    axes.set_xlabel("part of the requests that took no longer (each step a tenth of the rest)")


def _milliseconds(axes: Axes, label: str) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(words.tick))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel(label)
    low, high = axes.get_ylim()
    if high / low < FEW_TICKS:
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))


def _chosen(points: Sequence[Point]) -> list[Point]:
    """As many as can be told apart: the first, the last, and evenly between."""
    if len(points) <= MOST_LINES:
        return list(points)
    step = (len(points) - 1) / (MOST_LINES - 1)
    return [points[round(at * step)] for at in range(MOST_LINES)]


def _colour(at: int, number: int, point: Point, *, ordered: bool) -> str:
    if not point.valid:
        return look.GREY
    return look.shade(at / (number - 1)) if ordered else look.SERIES[at]


def _ink(point: Point, colour: str) -> str:
    return colour if point.valid else look.GREY


def _percentile(percent: float) -> Callable[[Measured], float]:
    return lambda one: one.latency.percentile(percent)


def _queued(one: Measured) -> float:
    return float(one.queued or 0)


def _looked(point: Point) -> bool:
    return all(one.queued is not None for one in point.rounds)


def _lag(one: Measured) -> float:
    return one.lag.percentile(99.0)


def _said(group: Group) -> str:
    said = "From the intended start of each request to its answer."
    rounds = max(len(point.rounds) for point in group.opened)
    if rounds > 1:
        said += f" Medians of {rounds} rounds, with their range."
    if group.saturated_from is None:
        said += " The server kept up with every rate that was offered."
    if not all(point.valid for point in group.opened):
        said += " Hollow grey points are not valid."
    return said
