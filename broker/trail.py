"""One attempt, one audit record, written before the answer leaves."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from broker.errors import Refusal, RemintError
from broker.failures import failure_of
from broker.ports import Attempt, AuditRecord, AuditSink, Clock

T = TypeVar("T")


class AuditTrail:
    """Runs work and records how it ended, whatever that was.

    If the record cannot be written the answer does not leave: the sink's Unavailable is raised in
    its place. ``observe`` sees every record that was written; it must not fail.
    """

    def __init__(
        self,
        sink: AuditSink,
        clock: Clock,
        observe: Callable[[AuditRecord], None] = lambda _: None,
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._observe = observe

    async def recorded(
        self, attempt: Attempt, work: Awaitable[T], notes: list[AuditRecord] | None = None
    ) -> T:
        """The result of ``work``; its exception passes through once it is recorded.

        With ``notes`` the record is put there, for ``written``, which has to come before the
        answer.
        """
        try:
            result = await work
        except Refusal as refusal:
            await self._write(attempt, "refused", refusal, notes)
            raise
        except BaseException as error:
            failure = failure_of(error)
            await self._write(attempt, "failed", failure, notes)
            if failure is error:
                raise
            raise failure from None
        await self._write(attempt, "ok", None, notes)
        return result

    async def written(self, notes: Sequence[AuditRecord]) -> None:
        """Write records that were only noted. Raises Unavailable."""
        if notes:
            await self._sink.record_all(notes)
            for record in notes:
                self._observe(record)

    async def ended(self, attempt: Attempt, error: Exception | None = None) -> None:
        """Record an attempt that a transport ended itself, unless it is recorded already."""
        if attempt.recorded:
            return
        outcome = "ok" if error is None else "refused" if isinstance(error, Refusal) else "failed"
        await self._write(attempt, outcome, error)

    async def _write(
        self,
        attempt: Attempt,
        outcome: str,
        error: Exception | None,
        notes: list[AuditRecord] | None = None,
    ) -> None:
        reason = None
        if isinstance(error, RemintError):
            reason = error.detail or error.sentence
            if error.login is not None:
                attempt.extra["login"] = error.login
        elif error is not None:
            reason = _place(error)
        record = AuditRecord(
            attempt=attempt,
            outcome=outcome,
            error=type(error).__name__ if error else None,
            reason=reason,
            ended_at=self._clock.now(),
        )
        if notes is None:
            await self._sink.record(record)
            self._observe(record)
        else:
            notes.append(record)
        attempt.recorded = True


def _place(error: Exception) -> str | None:
    """Where a failure that nobody foresaw was raised; its text may quote what must not be kept."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else None
