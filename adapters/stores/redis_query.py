"""Pages of token records, in order of alias, merged from the shards of the index."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import SHARDS, index, short
from adapters.stores.redis_records import key_stem, parent_stem
from adapters.stores.redis_schema import function
from broker.model import TokenRecord
from broker.ports import TokenQuery

MIN_CHUNK = 8
"""How many entries are asked of one shard at least."""

Complete = Callable[[], Awaitable[bool]]
"""Whether all records have their names by key and by parent."""

Find = Callable[[list[str]], Awaitable[list[TokenRecord | None]]]


async def matching(
    commands: Commands, find: Find, query: TokenQuery, unwritten_seconds: int, complete: Complete
) -> list[TokenRecord]:
    """At most ``query.limit`` records that match all of it.

    An index entry counts only if its record exists and matches; one without a record that is older
    than ``unwritten_seconds`` is dropped on the way.
    """
    prefix = await _prefix(query, complete)
    matched: list[TokenRecord] = []
    after = None if query.after is None else query.after.encode("utf-8", "surrogatepass")
    while len(matched) < query.limit:
        wanted = max(MIN_CHUNK, 2 * (query.limit - len(matched)) // SHARDS)
        entries, last = await _page(commands, prefix, after, wanted)
        aliases = sorted(entries)
        records = await find([alias.decode() for alias in aliases])
        found = [record for record in records if record is not None]
        matched += [record for record in found if _matches(record, query)]
        dangling = [
            entries[alias] for alias, record in zip(aliases, records, strict=True) if record is None
        ]
        await _drop(commands, dangling, unwritten_seconds)
        if last:
            break
        after = aliases[-1]
    return matched[: max(query.limit, 0)]


Entry = tuple[int, bytes]
"""A shard, and the member of its index."""


async def _page(
    commands: Commands, prefix: bytes, after: bytes | None, wanted: int
) -> tuple[dict[bytes, Entry], bool]:
    """The next entries by alias, and whether they are the last.

    A shard that gave all that was asked of it may have more: what lies behind its last entry must
    wait until its turn has come.
    """
    start = b"[" + prefix if after is None else b"(" + prefix + after + b"\0\xff"
    end = _beyond(prefix)
    replies = await commands.calls(
        [
            ("ZRANGE", index(shard), start, end, "BYLEX", "LIMIT", 0, wanted)
            for shard in range(SHARDS)
        ]
    )
    entries: dict[bytes, Entry] = {}
    ends: list[bytes] = []
    for shard, members in enumerate(replies):
        for member in members:
            entries[_alias(member, prefix)] = (shard, member)
        if len(members) == wanted:
            ends.append(_alias(members[-1], prefix))
    if not ends:
        return entries, True
    bound = min(ends)
    return {alias: entry for alias, entry in entries.items() if alias <= bound}, False


def _alias(member: bytes, prefix: bytes) -> bytes:
    return member[len(prefix) :].rpartition(b"\0")[0]


def _beyond(prefix: bytes) -> bytes:
    """The end of the range of names that start with ``prefix``, which starts with a letter."""
    stripped = prefix.rstrip(b"\xff")
    return b"(" + stripped[:-1] + bytes([stripped[-1] + 1])


async def _drop(commands: Commands, dangling: list[Entry], unwritten_seconds: int) -> None:
    by_shard: dict[int, list[bytes]] = {}
    for shard, member in dangling:
        by_shard.setdefault(shard, []).append(member)
    await commands.calls(
        [
            ("FCALL", function("drop"), 1, index(shard), unwritten_seconds, *members)
            for shard, members in by_shard.items()
        ]
    )


async def _prefix(query: TokenQuery, complete: Complete) -> bytes:
    """Of the names to read: by what narrows most.

    While a store is not migrated, what brokers of schema 1 wrote has no name by key or parent.
    """
    if query.parent is not None and await complete():
        return parent_stem(query.parent)
    if query.principal is not None:
        return b"p" + short("principal", query.principal)
    if query.instance is not None:
        return b"i" + short("instance", query.instance)
    if query.key_id is not None and await complete():
        return key_stem(query.key_id)
    if query.realm is not None:
        return b"r" + short("realm", query.realm)
    return b"a"


def _matches(record: TokenRecord, query: TokenQuery) -> bool:
    return (
        query.instance in (None, record.instance)
        and query.principal in (None, record.principal)
        and query.realm in (None, record.realm)
        and query.key_id in (None, record.key_id)
        and query.parent in (None, record.parent)
    )
