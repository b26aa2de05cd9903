"""One HTTP/1.1 connection that asks one thing at a time (RFC 9112), on a raw asyncio protocol."""

from __future__ import annotations

import asyncio
from typing import cast

import httptools

from bench.driver.sender import CONNECTION, PARSE, TOO_LARGE, Failed

LONGEST_ANSWER = 1 << 20
"""Bytes of an answer with its head; a token is far below that."""

SUCCESS = range(200, 300)
INFORMATIONAL = range(100, 200)
DELIMITERS = (b"\r\ncontent-length:", b"\r\ntransfer-encoding:")


class Connection(asyncio.Protocol):
    """Kept alive until the other side closes it, breaks the protocol or says that it will close."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[bytes] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._forget()

    def _forget(self) -> None:
        self._body: list[bytes] = []
        self._head = b""
        self._headed = self._complete = False
        self._size = self._status = 0

    @property
    def usable(self) -> bool:
        """Whether another request can be written to it."""
        return self._transport is not None

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        """Send the bytes of a request; the body of its answer, or Failed."""
        waiting = self._waiting = self._loop.create_future()
        if self._transport is None:
            waiting.set_exception(Failed(CONNECTION, "closed"))
        else:
            self._transport.write(request)
        return waiting

    def drop(self) -> None:
        """Close at once: what was under way is not waited for."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    # -- what asyncio calls --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:
            self.drop()  # nobody asked: what comes next would be taken for an answer
            return
        if not self._headed:
            self._head += data
        self._size += len(data)
        if self._size > LONGEST_ANSWER:
            self._fail(Failed(TOO_LARGE, f"an answer of more than {LONGEST_ANSWER} bytes"))
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(Failed(PARSE, "the answer is not HTTP/1.1"))
            return
        if self._complete:
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._waiting is None:
            return
        if self._headed and not self._delimited():
            self._status = self._parser.get_status_code()
            self._answered()
        else:
            self._fail(Failed(CONNECTION, str(exc or "closed before the answer was whole")))

    # -- what httptools calls ------------------------------------------------------------------

    def on_headers_complete(self) -> None:
        self._headed = True

    def on_body(self, body: bytes) -> None:
        if not self._complete:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if self._complete:
            self.drop()  # a second answer to one request
            return
        status = self._parser.get_status_code()
        if status in INFORMATIONAL:
            self._forget()
            return
        self._complete, self._status = True, status
        # Only here does the parser know; the transport is closed once the answer is handed over.
        self._keep = self._parser.should_keep_alive()

    # -- how a request ends --------------------------------------------------------------------

    def _delimited(self) -> bool:
        """Whether the head says where the body ends; else the connection's end does (§6.3)."""
        head = self._head.partition(b"\r\n\r\n")[0].lower()
        return any(name in head for name in DELIMITERS)

    def _answered(self) -> None:
        waiting, self._waiting = self._waiting, None
        status, body = self._status, b"".join(self._body)
        if self._complete and not self._keep:
            self.drop()
        self._forget()
        if waiting is None or waiting.done():
            return
        if status in SUCCESS:
            waiting.set_result(body)
        else:
            waiting.set_exception(Failed(f"status {status}", body=body))

    def _fail(self, failed: Failed) -> None:
        waiting, self._waiting = self._waiting, None
        self.drop()
        if waiting is not None and not waiting.done():
            waiting.set_exception(failed)
