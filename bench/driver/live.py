"""How a run is going: a view that is drawn anew on a terminal, a line a second elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from bench.driver.orders import Progress
from bench.driver.plan import Planned

MOST_KEPT = 20_000
"""Latencies for the percentiles of the live view: some of all, so they are rough."""
BAR_WIDTH = 40


class View:
    """Shows nothing when ``quiet``. Standard error: the result goes to standard output."""

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._quiet = quiet
        self._live: Live | None = None
        self._title = ""
        self._begin = self._seconds = 0.0
        self._before = (0.0, 0)
        self._latencies: list[float] = []

    def __enter__(self) -> View:
        if not self._quiet and self._console.is_terminal:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def begins(self, planned: Planned, title: str, start: float) -> None:
        """A stage that starts at this moment of ``time.monotonic()``."""
        self._title, self._begin, self._seconds = title, start, planned.seconds
        self._before = (start, 0)
        self._latencies.clear()

    def shown(self, progress: Sequence[Progress]) -> None:
        """What all driver processes said last."""
        if self._quiet:
            return
        now = time.monotonic()
        answered = sum(one.answered for one in progress)
        moment, before = self._before
        rate = (answered - before) / max(now - moment, 1e-3)
        self._before = (now, answered)
        for one in progress:
            self._latencies.extend(one.latencies)
        del self._latencies[:-MOST_KEPT]
        facts = {
            "answered/s": f"{rate:,.0f}",
            "answered": f"{answered:,}",
            "in flight": f"{sum(one.in_flight for one in progress):,}",
            "waiting": f"{sum(one.waiting for one in progress):,}",
            "errors": f"{sum(one.failed for one in progress):,}",
            "p50": _millis(self._latencies, 0.5),
            "p99": _millis(self._latencies, 0.99),
        }
        self._draw(now - self._begin, facts)

    def _draw(self, passed: float, facts: dict[str, str]) -> None:
        passed = min(max(passed, 0.0), self._seconds)
        if self._live is None:
            said = ", ".join(f"{name} {value}" for name, value in facts.items())
            line = f"{self._title}  {passed:.0f}/{self._seconds:.0f} s  {said}"
            self._console.print(line, soft_wrap=True, markup=False, highlight=False)
            return
        table = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=self._seconds, completed=passed, width=BAR_WIDTH)
        table.add_row(self._title, bar, f"{passed:.0f}/{self._seconds:.0f} s")
        shown = Table(box=None)
        for name in facts:
            shown.add_column(name, justify="right", min_width=8)
        shown.add_row(*facts.values())
        whole = Table.grid()
        whole.add_row(table)
        whole.add_row(shown)
        self._live.update(whole, refresh=True)


def _millis(latencies: Sequence[float], part: float) -> str:
    if not latencies:
        return "-"
    return f"{sorted(latencies)[int(len(latencies) * part)] * 1000:.1f} ms"
