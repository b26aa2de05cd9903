"""Records of issued tokens in Redis: look up, cancel and reap."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from adapters.keys.root_secret import Sealer
from adapters.stores.redis_cancels import RecentCancels
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import SHARDS, expiry
from adapters.stores.redis_outbox import Letter, RedisOutbox, called, sent
from adapters.stores.redis_query import Complete, matching
from adapters.stores.redis_records import (
    Place,
    alias_keys,
    alias_of,
    index_keys,
    index_member,
    index_stems,
    place_of,
    read,
)
from adapters.stores.redis_schema import function
from adapters.stores.redis_sweep import Sweeper
from broker.errors import Unavailable
from broker.model import Announcement, TokenRecord
from broker.ports import TokenQuery

UNWRITTEN_SECONDS = 60
"""For how long an index entry without a record may still get one."""

REAP_PAGE = 100
"""How many are looked at together: a few milliseconds' work, in which no request has its turn."""

REAPED_AT_ONCE = 1000
"""About how many one call reaps, so that what it returns stays small however many are due."""

Announce = Callable[[TokenRecord], Announcement | None]


class RedisTokens:
    """TokenStore. ``migrated`` says whether the store has all of this schema's index entries."""

    def __init__(
        self,
        commands: Commands,
        sealer: Sealer,
        migrated: Complete,
        outbox: RedisOutbox,
        cancels: RecentCancels | None = None,
    ) -> None:
        self._commands = commands
        self._cancels = cancels or RecentCancels()
        self._sealer = sealer
        self._migrated = migrated
        self._outbox = outbox
        self._sweeper = Sweeper(commands, self.sealed)

    async def get(self, alias: str) -> TokenRecord | None:
        (record,) = await self.find([alias])
        if record is None and self._commands.waits:
            await self._settle(alias)
        return record

    async def _settle(self, alias: str) -> None:
        """That a token is gone may be told once the replicas know it; raises Unavailable."""
        place = place_of(alias, await self._commands.call("MGET", *alias_keys(alias)))
        keys = {alias_keys(alias)[0]} | ({place.key} if place else set())
        await self._commands.settled(keys)

    async def find(self, aliases: list[str]) -> list[TokenRecord | None]:
        """The records of aliases: one round trip, a second one if some stand elsewhere."""
        return [
            None if value is None else self.read(alias, value)
            for alias, value in zip(aliases, await self.sealed(aliases), strict=True)
        ]

    def read(self, alias: str, value: bytes) -> TokenRecord:
        """A record that ``sealed`` found; raises Unavailable if it was tampered with."""
        return read(self._sealer, alias, value)

    async def sealed(self, aliases: list[str]) -> list[bytes | None]:
        """The records of aliases, as they are stored."""
        found = await self._commands.calls([("MGET", *alias_keys(alias)) for alias in aliases])
        return await self._led_to(aliases, found)

    async def _led_to(
        self, aliases: Sequence[str], found: Sequence[list[bytes | None]]
    ) -> list[bytes | None]:
        """The records of aliases, by what stands under the keys of each."""
        values: list[bytes | None] = [beside for beside, _ in found]
        elsewhere = [
            (at, place)
            for at, (alias, both) in enumerate(zip(aliases, found, strict=True))
            if both[0] is None and (place := place_of(alias, both)) is not None
        ]
        replies = await self._commands.calls([("GET", place.key) for _, place in elsewhere])
        for (at, place), value in zip(elsewhere, replies, strict=True):
            if value is not None and value.split(b" ", 2)[1:2] == [place.identity.encode()]:
                values[at] = value
        return values

    async def query(self, query: TokenQuery) -> list[TokenRecord]:
        return await matching(self._commands, self.find, query, UNWRITTEN_SECONDS, self._migrated)

    async def cancel(self, alias: str, announcement: Announcement | None = None) -> bool:
        """The record goes first; what pointed to it counts for nothing without it."""
        found = await self._commands.call("MGET", *alias_keys(alias))
        place = place_of(alias, found)
        if place is None:
            await self._commands.settled(alias_keys(alias))
            return False
        letter = None if announcement is None else self._outbox.letter(announcement, place.tag)
        first = [] if letter is None else [letter.expected("expect_end")]
        take = called("take", (place.key,), (place.identity, ""), letter)
        with self._cancels.making(*first, take) as overtaken:
            taken = await sent(self._commands, first, take)
            if overtaken():
                again = await sent(self._commands, first, take)
                taken = max(taken, again, key=len)
        if len(taken) < 2:
            return False
        with contextlib.suppress(Unavailable):  # it is cancelled; the rest is tidied up later
            record = read(self._sealer, alias, taken[1])
            names = (index_member(record), *index_stems(record))
            await self._commands.calls(self._traces(place, alias, names))
        return True

    async def reap(self, now: float, announce: Announce | None = None) -> list[TokenRecord]:
        """Removing the record is the atomic step: of many reapers one gets it.

        What was removed is returned even if Redis then went away, since nobody else can report it.
        """
        reaped: list[TokenRecord] = []
        try:
            for shard in range(SHARDS):
                await self._reap_shard(shard, now, reaped, announce)
                if len(reaped) >= REAPED_AT_ONCE:
                    break
                await self._sweeper.turn(shard, UNWRITTEN_SECONDS)
        except Unavailable:
            if not reaped:
                raise
        return reaped

    async def _reap_shard(
        self, shard: int, now: float, reaped: list[TokenRecord], announce: Announce | None
    ) -> None:
        left = 0
        while len(reaped) < REAPED_AT_ONCE:
            page = ("BYSCORE", "LIMIT", left, REAP_PAGE, "WITHSCORES")
            entries = await self._commands.call("ZRANGE", expiry(shard), "-inf", now, *page)
            members = list(zip(entries[::2], entries[1::2], strict=True))
            left += await self._reap_chunk(shard, members, now, reaped, announce)
            if len(members) < REAP_PAGE:
                return

    async def _reap_chunk(
        self,
        shard: int,
        members: list[tuple[bytes, bytes]],
        now: float,
        reaped: list[TokenRecord],
        announce: Announce | None,
    ) -> int:
        """Adds the records that were removed; returns how many entries stay due."""
        aliases = [alias_of(member) for member, _ in members]
        found = await self._commands.calls([("MGET", *alias_keys(alias)) for alias in aliases])
        places = [place_of(alias, both) for alias, both in zip(aliases, found, strict=True)]
        letters = await self._letters(aliases, found, places, now, announce)
        replies = iter(await self._taken(places, letters, now))
        tidy: list[tuple[Any, ...]] = []
        stay = 0
        for alias, place, (member, score) in zip(aliases, places, members, strict=True):
            outcome = [] if place is None else next(replies)
            names = [member]
            if len(outcome) == 2:
                with contextlib.suppress(Unavailable):  # tampered with: nobody's token, but gone
                    record = read(self._sealer, alias, outcome[1])
                    reaped.append(record)
                    names += index_stems(record)
            if len(outcome) == 1:  # it lives longer than the index thought
                due = (expiry(shard), member, score, outcome[0])
                tidy.append(("FCALL", function("reschedule"), 1, *due))
            elif outcome or float(score) <= now - UNWRITTEN_SECONDS:
                tidy += self._traces(place, alias, names)
            else:
                stay += 1
        await self._commands.calls(tidy)
        return stay

    async def _taken(
        self, places: Sequence[Place | None], letters: Sequence[Letter | None], now: float
    ) -> list[list[bytes]]:
        """What the functions said, for each place there is."""
        expected = [letter.expected("expect_end") for letter in letters if letter is not None]
        takes = [
            called("take", (place.key,), (place.identity, now), letter)
            for place, letter in zip(places, letters, strict=True)
            if place is not None
        ]
        if self._commands.ordered:
            return (await self._commands.calls([*expected, *takes]))[len(expected) :]
        await self._commands.calls(expected)
        return await self._commands.calls(takes)

    async def _letters(
        self,
        aliases: Sequence[str],
        found: Sequence[list[bytes | None]],
        places: Sequence[Place | None],
        now: float,
        announce: Announce | None,
    ) -> list[Letter | None]:
        """What each record is announced with, if it is taken; it is read for that beforehand."""
        if announce is None:
            return [None] * len(aliases)
        values = await self._led_to(aliases, found)
        letters: list[Letter | None] = []
        for alias, value, place in zip(aliases, values, places, strict=True):
            announcement = None
            if value is not None:
                with contextlib.suppress(Unavailable):  # tampered with: nobody's token
                    record = read(self._sealer, alias, value)
                    announcement = announce(record) if record.expires_at <= now else None
            if announcement is None or place is None:
                letters.append(None)
            else:
                letters.append(self._outbox.letter(announcement, place.tag))
        return letters

    def _traces(
        self, place: Place | None, alias: str, names: Sequence[bytes]
    ) -> list[tuple[Any, ...]]:
        """What removes the index entries, and the pointer if there is one."""
        traces: list[tuple[Any, ...]] = [
            ("FCALL", function("unindex"), 2, *index_keys(alias), *names)
        ]
        beside, pointer = alias_keys(alias)
        if place is not None and place.key != beside:
            traces.append(("FCALL", function("unpoint"), 1, pointer, place.pointer))
        return traces
