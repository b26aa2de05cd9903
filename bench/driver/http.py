"""Requests over HTTP/1.1 with keep-alive: POSTs of prepared bodies under one prepared head."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from bench.driver.connection import Connection
from bench.driver.sender import CONNECTION, Failed, Sender

CONNECT_SECONDS = 10.0
OPENED_AT_ONCE = 64
"""Connections that are opened together: more would overflow a server's backlog."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go, and what all of them say."""

    url: str
    head: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Further header fields; they may hold credentials."""
    ca_file: Path | None = None
    """Who signed the server's certificate, where the system does not know it."""

    def options(self) -> dict[str, Any]:
        """For :func:`bench.driver.sender.made`."""
        return {
            "transport": "http",
            "url": self.url,
            "head": dict(self.head),
            "ca_file": str(self.ca_file) if self.ca_file else None,
        }


def sender(options: Mapping[str, Any], lanes: int) -> Sender:
    """Raises ValueError for a URL or header that cannot be sent."""
    ca_file = Path(options["ca_file"]) if options.get("ca_file") else None
    return HttpSender(Endpoint(options["url"], options.get("head") or {}, ca_file), lanes)


def reached(url: str) -> None:
    """Whether somebody listens there: what is asked for first would only say what it misses.

    Raises ValueError for a URL that cannot be asked, or where nobody listens.
    """
    host, port, _ = _place(url)
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError as error:
        why = error.strerror or "no connection in time"
        raise ValueError(f"nobody can be reached at {host}:{port}: {why}") from None


class HttpSender:
    """A connection for each lane, taken in turn, so that all workers of a server get their part."""

    def __init__(self, endpoint: Endpoint, lanes: int) -> None:
        self._host, self._port, parts = _place(endpoint.url)
        self._tls = _context(endpoint.ca_file) if parts.scheme == "https" else None
        path = parts.path or "/"
        self._head = _head(
            path + (f"?{parts.query}" if parts.query else ""), parts.netloc, endpoint.head
        )
        self._lanes = lanes
        self._idle: deque[Connection] = deque()

    async def open(self) -> None:
        """Raises Failed."""
        while len(self._idle) < self._lanes:
            number = min(OPENED_AT_ONCE, self._lanes - len(self._idle))
            opened = await asyncio.gather(
                *(self._connected() for _ in range(number)), return_exceptions=True
            )
            self._idle.extend(one for one in opened if isinstance(one, Connection))
            for one in opened:
                if isinstance(one, BaseException):
                    raise one

    async def ask(self, body: bytes) -> bytes:
        """Raises Failed."""
        connection = self._idle.popleft() if self._idle else None
        if connection is None or not connection.usable:
            connection = await self._connected()
        try:
            return await connection.ask(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        except asyncio.CancelledError:
            connection.drop()  # its answer, should it come, belongs to nobody
            raise
        finally:
            if connection.usable:
                self._idle.append(connection)

    async def close(self) -> None:
        while self._idle:
            self._idle.popleft().drop()
        await asyncio.sleep(0)  # the transports close in the loop's next turn

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    Connection, self._host, self._port, ssl=self._tls
                )
        except TimeoutError:
            raise Failed(CONNECTION, "no connection in time") from None
        except OSError as error:
            raise Failed(CONNECTION, str(error)) from None
        return connection


def _place(url: str) -> tuple[str, int, SplitResult]:
    """Host, port and all parts. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the URL must begin with http:// or https:// and name a host")
    if parts.username or parts.password:
        raise ValueError("write no credentials into the URL")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise ValueError("the URL has a port that is none") from None
    return parts.hostname, port, parts


def _context(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


def _head(path: str, host: str, fields: Mapping[str, str]) -> bytes:
    """Everything before the body's length."""
    given = {"Host": host, "Accept": "*/*", "User-Agent": "remint-bench", **fields}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    if any(not line.isprintable() for line in lines):
        raise ValueError("a URL or header field holds a line break or another control character")
    if " " in path:
        raise ValueError("the URL holds a blank: write it as %20")
    return "\r\n".join([*lines, "Content-Length: "]).encode("latin-1")
