"""Sessions, kept by the SHA-256 digest of their id: a copy of the file opens no session.

The keyed digest by which Redis keeps them stands beside it, so that they can move there. A session
of an earlier version gets it when it is next used.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3

from adapters.stores import REAP_CHUNK, TOUCH_SECONDS, session_origin
from adapters.stores.sqlite_connection import Database
from adapters.stores.sqlite_tokens import reaped_in_chunks
from broker.model import Secret, Session

_PUT = (
    "INSERT OR REPLACE INTO sessions (digest, uid, principal, realm, created_at, last_access_at, "
    "max_idle_seconds, max_life_seconds, interim, user_stamp, origin, tag) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_GET = (
    "SELECT uid, principal, realm, created_at, last_access_at, max_idle_seconds, "
    "max_life_seconds, interim, user_stamp, origin FROM sessions WHERE digest = ?"
)
_TOUCH = (
    "UPDATE sessions SET last_access_at = :now, tag = :tag "
    "WHERE digest = :digest AND last_access_at <= :now - :pause AND ends_at > :now"
)
_REAP = (
    "DELETE FROM sessions WHERE digest IN (SELECT digest FROM sessions WHERE ends_at <= ? LIMIT ?)"
)


class SqliteSessions:
    """SessionStore."""

    def __init__(self, database: Database, tag_key: bytes) -> None:
        self._database = database
        self._tag_key = tag_key

    async def put(self, session: Session) -> None:
        values = (
            _digest(session.id),
            session.uid,
            session.principal,
            session.realm,
            session.created_at,
            session.last_access_at,
            session.max_idle_seconds,
            session.max_life_seconds,
            session.interim,
            session.user_stamp,
            session_origin.text(session.origin),
            self._tag(session.id),
        )

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_PUT, values)

        await self._database.write(work)

    async def get(self, session_id: Secret) -> Session | None:
        row = self._database.row(_GET, (_digest(session_id),))
        if row is None:
            return None
        uid, principal, realm, created_at, last_access_at, idle, life, interim, stamp, origin = row
        return Session(
            id=session_id,
            uid=uid,
            principal=principal,
            realm=realm,
            created_at=created_at,
            last_access_at=last_access_at,
            max_idle_seconds=idle,
            max_life_seconds=life,
            interim=bool(interim),
            user_stamp=stamp,
            origin=session_origin.from_text(origin),
        )

    async def touch(self, session_id: Secret, now: int) -> None:
        session = await self.get(session_id)
        if session is None or now - session.last_access_at < TOUCH_SECONDS:
            return
        values = {
            "now": now,
            "pause": TOUCH_SECONDS,
            "digest": _digest(session_id),
            "tag": self._tag(session_id),
        }

        # The statement asks again: the session may have been touched, ended or reaped meanwhile.
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_TOUCH, values)

        await self._database.write(work)

    async def end(self, session_id: Secret) -> bool:
        digest = _digest(session_id)

        def work(connection: sqlite3.Connection) -> bool:
            ended = connection.execute("DELETE FROM sessions WHERE digest = ?", (digest,))
            return ended.rowcount > 0

        return await self._database.write(work)

    async def reap(self, now: float) -> int:
        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(_REAP, (now, REAP_CHUNK)).rowcount

        return await reaped_in_chunks(self._database, work)

    def _tag(self, session_id: Secret) -> bytes:
        return hmac.digest(self._tag_key, _text(session_id), "sha256")


def _digest(session_id: Secret) -> bytes:
    return hashlib.sha256(_text(session_id)).digest()


def _text(session_id: Secret) -> bytes:
    # a header may hold bytes that are no text; they name no session, and are no error either
    return session_id.reveal().encode("utf-8", "surrogatepass")
