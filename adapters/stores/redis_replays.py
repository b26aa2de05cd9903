"""One-time tokens that were spent, kept in Redis by digest."""

from __future__ import annotations

import math

from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import SPENT, due, key, shard_of, tag
from adapters.stores.redis_reaper import reap_due
from adapters.stores.redis_schema import function

_KIND = "spent"


class RedisReplays:
    """ReplayCache."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def spend(self, token: str, owner: str, until: float) -> bool:
        slot = tag(_KIND, token)
        ends_at = math.ceil(until)
        _, first = await self._commands.calls(
            [
                ("FCALL", function("schedule"), 1, due(_KIND, shard_of(slot)), ends_at, slot),
                ("FCALL", function("spend"), 1, key(slot, SPENT), tag("owner", owner), ends_at),
            ]
        )
        return bool(first)

    async def reap(self, now: float) -> int:
        return await reap_due(self._commands, _KIND, SPENT, now)
