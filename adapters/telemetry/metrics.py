"""The metrics of one worker, and of all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from adapters.telemetry.counts import Counter, Counts
from adapters.telemetry.seats import Seats
from broker.ports import AuditRecord

PUBLISH_SECONDS = 1.0


class Metrics:
    """Counts audit records; ``seats`` are shared with the other workers, of which this one has
    ``seat``."""

    def __init__(self, seats: Seats | None = None, seat: int = 0) -> None:
        self._seats = seats
        self._seat = seat
        self._counter = Counter(None if seats is None else seats.read(seat))
        self._watched: dict[str, Callable[[], float]] = {"workers": lambda: 1.0}

    def count(self, record: AuditRecord) -> None:
        """One attempt that has ended."""
        self._counter.count(record)

    def count_module(self, kind: str, outcome: str) -> None:
        """An authentication module of ``kind`` was asked."""
        self._counter.count_module(kind, outcome)

    def count_dropped(self, why: str, times: int) -> None:
        """Datagrams that were no answers of a RADIUS server."""
        self._counter.count_dropped(why, times)

    def watch(self, name: str, value: Callable[[], float]) -> None:
        """``value`` says how things stand whenever somebody asks; a later one takes its place."""
        self._watched[name] = value

    def publish(self) -> None:
        """Show the other workers what was counted."""
        if self._seats is not None:
            self._seats.write(self._seat, self._own())

    async def publish_for_ever(self) -> None:
        """Ends at once where there are no other workers."""
        while self._seats is not None:
            self.publish()
            await asyncio.sleep(PUBLISH_SECONDS)

    def total(self) -> Counts:
        """Of all workers; what others counted is as old as their last ``publish``."""
        total = Counts()
        total.add(self._own())
        for other in self._seats.others(self._seat) if self._seats is not None else ():
            total.add(other)
        return total

    def _own(self) -> Counts:
        counts = self._counter.counts
        counts.now = {name: value() for name, value in self._watched.items()}
        return counts
