"""Reading a file that is copied to Redis: what only its own rows lead to.

Redis keeps sessions and one-time tokens under other digests than SQLite does. Those stand in the
rows beside SQLite's own; rows that an earlier version wrote lack them and cannot move.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters.stores.copy_parts import CHUNK, Item
from adapters.stores.copy_redis import session_item, session_of, spent_item
from adapters.stores.redis_keys import text_of
from adapters.stores.redis_replays import Spent, spent
from adapters.stores.sqlite_connection import Row
from adapters.stores.sqlite_schema import READ_WAIT_SECONDS, connect, unavailable
from broker.model import Session

_SESSIONS = (
    "SELECT digest, tag, uid, principal, realm, created_at, last_access_at, max_idle_seconds, "
    "max_life_seconds, interim, user_stamp, origin FROM sessions "
    "WHERE tag IS NOT NULL AND digest > ? ORDER BY digest LIMIT ?"
)
_SPENT = (
    "SELECT digest, tag, owner, until FROM replays JOIN spent_tags USING (digest) "
    "WHERE digest > ? ORDER BY digest LIMIT ?"
)
_TAGGED_SESSIONS = "SELECT count(*) FROM sessions WHERE tag IS NOT NULL"
_TAGGED_SPENT = "SELECT count(*) FROM replays JOIN spent_tags USING (digest)"
_BARE_SESSIONS = "SELECT count(*) FROM sessions WHERE tag IS NULL AND ends_at > ?"
_BARE_SPENT = (
    "SELECT count(*), max(until) FROM replays WHERE until > ? "
    "AND digest NOT IN (SELECT digest FROM spent_tags)"
)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write; raises Unavailable."""
    try:
        with contextlib.closing(connect(path, READ_WAIT_SECONDS)) as connection:
            connection.execute("PRAGMA query_only = ON")
            yield connection
    except sqlite3.Error as error:
        raise unavailable(error) from error


def data_version(connection: sqlite3.Connection) -> int:
    """Moves with every commit of any other connection."""
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return int(version)


def realms_of_users(connection: sqlite3.Connection) -> set[str]:
    """And of their second factors."""
    rows = connection.execute("SELECT realm FROM users UNION SELECT realm FROM factors")
    return {realm for (realm,) in rows}


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What an earlier version wrote, which Redis would not find again.

    ``spent_until`` is when the last of the one-time tokens ends, in seconds since the epoch.
    """

    sessions: int = 0
    spent: int = 0
    spent_until: float = 0.0

    @property
    def sentence(self) -> str:
        """Why a copy that loses such tokens waits for somebody to say so."""
        end = datetime.fromtimestamp(self.spent_until, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return (
            f"{self.spent} one-time tokens that an earlier version saw spent cannot move, and each "
            f"would be accepted once more; wait until {end}, when the last of them has ended, or "
            "give --leave-behind"
        )


def left_behind(connection: sqlite3.Connection, now: float) -> LeftBehind:
    """What counts at ``now`` and cannot move."""
    (sessions,) = connection.execute(_BARE_SESSIONS, (now,)).fetchone()
    tokens, until = connection.execute(_BARE_SPENT, (now,)).fetchone()
    return LeftBehind(sessions, tokens, until or 0.0)


class SqliteSessionRows:
    """Sessions in a file, as a source for Redis."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def count(self) -> int | None:
        return _one(self._connection, _TAGGED_SESSIONS)

    async def chunks(self) -> AsyncIterator[list[Item[Session]]]:
        for rows in _pages(self._connection, _SESSIONS):
            yield [session_item(session_of(text_of(row[1]), row[2:])) for row in rows]


class SqliteSpentRows:
    """One-time tokens that were spent in a file, as a source for Redis."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def count(self) -> int | None:
        return _one(self._connection, _TAGGED_SPENT)

    async def chunks(self) -> AsyncIterator[list[Item[Spent]]]:
        for rows in _pages(self._connection, _SPENT):
            yield [spent_item(spent(text_of(tag), owner, until)) for _, tag, owner, until in rows]


def _one(connection: sqlite3.Connection, sql: str) -> int:
    (count,) = connection.execute(sql).fetchone()
    return int(count)


def _pages(connection: sqlite3.Connection, sql: str) -> Iterator[list[Row]]:
    """Rows in chunks, in order of a digest that comes first in each."""
    after = b""
    while True:
        rows: list[Row] = connection.execute(sql, (after, CHUNK)).fetchall()
        if rows:
            yield rows
            after = rows[-1][0]
        if len(rows) < CHUNK:
            return
