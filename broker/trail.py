"""One attempt, one audit record, written before the answer leaves."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable
from typing import TypeVar

from broker.errors import Refusal, RemintError
from broker.failures import failure_of
from broker.ports import Attempt, AuditRecord, AuditSink, Clock

T = TypeVar("T")


class AuditTrail:
    """Runs work and records how it ended, whatever that was.

    If the record cannot be written the answer does not leave: the sink's Unavailable is raised in
    its place.
    """

    def __init__(self, sink: AuditSink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock

    async def recorded(self, attempt: Attempt, work: Awaitable[T]) -> T:
        """The result of ``work``; its exception passes through once it is recorded."""
        try:
            result = await work
        except Refusal as refusal:
            await self._write(attempt, "refused", refusal)
            raise
        except BaseException as error:
            failure = failure_of(error)
            await self._write(attempt, "failed", failure)
            if failure is error:
                raise
            raise failure from None
        await self._write(attempt, "ok", None)
        return result

    async def ended(self, attempt: Attempt, error: Exception | None = None) -> None:
        """Record an attempt that a transport ended itself, unless it is recorded already."""
        if attempt.recorded:
            return
        outcome = "ok" if error is None else "refused" if isinstance(error, Refusal) else "failed"
        await self._write(attempt, outcome, error)

    async def _write(self, attempt: Attempt, outcome: str, error: Exception | None) -> None:
        reason = None
        if isinstance(error, RemintError):
            reason = error.detail or error.sentence
        elif error is not None:
            reason = _place(error)
        await self._sink.record(
            AuditRecord(
                attempt=attempt,
                outcome=outcome,
                error=type(error).__name__ if error else None,
                reason=reason,
                ended_at=self._clock.now(),
            )
        )
        attempt.recorded = True


def _place(error: Exception) -> str | None:
    """Where a failure that nobody foresaw was raised; its text may quote what must not be kept."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else None
