"""Reaping what has ended, by sorted sets that say when to look at the latest."""

from __future__ import annotations

from adapters.stores import REAP_CHUNK
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import SHARDS, due, key
from adapters.stores.redis_schema import function


async def reap_due(commands: Commands, kind: str, key_kind: str, now: float) -> int:
    """Have the function ``reap_KIND`` look at all that is due; how many things it changed.

    Each look is one atomic step, so that of many reapers one counts a change. A thing that is gone
    is taken off the set; another is put down for when it wants to be looked at next.
    """
    changed = 0
    for shard in range(SHARDS):
        more = True
        while more:
            found, more = await _reap_chunk(commands, kind, key_kind, shard, now)
            changed += found
    return changed


async def _reap_chunk(
    commands: Commands, kind: str, key_kind: str, shard: int, now: float
) -> tuple[int, bool]:
    """How many things were changed, and whether more may be due."""
    due_key = due(kind, shard)
    entries = await commands.call(
        "ZRANGE", due_key, "-inf", now, "BYSCORE", "LIMIT", 0, REAP_CHUNK, "WITHSCORES"
    )
    tags, scores = entries[::2], entries[1::2]
    looks = await commands.calls(
        [("FCALL", function(f"reap_{kind}"), 1, key(name.decode(), key_kind), now) for name in tags]
    )
    seen = [
        word
        for name, score, (_, next_look) in zip(tags, scores, looks, strict=True)
        for word in (name, score, next_look)
    ]
    if seen:
        await commands.call("FCALL", function("reschedule"), 1, due_key, *seen)
    changed = sum(change for change, _ in looks)
    return changed, len(tags) == REAP_CHUNK
