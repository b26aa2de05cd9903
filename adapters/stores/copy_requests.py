"""Copying the ledger of requests into Redis: open claims, answers, and what is left of old ones.

The sealed answer moves as it is: both stores seal it under the same key for the same place. A claim
is put together differently, so that of SQLite is opened and sealed anew. Between two Redis nothing
is opened, and each request stays in the slot it has.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.keys.root_secret import SealBroken, Sealer
from adapters.stores.copy_parts import CHUNK, Item, content
from adapters.stores.copy_redis import slots_of
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import REQUEST, due, key, shard_of, tag, text_of
from adapters.stores.redis_links import Command
from adapters.stores.redis_schema import function
from adapters.stores.sealing import opened, plain
from adapters.stores.sqlite_connection import Row

CLAIM_FIELD = b"c"
SAFETY_SECONDS = 24 * 3600
"""As the functions in Redis have it: how long a key outlives what a reaper would remove."""

_ROWS = (
    "SELECT rowid, scope, request_id, fingerprint, owner, epoch, lease_until, token_id, issued_at, "
    "expires_at, key_id, entropy, answer, answer_until, forget_at FROM requests "
    "WHERE rowid > ? ORDER BY rowid LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as Redis keeps it: the fields of its hash.

    ``claim`` and ``place`` stand for the field of the sealed claim where that is to be sealed yet.
    """

    slot: str
    fields: Mapping[bytes, bytes] = field(repr=False)
    claim: bytes | None = field(default=None, repr=False)
    place: bytes = b""


def _item(request: Request) -> Item[Request]:
    fields = {name.decode(): value.hex() for name, value in request.fields.items()}
    if request.claim is not None:
        fields["claim"] = request.claim.hex()
    return Item(request.slot, content(fields), request)


class RedisRequests:
    """The ledger in a Redis, as a source and as a target."""

    def __init__(self, commands: Commands, answers: Sealer) -> None:
        self._commands = commands
        self._answers = answers

    async def count(self) -> int | None:
        return None

    async def chunks(self) -> AsyncIterator[list[Item[Request]]]:
        async for slots in slots_of(self._commands, REQUEST):
            found = await self._hashes(slots)
            pairs = zip(slots, found, strict=True)
            yield [_item(Request(slot, fields)) for slot, fields in pairs if fields]

    async def found(self, items: Sequence[Item[Request]]) -> list[bytes | None]:
        found = await self._hashes([item.thing.slot for item in items])
        return [
            self._as_given(item.thing, fields) if fields else None
            for item, fields in zip(items, found, strict=True)
        ]

    async def write(self, items: Sequence[Item[Request]]) -> None:
        await self._commands.calls([word for item in items for word in self._writes(item.thing)])

    async def all_keys(self) -> AsyncIterator[list[str]]:
        async for slots in slots_of(self._commands, REQUEST):
            found = await self._hashes(slots)
            yield [slot for slot, fields in zip(slots, found, strict=True) if fields]

    async def remove(self, keys: Sequence[str]) -> None:
        await self._commands.calls([("DEL", key(slot, REQUEST)) for slot in keys])

    async def _hashes(self, slots: Sequence[str]) -> list[dict[bytes, bytes]]:
        replies = await self._commands.calls([("HGETALL", key(slot, REQUEST)) for slot in slots])
        return [
            dict(reply)
            if isinstance(reply, Mapping)
            else dict(zip(reply[::2], reply[1::2], strict=True))
            for reply in replies
        ]

    def _as_given(self, given: Request, fields: dict[bytes, bytes]) -> bytes:
        """The content of what stands there, the claim opened if that of ``given`` is open."""
        claim = None
        sealed = None if given.claim is None else fields.pop(CLAIM_FIELD, None)
        if sealed is not None:
            try:
                claim = self._answers.open(sealed, given.place)
            except SealBroken:
                claim = b""
        return _item(Request(given.slot, fields, claim)).content

    def _writes(self, request: Request) -> list[Command]:
        name = key(request.slot, REQUEST)
        fields = dict(request.fields)
        if request.claim is not None:
            fields[CLAIM_FIELD] = self._answers.seal(request.claim, request.place)
        words = [word for pair in fields.items() for word in pair]
        due_at = fields[b"l"] if b"u" not in fields else fields[b"u" if b"a" in fields else b"g"]
        due_key = due(REQUEST, shard_of(request.slot))
        until = max(math.ceil(float(fields[b"g"])), int(time.time())) + SAFETY_SECONDS
        return [
            ("FCALL", function("schedule"), 1, due_key, due_at, request.slot),
            ("DEL", name),
            ("HSET", name, *words),
            ("EXPIREAT", name, until),
        ]


class SqliteRequests:
    """The ledger in a file, as a source for Redis."""

    def __init__(self, connection: sqlite3.Connection, answers: Sealer) -> None:
        self._connection = connection
        self._answers = answers

    async def count(self) -> int | None:
        (count,) = self._connection.execute("SELECT count(*) FROM requests").fetchone()
        return int(count)

    async def chunks(self) -> AsyncIterator[list[Item[Request]]]:
        after = 0
        while True:
            rows = self._connection.execute(_ROWS, (after, CHUNK)).fetchall()
            if rows:
                yield [_item(self._request(row[1:])) for row in rows]
                after = rows[-1][0]
            if len(rows) < CHUNK:
                return

    def _request(self, row: Row) -> Request:
        scope, request_id, fingerprint, owner, epoch, lease_until = row[:6]
        token_id, issued_at, expires_at, key_id, entropy = row[6:11]
        answer, answer_until, forget_at = row[11:]
        fields: dict[bytes, bytes] = {
            b"f": fingerprint,
            b"e": str(epoch).encode(),
            b"o": f"{epoch} {owner}".encode(),
            b"l": _written(lease_until),
            b"g": _written(forget_at),
        }
        if answer is not None:
            fields[b"a"] = answer
        slot = tag(REQUEST, scope, request_id)
        if answer_until is not None:
            return Request(slot, {**fields, b"u": _written(answer_until)})
        drawn = opened(self._answers, entropy, plain(["entropy", scope, request_id]))
        claim = plain([token_id, issued_at, expires_at, key_id, text_of(drawn)])
        return Request(slot, fields, claim, plain(["claim", scope, request_id]))


def _written(number: float) -> bytes:
    return repr(float(number)).encode()
