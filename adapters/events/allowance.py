"""How many rejections are announced: anybody can cause them, so their number is bounded."""

from __future__ import annotations

from collections.abc import Callable

PER_SECOND = 50
"""Rejections that one process announces, on average and at once."""

REPORT_SECONDS = 60.0
"""How often it is said how many were left out."""


class Allowance:
    """A bucket of ``per_second`` permits. ``now`` is a clock in seconds that never goes back."""

    def __init__(self, now: Callable[[], float], per_second: int = PER_SECOND) -> None:
        self._now = now
        self._per_second = per_second
        self._left = float(per_second)
        self._at = now()
        self._reported_at = now()
        self._refused = 0

    def take(self) -> bool:
        """Whether one more may go out."""
        now = self._now()
        self._left = min(self._per_second, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            self._refused += 1
            return False
        self._left -= 1
        return True

    def report(self) -> int:
        """How many were refused since the last report, once that is a while ago; else 0."""
        if self._now() - self._reported_at < REPORT_SECONDS:
            return 0
        self._reported_at = self._now()
        refused, self._refused = self._refused, 0
        return refused
