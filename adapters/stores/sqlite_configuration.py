"""Configuration that brokers share in SQLite, sealed because it holds private keys."""

from __future__ import annotations

import hmac
import sqlite3

from adapters.keys.root_secret import Sealer
from adapters.stores.sealing import opened, plain
from adapters.stores.sqlite_connection import Database
from adapters.stores.sqlite_instances import NEXT_GENERATION, SqliteInstances
from adapters.stores.sqlite_outbox import SqliteOutbox, put
from broker.model import Announcement

_GET = "SELECT sealed FROM configuration WHERE name = ?"
_LIST = "SELECT name, sealed FROM configuration ORDER BY name"
_DIGEST = "SELECT digest FROM configuration WHERE name = ?"
_PUT = "INSERT OR REPLACE INTO configuration (name, digest, sealed) VALUES (?, ?, ?)"
_DELETE = "DELETE FROM configuration WHERE name = ?"


class SqliteConfiguration:
    """ConfigurationStore."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        digest_key: bytes,
        instances: SqliteInstances,
        outbox: SqliteOutbox,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._digest_key = digest_key
        self._instances = instances
        self._outbox = outbox

    async def generation(self) -> int:
        return await self._instances.generation()

    async def get(self, name: str) -> bytes | None:
        row = self._database.row(_GET, (name,))
        return None if row is None else opened(self._sealer, row[0], _context(name))

    async def swap(
        self,
        name: str,
        expected: bytes | None,
        value: bytes | None,
        announcement: Announcement | None = None,
    ) -> bool:
        sealed = None if value is None else self._sealer.seal(value, _context(name))
        announced = self._outbox.row(announcement)

        def work(connection: sqlite3.Connection) -> bool:
            known = connection.execute(_DIGEST, (name,)).fetchone()
            if (known[0] if known else None) != self._digest(expected):
                return False
            if sealed is None:
                connection.execute(_DELETE, (name,))
            else:
                connection.execute(_PUT, (name, self._digest(value), sealed))
            connection.execute(NEXT_GENERATION)
            put(connection, announced)
            return True

        return await self._database.write(work)

    async def list(self, prefix: str = "") -> dict[str, bytes]:
        rows = await self._database.rows(_LIST)
        return {
            name: opened(self._sealer, sealed, _context(name))
            for name, sealed in rows
            if name.startswith(prefix)
        }

    def _digest(self, value: bytes | None) -> bytes | None:
        return None if value is None else hmac.digest(self._digest_key, value, "sha256")


def _context(name: str) -> bytes:
    return plain(["configuration", name])
