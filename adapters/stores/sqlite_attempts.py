"""Failed logins, counted in the SQLite file: they outlive a restart, and all workers see them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from adapters.stores import REAP_CHUNK
from adapters.stores.sqlite_connection import Database, Row
from adapters.stores.sqlite_tokens import reaped_in_chunks
from broker.attempts import NONE_YET, Failure, Tally

_GET = "SELECT failures, counted_at, succeeded_at FROM attempts WHERE key = ?"
_PUT = (
    "INSERT INTO attempts (key, failures, counted_at, succeeded_at, until) "
    "VALUES (:key, :failures, :counted_at, :succeeded_at, :until) "
    "ON CONFLICT DO UPDATE SET failures = :failures, counted_at = :counted_at, "
    "succeeded_at = :succeeded_at, until = max(until, :until)"
)
_REAP = "DELETE FROM attempts WHERE key IN (SELECT key FROM attempts WHERE until <= ? LIMIT ?)"


class SqliteAttempts:
    """AttemptStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tallies(self, keys: Sequence[bytes]) -> list[Tally]:
        return [_tally(self._database.row(_GET, (key,))) for key in keys]

    async def failed(self, failures: Sequence[Failure]) -> list[Tally]:
        if not failures:
            return []

        def work(connection: sqlite3.Connection) -> list[Tally]:
            return [_count(connection, failure) for failure in failures]

        return await self._database.write(work)

    async def succeeded(self, key: bytes, at: float, until: float) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _put(connection, key, Tally(0.0, at, at), until)

        await self._database.write(work)

    async def reap(self, now: float) -> int:
        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(_REAP, (now, REAP_CHUNK)).rowcount

        return await reaped_in_chunks(self._database, work)


def _count(connection: sqlite3.Connection, failure: Failure) -> Tally:
    rows = connection.execute(_GET, (failure.key,)).fetchall()
    before = _tally(rows[0] if rows else None)
    after = failure.counted(before)
    _put(connection, failure.key, after, failure.rule.forgotten_at(after))
    return before


def _put(connection: sqlite3.Connection, key: bytes, tally: Tally, until: float) -> None:
    values = {
        "key": key,
        "failures": tally.failures,
        "counted_at": tally.counted_at,
        "succeeded_at": tally.succeeded_at,
        "until": until,
    }
    connection.execute(_PUT, values)


def _tally(row: Row | None) -> Tally:
    return NONE_YET if row is None else Tally(*row)
