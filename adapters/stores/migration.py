"""From one schema version of a store in Redis to the next.

A step only adds what brokers of the version before do not look at, so both versions may work while
it runs. It may be cut short anywhere: how far it came is written down as it goes, and doing a part
twice changes nothing. When it is done the version is raised, and older brokers refuse the store
from then on. One that is still at work may go on writing what lacks the step's additions, so it is
for the operator to end it before.

SQLite has steps of its own, which run whenever the file is opened (``sqlite_schema``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping

from adapters.stores import Progress
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import META, SHARDS, index
from adapters.stores.redis_records import index_stems
from adapters.stores.redis_schema import SCHEMA_VERSION, function, schema_version
from adapters.stores.redis_tokens import RedisTokens
from broker.errors import Unavailable

CURSOR_FIELD = "migrating"
"""Of the store's marker: version, shard and alias that were reached, with blanks between."""

PAGE = 500
"""How many tokens one round trip brings up to date."""


class Migrated:
    """Whether a store has this broker's schema; once it has, nobody is asked again."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._known = False

    async def __call__(self) -> bool:
        """Raises SchemaTooNew, Unavailable."""
        if not self._known:
            self._known = await schema_version(self._commands) >= SCHEMA_VERSION
        return self._known


async def migrate(commands: Commands, tokens: RedisTokens, progress: Progress) -> None:
    """Do the steps that the store lacks, from where an earlier run stopped.

    Several runs at once do the same work and disturb nobody. Raises SchemaTooNew, Unavailable.
    """
    while (version := await schema_version(commands)) < SCHEMA_VERSION:
        await STEPS[version](Walk(commands, tokens, version, progress))
        raised = ("schema", version, version + 1)
        await commands.call("FCALL", function("swap_meta"), 1, META, *raised)
    await commands.call("HDEL", META, CURSOR_FIELD)


class Walk:
    """All tokens of a store, shard by shard in order of alias, and how far one step has come."""

    def __init__(
        self, commands: Commands, tokens: RedisTokens, version: int, progress: Progress
    ) -> None:
        self._commands = commands
        self._tokens = tokens
        self._version = version
        self._progress = progress
        self._seen = 0

    async def over(self, work: Callable[[int, list[str]], Awaitable[None]]) -> None:
        """Hand every token to ``work``, a shard's number and a page of aliases at a time."""
        first, after = await self._cursor()
        for shard in range(first, SHARDS):
            while aliases := await self._page(shard, after):
                await work(shard, aliases)
                after = aliases[-1]
                self._seen += len(aliases)
                await self._reached(shard, after)
            after = ""
            await self._reached(shard + 1, after)

    async def add_names(self, shard: int, aliases: list[str]) -> None:
        """Write the names by key and by parent that these tokens lack."""
        values = await self._tokens.sealed(aliases)
        missing = []
        for alias, value in zip(aliases, values, strict=True):
            stems: list[bytes] = []
            if value is not None:
                with contextlib.suppress(Unavailable):  # tampered with: nobody's token
                    stems = index_stems(self._tokens.read(alias, value))
            if stems:
                missing.append(("FCALL", function("index_more"), 1, index(shard), alias, *stems))
        await self._commands.calls(missing)

    async def _page(self, shard: int, after: str) -> list[str]:
        start = b"(a" + after.encode() + b"\0\xff" if after else b"[a"
        page = ("BYLEX", "LIMIT", 0, PAGE)
        members = await self._commands.call("ZRANGE", index(shard), start, "(b", *page)
        return [member[1:].rpartition(b"\0")[0].decode() for member in members]

    async def _cursor(self) -> tuple[int, str]:
        """Where an earlier run of this step stopped."""
        written = await self._commands.call("HGET", META, CURSOR_FIELD) or b""
        version, _, place = written.decode().partition(" ")
        if version != str(self._version):
            return 0, ""
        shard, _, alias = place.partition(" ")
        return int(shard), alias

    async def _reached(self, shard: int, alias: str) -> None:
        cursor = f"{self._version} {shard} {alias}"
        await self._commands.call("HSET", META, CURSOR_FIELD, cursor)
        self._progress(shard / SHARDS, self._seen)


async def _index_by_key_and_parent(walk: Walk) -> None:
    await walk.over(walk.add_names)


STEPS: Mapping[int, Callable[[Walk], Awaitable[None]]] = {1: _index_by_key_and_parent}
"""What leads from a version to the one after it."""
