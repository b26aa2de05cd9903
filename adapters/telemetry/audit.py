"""The audit file: one JSON line an attempt, written before the answer leaves.

Requests of one turn of the event loop share one write, so the promise costs a request a fraction
of a system call. Each write is one ``write(2)`` on a descriptor opened for appending, so the lines
of several workers never mix.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import structlog

from broker.errors import Unavailable
from broker.ports import AuditRecord

FILE_MODE = 0o600

_log = structlog.get_logger(__name__)


class AuditFile:
    """An ``AuditSink`` on a file. With ``fsync`` each grouped write waits for the disk as well."""

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        self._path = path
        self._fsync = fsync
        self._descriptor = _opened(path)
        self._pending: list[bytes] = []
        self._written: asyncio.Future[None] | None = None
        self._torn = False

    async def record(self, record: AuditRecord) -> None:
        """Written when it returns. Raises Unavailable if it could not be."""
        self._pending.append(orjson.dumps(line(record)) + b"\n")
        if self._written is None:
            loop = asyncio.get_running_loop()
            self._written = loop.create_future()
            loop.call_soon(self._flush)
        try:
            await asyncio.shield(self._written)
        except OSError as error:
            raise Unavailable(
                "the audit cannot be written, so nothing is answered", detail=str(error)
            ) from None

    def follow(self) -> None:
        """Go on in a new file of the same name, if a rotation moved this one away."""
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(self._path.stat(), os.fstat(self._descriptor)):
                return
        moved, self._descriptor = self._descriptor, _opened(self._path)
        os.close(moved)

    def close(self) -> None:
        os.close(self._descriptor)

    def _flush(self) -> None:
        lines, self._pending = b"".join(self._pending), []
        written, self._written = self._written, None
        if written is None:
            return
        if self._fsync:
            loop = asyncio.get_running_loop()
            task = loop.run_in_executor(None, self._write, lines)
            task.add_done_callback(lambda done: _settle(written, done.exception()))
            return
        try:
            self._write(lines)
        except OSError as error:
            _settle(written, error)
        else:
            _settle(written, None)

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


def _settle(written: asyncio.Future[None], error: BaseException | None) -> None:
    if written.done():
        return
    if error is None:
        written.set_result(None)
    else:
        _log.error("audit write failed", error=str(error))
        written.set_exception(error)


def line(record: AuditRecord) -> dict[str, Any]:
    """A record as the members of its line; members without a value are left out."""
    attempt = record.attempt
    members = {
        "time": datetime.fromtimestamp(record.ended_at, UTC).isoformat(timespec="milliseconds"),
        "operation": attempt.operation,
        "outcome": record.outcome,
        "error": record.error,
        "reason": record.reason,
        "transport": attempt.transport,
        "address": attempt.address,
        "requester": attempt.requester,
        "request_id": attempt.request_id,
        "realm": attempt.realm,
        "instance": attempt.instance,
        "input_type": attempt.input_type,
        "output_type": attempt.output_type,
        "principal": attempt.principal,
        "token_id": attempt.token_id,
        "token_alias": attempt.token_alias,
        "digest": attempt.digest,
        "key_id": attempt.key_id,
        "replayed": attempt.replayed or None,
        "milliseconds": round((record.ended_at - attempt.started_at) * 1000, 3),
        **attempt.extra,
    }
    return {name: value for name, value in members.items() if value is not None}
