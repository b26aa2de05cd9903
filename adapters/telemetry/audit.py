"""The audit file: one JSON line an attempt, written before the answer leaves.

Requests of one turn of the event loop share one write, so the promise costs a request a fraction
of a system call. Each write is one ``write(2)`` on a descriptor opened for appending, so the lines
of several workers never mix.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any

import orjson
import structlog

from adapters.telemetry.metrics import Metrics
from adapters.telemetry.personal import Display
from broker.errors import Unavailable
from broker.ports import AuditRecord

FILE_MODE = 0o600

ATTEMPTED = (
    "operation",
    "transport",
    "address",
    "requester",
    "request_id",
    "realm",
    "instance",
    "input_type",
    "output_type",
    "principal",
    "token_id",
    "token_alias",
    "digest",
    "key_id",
)
"""What of an ``Attempt`` stands in its line under its own name."""

_attempted = attrgetter(*ATTEMPTED)

_log = structlog.get_logger(__name__)


class AuditFile:
    """An ``AuditSink`` on a file. With ``fsync`` each grouped write waits for the disk as well.
    ``display`` says how people are named in it."""

    def __init__(self, path: Path, *, fsync: bool = False, display: Display | None = None) -> None:
        self._path = path
        self._hide = None if display is None or display.full else display.hide
        self._fsync = fsync
        self._descriptor = _opened(path)
        self._pending: list[bytes] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._writing: list[asyncio.Future[None]] = []
        self._since = self._writing_since = 0.0
        self._torn = False

    def watched_by(self, metrics: Metrics) -> None:
        """Have ``metrics`` say how many records wait, and for how long."""
        metrics.watch("audit_pending_records", lambda: self.pending)
        metrics.watch("audit_lag_seconds", lambda: self.lag_seconds)

    async def record(self, record: AuditRecord) -> None:
        """Written when it returns. Raises Unavailable if it could not be."""
        self._pending.append(self._written(record))
        await self._flushed()

    async def record_all(self, records: Sequence[AuditRecord]) -> None:
        """In order, written when it returns. Raises Unavailable if one could not be."""
        self._pending.extend([self._written(record) for record in records])
        await self._flushed()

    def _written(self, record: AuditRecord) -> bytes:
        members = line(record)
        if self._hide is not None:
            self._hide(members)
        return orjson.dumps(members) + b"\n"

    def _flushed(self) -> asyncio.Future[None]:
        """Done when what is pending is written. A future for each caller: one that is cancelled
        takes nothing from the others."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            self._since = time.monotonic()
            loop.call_soon(self._flush)
        waiting = loop.create_future()
        self._waiting.append(waiting)
        return waiting

    @property
    def pending(self) -> int:
        """Records that wait to be written, and their answers with them."""
        return len(self._waiting) + len(self._writing)

    @property
    def lag_seconds(self) -> float:
        """For how long the oldest of them has been waiting."""
        if self._writing:
            return time.monotonic() - self._writing_since
        return time.monotonic() - self._since if self._waiting else 0.0

    def follow(self) -> None:
        """Go on in a new file of the same name, if a rotation moved this one away. Not while a
        thread writes to it: that is for the next time."""
        if self._writing:
            return
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(self._path.stat(), os.fstat(self._descriptor)):
                return
        moved, self._descriptor = self._descriptor, _opened(self._path)
        os.close(moved)

    def close(self) -> None:
        os.close(self._descriptor)

    def _flush(self) -> None:
        if self._writing:
            return  # what is pending goes out together, once the disk has what was before it
        lines, self._pending = b"".join(self._pending), []
        waiting, self._waiting = self._waiting, []
        if self._fsync:
            self._writing, self._writing_since = waiting, self._since
            loop = asyncio.get_running_loop()
            loop.run_in_executor(None, self._write, lines).add_done_callback(self._synced)
            return
        try:
            self._write(lines)
        except OSError as error:
            _settle(waiting, error)
        else:
            _settle(waiting, None)

    def _synced(self, done: asyncio.Future[None]) -> None:
        waiting, self._writing = self._writing, []
        _settle(waiting, done.exception())
        if self._waiting:
            self._flush()

    def _write(self, lines: bytes) -> None:
        # A write that failed half-way left part of a line: what follows starts on its own.
        view = memoryview(b"\n" + lines if self._torn else lines)
        self._torn = True
        while view:
            view = view[os.write(self._descriptor, view) :]
        self._torn = False
        if self._fsync:
            os.fsync(self._descriptor)


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, FILE_MODE)


def _settle(waiting: Sequence[asyncio.Future[None]], error: BaseException | None) -> None:
    if error is not None:
        _log.error("audit write failed", error=str(error))
    for each in waiting:
        if each.done():
            continue  # its request was cancelled
        if error is None:
            each.set_result(None)
        else:
            each.set_exception(_unwritten(error))


def _unwritten(error: BaseException) -> Unavailable:
    return Unavailable("the audit cannot be written, so nothing is answered", detail=str(error))


def line(record: AuditRecord) -> dict[str, Any]:
    """A record as the members of its line; members without a value are left out."""
    attempt = record.attempt
    members: dict[str, Any] = {"time": _time(record.ended_at), "outcome": record.outcome}
    if record.error is not None:
        members["error"] = record.error
    if record.reason is not None:
        members["reason"] = record.reason
    known = zip(ATTEMPTED, _attempted(attempt), strict=True)
    members.update([each for each in known if each[1] is not None])
    if attempt.replayed:
        members["replayed"] = True
    members["milliseconds"] = round((record.ended_at - attempt.started_at) * 1000, 3)
    if attempt.extra:
        members.update(attempt.extra)
    return members


def _time(at: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    seconds, millis = divmod(int(at * 1000), 1000)
    return f"{_second(seconds)}.{millis:03d}+00:00"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
