"""Documents of published instances, sealed because they hold client secrets."""

from __future__ import annotations

import sqlite3

import orjson

from adapters.keys.root_secret import Sealer
from adapters.stores.sealing import opened, plain
from adapters.stores.sqlite_connection import Database, Row
from adapters.stores.sqlite_outbox import SqliteOutbox, put
from broker.errors import AlreadyPublished, PreconditionFailed, Unavailable, UnknownInstance
from broker.model import Announcement, InstanceDocument

_GET = "SELECT id, realm, revision, format, body FROM instances WHERE id = ?"
_LIST = "SELECT id, realm, revision, format, body FROM instances ORDER BY id"
_INSERT = "INSERT INTO instances VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_UPDATE = "UPDATE instances SET realm = ?, revision = ?, format = ?, body = ? WHERE id = ?"
_GENERATION = "SELECT value FROM meta WHERE name = 'instances-generation'"
NEXT_GENERATION = "UPDATE meta SET value = value + 1 WHERE name = 'instances-generation'"


class SqliteInstances:
    """InstanceStore."""

    def __init__(self, database: Database, sealer: Sealer, outbox: SqliteOutbox) -> None:
        self._database = database
        self._sealer = sealer
        self._outbox = outbox
        self._data_version = -1
        self._generation = 0

    async def generation(self) -> int:
        """``PRAGMA data_version`` moves with every commit of any process and reads no page; only
        then is the counter read."""
        data_version = self._one("PRAGMA data_version")
        if data_version != self._data_version:
            # in this order: a commit in between is seen next time
            self._generation = self._one(_GENERATION)
            self._data_version = data_version
        return self._generation

    async def create(
        self, document: InstanceDocument, announcement: Announcement | None = None
    ) -> None:
        body = self._sealed(document)
        announced = self._outbox.row(announcement)

        def work(connection: sqlite3.Connection) -> None:
            created = connection.execute(
                _INSERT,
                (
                    document.id.casefold(),
                    document.id,
                    document.realm,
                    document.revision,
                    document.format,
                    body,
                ),
            )
            if not created.rowcount:
                raise AlreadyPublished("an instance is published under that name")
            connection.execute(NEXT_GENERATION)
            put(connection, announced)

        await self._database.write(work)

    async def replace(
        self,
        document: InstanceDocument,
        expected: str | None,
        announcement: Announcement | None = None,
    ) -> None:
        body = self._sealed(document)
        announced = self._outbox.row(announcement)

        def work(connection: sqlite3.Connection) -> None:
            if not _present(connection, document.id, expected):
                raise UnknownInstance("no instance is published under that name")
            connection.execute(
                _UPDATE,
                (document.realm, document.revision, document.format, body, document.id),
            )
            connection.execute(NEXT_GENERATION)
            put(connection, announced)

        await self._database.write(work)

    async def get(self, instance: str) -> InstanceDocument | None:
        row = self._database.row(_GET, (instance,))
        return None if row is None else self._document(row)

    async def list(self) -> list[InstanceDocument]:
        return [self._document(row) for row in await self._database.rows(_LIST)]

    async def delete(
        self, instance: str, expected: str | None, announcement: Announcement | None = None
    ) -> bool:
        announced = self._outbox.row(announcement)

        def work(connection: sqlite3.Connection) -> bool:
            if not _present(connection, instance, expected):
                return False
            connection.execute("DELETE FROM instances WHERE id = ?", (instance,))
            connection.execute(NEXT_GENERATION)
            put(connection, announced)
            return True

        return await self._database.write(work)

    def _one(self, sql: str) -> int:
        row = self._database.row(sql)
        if row is None:
            raise Unavailable("the store cannot be read", detail="sqlite: a counter is missing")
        return int(row[0])

    def _sealed(self, document: InstanceDocument) -> bytes:
        context = _context(document.id, document.realm, document.revision, document.format)
        return self._sealer.seal(plain([document.body]), context)

    def _document(self, row: Row) -> InstanceDocument:
        name, realm, revision, document_format, sealed = row
        context = _context(name, realm, revision, document_format)
        (body,) = orjson.loads(opened(self._sealer, sealed, context))
        return InstanceDocument(name, realm, revision, document_format, body)


def _context(name: str, realm: str, revision: str, document_format: str) -> bytes:
    return plain(["instance", name, realm, revision, document_format])


def _present(connection: sqlite3.Connection, instance: str, expected: str | None) -> bool:
    """Raises PreconditionFailed if another revision than the expected one is there."""
    rows = connection.execute("SELECT revision FROM instances WHERE id = ?", (instance,)).fetchall()
    if rows and expected is not None and rows[0][0] != expected:
        raise PreconditionFailed("the instance has changed since; read it again")
    return bool(rows)
