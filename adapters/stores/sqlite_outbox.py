"""The outbox in SQLite: a row that the transaction of the fact itself inserts."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Sequence

import structlog

from adapters.keys.root_secret import Sealer
from adapters.stores.announcements import sealed, unsealed
from adapters.stores.sqlite_connection import Database, Row
from broker.errors import Unavailable
from broker.model import Announcement

_INSERT = "INSERT OR IGNORE INTO outbox (digest, due_at, sealed) VALUES (?, ?, ?)"
_ANY_DUE = "SELECT 1 FROM outbox WHERE due_at <= ? LIMIT 1"
_DUE = "SELECT digest, sealed FROM outbox WHERE due_at <= ? ORDER BY due_at LIMIT ?"
_LEASE = "UPDATE outbox SET due_at = ? WHERE digest = ?"
_DELETE = "DELETE FROM outbox WHERE digest = ?"
_SIZE = "SELECT count(*) FROM outbox"

_log = structlog.get_logger(__name__)


class SqliteOutbox:
    """Outbox."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def row(self, announcement: Announcement | None) -> Row | None:
        """What a transaction inserts with ``put``; sealed here, since the writer serves many.

        Raises InvalidRequest for a name that is no Unicode text.
        """
        if announcement is None:
            return None
        digest = digest_of(announcement.id)
        return digest, announcement.due_at, sealed(self._sealer, digest, announcement)

    async def add(self, announcement: Announcement) -> None:
        row = self.row(announcement)
        await self._database.write(lambda connection: put(connection, row))

    async def due(self, now: float, lease_seconds: float, limit: int) -> list[Announcement]:
        if limit <= 0 or self._database.row(_ANY_DUE, (now,)) is None:
            return []  # no transaction while nothing is due

        def work(connection: sqlite3.Connection) -> list[Row]:
            rows: list[Row] = connection.execute(_DUE, (now, limit)).fetchall()
            until = now + lease_seconds
            connection.executemany(_LEASE, [(until, digest) for digest, _ in rows])
            return rows

        rows = await self._database.write(work)
        found = [self._read(digest, value) for digest, value in rows]
        return [announcement for announcement in found if announcement is not None]

    async def done(self, announcements: Sequence[Announcement]) -> None:
        digests = [(digest_of(announcement.id),) for announcement in announcements]
        if not digests:
            return

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(_DELETE, digests)

        await self._database.write(work)

    async def size(self) -> int:
        ((count,),) = await self._database.rows(_SIZE)  # in a thread: they may be many
        return int(count)

    def _read(self, digest: bytes, value: bytes) -> Announcement | None:
        """One that was tampered with stays where it is, and stops none of the others."""
        with contextlib.suppress(Unavailable):
            return unsealed(self._sealer, digest, value)
        _log.warning("an announcement in the outbox cannot be read", digest=digest.hex())
        return None


def put(connection: sqlite3.Connection, row: Row | None) -> None:
    """In the transaction of the fact that is announced."""
    if row is not None:
        connection.execute(_INSERT, row)


def digest_of(announcement_id: str) -> bytes:
    return hashlib.sha256(announcement_id.encode("utf-8", "surrogatepass")).digest()
