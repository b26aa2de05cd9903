"""What a copy is made of: kinds of things, each with a source that lists and a target that keeps.

A source gives all there is in chunks. A target answers what it has of a chunk, writes what differs
and removes what the source does not have, so that a copy can be broken off and begun again anywhere
and ends the same: nothing but the target itself says how far it came.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import orjson

T = TypeVar("T")

CHUNK = 1000
"""How many things are read, compared and written together."""


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """One thing: its name within its kind, all that is to be the same on both sides, and itself."""

    key: Hashable
    content: bytes
    thing: T


class Source(Protocol[T]):
    """Where things are copied from. Raises Unavailable from every method."""

    async def count(self) -> int | None:
        """How many there are, about; None if that takes reading them."""

    def chunks(self) -> AsyncIterator[list[Item[T]]]:
        """All of them, ``CHUNK`` or fewer at a time."""


class Target(Protocol[T]):
    """Where things are copied to. Raises Unavailable from every method."""

    async def found(self, items: Sequence[Item[T]]) -> list[bytes | None]:
        """The content that stands under the key of each item."""

    async def write(self, items: Sequence[Item[T]]) -> None:
        """Write items whose keys are not taken."""

    def all_keys(self) -> AsyncIterator[list[Any]]:
        """The keys of all there is, in chunks."""

    async def remove(self, keys: Sequence[Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One kind of thing, under the name that people read."""

    name: str
    source: Source[T]
    target: Target[T]


def content(value: object) -> bytes:
    """JSON that is the same for the same value, whatever order its members came in."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


def chunked(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[at : at + CHUNK] for at in range(0, len(items), CHUNK)]
