"""Copies of one request, one after the other.

A message server that lost its link to us brings a request again while its first copy is in work.
Behind that copy it finds the stored answer; beside it, it would be told to ask again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class Copies:
    """The requests in work."""

    def __init__(self) -> None:
        self._ends: dict[Hashable, asyncio.Event] = {}

    @asynccontextmanager
    async def one_by_one(self, request: Hashable) -> AsyncIterator[None]:
        """Work on a request inside, after every earlier copy of it; copies are equal."""
        while (earlier := self._ends.get(request)) is not None:
            await earlier.wait()
        end = self._ends[request] = asyncio.Event()
        try:
            yield
        finally:
            del self._ends[request]
            end.set()
