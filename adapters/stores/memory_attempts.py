"""Failed logins, counted in one process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeVar

from broker.attempts import NONE_YET, Failure, Tally

T = TypeVar("T")

MAX_TALLIES = 100_000
"""Of failures, and as many of successes; the longest untouched go first. They are kept apart: no
flood of failures can push out who is known."""


class MemoryAttempts:
    """AttemptStore. What it does waits for nothing: ``peek``, ``count`` and ``note`` are its
    methods without the awaiting."""

    def __init__(self) -> None:
        self._failures: OrderedDict[bytes, tuple[Tally, float]] = OrderedDict()
        self._successes: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def peek(self, key: bytes) -> Tally:
        """What is known of a key."""
        failed, _ = self._failures.get(key, (NONE_YET, 0.0))
        succeeded_at, _ = self._successes.get(key, (0.0, 0.0))
        return Tally(failed.failures, max(failed.counted_at, succeeded_at), succeeded_at)

    def count(self, failure: Failure) -> Tally:
        """One more failure; the tally before it."""
        before = self.peek(failure.key)
        after = failure.counted(before)
        kept = Tally(after.failures, after.counted_at)
        _put(self._failures, failure.key, (kept, failure.rule.forgotten_at(kept)))
        return before

    def note(self, key: bytes, at: float, until: float) -> None:
        """A success."""
        self._failures.pop(key, None)
        _put(self._successes, key, (at, until))

    async def tallies(self, keys: Sequence[bytes]) -> list[Tally]:
        return [self.peek(key) for key in keys]

    async def failed(self, failures: Sequence[Failure]) -> list[Tally]:
        return [self.count(failure) for failure in failures]

    async def succeeded(self, key: bytes, at: float, until: float) -> None:
        self.note(key, at, until)

    async def reap(self, now: float) -> int:
        return _reaped(self._failures, now) + _reaped(self._successes, now)


def _put(kept: OrderedDict[bytes, T], key: bytes, value: T) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > MAX_TALLIES:
        kept.popitem(last=False)


def _reaped(kept: OrderedDict[bytes, tuple[T, float]], now: float) -> int:
    over = [key for key, (_, until) in kept.items() if until <= now]
    for key in over:
        del kept[key]
    return len(over)
