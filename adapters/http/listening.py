"""The listening side of the front door: connections within limits, and errors in CREST's words.

aiohttp's own answer to a request it cannot read quotes the request, password header included, and
names versions; and it takes any number of connections, for an hour each. Both are changed here.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import web

from adapters.http.answer import failed
from broker.errors import InvalidRequest

KEEPALIVE_SECONDS = 75.0  # also the time for a first or next head; proxies close at 60
SPARE_DESCRIPTORS = 256  # for stores, keys and logs, beside the connections
BACKLOG = 1024

Handler = Callable[[Any], Awaitable[web.StreamResponse]]

DIRECT: web.AppKey[Callable[[Handler], Handler]] = web.AppKey("direct")
"""Of an application: makes of its handler, which finds routes, one that knows some without."""

_log = structlog.get_logger(__name__)


class Listening:
    """An application on a bound socket, with at most ``max_connections`` open at once."""

    def __init__(self, app: web.Application, *, max_connections: int, drain_seconds: float) -> None:
        self._runner = web.AppRunner(app, shutdown_timeout=drain_seconds)
        self._direct = app.get(DIRECT)
        self._limit = min(max_connections, _descriptors() - SPARE_DESCRIPTORS)
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        await self._runner.setup()
        server = self._runner.server
        if server is not None and self._direct is not None:
            server.request_handler = self._direct(server.request_handler)
        self._server = await asyncio.get_running_loop().create_server(
            self._connection, sock=listener, ssl=tls, backlog=BACKLOG
        )

    async def stop(self) -> None:
        """Accept nothing new; open requests get ``drain_seconds``."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    def _connection(self) -> asyncio.Protocol:
        server = self._runner.server
        if server is None or len(server.connections) >= self._limit:
            return _Full()
        loop = asyncio.get_running_loop()
        return _Connection(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # its way to say: none
            keepalive_timeout=KEEPALIVE_SECONDS,
            auto_decompress=False,  # else a body is unpacked before its coding can be refused
        )


class _Full(asyncio.Protocol):
    """Hangs up: there is no room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class _Connection(web.RequestHandler):
    """A connection whose own errors say nothing of the request or of us."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """400 for what is not HTTP, 500 for what got past every handler."""
        if status >= 500:
            _log.error("unexpected failure", error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer was under way")
        unreadable = InvalidRequest("this is not a well-formed HTTP request")
        response = failed(unreadable if status < 500 else RuntimeError())
        response.force_close()
        return response


def _descriptors() -> int:
    """How many files this process may open, after taking all it is given."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
