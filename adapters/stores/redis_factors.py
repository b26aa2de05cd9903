"""Second factors in Redis: one hash for each realm, each factor sealed in a field of it.

What expires stands in sorted sets as well, which say where a reaper looks and when. A field whose
factor has another end than its entry is left alone.
"""

from __future__ import annotations

import base64
from typing import Any

import orjson

from adapters.keys.root_secret import Sealer
from adapters.stores import REAP_CHUNK
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import FACTOR, FACTORS, SHARDS, due, key, shard_of, tag
from adapters.stores.redis_links import Command
from adapters.stores.redis_schema import function
from adapters.stores.sealing import opened, plain
from broker.factors import Factor

_BETWEEN = "."  # of slot and field, which are base64url


class RedisFactors:
    """FactorStore."""

    def __init__(self, commands: Commands, sealer: Sealer) -> None:
        self._commands = commands
        self._sealer = sealer

    async def get(self, realm: str, account: str, kind: str, id: str) -> Factor | None:
        return self._read(*await self._sealed(_slot(realm), _field(account, kind, id)))

    async def list(self, realm: str, account: str | None = None) -> list[Factor]:
        slot = _slot(realm)
        flat = await self._commands.call("HGETALL", key(slot, FACTORS))
        pairs = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)
        found = [self._read(slot, field.decode(), sealed) for field, sealed in pairs]
        kept = [each for each in found if each is not None and account in (None, each.account)]
        return sorted(kept, key=lambda each: (each.account, each.kind, each.id))

    async def swap(self, expected: Factor | None, factor: Factor) -> bool:
        """No two seals are alike, so the sealed factor says which state a field is in."""
        field = _field(factor.account, factor.kind, factor.id)
        slot, _, present = await self._sealed(_slot(factor.realm), field)
        if self._read(slot, field, present) != expected:
            return False
        value = self._sealer.seal(_told(factor), _context(slot, field))
        words = (field, present or b"", value)
        change = ("FCALL", function("swap_meta"), 1, key(slot, FACTORS), *words)
        return bool((await self._commands.calls([*_scheduled(slot, field, factor), change]))[-1])

    async def delete(self, realm: str, account: str, kind: str, id: str) -> bool:
        fields = key(_slot(realm), FACTORS), _field(account, kind, id)
        return bool(await self._commands.call("HDEL", *fields))

    async def reap(self, now: float) -> int:
        reaped = 0
        for shard in range(SHARDS):
            looked_at = REAP_CHUNK
            while looked_at == REAP_CHUNK:
                removed, looked_at = await self._reap_chunk(due(FACTOR, shard), now)
                reaped += removed
        return reaped

    async def _reap_chunk(self, due_key: str, now: float) -> tuple[int, int]:
        """How many factors were removed, and how many entries looked at."""
        entries: list[bytes] = await self._commands.call(
            "ZRANGE", due_key, "-inf", now, "BYSCORE", "LIMIT", 0, REAP_CHUNK
        )
        places = [entry.decode().split(_BETWEEN) for entry in entries]
        held = await self._commands.calls(
            [("HGET", key(slot, FACTORS), field) for slot, field in places]
        )
        removals: list[Command] = []
        for (slot, field), sealed in zip(places, held, strict=True):
            factor = self._read(slot, field, sealed)
            if factor is not None and factor.expires_at is not None and factor.expires_at <= now:
                removals.append(("HDEL", key(slot, FACTORS), field))
        removed = await self._commands.calls(removals)
        # an entry goes after its factor, so that a reaper that dies leaves none behind
        await self._commands.calls([("ZREM", due_key, entry) for entry in entries])
        return sum(removed), len(entries)

    async def _sealed(self, slot: str, field: str) -> tuple[str, str, bytes | None]:
        return slot, field, await self._commands.call("HGET", key(slot, FACTORS), field)

    def _read(self, slot: str, field: str, sealed: bytes | None) -> Factor | None:
        if sealed is None:
            return None
        told: list[Any] = orjson.loads(opened(self._sealer, sealed, _context(slot, field)))
        realm, account, kind, id_, body, expires_at = told
        return Factor(realm, account, kind, id_, base64.b64decode(body), expires_at)


def _scheduled(slot: str, field: str, factor: Factor) -> list[Command]:
    """Written before the factor itself, so that none is forgotten."""
    if factor.expires_at is None:
        return []
    member = slot + _BETWEEN + field
    due_key = due(FACTOR, shard_of(member))
    return [("FCALL", function("schedule"), 1, due_key, factor.expires_at, member)]


def _told(factor: Factor) -> bytes:
    body = base64.b64encode(factor.body).decode()
    names = [factor.realm, factor.account, factor.kind, factor.id]
    return plain([*names, body, factor.expires_at])


def _slot(realm: str) -> str:
    return tag("realm", realm)


def _field(account: str, kind: str, id_: str) -> str:
    return tag(FACTOR, account, kind, id_)


def _context(slot: str, field: str) -> bytes:
    return plain([FACTOR, slot, field])
