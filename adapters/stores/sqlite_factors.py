"""Second factors in SQLite, their bodies sealed: who has the file has no one's codes."""

from __future__ import annotations

import sqlite3

from adapters.keys.root_secret import Sealer
from adapters.stores import REAP_CHUNK
from adapters.stores.sealing import opened, plain
from adapters.stores.sqlite_connection import Database, Row
from adapters.stores.sqlite_tokens import reaped_in_chunks
from broker.factors import Factor

_COLUMNS = "realm, account, kind, id, expires_at, sealed"
_NAMED = "realm = ? AND account = ? AND kind = ? AND id = ?"
_GET = f"SELECT {_COLUMNS} FROM factors WHERE {_NAMED}"  # noqa: S608 - constants, here and below
_LIST = f"SELECT {_COLUMNS} FROM factors WHERE realm = ? ORDER BY account, kind, id"  # noqa: S608
_OWN = f"SELECT {_COLUMNS} FROM factors WHERE realm = ? AND account = ? ORDER BY kind, id"  # noqa: S608
_CREATE = f"INSERT INTO factors ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"  # noqa: S608
_REPLACE = f"UPDATE factors SET expires_at = ?, sealed = ? WHERE {_NAMED} AND sealed = ?"  # noqa: S608
_DELETE = f"DELETE FROM factors WHERE {_NAMED}"  # noqa: S608
_REAP = (
    "DELETE FROM factors WHERE (realm, account, kind, id) IN "
    "(SELECT realm, account, kind, id FROM factors WHERE expires_at <= ? LIMIT ?)"
)


class SqliteFactors:
    """FactorStore."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def get(self, realm: str, account: str, kind: str, id: str) -> Factor | None:
        row = self._database.row(_GET, (realm, account, kind, id))
        return None if row is None else self._factor(row)

    async def list(self, realm: str, account: str | None = None) -> list[Factor]:
        if account is None:
            rows = await self._database.rows(_LIST, (realm,))
        else:
            rows = await self._database.rows(_OWN, (realm, account))
        return [self._factor(row) for row in rows]

    async def swap(self, expected: Factor | None, factor: Factor) -> bool:
        """No two seals are alike, so the sealed body says which state a row is in."""
        names = (factor.realm, factor.account, factor.kind, factor.id)
        sealed = self._sealer.seal(factor.body, _context(*names))
        if expected is None:
            return await self._changed(_CREATE, (*names, factor.expires_at, sealed))
        row = self._database.row(_GET, names)
        if row is None or self._factor(row) != expected:
            return False
        return await self._changed(_REPLACE, (factor.expires_at, sealed, *names, row[5]))

    async def delete(self, realm: str, account: str, kind: str, id: str) -> bool:
        if self._database.row(_GET, (realm, account, kind, id)) is None:
            return False
        return await self._changed(_DELETE, (realm, account, kind, id))

    async def reap(self, now: float) -> int:
        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(_REAP, (now, REAP_CHUNK)).rowcount

        return await reaped_in_chunks(self._database, work)

    async def _changed(self, sql: str, values: tuple[object, ...]) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            return connection.execute(sql, values).rowcount > 0

        return await self._database.write(work)

    def _factor(self, row: Row) -> Factor:
        realm, account, kind, id_, expires_at, sealed = row
        body = opened(self._sealer, sealed, _context(realm, account, kind, id_))
        return Factor(realm, account, kind, id_, body, expires_at)


def _context(realm: str, account: str, kind: str, id_: str) -> bytes:
    return plain(["factor", realm, account, kind, id_])
