"""Records of issued tokens, and one-time tokens that were spent."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence

from adapters.stores import REAP_CHUNK, redis_keys
from adapters.stores.sqlite_connection import Database, Row
from adapters.stores.sqlite_outbox import SqliteOutbox, put
from adapters.stores.sqlite_writer import Work
from broker.errors import Conflict
from broker.model import Announcement, TokenRecord, TokenType
from broker.ports import TokenQuery

COLUMNS = (
    "alias, token_id, digest, type, instance, realm, principal, issued_at, expires_at, key_id, "
    "parent, kept"
)

_GET = f"SELECT {COLUMNS} FROM tokens WHERE alias = ?"  # noqa: S608 - a constant
_INSERT = (
    f"INSERT INTO tokens ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608 - too
    "ON CONFLICT DO NOTHING"
)
_EXPIRED = f"SELECT {COLUMNS} FROM tokens WHERE expires_at <= ? LIMIT ?"  # noqa: S608 - too
_REAP = "DELETE FROM tokens WHERE alias = ? AND token_id = ? AND expires_at <= ?"


class SqliteTokens:
    """TokenStore."""

    def __init__(self, database: Database, outbox: SqliteOutbox) -> None:
        self._database = database
        self._outbox = outbox

    async def get(self, alias: str) -> TokenRecord | None:
        row = self._database.row(_GET, (alias,))
        return None if row is None else _record(row)

    async def query(self, query: TokenQuery) -> list[TokenRecord]:
        conditions, values = _conditions(query)
        where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
        rows = await self._database.rows(
            f"SELECT {COLUMNS} FROM tokens {where}ORDER BY alias LIMIT ?",  # noqa: S608 - constants
            (*values, max(query.limit, 0)),
        )
        return [_record(row) for row in rows]

    async def cancel(self, alias: str, announcement: Announcement | None = None) -> bool:
        announced = self._outbox.row(announcement)

        def work(connection: sqlite3.Connection) -> bool:
            if not connection.execute("DELETE FROM tokens WHERE alias = ?", (alias,)).rowcount:
                return False
            put(connection, announced)
            return True

        return await self._database.write(work)

    async def reap(
        self, now: float, announce: Callable[[TokenRecord], Announcement | None] | None = None
    ) -> list[TokenRecord]:
        reaped: list[TokenRecord] = []
        while True:
            rows = await self._database.rows(_EXPIRED, (now, REAP_CHUNK))
            if rows:
                reaped += await self._removed([_record(row) for row in rows], now, announce)
            if len(rows) < REAP_CHUNK:
                return reaped

    async def _removed(
        self,
        records: Sequence[TokenRecord],
        now: float,
        announce: Callable[[TokenRecord], Announcement | None] | None,
    ) -> list[TokenRecord]:
        """Those that this call removed. What they are announced with is made before, since the
        writer has a thread of its own; another process may be faster with any of them."""
        made = [None if announce is None else announce(record) for record in records]
        rows = [self._outbox.row(announcement) for announcement in made]

        def work(connection: sqlite3.Connection) -> list[TokenRecord]:
            removed = []
            for record, row in zip(records, rows, strict=True):
                if connection.execute(_REAP, (record.alias, record.token_id, now)).rowcount:
                    put(connection, row)
                    removed.append(record)
            return removed

        return await self._database.write(work)


def _conditions(query: TokenQuery) -> tuple[list[str], list[str]]:
    """What a record must fulfil, and the values for it.

    What narrows most comes first, and chooses the index. The plus keeps the others from it: without
    statistics SQLite takes a key's tokens to be as few as a principal's.
    """
    asked = (
        ("parent = ?", query.parent),
        ("principal = ?", query.principal),
        ("instance = ?", query.instance),
        ("key_id = ?", query.key_id),
        ("realm = ?", query.realm),
    )
    given = [(condition, value) for condition, value in asked if value is not None]
    conditions = [
        condition if at == 0 else f"+{condition}" for at, (condition, _) in enumerate(given)
    ]
    values = [value for _, value in given]
    if query.after is not None:
        conditions.append("alias > ?")
        values.append(query.after)
    return conditions, values


def add_record(connection: sqlite3.Connection, record: TokenRecord) -> None:
    """Write the record, unless it is there already; raises Conflict if its alias is taken."""
    added = connection.execute(
        _INSERT,
        (
            record.alias,
            record.token_id,
            record.digest,
            record.type,
            record.instance,
            record.realm,
            record.principal,
            record.issued_at,
            record.expires_at,
            record.key_id,
            record.parent,
            record.kept,
        ),
    )
    if added.rowcount:
        return
    known = connection.execute("SELECT token_id FROM tokens WHERE alias = ?", (record.alias,))
    if known.fetchall() != [(record.token_id,)]:
        raise Conflict("another token has this id", detail=f"alias {record.alias}")


def _record(row: Row) -> TokenRecord:
    (
        alias,
        token_id,
        digest,
        token_type,
        instance,
        realm,
        principal,
        issued_at,
        expires_at,
        key_id,
        parent,
        kept,
    ) = row
    return TokenRecord(
        token_id=token_id,
        alias=alias,
        digest=digest,
        type=TokenType(token_type),
        instance=instance,
        realm=realm,
        principal=principal,
        issued_at=issued_at,
        expires_at=expires_at,
        key_id=key_id,
        parent=parent,
        kept=kept,
    )


class SqliteReplays:
    """ReplayCache. Only digests of a one-time token are kept: this store's, and Redis's, under
    which it moves there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spend(self, token: str, owner: str, until: float) -> bool:
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        tag = redis_keys.digest(redis_keys.SPENT, token)

        def work(connection: sqlite3.Connection) -> bool:
            spent = connection.execute(
                "INSERT INTO replays VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET until = max(until, excluded.until) "
                "WHERE owner = excluded.owner",
                (digest, owner, until),
            )
            if not spent.rowcount:
                return False
            connection.execute("INSERT OR IGNORE INTO spent_tags VALUES (?, ?)", (digest, tag))
            return True

        return await self._database.write(work)

    async def reap(self, now: float) -> int:
        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "DELETE FROM replays WHERE digest IN "
                "(SELECT digest FROM replays WHERE until <= ? LIMIT ?)",
                (now, REAP_CHUNK),
            ).rowcount

        return await reaped_in_chunks(self._database, work)


async def reaped_in_chunks(database: Database, work: Work[int]) -> int:
    """Repeat ``work`` until it finds less than a full chunk; how many rows it found in all."""
    total = 0
    while True:
        chunk = await database.write(work)
        total += chunk
        if chunk < REAP_CHUNK:
            return total
