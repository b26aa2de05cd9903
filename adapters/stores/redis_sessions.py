"""Sessions in Redis, kept by a keyed digest of their id: a copy of the store opens no session.

Who can write to Redis cannot make one either, since the digest needs a key and the session is
sealed, bound to its id. The times that a touch moves stand outside the seal.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any

import orjson

from adapters.keys.root_secret import Sealer
from adapters.stores import TOUCH_SECONDS
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import SESSION, due, key, shard_of, text_of
from adapters.stores.redis_links import Command
from adapters.stores.redis_reaper import reap_due
from adapters.stores.redis_schema import function
from adapters.stores.sealing import opened, plain
from adapters.stores.session_origin import listed, origin_of
from broker.errors import Unavailable
from broker.model import Secret, Session

_KIND = "session"


class RedisSessions:
    """SessionStore."""

    def __init__(self, commands: Commands, sealer: Sealer, digest_key: bytes) -> None:
        self._commands = commands
        self._sealer = sealer
        self._digest_key = digest_key

    async def put(self, session: Session) -> None:
        await self._commands.calls(self._puts(self._slot(session.id), session))

    async def kept(self, slots: Sequence[str]) -> list[Session | None]:
        """Sessions by the digest of their id, which stands where the id would: nobody knows it."""
        values = await self._commands.calls([("GET", key(slot, SESSION)) for slot in slots])
        return [
            None if value is None else self._session(slot, value, Secret(slot))
            for slot, value in zip(slots, values, strict=True)
        ]

    async def keep(self, sessions: Sequence[Session]) -> None:
        """Write sessions that have such a digest for an id."""
        await self._commands.calls(
            [command for each in sessions for command in self._puts(each.id.reveal(), each)]
        )

    def _puts(self, slot: str, session: Session) -> list[Command]:
        fixed: list[Any] = [
            session.uid,
            session.principal,
            session.realm,
            session.created_at,
            session.interim,
            session.user_stamp,
        ]
        if session.origin is not None:  # versions before it read the others as ever
            fixed.append(listed(session.origin))
        sealed = self._sealer.seal(plain(fixed), _context(slot))
        times = (session.last_access_at, session.max_idle_seconds, session.life_expires_at)
        ends_at = min(session.idle_expires_at, session.life_expires_at)
        return [
            ("FCALL", function("schedule"), 1, due(_KIND, shard_of(slot)), ends_at, slot),
            ("FCALL", function("put_session"), 1, key(slot, SESSION), *times, sealed),
        ]

    async def get(self, session_id: Secret) -> Session | None:
        slot = self._slot(session_id)
        value = await self._commands.call("GET", key(slot, SESSION))
        return None if value is None else self._session(slot, value, session_id)

    def _session(self, slot: str, value: bytes, session_id: Secret) -> Session:
        try:
            last, idle, life_end, sealed = value.split(b" ", 3)
        except ValueError:
            raise Unavailable(
                "the store cannot be read", detail="redis: a broken session"
            ) from None
        fixed = orjson.loads(opened(self._sealer, sealed, _context(slot)))
        uid, principal, realm, created_at, interim, stamp, *origin = fixed
        return Session(
            id=session_id,
            uid=uid,
            principal=principal,
            realm=realm,
            created_at=created_at,
            last_access_at=int(last),
            max_idle_seconds=int(idle),
            max_life_seconds=int(life_end) - created_at,
            interim=interim,
            user_stamp=stamp,
            origin=origin_of(origin[0]) if origin else None,
        )

    async def touch(self, session_id: Secret, now: int) -> None:
        """The function decides, since the session may be touched, ended or reaped meanwhile."""
        session = key(self._slot(session_id), SESSION)
        await self._commands.call(
            "FCALL", function("touch_session"), 1, session, now, TOUCH_SECONDS
        )

    async def end(self, session_id: Secret) -> bool:
        return bool(await self._commands.call("DEL", key(self._slot(session_id), SESSION)))

    async def reap(self, now: float) -> int:
        return await reap_due(self._commands, _KIND, SESSION, now)

    def _slot(self, session_id: Secret) -> str:
        # a header may hold bytes that are no text; they name no session, and are no error either
        text = session_id.reveal().encode("utf-8", "surrogatepass")
        return text_of(hmac.digest(self._digest_key, text, "sha256"))


def _context(slot: str) -> bytes:
    return plain(["session", slot])
