"""Stores in one SQLite file: opened here, one file beside this for each group of tables."""

from __future__ import annotations

import asyncio
from pathlib import Path

from adapters.keys.root_secret import RootSecret, Sealer
from adapters.stores import Stores
from adapters.stores.sqlite_connection import Database
from adapters.stores.sqlite_instances import SqliteInstances
from adapters.stores.sqlite_ledger import SqliteLedger
from adapters.stores.sqlite_schema import prepare
from adapters.stores.sqlite_sessions import SqliteSessions
from adapters.stores.sqlite_tokens import SqliteReplays, SqliteTokens
from adapters.stores.sqlite_users import SqliteUsers


async def open_sqlite(path: Path, root: RootSecret) -> Stores:
    """Open the file, making it at first; several processes may hold it open.

    Raises ForeignStore, SchemaTooNew, and Unavailable if the file cannot be opened.
    """
    await asyncio.to_thread(prepare, path, root.fingerprint)
    return stores_on(Database(path), root)


def stores_on(database: Database, root: RootSecret) -> Stores:
    """The stores of an open database."""
    return Stores(
        tokens=SqliteTokens(database),
        ledger=SqliteLedger(database, Sealer(root.derive("answers"))),
        replays=SqliteReplays(database),
        sessions=SqliteSessions(database),
        instances=SqliteInstances(database, Sealer(root.derive("instances"))),
        users=SqliteUsers(database),
        on_close=database.close,
    )
