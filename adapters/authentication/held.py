"""A module in use: it is closed once nobody waits for it any more."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from broker.authentication import AuthModule, Evidence, Identity
from broker.errors import Unavailable

NOT_HERE = "whoever checks this login is not set up at this broker"


class HeldModule:
    """Counts who waits for ``inner``, so that a change of the configuration ends no login."""

    def __init__(self, inner: AuthModule) -> None:
        self.inner = inner
        self._waiting = 0
        self._retired = False

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def headers(self) -> frozenset[str]:
        return self.inner.headers

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        async with self.used() as inner:
            return await inner.authenticate(evidence, known)

    @contextlib.asynccontextmanager
    async def used(self) -> AsyncIterator[AuthModule]:
        """The module itself, which stays open for as long."""
        self._waiting += 1
        try:
            yield self.inner
        finally:
            self._waiting -= 1
            if self._retired and not self._waiting:
                await self.inner.close()

    async def close(self) -> None:
        """At once if nobody waits, else when the last one has been answered."""
        self._retired = True
        if not self._waiting:
            await self.inner.close()


class AbsentModule:
    """Stands for a module that another broker made and this one cannot: nobody gets in by it."""

    headers: frozenset[str] = frozenset()

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        self._why = why

    async def authenticate(self, evidence: Evidence, known: Identity | None) -> Identity:
        """Raises Unavailable."""
        raise Unavailable(NOT_HERE, detail=f"{self.name}: {self._why}")

    async def close(self) -> None:
        return None
