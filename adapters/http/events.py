"""``GET /events``: what has happened, as server-sent events for administrators.

The format is that of the WHATWG HTML standard, section 9.2, "Server-sent events". What is sent is
read from the journal in the store, so every worker of every broker shows the same. A stream takes
no place among the requests in work.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import orjson
import structlog
from aiohttp import web

from adapters.components import Components
from adapters.http.answer import HEAD
from adapters.http.call import Call
from broker.errors import InvalidRequest, NotFound, RemintError, Unavailable
from broker.failures import failure_of
from broker.model import ROOT_REALM, Session

MAX_LISTENERS = 32
"""Streams at once in each worker."""

POLL_SECONDS = 0.5
"""How often the journal is looked into for each listener."""

PAGE = 100
"""How many events are read, and held in memory, for a listener at a time."""

HEARTBEAT_SECONDS = 15.0
"""How often a silent stream says that it is there; and how often its session is looked at."""

WRITE_SECONDS = 10.0
"""A listener that takes nothing for this long is let go; it can resume."""

RETRY_MILLISECONDS = 2000
"""How long a client waits before it comes again."""

MAX_POSITION_LENGTH = 64

FROM_THE_OLDEST = "0"
"""Comes before every position: for a journal that was empty when its listener came."""

STREAM_HEAD = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # a proxy must not gather what is to arrive at once
}

_HEARTBEAT = b": \n\n"

_log = structlog.get_logger(__name__)


class EventStream:
    """Serves ``GET /events``; ``stop`` ends every stream when the application drains."""

    def __init__(self, components: Components) -> None:
        self._components = components
        self._journal = components.journal
        self._listeners = 0
        self._stopping = asyncio.Event()

    async def serve(self, call: Call) -> web.StreamResponse:
        """One stream until its end; it is audited when it begins.

        Raises AccessDenied, Forbidden, NotFound (nothing is kept), InvalidRequest (Last-Event-ID),
        Unavailable; nothing once the stream has begun.
        """
        call.attempt.operation = "events get"
        with self._place():
            session = await self._administrator(call)
            call.attempt.requester, call.attempt.realm = session.principal, session.realm
            if not self._components.settings.events.keep:
                raise NotFound("no events are kept here: set events.keep")
            after = await self._start(call)
            response = web.StreamResponse(headers={**HEAD, **STREAM_HEAD})
            await self._components.trail.ended(call.attempt)
            # What fails from here on ends the stream: its head is out, and the client comes again.
            try:
                await response.prepare(call.request)
                await self._stream(call, session, response, after)
            except (OSError, TimeoutError, RemintError):
                response.force_close()
            except BaseException as error:
                failure = failure_of(error)
                _log.error("an event stream failed", error=type(failure).__name__)
                response.force_close()
            return response

    async def stop(self, _: web.Application) -> None:
        """Ends every stream."""
        self._stopping.set()

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        if self._listeners >= MAX_LISTENERS:
            raise Unavailable("this broker has as many listeners as it takes; ask again later")
        self._listeners += 1
        try:
            yield
        finally:
            self._listeners -= 1

    async def _administrator(self, call: Call) -> Session:
        return await self._components.sessions.administrator(call.session_id)

    async def _start(self, call: Call) -> str:
        """The position after which the listener wants to hear: where it was, else now."""
        given = call.header("Last-Event-ID")
        if given:
            if len(given) > MAX_POSITION_LENGTH or not given.isascii() or not given.isalnum():
                raise InvalidRequest("Last-Event-ID is the id of an event that came from here")
            return given
        newest = await self._journal.read(None, 1)
        return newest[-1][0] if newest else FROM_THE_OLDEST

    async def _stream(
        self, call: Call, session: Session, response: web.StreamResponse, after: str
    ) -> None:
        loop = asyncio.get_running_loop()
        # An id alone is no event; with it, a client that saw none yet resumes where it began.
        await _write(response, f"retry: {RETRY_MILLISECONDS}\nid: {after}\n\n".encode())
        silent_since = looked_at = loop.time()
        while not self._stopping.is_set() and call.request.transport is not None:
            page = await self._journal.read(after, PAGE)
            if page:
                after = page[-1][0]
                blocks = [_block(position, body, session.realm) for position, body in page]
                if text := b"".join(blocks):
                    await _write(response, text)
                    silent_since = loop.time()
            if loop.time() - silent_since >= HEARTBEAT_SECONDS:
                await _write(response, _HEARTBEAT)
                silent_since = loop.time()
            if loop.time() - looked_at >= HEARTBEAT_SECONDS:
                await self._administrator(call)
                looked_at = loop.time()
            if len(page) < PAGE:
                await self._pause()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._stopping.wait()


async def _write(response: web.StreamResponse, data: bytes) -> None:
    """Returns once the listener is not behind. Raises TimeoutError, OSError."""
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(data)


def _block(position: str, body: bytes, realm: str) -> bytes:
    """One event as the standard writes it; empty for one that is not this administrator's to see.

    ``body`` is JSON as we wrote it, on one line.
    """
    event = orjson.loads(body)
    if realm not in (ROOT_REALM, event["data"]["realm"]):
        return b""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (position.encode(), event["type"].encode(), body)
