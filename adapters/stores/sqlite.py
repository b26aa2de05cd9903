"""Stores in one SQLite file: opened here, one file beside this for each group of tables."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from adapters.keys import deployment
from adapters.keys.deployment import Deployment, KeyWrapper
from adapters.keys.root_secret import Sealer
from adapters.stores import EVENTS_KEPT, Stores, copy_marks
from adapters.stores.announcements import JOURNAL_KEY, OUTBOX_KEY
from adapters.stores.sqlite_attempts import SqliteAttempts
from adapters.stores.sqlite_configuration import SqliteConfiguration
from adapters.stores.sqlite_connection import Database
from adapters.stores.sqlite_factors import SqliteFactors
from adapters.stores.sqlite_instances import SqliteInstances
from adapters.stores.sqlite_journal import SqliteJournal
from adapters.stores.sqlite_ledger import SqliteLedger
from adapters.stores.sqlite_outbox import SqliteOutbox
from adapters.stores.sqlite_schema import prepare
from adapters.stores.sqlite_sessions import SqliteSessions
from adapters.stores.sqlite_tokens import SqliteReplays, SqliteTokens
from adapters.stores.sqlite_users import SqliteUsers

SLOTS_ROW = "deployment"


async def open_sqlite(
    path: Path, wrappers: Sequence[KeyWrapper], events_kept: int = EVENTS_KEPT
) -> Stores:
    """Open the file, making it at first; several processes may hold it open.

    Raises ForeignStore, SchemaTooNew, CopyUnfinished, and Unavailable if the file cannot be opened.
    """
    await asyncio.to_thread(prepare, path)
    database = Database(path)
    try:
        found = await _recognised(database, wrappers)
    except BaseException:
        await database.close()
        raise
    return stores_on(database, found, events_kept)


async def _recognised(database: Database, wrappers: Sequence[KeyWrapper]) -> Deployment:
    cell = MetaCell(database)
    fingerprint = database.row("SELECT value FROM meta WHERE name = 'root-secret'")
    first = None
    if fingerprint is not None and await cell.read() is None:
        first = deployment.legacy_key(fingerprint[0], wrappers)
    found = await deployment.opened(cell, wrappers, first)
    copy_marks.refuse_unfinished(await MetaCell(database, copy_marks.FIELD).read())
    return found


class MetaCell:
    """Where the key slots are (port ``deployment.Cell``): a row of the table ``meta``."""

    def __init__(self, database: Database, name: str = SLOTS_ROW) -> None:
        self._database = database
        self._name = name

    async def read(self) -> bytes | None:
        row = self._database.row("SELECT value FROM meta WHERE name = ?", (self._name,))
        return None if row is None else row[0]

    async def swap(self, expected: bytes | None, value: bytes) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            if expected is None:
                sql, values = "INSERT OR IGNORE INTO meta VALUES (?, ?)", (self._name, value)
                return connection.execute(sql, values).rowcount > 0
            changed = connection.execute(
                "UPDATE meta SET value = ? WHERE name = ? AND value = ?",
                (value, self._name, expected),
            )
            return changed.rowcount > 0

        return await self._database.write(work)


def stores_on(database: Database, found: Deployment, events_kept: int = EVENTS_KEPT) -> Stores:
    """The stores of an open database."""
    key = found.key
    outbox = SqliteOutbox(database, Sealer(key.derive(OUTBOX_KEY)))
    instances = SqliteInstances(database, Sealer(key.derive("instances")), outbox)
    return Stores(
        tokens=SqliteTokens(database, outbox),
        ledger=SqliteLedger(database, Sealer(key.derive("answers")), outbox),
        replays=SqliteReplays(database),
        sessions=SqliteSessions(database, key.derive("session-digests")),
        instances=instances,
        users=SqliteUsers(database),
        factors=SqliteFactors(database, Sealer(key.derive("factors"))),
        attempts=SqliteAttempts(database),
        configuration=SqliteConfiguration(
            database,
            Sealer(key.derive("configuration")),
            key.derive("configuration-digests"),
            instances,
            outbox,
        ),
        outbox=outbox,
        journal=SqliteJournal(database, Sealer(key.derive(JOURNAL_KEY)), events_kept),
        deployment=found,
        slots=MetaCell(database),
        on_close=database.close,
    )
