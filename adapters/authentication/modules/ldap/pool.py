"""The connections to one directory server: one to search on, some to check passwords on.

They are kept apart. The one that searches is bound as the broker's own account and never as
anybody else; those that check passwords are used for nothing but binds, one at a time, so that
nobody's login can be mistaken for another's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from adapters.authentication.modules.ldap.connection import Connection

MAX_IDLE_SECONDS = 60.0
"""Shorter than directories and firewalls keep a connection that nothing is said on."""
MAX_AGE_SECONDS = 600.0
"""So that a changed password of the account, or a changed certificate, comes to light."""

Opening = Callable[[], Awaitable[Connection]]


class Pool:
    """``open_search`` gives a connection bound as the account, ``open_bind`` a fresh one."""

    def __init__(self, open_search: Opening, open_bind: Opening) -> None:
        self._open_search = open_search
        self._open_bind = open_bind
        self._search: Connection | None = None
        self._opening = asyncio.Lock()
        self._idle: list[Connection] = []

    async def search(self) -> Connection:
        """The connection that searches, which many share. Raises Lost."""
        if not _fit(self._search):
            async with self._opening:
                if not _fit(self._search):
                    old, self._search = self._search, await self._open_search()
                    _retire(old)
        if self._search is None:
            raise RuntimeError("a connection was opened")
        return self._search

    @contextlib.asynccontextmanager
    async def binding(self) -> AsyncIterator[Connection]:
        """A connection for one bind, this caller's alone meanwhile. Raises Lost."""
        connection = self._kept() or await self._open_bind()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if not connection.closed:
            self._idle.append(connection)

    def close(self) -> None:
        for connection in (self._search, *self._idle):
            if connection is not None:
                connection.close()
        self._search = None
        self._idle.clear()

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if _fit(connection):
                return connection
            connection.close()
        return None


def _fit(connection: Connection | None) -> bool:
    if connection is None or connection.closed:
        return False
    now = asyncio.get_running_loop().time()
    return (
        now - connection.used_at < MAX_IDLE_SECONDS and now - connection.opened_at < MAX_AGE_SECONDS
    )


def _retire(connection: Connection | None) -> None:
    """Close it once those who still wait for an answer on it can have had theirs."""
    if connection is not None and not connection.closed:
        asyncio.get_running_loop().call_later(MAX_IDLE_SECONDS, connection.close)
