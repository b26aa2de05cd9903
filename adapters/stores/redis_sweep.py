"""A look through the names by key and by parent, for those whose record is gone.

Whoever removes a record knows these names from it. But a record can go without that: a broker of
schema 1 reaps it, its time to live ends, or its commit fails once it is announced. The reaper then
finds the other names by the date of expiry, and these two it comes across here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import SHARDS, SHORT_DIGEST_BYTES, index
from adapters.stores.redis_schema import function

NAMES_AT_ONCE = 64
"""How many names of each shard are looked at in one turn, so that a turn stays short."""

_RANGES = ((b"[c", b"(d"), (b"[k", b"(l"))
_ALIAS_AT = 1 + SHORT_DIGEST_BYTES

Sealed = Callable[[list[str]], Awaitable[list[bytes | None]]]


class Sweeper:
    """Goes round and round; ``sealed`` finds records by their aliases."""

    def __init__(self, commands: Commands, sealed: Sealed) -> None:
        self._commands = commands
        self._sealed = sealed
        self._at = [(0, _RANGES[0][0]) for _ in range(SHARDS)]

    async def turn(self, shard: int, unwritten_seconds: int) -> None:
        """Drop what has no record and is older than ``unwritten_seconds``; raises Unavailable."""
        which, start = self._at[shard]
        page = ("BYLEX", "LIMIT", 0, NAMES_AT_ONCE)
        names = await self._commands.call("ZRANGE", index(shard), start, _RANGES[which][1], *page)
        if len(names) < NAMES_AT_ONCE:
            following = (which + 1) % len(_RANGES)
            self._at[shard] = following, _RANGES[following][0]
        else:
            self._at[shard] = which, b"(" + names[-1]
        aliases = [name[_ALIAS_AT:].rpartition(b"\0")[0].decode() for name in names]
        values = await self._sealed(aliases)
        dangling = [name for name, value in zip(names, values, strict=True) if value is None]
        if dangling:
            words = (function("drop"), 1, index(shard), unwritten_seconds, *dangling)
            await self._commands.call("FCALL", *words)
