"""The mark on a store that a copy is being made into: it is nobody's to work with until the end.

The mark names the store that is copied, the id that the new store gets, and the run that is at
work. It is set before anything else is written and is taken away last. A later run puts its own
name there, and the earlier one, should it still live, stops at its next step.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson

from adapters.keys.deployment import STORE_ID_BYTES, Cell, Slots
from adapters.stores import StoreRefused
from broker.errors import Unavailable

FIELD = "copying"
"""Where the mark stands in the store's marker, beside the key slots."""

FINISHED = b""
RUN_BYTES = 8


class CopyUnfinished(StoreRefused):
    """A copy into the store was begun and has not come to its end."""


class CopyRefused(StoreRefused):
    """These two stores cannot be copied one into the other; the sentence says why."""


def refuse_unfinished(mark: bytes | None) -> None:
    """For a broker at the door; raises CopyUnfinished."""
    if mark:
        raise CopyUnfinished(
            "a copy into this store is not finished; run `remint store copy` again, to its end"
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """``source`` and ``target`` are ids of stores, ``run`` is a name drawn for each run."""

    source: str
    target: str
    run: str

    def written(self) -> bytes:
        return orjson.dumps({"from": self.source, "to": self.target, "run": self.run})

    @classmethod
    def read(cls, value: bytes) -> Mark:
        """Raises Unavailable for what nobody here has written."""
        try:
            body = orjson.loads(value)
            return cls(str(body["from"]), str(body["to"]), str(body["run"]))
        except (ValueError, KeyError, TypeError):
            raise Unavailable(
                "the store cannot be read", detail="the mark of a copy is broken"
            ) from None


@dataclass(frozen=True, slots=True)
class Place:
    """What a new store is begun with: its two cells, whether anything stands in it without a
    marker, and how the marker is made."""

    mark: Cell
    slots: Cell
    occupied: Callable[[], Awaitable[bool]]
    prepare: Callable[[], Awaitable[None]]


class Work:
    """A store that this run copies into."""

    def __init__(self, place: Place, mark: Mark, *, fresh: bool) -> None:
        self._place = place
        self._mark = mark
        self.fresh = fresh

    @property
    def store_id(self) -> str:
        return self._mark.target

    async def require(self) -> None:
        """Raises CopyRefused once another run is at work."""
        if await self._place.mark.read() != self._mark.written():
            raise CopyRefused("another `remint store copy` took this one over")

    async def finish(self) -> None:
        """Open the store to brokers."""
        if not await self._place.mark.swap(self._mark.written(), FINISHED):
            await self.require()


async def begun(place: Place, source: Slots) -> Work:
    """Begin a copy of the store that has the slots ``source``, or go on with one.

    The new store is opened by the same wrapping keys, and has an id of its own.
    Raises CopyRefused if the place is taken.
    """
    value = await place.mark.read() or None
    if value is None:
        work = await _marked(place, source)
    else:
        work = await _taken_over(place, value, source)
    await place.prepare()
    await _give_slots(place, Slots(work.store_id, source.wrapped))
    return work


async def _marked(place: Place, source: Slots) -> Work:
    slots = await place.slots.read()
    if slots is not None and Slots.read(slots).store_id == source.store_id:
        raise CopyRefused("FROM and TO are the same store")
    if slots is not None or await place.occupied():
        raise CopyRefused("there is a store in TO already; a copy needs an empty one")
    mark = Mark(source.store_id, secrets.token_hex(STORE_ID_BYTES), _run())
    if not await place.mark.swap(None, mark.written()):
        raise CopyRefused("another `remint store copy` began in TO at this moment")
    return Work(place, mark, fresh=True)


async def _taken_over(place: Place, value: bytes, source: Slots) -> Work:
    known = Mark.read(value)
    if known.source != source.store_id:
        raise CopyRefused("TO holds the unfinished copy of another store; empty it first")
    mark = Mark(known.source, known.target, _run())
    if not await place.mark.swap(value, mark.written()):
        raise CopyRefused("another `remint store copy` began in TO at this moment")
    return Work(place, mark, fresh=False)


async def _give_slots(place: Place, wanted: Slots) -> None:
    value = await place.slots.read()
    if value is not None and Slots.read(value).store_id != wanted.store_id:
        raise CopyRefused("a broker made a store of its own in TO meanwhile; stop it and empty TO")
    if value != wanted.written() and not await place.slots.swap(value, wanted.written()):
        raise CopyRefused("TO is being written by somebody else; stop all brokers on it")


def _run() -> str:
    return secrets.token_hex(RUN_BYTES)
