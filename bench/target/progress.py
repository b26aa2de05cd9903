"""How far the preparation of a run is, on standard error: a bar on a terminal, else a line now and
then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_SECONDS = 5.0
"""Between two lines: whoever waits for minutes sees for what, and short preparations say little."""


class _Lines:
    def __init__(self, what: str, total: int, console: Console) -> None:
        self._what, self._total, self._console = what, total, console
        self._done, self._said = 0, time.monotonic()

    def advance(self, steps: int) -> None:
        self._done += steps
        if time.monotonic() - self._said >= LINE_SECONDS:
            self._said = time.monotonic()
            line = f"{self._what}: {self._done:,} of {self._total:,}"
            self._console.print(line, soft_wrap=True, markup=False, highlight=False)


@contextmanager
def progress(what: str, total: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """What it gives is called with the number of steps that were just made."""
    console = Console(stderr=True)
    if not quiet and not console.is_terminal:
        yield _Lines(what, total, console).advance
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=quiet,
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)
