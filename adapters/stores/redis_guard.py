"""Is this still the store that was opened? Asked on each new connection, and once a second.

A Redis that restarts without its data is at once ready to serve, and a broker that went on with it
would take every spent token for unspent. So a connection is used only once the store's marker was
seen over it. The marker is one key; in a cluster, marks with the store's id stand in every stretch
of slots, so that each server has some of its own to show.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence

import structlog
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AskError, ClusterDownError, TryAgainError

from adapters.keys.deployment import Slots
from adapters.stores import StoreEmptied
from adapters.stores.redis_commands import Commands
from adapters.stores.redis_keys import META, key
from adapters.stores.redis_links import Command, Exchange, Link, Unwelcome
from adapters.stores.redis_schema import SLOTS_FIELD
from broker.errors import Unavailable

MARKS = 256
"""Marks in a cluster: a server that holds 127 slots in a row has one, wherever they begin."""

MARK = "mark"
MARKS_FIELD = "marks"
"""Of the store's marker: the store id that the marks were written with."""

LEGACY = "a store of schema version 1"
"""Stands for the id of a store that has none yet."""

CONFIRM = "an operator restores its data, or confirms the loss with: remint store confirm-empty"
EMPTIED = f"the store came back empty; {CONFIRM}"
PARTLY_EMPTIED = f"a server of the store's cluster came back empty; {CONFIRM}"
REPLACED = "the store was made anew; ask again shortly"
EMPTIED_AT_START = (
    "this deployment has used the store before, and now it is empty (or it is another Redis); "
    "restore its data, or, if they are lost for good, run `remint store load-functions` and "
    "`remint store confirm-empty`, start the broker, and bring its configuration back with "
    "`remint import`"
)

_log = structlog.get_logger(__name__)


class StoreLost(Unwelcome):
    """The store, or a server of it, is not the one that was opened."""


@functools.cache
def mark_keys() -> tuple[str, ...]:
    """One key in each of ``MARKS`` equal stretches of slots."""
    stretch = REDIS_CLUSTER_HASH_SLOTS // MARKS
    found: dict[int, str] = {}
    number = 0
    while len(found) < MARKS:
        name = key(f"{MARK}-{number}", MARK)
        found.setdefault(key_slot(name.encode()) // stretch, name)
        number += 1
    return tuple(found[each] for each in range(MARKS))


class Guard:
    """Lets connections in, and knows whether the store is in trouble.

    It lets everything in until it is told what to expect.
    """

    def __init__(self) -> None:
        self.trouble: str | None = None
        self.replaced = asyncio.Event()
        self._armed = False
        self._expected: str | None = None
        self._marks: Sequence[str] = ()

    def expect_some(self) -> None:
        """From now on there must be a marker, whatever it says."""
        self._armed = True

    def expect(self, store_id: str, marks: Sequence[str] = ()) -> None:
        """From now on the marker must have this id, and the marks too."""
        self._armed = True
        self._expected, self._marks = store_id, marks

    async def admit(self, exchange: Exchange) -> None:
        """Raises StoreLost, or what Redis says, if the connection must not be used.

        In a cluster one server speaks of its own share alone.
        """
        if self._armed:
            marker, *marks = await exchange([marker_question(), *_questions(self._marks)])
            if not _elsewhere(marker):
                self._judge(marker)
            self._judge_marks([mark for mark in marks if not _elsewhere(mark)])

    async def look(self, link: Link) -> None:
        """Over all servers. Raises StoreLost, another RedisError, or OSError."""
        questions = _questions(await link.covering(self._marks))
        marker, *marks = await link.run([marker_question(), *questions])
        self._judge(marker)
        self._judge_marks(marks)
        if self.trouble is not None:
            _log.warning("the store's data are back")
        self.trouble = None
        self.replaced.clear()

    def _judge(self, marker: object) -> None:
        if isinstance(marker, Exception):
            raise marker
        found = store_id_in(marker)
        if found is None:
            raise self._lost(EMPTIED)
        if self._expected is not None and found != self._expected:
            self.replaced.set()
            raise self._lost(REPLACED)

    def _judge_marks(self, marks: Sequence[object]) -> None:
        for mark in marks:
            if isinstance(mark, Exception):
                raise mark
            if not isinstance(mark, bytes) or mark.decode() != self._expected:
                raise self._lost(PARTLY_EMPTIED)

    def _lost(self, sentence: str) -> StoreLost:
        if self.trouble != sentence:
            _log.error(sentence)
        self.trouble = sentence
        return StoreLost(sentence)


def marker_question() -> Command:
    return ("HMGET", META, "root-secret", SLOTS_FIELD)


def store_id_in(marker: object) -> str | None:
    """The store's id in the reply to ``marker_question``; None if there is no marker.

    Raises StoreLost for one that cannot be read.
    """
    if not isinstance(marker, list) or not any(marker):
        return None
    _, slots = marker
    if slots is None:
        return LEGACY
    try:
        return Slots.read(slots).store_id
    except Unavailable as error:
        raise StoreLost(error.sentence) from error


async def refuse_emptied(guard: Guard, commands: Commands) -> None:
    """For a store that was used before: raises StoreEmptied if it has no marker, Unavailable.

    From here on no connection is used behind which there is none.
    """
    if store_id_in(await commands.call(*marker_question())) is None:
        raise StoreEmptied(EMPTIED_AT_START)
    guard.expect_some()


async def arm(guard: Guard, link: Link, commands: Commands, store_id: str) -> None:
    """Hold on to the store that was just opened. Raises StoreEmptied, Unavailable."""
    marks: Sequence[str] = ()
    if not link.ordered:
        marks = mark_keys()
        if not await has_marks(commands, store_id):
            await write_marks(commands, store_id)
    guard.expect(store_id, marks)
    try:
        await guard.look(link)
    except StoreLost as error:
        raise StoreEmptied(str(error)) from error


async def write_marks(commands: Commands, store_id: str) -> None:
    """Make or mend them. Raises Unavailable."""
    await commands.calls([("SET", mark, store_id) for mark in mark_keys()])
    await commands.call("HSET", META, MARKS_FIELD, store_id)


async def has_marks(commands: Commands, store_id: str) -> bool:
    """Whether the marks of this store were written, wherever they are now. Raises Unavailable."""
    written = await commands.call("HGET", META, MARKS_FIELD)
    return written is not None and written.decode() == store_id


async def count_marks(link: Link, commands: Commands) -> tuple[int, int]:
    """Of a cluster, how many are missing and how many are there. Raises Unavailable."""
    if link.ordered:
        return 0, 0
    missing = (await commands.calls(_questions(mark_keys()))).count(None)
    return missing, MARKS - missing


def _questions(marks: Sequence[str]) -> list[Command]:
    return [("GET", mark) for mark in marks]


def _elsewhere(reply: object) -> bool:
    """The word of a server that does not have that slot, or not now: it says nothing of it."""
    return isinstance(reply, AskError | ClusterDownError | TryAgainError)
