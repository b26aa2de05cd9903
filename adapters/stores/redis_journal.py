"""The journal in Redis: one sorted set of positions and bodies, trimmed as it grows."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from adapters.keys.root_secret import Sealer
from adapters.stores.announcements import sealed_body, unsealed_body
from adapters.stores.memory_outbox import known_position
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import JOURNAL
from adapters.stores.redis_schema import function
from broker.errors import Unavailable

_DIGITS = 16


class RedisJournal:
    """Journal of the last ``kept`` announcements; positions are microseconds of Redis's clock."""

    def __init__(self, commands: Commands, sealer: Sealer, kept: int) -> None:
        self._commands = commands
        self._sealer = sealer
        self._kept = kept

    async def append(self, bodies: Sequence[bytes]) -> None:
        if self._kept == 0 or not bodies:
            return
        sealed = [sealed_body(self._sealer, body) for body in bodies[-self._kept :]]
        words = (function("append_journal"), 1, JOURNAL, self._kept)
        await self._commands.call("FCALL", *words, *sealed)

    async def read(self, after: str | None, limit: int) -> list[tuple[str, bytes]]:
        if self._kept == 0:
            return []
        newest = await self._commands.call("ZRANGE", JOURNAL, -1, -1)
        if not newest:
            return []
        last = _position(newest[0])
        if after is None:
            return [(str(last), b"")]
        start = known_position(after, last)
        if start == last or limit <= 0:
            return []
        first = b"[%016d" % (start + 1)
        page = ("BYLEX", "LIMIT", 0, limit)
        return self._read(await self._commands.call("ZRANGE", JOURNAL, first, "+", *page))

    def _read(self, members: Sequence[bytes]) -> list[tuple[str, bytes]]:
        """What was tampered with is passed over, so that it stops nobody."""
        found = []
        for member in members:
            with contextlib.suppress(Unavailable):
                body = unsealed_body(self._sealer, member[_DIGITS:])
                found.append((str(_position(member)), body))
        return found


def _position(member: bytes) -> int:
    return int(member[:_DIGITS])
