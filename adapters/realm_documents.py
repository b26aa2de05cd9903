"""Named rows of a realm, kept as one document of the configuration that brokers share.

Trusted issuers, certificate authorities and authentication modules are such rows; each kind has
documents of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from broker.errors import Unavailable
from broker.model import ROOT_REALM
from broker.ports import ConfigurationStore

MAX_ATTEMPTS = 100
"""How often a change is tried anew because another broker was faster."""

Rows = dict[str, Mapping[str, Any]]
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class RealmDocuments:
    """The documents of one ``kind`` of row, such as ``issuers``, for people ``words``."""

    configuration: ConfigurationStore
    kind: str
    words: str

    def name(self, realm: str) -> str:
        """``issuers/`` for the root realm, ``issuers/fred/bobo`` for ``/fred/bobo``."""
        return f"{self.kind}/{realm.removeprefix(ROOT_REALM)}"

    async def all(self) -> dict[str, bytes]:
        """The documents as they are, by realm. Raises Unavailable."""
        prefix = f"{self.kind}/"
        found = await self.configuration.list(prefix)
        return {ROOT_REALM + name.removeprefix(prefix): raw for name, raw in found.items()}

    def read(self, value: bytes | None) -> Rows:
        """The rows by name, in order. Raises Unavailable if the document is broken."""
        if value is None:
            return {}
        try:
            return {str(row["name"]): row for row in orjson.loads(value)[self.kind]}
        except (ValueError, KeyError, TypeError):
            raise Unavailable(
                "the store cannot be read", detail=f"a document of {self.words} is broken"
            ) from None

    def written(self, rows: Iterable[Mapping[str, Any]]) -> bytes | None:
        """None for no rows: then there is no document."""
        found = sorted(rows, key=lambda row: str(row["name"]))
        return orjson.dumps({self.kind: found}, option=orjson.OPT_SORT_KEYS) if found else None

    async def stands(self, realm: str) -> bool:
        """Whether the realm has a document, readable or not. Raises Unavailable."""
        return await self.configuration.get(self.name(realm)) is not None

    async def rows(self, realm: str) -> Rows:
        """Raises Unavailable."""
        return self.read(await self.configuration.get(self.name(realm)))

    async def changed(self, realm: str, step: Callable[[Rows], Done]) -> tuple[Done, bool]:
        """What ``step`` says of the rows that it changed in place, and whether anything changed.

        It is called again where another broker was faster. Raises Unavailable, and what it raises.
        """
        name = self.name(realm)
        for _ in range(MAX_ATTEMPTS):
            raw = await self.configuration.get(name)
            rows = self.read(raw)
            before = dict(rows)
            done = step(rows)
            if rows == before:
                return done, False
            if await self.configuration.swap(name, raw, self.written(rows.values())):
                return done, True
        raise Unavailable(f"other brokers are changing the {self.kind}; ask again shortly")


class Following:
    """Sees what other brokers changed: calls ``read`` whenever the store's generation moved."""

    def __init__(
        self, configuration: ConfigurationStore, read: Callable[[], Awaitable[None]]
    ) -> None:
        self._configuration = configuration
        self._read = read
        self._generation: int | None = None
        self._looking = asyncio.Lock()

    @property
    def begun(self) -> bool:
        """Whether all was read once."""
        return self._generation is not None

    async def refresh(self) -> bool:
        """False if the store could not be asked, and then what is known here serves on."""
        try:
            async with self._looking:  # many requests wait for one look
                generation = await self._configuration.generation()
                if generation != self._generation:
                    await self._read()
                    self._generation = generation
        except Unavailable:
            return False
        return True
