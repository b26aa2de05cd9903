"""One-time tokens that were spent, kept in Redis by digest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import SPENT, due, key, shard_of, tag
from adapters.stores.redis_links import Command
from adapters.stores.redis_reaper import reap_due
from adapters.stores.redis_schema import function
from broker.errors import Unavailable

_KIND = SPENT


@dataclass(frozen=True, slots=True)
class Spent:
    """A one-time token that was spent: digest, digest of the owner, and until when it counts."""

    slot: str
    owner: str
    ends_at: int


class RedisReplays:
    """ReplayCache."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def spend(self, token: str, owner: str, until: float) -> bool:
        _, first = await self._commands.calls(_spends(spent(tag(_KIND, token), owner, until)))
        return bool(first)

    async def kept(self, slots: Sequence[str]) -> list[Spent | None]:
        """What is known of one-time tokens, by their digests."""
        values = await self._commands.calls([("GET", key(slot, SPENT)) for slot in slots])
        return [
            None if value is None else _read(slot, value)
            for slot, value in zip(slots, values, strict=True)
        ]

    async def keep(self, tokens: Sequence[Spent]) -> None:
        """Write tokens as spent, each by its owner, whoever spent it before."""
        await self._commands.calls(
            [
                command
                for each in tokens
                for command in (("DEL", key(each.slot, SPENT)), *_spends(each))
            ]
        )

    async def reap(self, now: float) -> int:
        return await reap_due(self._commands, _KIND, SPENT, now)


def spent(slot: str, owner: str, until: float) -> Spent:
    """As Redis keeps it: ends in whole seconds, and owners by digest."""
    return Spent(slot, tag("owner", owner), math.ceil(until))


def _spends(token: Spent) -> list[Command]:
    due_key = due(_KIND, shard_of(token.slot))
    spend = ("FCALL", function("spend"), 1, key(token.slot, SPENT), token.owner, token.ends_at)
    return [("FCALL", function("schedule"), 1, due_key, token.ends_at, token.slot), spend]


def _read(slot: str, value: bytes) -> Spent:
    try:
        ends_at, owner = value.decode().split(" ")
        return Spent(slot, owner, int(ends_at))
    except ValueError:
        raise Unavailable(
            "the store cannot be read", detail="redis: a broken spent token"
        ) from None
