"""Several directory servers that hold the same: asked in order, those that are down left out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from adapters.authentication.modules.ldap.connection import Connection, Lost, Unable
from adapters.authentication.modules.ldap.pool import Pool
from broker.errors import Unavailable

TIMEOUTS_UNTIL_DOWN = 2
"""In a row. A server that refuses connections is down at once."""
PROBE_EVERY_SECONDS = 0.5
PROBE_SECONDS = 1.0
REFUSED_PROBE_SECONDS = 10.0
"""After the directory refused the broker's own account, so that asking does not lock it."""
RETRY_AFTER_SECONDS = 1
DOWN = "the directory that checks this login cannot be asked now; ask again shortly"

_log = logging.getLogger(__name__)
_Found = TypeVar("_Found")


class AccountRefused(Lost):
    """The directory does not let the broker's own account in."""


class Server:
    """One server, what is open to it, and whether it is asked at all.

    While it is down it is probed in the background, and asked again as soon as it answers.
    """

    def __init__(self, url: str, pool: Pool, probe: Callable[[], Awaitable[Connection]]) -> None:
        self.url = url
        self.pool = pool
        self._probe = probe
        self._timeouts = 0
        self._probing: asyncio.Task[None] | None = None

    @property
    def down(self) -> bool:
        return self._probing is not None

    def answered(self) -> None:
        self._timeouts = 0

    def timed_out(self) -> None:
        self._timeouts += 1
        if self._timeouts >= TIMEOUTS_UNTIL_DOWN:
            self.failed("it does not answer")

    def failed(self, why: str, *, refused: bool = False) -> None:
        """It is not asked until a probe succeeds."""
        if self.down:
            return
        _log.warning("the directory server %s is down: %s", self.url, why)
        self.pool.close()
        self._timeouts = 0
        every = REFUSED_PROBE_SECONDS if refused else PROBE_EVERY_SECONDS
        self._probing = asyncio.get_running_loop().create_task(self._until_up(every))

    async def close(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing
        self.pool.close()

    async def _until_up(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    connection = await self._probe()
            except AccountRefused:
                every = REFUSED_PROBE_SECONDS
            except (Lost, TimeoutError):
                every = PROBE_EVERY_SECONDS
            else:
                connection.close()
                break
        self._probing = None
        _log.warning("the directory server %s answers again", self.url)


class Servers:
    """Asks the first server that is up, and the next where that fails."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = tuple(servers)

    async def asked(
        self, question: Callable[[Server], Awaitable[_Found]], deadline: float
    ) -> _Found:
        """What the first server said that said something, before ``deadline`` on the loop's clock.

        A server gets an equal part of the time that is left, so that one which hangs leaves some
        to the others. Raises Unavailable.
        """
        told: list[str] = []
        up = [server for server in self._servers if not server.down]
        for index, server in enumerate(up):
            now = asyncio.get_running_loop().time()
            share = (deadline - now) / (len(up) - index)
            try:
                async with asyncio.timeout(max(share, 0.0)):
                    found = await _twice(question, server)
            except AccountRefused as error:
                server.failed(str(error), refused=True)
                told.append(f"{server.url}: {error}")
            except Lost as error:
                server.failed(str(error))
                told.append(f"{server.url}: {error}")
            except Unable as error:
                told.append(f"{server.url}: {error}")
            except TimeoutError:
                server.timed_out()
                told.append(f"{server.url}: no answer in time")
            else:
                server.answered()
                return found
        detail = "; ".join(told) or "all servers are down"
        raise Unavailable(DOWN, retry_after=RETRY_AFTER_SECONDS, detail=detail)

    async def close(self) -> None:
        for server in self._servers:
            await server.close()


async def _twice(question: Callable[[Server], Awaitable[_Found]], server: Server) -> _Found:
    """Asked again at once where the connection is gone: the server may have closed one that was
    idle, just before it was used."""
    try:
        return await question(server)
    except AccountRefused:
        raise
    except Lost:
        if server.down:
            raise
        return await question(server)
