"""The outbox in Redis: an announcement stands in the slot of its fact, and a due set leads to it.

The fact's own function writes the announcement. The entry in the due set is written before that,
with what else is said beforehand (``Letter.expected``), and counts for nothing without it.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from adapters.keys.root_secret import Sealer
from adapters.stores.announcements import sealed, unsealed
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import (
    EVENT,
    INSTANCES_TAG,
    OUTBOX,
    REQUEST,
    SHARDS,
    bytes_of,
    due,
    key,
    shard_of,
    short,
    tag,
    text_of,
)
from adapters.stores.redis_links import Command
from adapters.stores.redis_records import alias_tag
from adapters.stores.redis_schema import function
from broker.errors import Unavailable
from broker.model import Announcement

UNWRITTEN_SECONDS = 120
"""How much longer than until it is due an announcement may take to be written, once it was said
that it would be: far longer than any call to Redis may take."""

MAX_NOTED = 65_536
"""Announcements of which the place is remembered since it does not follow from what they say."""

DOUBTED = "?"
"""At the end of an entry that was found to lead to nothing, once."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)  # one for each token: not frozen, which would take three times as long
class Letter:
    """An announcement, and the key in the slot of its fact that the fact's function writes."""

    key: str
    value: bytes = field(repr=False)
    entry: str
    due_at: float

    @property
    def due_set(self) -> str:
        return _due_set(self.entry)

    def expected(self, name: str = "expect") -> Command:
        """What makes it found; to be sent before the fact, or ahead of it in one round trip."""
        return "FCALL", function(name), 1, self.due_set, self.due_at, self.entry

    def put(self) -> Command:
        """What writes an announcement that comes with nothing else."""
        return "FCALL", function("put_announcement"), 1, self.key, self.value


class RedisOutbox:
    """Outbox."""

    def __init__(self, commands: Commands, sealer: Sealer) -> None:
        self._commands = commands
        self._sealer = sealer
        self._elsewhere: OrderedDict[str, str] = OrderedDict()

    def letter(self, announcement: Announcement, slot: str | None = None) -> Letter:
        """The announcement as it is to be written in ``slot``, None for where it says it belongs.

        Raises InvalidRequest for a name that is no Unicode text.
        """
        own = slot_of(announcement)
        if slot is not None and slot != own:
            self._note(announcement.id, slot)
        return self.letter_at(announcement, slot or own)

    def letter_at(self, announcement: Announcement, slot: str) -> Letter:
        """``letter`` for who knows that ``slot`` is where the announcement says it belongs."""
        digest = _digest(announcement)
        name = text_of(digest)
        value = sealed(self._sealer, digest, announcement)
        return Letter(_event_key(slot, name), value, f"{slot} {name}", announcement.due_at)

    async def add(self, announcement: Announcement) -> None:
        letter = self.letter(announcement)
        await sent(self._commands, [letter.expected()], letter.put())

    async def due(self, now: float, lease_seconds: float, limit: int) -> list[Announcement]:
        """Entries that lead to nothing are passed over, and dropped once that is certain."""
        found: dict[str, Announcement] = {}
        while len(found) < limit:
            wanted = limit - len(found)
            entries = await self._leased(now, now + lease_seconds, wanted)
            found |= {each.id: each for each in await self._read(entries, now)}
            if len(entries) < wanted:
                break
        return list(found.values())

    async def done(self, announcements: Sequence[Announcement]) -> None:
        entries = [entry_of(each, self._elsewhere.get(each.id)) for each in announcements]
        await self._commands.calls([*self._deletions(entries), *forget(entries)])
        for announcement in announcements:
            self._elsewhere.pop(announcement.id, None)

    def _deletions(self, entries: Sequence[str]) -> list[Command]:
        """One command where one server has all the slots."""
        keys = [key_of(entry) for entry in entries]
        if self._commands.ordered:
            return [("DEL", *keys)] if keys else []
        return [("DEL", each) for each in keys]

    async def kept(self, entries: Sequence[str]) -> list[Announcement | None]:
        """The announcements that entries lead to."""
        values = await self._commands.calls([("GET", key_of(entry)) for entry in entries])
        return [
            None if value is None else self._opened(entry, value)
            for entry, value in zip(entries, values, strict=True)
        ]

    async def size(self) -> int:
        """Counts those as well that were expected and never came, for some minutes."""
        counts = await self._commands.calls([("ZCARD", due(OUTBOX, at)) for at in range(SHARDS)])
        return int(sum(counts))

    async def _leased(self, now: float, until: float, limit: int) -> list[str]:
        """The oldest entries that are due and were not taken by another broker meanwhile."""
        page = ("BYSCORE", "LIMIT", 0, limit, "WITHSCORES")
        looks = [("ZRANGE", due(OUTBOX, at), "-inf", now, *page) for at in range(SHARDS)]
        seen = [
            (float(score), entry.decode(), score)
            for flat in await self._commands.calls(looks)
            for entry, score in zip(flat[::2], flat[1::2], strict=True)
        ]
        words: dict[str, list[Any]] = defaultdict(list)
        oldest = heapq.nsmallest(limit, seen)
        for _, entry, score in oldest:
            words[_due_set(entry)] += [entry, score]
        leases = [
            ("FCALL", function("lease"), 1, due_set, until, *pairs)
            for due_set, pairs in words.items()
        ]
        replies = await self._commands.calls(leases)
        won = {entry.decode() for reply in replies for entry in reply}
        return [entry for _, entry, _ in oldest if entry in won]

    async def _read(self, entries: Sequence[str], now: float) -> list[Announcement]:
        found = await self.kept(entries)
        words: dict[str, list[str]] = defaultdict(list)
        for entry, announcement in zip(entries, found, strict=True):
            if announcement is None:
                words[_due_set(entry)].append(entry)
        await self._commands.calls(
            [
                ("FCALL", function("doubt"), 1, due_set, now + UNWRITTEN_SECONDS, *doubted)
                for due_set, doubted in words.items()
            ]
        )
        return [announcement for announcement in found if announcement is not None]

    def _opened(self, entry: str, value: bytes) -> Announcement | None:
        slot, _, digest = plain_entry(entry).partition(" ")
        try:
            announcement = unsealed(self._sealer, bytes_of(digest), value)
        except Unavailable:
            _log.warning("an announcement in the outbox cannot be read", digest=digest)
            return None
        if slot != slot_of(announcement):
            self._note(announcement.id, slot)
        return announcement

    def _note(self, announcement_id: str, slot: str) -> None:
        """A token that was issued for a request is cancelled where it stands, which its alias does
        not tell. One whose place is forgotten is let out once more when it falls due."""
        self._elsewhere[announcement_id] = slot
        if len(self._elsewhere) > MAX_NOTED:
            self._elsewhere.popitem(last=False)


async def sent(commands: Commands, first: Sequence[Command], last: Command) -> Any:
    """The reply to ``last``, which runs after ``first``: one round trip where the link keeps the
    order, two in a cluster."""
    if commands.ordered or not first:
        return (await commands.calls([*first, last]))[-1]
    await commands.calls(first)
    return await commands.call(*last)


def called(
    name: str, keys: Sequence[str], words: Sequence[Any], letter: Letter | None = None
) -> Command:
    """A function of a fact: the announcement comes last, among the keys and among the words."""
    if letter is not None:
        keys, words = (*keys, letter.key), (*words, letter.value)
    return "FCALL", function(name), len(keys), *keys, *words


def slot_of(announcement: Announcement) -> str:
    """Where an announcement is by what it says: beside its request, else beside its alias, else
    beside the documents of instances."""
    if announcement.request is not None:
        return tag(REQUEST, *announcement.request)
    if announcement.alias is not None:
        return alias_tag(announcement.alias)
    return INSTANCES_TAG


def entry_of(announcement: Announcement, slot: str | None = None) -> str:
    """What stands in the due set for an announcement, None for the slot that it says."""
    return f"{slot or slot_of(announcement)} {text_of(_digest(announcement))}"


def plain_entry(entry: str) -> str:
    """As it was before it was doubted."""
    return entry.removesuffix(DOUBTED)


def key_of(entry: str) -> str:
    """The key that an entry leads to."""
    slot, _, digest = plain_entry(entry).partition(" ")
    return _event_key(slot, digest)


def _event_key(slot: str, digest: str) -> str:
    return key(slot, f"{EVENT}-{digest}")


def _digest(announcement: Announcement) -> bytes:
    return short(EVENT, announcement.id)


def _due_set(entry: str) -> str:
    return due(OUTBOX, shard_of(plain_entry(entry)))


def forget(entries: Sequence[str]) -> list[Command]:
    """Takes plain entries off their due sets, doubted or not."""
    words: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        words[_due_set(entry)] += [entry, entry + DOUBTED]
    return [("ZREM", due_set, *members) for due_set, members in words.items()]
