"""Copying what is not announced yet, so that the brokers of the new store let it out.

In a Redis an announcement comes to stand where it says that it belongs. The journal stays behind:
its positions mean nothing in another store.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Sequence

from adapters.keys.root_secret import Sealer
from adapters.stores.announcements import unsealed
from adapters.stores.copy_parts import CHUNK, Item, chunked, content
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import OUTBOX, SHARDS, due
from adapters.stores.redis_outbox import RedisOutbox, entry_of, forget, key_of, plain_entry
from broker.errors import Unavailable
from broker.model import Announcement

_ROWS = "SELECT digest, sealed FROM outbox WHERE digest > ? ORDER BY digest LIMIT ?"


class SqliteAnnouncements:
    """The outbox in a file, as a source for Redis. What cannot be read is nobody's."""

    def __init__(self, connection: sqlite3.Connection, sealer: Sealer) -> None:
        self._connection = connection
        self._sealer = sealer

    async def count(self) -> int | None:
        (count,) = self._connection.execute("SELECT count(*) FROM outbox").fetchone()
        return int(count)

    async def chunks(self) -> AsyncIterator[list[Item[Announcement]]]:
        after = b""
        while rows := self._connection.execute(_ROWS, (after, CHUNK)).fetchall():
            found = []
            for digest, value in rows:
                with contextlib.suppress(Unavailable):
                    found.append(_item(unsealed(self._sealer, digest, value)))
            yield found
            after = rows[-1][0]


class RedisAnnouncements:
    """The outbox in a Redis, as a source and as a target."""

    def __init__(self, commands: Commands, outbox: RedisOutbox) -> None:
        self._commands = commands
        self._outbox = outbox

    async def count(self) -> int | None:
        return None

    async def chunks(self) -> AsyncIterator[list[Item[Announcement]]]:
        async for entries in self._entries():
            found = await self._outbox.kept(entries)
            yield [_item(each) for each in found if each is not None]

    async def found(self, items: Sequence[Item[Announcement]]) -> list[bytes | None]:
        found = await self._outbox.kept([str(item.key) for item in items])
        return [None if each is None else _told(each) for each in found]

    async def write(self, items: Sequence[Item[Announcement]]) -> None:
        letters = [self._outbox.letter(item.thing) for item in items]
        await self._commands.calls([letter.expected() for letter in letters])
        await self._commands.calls([letter.put() for letter in letters])

    async def all_keys(self) -> AsyncIterator[list[str]]:
        async for entries in self._entries():
            found = await self._outbox.kept(entries)
            yield [entry for entry, each in zip(entries, found, strict=True) if each is not None]

    async def remove(self, keys: Sequence[str]) -> None:
        gone = [("DEL", key_of(entry)) for entry in keys]
        await self._commands.calls([*gone, *forget(keys)])

    async def _entries(self) -> AsyncIterator[list[str]]:
        """One reply for each shard; an entry that is looked at twice is there once."""
        for shard in range(SHARDS):
            members = await self._commands.call("ZRANGE", due(OUTBOX, shard), 0, -1)
            entries = list(dict.fromkeys(plain_entry(member.decode()) for member in members))
            for chunk in chunked(entries):
                yield list(chunk)


def _item(announcement: Announcement) -> Item[Announcement]:
    return Item(entry_of(announcement), _told(announcement), announcement)


def _told(announcement: Announcement) -> bytes:
    return content(
        [
            announcement.id,
            announcement.type,
            announcement.routing_key,
            announcement.body.hex(),
            announcement.due_at,
            announcement.request,
            announcement.alias,
        ]
    )
