"""Plots of the tables of cases: by algorithm, by number of workers, beside the floor."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from bench.report import look, words
from bench.report.look import Plot
from bench.result import Row, Table

BASE_HEIGHT, ROW_HEIGHT = 1.4, 0.5
"""Inches: of the words around the bars, and of a row of them."""
BAR = 0.36
MOST_ROWS = 30
"""Of one plot; the table below it has them all."""
MOST_RANGE = 100.0
"""Of the longest to the shortest bar; beyond it they become points on a logarithmic axis."""
OFFERED = "offered"
"""A fact that is ``False`` where a row stands for what the broker does not do."""
CPU = "cpu_"
"""The facts of a row that begin so are the CPU of other processes for each token."""
PROCESSES = (look.ORANGE, look.GREEN, look.PINK, look.SKY)


def by_algorithm(tables: Sequence[Table]) -> Iterator[Plot]:
    """Ours beside the floor, a plot for each operation of a case."""
    for table in tables:
        for operation, rows in _by(table, "operation", needs="algorithm").items():
            title = f"By algorithm: {words.plain(table.title, 100)}"
            if operation:
                title += f", {words.plain(operation)}"
            yield _bars(table, rows, title, "by-algorithm")


def beside_floor(tables: Sequence[Table]) -> Iterator[Plot]:
    """CPU for each token, by process where more than one took part, the target marked."""
    for table in tables:
        for unit, rows in _by(table, "unit").items():
            rest = [row for row in rows if "algorithm" not in row.facts]
            if any(row.floor for row in rest):
                title = f"Beside its floor: {words.plain(table.title, 100)}"
                if len(_by(table, "unit")) > 1:
                    title += f", in {words.plain(unit)}"
                yield _bars(table, rest, title, "beside-floor")


def against_workers(tables: Sequence[Table]) -> Iterator[Plot]:
    """Tokens a second with more and more workers, and what as many single ones would do."""
    for table in tables:
        lines = {
            store: sorted((_number(row, "workers"), _number(row, "tokens_per_second")) for row in r)
            for store, r in _by(table, "store", needs="workers").items()
        }
        lines = {
            store: [(x, y) for x, y in points if x > 0 and y > 0] for store, points in lines.items()
        }
        lines = {
            store: points for store, points in lines.items() if len({x for x, _ in points}) > 1
        }
        if lines:
            yield _workers(table, lines)


def _bars(table: Table, rows: Sequence[Row], title: str, name: str) -> Plot:
    shown = list(rows)[:MOST_ROWS]
    marked = any(row.target and row.floor for row in shown)
    with look.canvas(BASE_HEIGHT + ROW_HEIGHT * len(shown)) as (figure, axes):
        sizes = [size for row in shown for size in _sizes(row) if size > 0]
        points = bool(sizes) and max(sizes) / min(sizes) > MOST_RANGE
        processes = [] if points else sorted({key for row in shown for key in _others(row)})
        for at, row in enumerate(shown):
            if points:
                _points(axes, at, row, valid=not table.problems)
            else:
                _row(axes, at, row, processes, valid=not table.problems)
        for at, row in enumerate(shown):
            _values(axes, at, row, points=points)
        axes.set_yticks(range(len(shown)), [words.plain(row.label, 40) for row in shown])
        axes.set_ylim(len(shown) - 0.45, -0.55)
        if points:
            axes.set_xscale("log")
            axes.set_xlim(min(sizes) / 2, max(sizes) * 3)
        else:
            axes.set_xlim(0, axes.get_xlim()[1] * 1.12)
        axes.set_xlabel(words.plain(shown[0].unit))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_formatter(FuncFormatter(words.tick))
        look.key(figure, _key(shown, processes, valid=not table.problems), target=marked)
        return look.saved(figure, name, title, _said(table, rows, processes))


def _row(axes: Axes, at: int, row: Row, processes: Sequence[str], *, valid: bool) -> None:
    ours = statistics.median(row.ours)
    height = at - BAR / 2 if row.floor else at
    axes.barh(height, ours, BAR, **look.bar_style(valid, _colour(row)))
    end = ours
    for process, value in _others(row).items():
        colour = PROCESSES[list(processes).index(process) % len(PROCESSES)]
        axes.barh(height, value, BAR, left=end, **look.bar_style(valid, colour))
        end += value
    if not row.floor:
        return
    floor = statistics.median(row.floor)
    axes.barh(at + BAR / 2, floor, BAR, color=look.FLOOR)
    if row.target:
        goal = floor * row.target
        axes.vlines(goal, height - BAR / 2, height + BAR / 2, color=look.INK, linewidth=2.2)


def _points(axes: Axes, at: int, row: Row, *, valid: bool) -> None:
    """The broker's part and the floor, where bars would be too short to be seen."""
    ours, floor = statistics.median(row.ours), _sizes(row)[1]
    height = at - BAR / 2 if row.floor else at
    axes.plot([ours], [height], "o", color=_colour(row) if valid else look.GREY, markersize=6)
    if row.floor:
        axes.plot([floor], [at + BAR / 2], "o", color=look.FLOOR, markersize=6)
    if row.floor and row.target:
        goal = floor * row.target
        axes.vlines(goal, height - BAR / 2, height + BAR / 2, color=look.INK, linewidth=2.2)


def _colour(row: Row) -> str:
    return look.FLOOR if str(row.facts.get(OFFERED, True)) == "False" else look.BLUE


def _sizes(row: Row) -> tuple[float, float]:
    """Ours with all its processes, and the floor."""
    floor = statistics.median(row.floor) if row.floor else 0.0
    return statistics.median(row.ours) + sum(_others(row).values()), floor


def _values(axes: Axes, at: int, row: Row, *, points: bool) -> None:
    """Behind each bar, and behind the mark of the target if that is in the way."""
    whole, floor = _sizes(row)
    if points:
        whole = statistics.median(row.ours)
    if not row.floor:
        _value(axes, whole, at, words.figure(whole))
        return
    _value(axes, floor, at + BAR / 2, words.figure(floor))
    goal = floor * (row.target or 0.0)
    right = axes.get_xlim()[1]
    low, high = (0.97 * whole, 1.4 * whole) if points else (whole - right / 100, whole + right / 12)
    _value(axes, goal if low < goal < high else whole, at - BAR / 2, words.figure(whole))


def _value(axes: Axes, x: float, y: float, text: str) -> None:
    axes.annotate(
        *(text, (x, y)),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
        color=look.INK,
    )


def _key(rows: Sequence[Row], processes: Sequence[str], *, valid: bool) -> list[tuple[str, str]]:
    ours = "ours" if valid else "ours, not valid"
    key = [(ours if not processes else f"{ours}: broker", look.BLUE if valid else look.PALE)]
    for at, process in enumerate(processes):
        key.append((words.plain(process, 20), PROCESSES[at % len(PROCESSES)]))
    floors = any(row.floor or _colour(row) == look.FLOOR for row in rows)
    return [*key, ("floor", look.FLOOR)] if floors else key


def _said(table: Table, rows: Sequence[Row], processes: Sequence[str]) -> str:
    said = f"Medians of {words.counted(len(rows[0].ours), 'round')}."
    if table.formula and any(row.floor for row in rows):
        said += f" The floor: {words.plain(table.formula, 300)}."
    if any(row.target and row.floor for row in rows):
        said += (
            " The black line is the target: what the broker's part may take beside this floor."
            if processes
            else " The black line is the target beside this floor."
        )
    if len(rows) > MOST_ROWS:
        said += f" Rows left out of the plot: {len(rows) - MOST_ROWS}."
    return said


def _workers(table: Table, lines: Mapping[str, Sequence[tuple[float, float]]]) -> Plot:
    with look.canvas() as (figure, axes):
        labels = []
        for at, (store, points) in enumerate(lines.items()):
            colour = look.SERIES[at % len(look.SERIES)] if not table.problems else look.GREY
            xs, ys = [x for x, _ in points], [y for _, y in points]
            linear = [ys[0] / xs[0] * x for x in xs]
            axes.plot(xs, linear, "--", color=look.FAINT, linewidth=1.2)
            axes.plot(xs, ys, "o-", color=colour)
            labels += [
                (ys[-1], words.plain(store, 24) or "measured", colour),
                (linear[-1], "linear", look.FAINT),
            ]
        axes.set_xlim(0, max(x for points in lines.values() for x, _ in points) * 1.02)
        axes.set_ylim(0)
        axes.set_xticks(sorted({x for points in lines.values() for x, _ in points}))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(words.tick))
        axes.set_xlabel("workers")
        axes.set_ylabel("tokens a second")
        look.end_labels(axes, labels)
        title = f"Tokens a second against workers: {words.plain(table.title, 100)}"
        said = "Dashed: as many times what the fewest workers did."
        return look.saved(figure, "workers", title, said)


def _by(table: Table, fact: str, needs: str = "") -> dict[str, list[Row]]:
    """Rows by a fact (or their unit); only those that have another fact, where it is named."""
    found: dict[str, list[Row]] = {}
    for row in table.rows:
        if row.ours and (not needs or needs in row.facts):
            value = row.unit if fact == "unit" else str(row.facts.get(fact, ""))
            found.setdefault(value, []).append(row)
    return found


def _others(row: Row) -> dict[str, float]:
    return {
        key.removeprefix(CPU): value
        for key in row.facts
        if key.startswith(CPU) and (value := _number(row, key)) > 0
    }


def _number(row: Row, fact: str) -> float:
    value = row.facts.get(fact, 0)
    return 0.0 if isinstance(value, str) else float(value)
