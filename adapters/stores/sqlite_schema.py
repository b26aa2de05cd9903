"""The tables of the SQLite store, and the door: who may open the file, and in which state.

Times are seconds since the epoch. Answers, entropy, instance documents and announcements are sealed
before they come here; session ids and one-time tokens come as SHA-256 digests.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from pathlib import Path

from adapters.stores import ForeignStore, SchemaTooNew
from broker.errors import Unavailable

WRITE_WAIT_SECONDS = 5.0
"""How long a writer waits for the writers of other processes."""

READ_WAIT_SECONDS = 0.25
"""Readers wait for nobody but a recovery after a crash; they run on the event loop."""

WAL_TRIES = 100
WAL_PAUSE_SECONDS = 0.02

_VERSION_1 = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
    "INSERT INTO meta VALUES ('instances-generation', 0)",
    """
    CREATE TABLE tokens (
        alias TEXT PRIMARY KEY, token_id TEXT NOT NULL, digest BLOB NOT NULL, type TEXT NOT NULL,
        instance TEXT NOT NULL, realm TEXT NOT NULL, principal TEXT NOT NULL,
        issued_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, key_id TEXT, parent TEXT
    ) WITHOUT ROWID
    """,
    "CREATE INDEX tokens_by_instance ON tokens (instance, alias)",
    "CREATE INDEX tokens_by_principal ON tokens (principal, alias)",
    "CREATE INDEX tokens_by_realm ON tokens (realm, alias)",
    "CREATE INDEX tokens_by_expiry ON tokens (expires_at)",
    # open while answer_until is NULL; after that gone once answer is NULL
    """
    CREATE TABLE requests (
        scope TEXT NOT NULL, request_id TEXT NOT NULL, fingerprint BLOB NOT NULL,
        owner TEXT NOT NULL, epoch INTEGER NOT NULL, lease_until REAL NOT NULL,
        token_id TEXT NOT NULL, issued_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
        key_id TEXT, entropy BLOB NOT NULL, answer BLOB, answer_until REAL, forget_at REAL NOT NULL,
        PRIMARY KEY (scope, request_id)
    )
    """,
    "CREATE INDEX requests_by_end ON requests (answer_until) WHERE answer IS NOT NULL",
    "CREATE INDEX requests_by_forgetting ON requests (forget_at)",
    """
    CREATE TABLE replays (
        digest BLOB PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE INDEX replays_by_end ON replays (until)",
    """
    CREATE TABLE sessions (
        digest BLOB PRIMARY KEY, uid TEXT NOT NULL, principal TEXT NOT NULL, realm TEXT NOT NULL,
        created_at INTEGER NOT NULL, last_access_at INTEGER NOT NULL,
        max_idle_seconds INTEGER NOT NULL, max_life_seconds INTEGER NOT NULL,
        interim INTEGER NOT NULL, user_stamp TEXT NOT NULL,
        ends_at INTEGER AS (min(last_access_at + max_idle_seconds, created_at + max_life_seconds))
    ) WITHOUT ROWID
    """,
    "CREATE INDEX sessions_by_end ON sessions (ends_at)",
    """
    CREATE TABLE instances (
        folded TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, realm TEXT NOT NULL,
        revision TEXT NOT NULL, format TEXT NOT NULL, body BLOB NOT NULL
    )
    """,
    """
    CREATE TABLE users (
        realm TEXT NOT NULL, name TEXT NOT NULL, password_hash TEXT NOT NULL,
        attributes TEXT NOT NULL, active INTEGER NOT NULL, PRIMARY KEY (realm, name)
    )
    """,
)

_VERSION_2 = (
    """
    CREATE TABLE configuration (
        name TEXT PRIMARY KEY, digest BLOB NOT NULL, sealed BLOB NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE INDEX tokens_by_key ON tokens (key_id, alias) WHERE key_id IS NOT NULL",
    "CREATE INDEX tokens_by_parent ON tokens (parent, alias) WHERE parent IS NOT NULL",
    # how Redis calls what is kept here by another digest, so that a store can move there
    "ALTER TABLE sessions ADD COLUMN tag BLOB",
    "CREATE TABLE spent_tags (digest BLOB PRIMARY KEY, tag BLOB NOT NULL) WITHOUT ROWID",
    """
    CREATE TRIGGER spent_tags_end AFTER DELETE ON replays
    BEGIN DELETE FROM spent_tags WHERE digest = old.digest; END
    """,
    """
    CREATE TABLE quotas (
        scope TEXT NOT NULL, ends_at INTEGER NOT NULL, used INTEGER NOT NULL,
        PRIMARY KEY (scope, ends_at)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX quotas_by_end ON quotas (ends_at)",
)

_VERSION_3 = (
    """
    CREATE TABLE outbox (
        digest BLOB PRIMARY KEY, due_at REAL NOT NULL, sealed BLOB NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE INDEX outbox_by_due ON outbox (due_at)",
    "CREATE TABLE journal (position INTEGER PRIMARY KEY, sealed BLOB NOT NULL)",
)

_VERSION_4 = ("ALTER TABLE tokens ADD COLUMN kept BLOB",)

# who checked the login of a session, as JSON, where modules did
_VERSION_5 = ("ALTER TABLE sessions ADD COLUMN origin TEXT",)

_VERSION_6 = (
    """
    CREATE TABLE factors (
        realm TEXT NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
        expires_at INTEGER, sealed BLOB NOT NULL, PRIMARY KEY (realm, account, kind, id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX factors_by_end ON factors (expires_at) WHERE expires_at IS NOT NULL",
)

_VERSION_7 = (
    """
    CREATE TABLE attempts (
        key BLOB PRIMARY KEY, failures REAL NOT NULL, counted_at REAL NOT NULL,
        succeeded_at REAL NOT NULL, until REAL NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE INDEX attempts_by_end ON attempts (until)",
)

MIGRATIONS = (
    _VERSION_1,
    _VERSION_2,
    _VERSION_3,
    _VERSION_4,
    _VERSION_5,
    _VERSION_6,
    _VERSION_7,
)
"""Statements that lead from one schema version to the next; the version is their number."""

SCHEMA_VERSION = len(MIGRATIONS)


def connect(path: Path, wait_seconds: float) -> sqlite3.Connection:
    """A connection in autocommit mode; whoever opens it keeps it to one thread at a time."""
    connection = sqlite3.connect(
        path, timeout=wait_seconds, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def unavailable(error: Exception) -> Unavailable:
    """What a caller hears when SQLite fails; the cause is for the audit."""
    return Unavailable("the store cannot be reached", detail=f"sqlite: {error}")


def prepare(path: Path) -> None:
    """Make the file and its tables, or check that they are ours. Blocks for a moment.

    Raises ForeignStore, SchemaTooNew, and Unavailable if the file cannot be opened.
    """
    try:
        _make_private(path)
        connection = connect(path, WRITE_WAIT_SECONDS)
    except (OSError, sqlite3.Error) as error:
        raise unavailable(error) from error
    try:
        _use_wal(connection)
        connection.execute("BEGIN IMMEDIATE")
        _migrate(connection)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise unavailable(error) from error
    finally:
        connection.close()


def _make_private(path: Path) -> None:
    """Mode 0600, before a byte is in the file; SQLite gives its -wal and -shm the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switching needs the file alone, and SQLite does not wait for that: processes that start at
    once try again. The mode then stays with the file."""
    for _ in range(WAL_TRIES):
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
        else:
            if mode == "wal":
                return
        time.sleep(WAL_PAUSE_SECONDS)
    raise sqlite3.OperationalError("the file cannot be switched to write-ahead logging")


def _migrate(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"the store has schema version {version} and this broker knows {SCHEMA_VERSION}; "
            "use the newer broker that wrote it"
        )
    if version == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchall():
        raise ForeignStore("the store's file is the database of another program")
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
