"""A clock that moves when it is told to."""

from __future__ import annotations

from broker.testing.builders import NOW


class FrozenClock:
    """Clock. Starts at ``NOW`` unless told otherwise; seconds since the epoch."""

    def __init__(self, now: float = NOW) -> None:
        self._now = float(now)

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass; a clock under test may be set back, too."""
        self._now += seconds
