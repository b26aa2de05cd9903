"""A directory that is asked: who somebody is, whether a password is his, what groups he is in."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from weakref import WeakSet

from adapters.authentication.modules.ldap import logins
from adapters.authentication.modules.ldap.account import log_in
from adapters.authentication.modules.ldap.connecting import connected
from adapters.authentication.modules.ldap.connection import (
    Address,
    Connection,
    Lost,
    Unable,
    Unreadable,
    close_all,
)
from adapters.authentication.modules.ldap.logins import Place
from adapters.authentication.modules.ldap.options import Options
from adapters.authentication.modules.ldap.pool import Pool
from adapters.authentication.modules.ldap.protocol import Code, Entry, Result, Scope
from adapters.authentication.modules.ldap.servers import DOWN, Server, Servers
from adapters.authentication.modules.ldap.verdicts import REFUSED
from broker.authentication import FAILED
from broker.errors import AuthenticationFailed, Unavailable

MAX_LOGINS = 64
"""Checked at a time by one module; more of them wait their turn."""
MAX_WAITING = 1024
AMBIGUOUS = 2
"""As many entries as are asked for: two are too many already."""

_FOUND = (Code.SUCCESS, Code.NO_SUCH_OBJECT)
_log = logging.getLogger(__name__)


class Truncated(Exception):
    """There is more than was asked for, or than the server shows."""


class Directory:
    """The servers of one module. A ``deadline`` is on the event loop's clock, and who asks has
    taken a turn."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._opened: WeakSet[Connection] = WeakSet()
        self._servers = Servers([self._server(address) for address in options.servers])
        self._turns = asyncio.Semaphore(MAX_LOGINS)
        self._waiting = 0
        self._not_shown: set[str] = set()  # search bases

    async def turn(self, deadline: float) -> None:
        """Wait until a login may be checked; ``done`` gives the turn back. Raises Unavailable."""
        if self._waiting >= MAX_WAITING:
            raise Unavailable(DOWN, detail="too many logins wait for the directory")
        self._waiting += 1
        try:
            async with asyncio.timeout_at(deadline):
                await self._turns.acquire()
        except TimeoutError:
            detail = "other logins kept the directory busy until the deadline"
            raise Unavailable(DOWN, detail=detail) from None
        finally:
            self._waiting -= 1

    def done(self) -> None:
        self._turns.release()

    async def entries(
        self, places: Sequence[Place], attributes: Sequence[str], most: int, deadline: float
    ) -> list[Entry]:
        """What is found, each entry once, ``most`` of each search.

        Raises Truncated, AuthenticationFailed for what cannot be read, and Unavailable.
        """

        async def ask(server: Server) -> list[Entry]:
            connection = await server.pool.search()
            searches = (
                self._search(connection, place, attributes, most, deadline) for place in places
            )
            found = await asyncio.gather(*searches) if len(places) > 1 else [await next(searches)]
            return [entry for entries in found for entry in entries]

        found = await self._servers.asked(ask, deadline)
        return list({entry.dn: entry for entry in found}.values())

    async def bound(self, dn: str, password: str, deadline: float) -> Result:
        """What a server says to a name and a password. Raises Unavailable."""

        async def ask(server: Server) -> Result:
            async with server.pool.binding() as connection:
                result = await connection.bind(dn, password)
                if result.code != Code.SUCCESS and result.code not in REFUSED:
                    raise Unable(f"it cannot check this password (result code {result.code})")
                return result

        return await self._servers.asked(ask, deadline)

    async def close(self) -> None:
        """Returns once nothing is open any more."""
        await self._servers.close()
        await close_all(self._opened)

    def _server(self, address: Address) -> Server:
        async def fresh() -> Connection:
            options = self._options
            return await connected(
                address, options.tls, start_tls=options.start_tls, opened=self._opened
            )

        async def ready() -> Connection:
            connection = await fresh()
            try:
                await log_in(connection, self._options.account, address.host)
            except BaseException:
                connection.close()
                raise
            return connection

        async def probed() -> Connection:
            connection = await ready()
            try:
                await connection.search(
                    "", Scope.BASE, logins.EVERYBODY, (), most=1, seconds=1
                )  # the root DSE, which every directory shows
            except Unreadable as odd:
                connection.close()
                raise Lost(str(odd)) from None
            except BaseException:
                connection.close()
                raise
            return connection

        return Server(address.url, Pool(ready, fresh), probed)

    async def _search(
        self,
        connection: Connection,
        place: Place,
        attributes: Sequence[str],
        most: int,
        deadline: float,
    ) -> list[Entry]:
        left = deadline - asyncio.get_running_loop().time()
        try:
            result, entries = await connection.search(
                place.base,
                place.scope,
                place.filter,
                attributes,
                most=most,
                seconds=max(1, math.ceil(left)),
            )
        except Unreadable as odd:
            raise AuthenticationFailed(FAILED, detail=str(odd)) from None
        if result.code == Code.SIZE_LIMIT:
            raise Truncated
        if result.code == Code.REFERRAL:
            self._check_elsewhere(place)
            return []
        if result.code not in _FOUND:
            raise Unable(f"a search failed (result code {result.code})")
        if result.code == Code.NO_SUCH_OBJECT:
            self._note_not_shown(place.base)
        if not all(entry.dn.strip() for entry in entries):
            raise Lost("it found an entry without a name")
        return entries

    def _check_elsewhere(self, place: Place) -> None:
        """Nobody follows a referral. Who types a name that leads to one is nobody of this
        directory; where settings lead there, nobody can be asked. Raises Unable."""
        if place.scope != Scope.BASE or place.base in self._options.bases:
            raise Unable(f"it refers to another directory for {place.base}, which is not followed")

    def _note_not_shown(self, base: str) -> None:
        """Once for each: a base that is misspelt, or hidden from the broker's own account, looks
        like a directory in which there is nobody. A login may be a base too (``dn``); that is not
        for the log."""
        if base in self._options.bases and base not in self._not_shown:
            self._not_shown.add(base)
            _log.warning("the directory shows the broker no entry %s, a search base", base)
