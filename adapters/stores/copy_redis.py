"""Copying what only Redis's own keys lead to: sessions and one-time tokens, found by what is due.

Both are kept by digest. The digest is the same in every Redis of a deployment, since it is keyed by
the deployment key or by nothing, so they move without anybody knowing what it is a digest of.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from adapters.stores.copy_parts import Item, chunked, content
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import SESSION, SHARDS, SPENT, due, expiry, key
from adapters.stores.redis_replays import RedisReplays, Spent
from adapters.stores.redis_sessions import RedisSessions
from adapters.stores.session_origin import from_text, listed
from broker.errors import Unavailable
from broker.model import Secret, Session


async def slots_of(commands: Commands, kind: str) -> AsyncIterator[list[str]]:
    """The digests of all things of a kind, and of some that are gone.

    One reply for each shard, so that nothing is missed that stays in it.
    """
    for shard in range(SHARDS):
        names = await commands.call("ZRANGE", due(kind, shard), 0, -1)
        for chunk in chunked(names):
            yield [name.decode() for name in chunk]


async def tokens_in(commands: Commands) -> int | None:
    """How many tokens are indexed; None for a user that may not ask, as a broker's may not."""
    try:
        counts = await commands.calls([("ZCARD", expiry(shard)) for shard in range(SHARDS)])
    except Unavailable:
        return None
    return int(sum(counts))


class Sessions:
    """Sessions in a Redis, as a source and as a target."""

    def __init__(self, commands: Commands, sessions: RedisSessions) -> None:
        self._commands = commands
        self._sessions = sessions

    async def count(self) -> int | None:
        return None

    async def chunks(self) -> AsyncIterator[list[Item[Session]]]:
        async for slots in slots_of(self._commands, SESSION):
            found = await self._sessions.kept(slots)
            yield [session_item(session) for session in found if session is not None]

    async def found(self, items: Sequence[Item[Session]]) -> list[bytes | None]:
        sessions = await self._sessions.kept([str(item.key) for item in items])
        return [None if each is None else session_item(each).content for each in sessions]

    async def write(self, items: Sequence[Item[Session]]) -> None:
        await self._sessions.keep([item.thing for item in items])

    async def all_keys(self) -> AsyncIterator[list[str]]:
        async for slots in slots_of(self._commands, SESSION):
            found = await self._sessions.kept(slots)
            yield [slot for slot, each in zip(slots, found, strict=True) if each is not None]

    async def remove(self, keys: Sequence[str]) -> None:
        await self._commands.calls([("DEL", key(slot, SESSION)) for slot in keys])


def session_item(session: Session) -> Item[Session]:
    """Of a session whose id is not known; Redis's digest of it stands there."""
    told = content(
        [
            session.uid,
            session.principal,
            session.realm,
            session.created_at,
            session.last_access_at,
            session.max_idle_seconds,
            session.max_life_seconds,
            session.interim,
            session.user_stamp,
            listed(session.origin),
        ]
    )
    return Item(session.id.reveal(), told, session)


def session_of(slot: str, row: Sequence[object]) -> Session:
    """Out of a row of SQLite, in the order of ``copy_sqlite``."""
    uid, principal, realm, created_at, last_access_at, idle, life, interim, stamp, origin = row
    return Session(
        id=Secret(slot),
        uid=str(uid),
        principal=str(principal),
        realm=str(realm),
        created_at=_whole(created_at),
        last_access_at=_whole(last_access_at),
        max_idle_seconds=_whole(idle),
        max_life_seconds=_whole(life),
        interim=bool(interim),
        user_stamp=str(stamp),
        origin=from_text(origin),
    )


def _whole(number: object) -> int:
    return int(str(number))


class SpentTokens:
    """One-time tokens in a Redis, as a source and as a target."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._replays = RedisReplays(commands)

    async def count(self) -> int | None:
        return None

    async def chunks(self) -> AsyncIterator[list[Item[Spent]]]:
        async for slots in slots_of(self._commands, SPENT):
            found = await self._replays.kept(slots)
            yield [spent_item(token) for token in found if token is not None]

    async def found(self, items: Sequence[Item[Spent]]) -> list[bytes | None]:
        tokens = await self._replays.kept([str(item.key) for item in items])
        return [None if token is None else spent_item(token).content for token in tokens]

    async def write(self, items: Sequence[Item[Spent]]) -> None:
        await self._replays.keep([item.thing for item in items])

    async def all_keys(self) -> AsyncIterator[list[str]]:
        async for slots in slots_of(self._commands, SPENT):
            found = await self._replays.kept(slots)
            yield [token.slot for token in found if token is not None]

    async def remove(self, keys: Sequence[str]) -> None:
        await self._commands.calls([("DEL", key(slot, SPENT)) for slot in keys])


def spent_item(token: Spent) -> Item[Spent]:
    return Item(token.slot, content([token.owner, token.ends_at]), token)
