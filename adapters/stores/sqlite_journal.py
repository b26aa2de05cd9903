"""The journal in SQLite: numbered rows, the oldest of which are deleted as new ones come."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence

from adapters.keys.root_secret import Sealer
from adapters.stores.announcements import sealed_body, unsealed_body
from adapters.stores.memory_outbox import known_position
from adapters.stores.sqlite_connection import Database, Row
from broker.errors import Unavailable

_INSERT = "INSERT INTO journal (sealed) VALUES (?)"
_TRIM = "DELETE FROM journal WHERE position <= (SELECT max(position) FROM journal) - ?"
_NEWEST = "SELECT max(position) FROM journal"
_AFTER = "SELECT position, sealed FROM journal WHERE position > ? ORDER BY position LIMIT ?"


class SqliteJournal:
    """Journal of the last ``kept`` announcements; positions are the numbers of rows."""

    def __init__(self, database: Database, sealer: Sealer, kept: int) -> None:
        self._database = database
        self._sealer = sealer
        self._kept = kept

    async def append(self, bodies: Sequence[bytes]) -> None:
        if self._kept == 0 or not bodies:
            return
        rows = [(sealed_body(self._sealer, body),) for body in bodies[-self._kept :]]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(_INSERT, rows)
            connection.execute(_TRIM, (self._kept,))

        await self._database.write(work)

    async def read(self, after: str | None, limit: int) -> list[tuple[str, bytes]]:
        newest = self._newest()
        if self._kept == 0 or newest is None:
            return []
        if after is None:
            return [(str(newest), b"")]
        start = known_position(after, newest)
        if start == newest:
            return []  # the usual case: nothing new, and nobody's thread was troubled
        rows = await self._database.rows(_AFTER, (start, max(limit, 0)))
        return self._read(rows)

    def _newest(self) -> int | None:
        row = self._database.row(_NEWEST)
        return None if row is None or row[0] is None else int(row[0])

    def _read(self, rows: Sequence[Row]) -> list[tuple[str, bytes]]:
        """What was tampered with is passed over, so that it stops nobody."""
        found = []
        for position, value in rows:
            with contextlib.suppress(Unavailable):
                found.append((str(position), unsealed_body(self._sealer, value)))
        return found
