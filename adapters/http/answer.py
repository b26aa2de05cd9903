"""Answers over HTTP: a status, a JSON body, and a head that nearly always is the same."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from adapters import codec
from broker.errors import MethodNotAllowed, PayloadTooLarge, RequestExpired

HEAD = {
    "Content-Type": "application/json;charset=UTF-8",
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Server": "remint",
}

NO_MORE: Mapping[str, str] = MappingProxyType({})
_LINES = "".join(f"{name}: {value}\r\n" for name, value in HEAD.items())
_BEGINNING = f"HTTP/1.1 200 OK\r\n{_LINES}Content-Length: ".encode()


@dataclass(frozen=True, slots=True)
class Reply:
    """A status, a JSON body, and what else the head needs."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: NO_MORE)


class Whole(web.StreamResponse):
    """A 200 with nothing but ``HEAD`` in its head. Head and body leave in one write.

    For a request that ``may_be_whole``; it saves making, filling and writing out a table of
    headers that are the same each time.
    """

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._content = body
        self._writer: AbstractStreamWriter | None = None

    @property
    def keep_alive(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        self._writer = request.writer
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Raises ConnectionError where nobody is left to take it."""
        if self._writer is None:
            raise RuntimeError("write_eof comes after prepare")
        date = _http_date(int(time.time()))
        await self._writer.write_eof(
            b"%b%d\r\nDate: %b\r\n\r\n%b" % (_BEGINNING, len(self._content), date, self._content)
        )


@lru_cache(maxsize=1)
def _http_date(now: int) -> bytes:
    """RFC 9110, section 5.6.7; worked out once a second."""
    return formatdate(now, usegmt=True).encode()


def may_be_whole(request: web.Request) -> bool:
    """HTTP/1.1 and neither HEAD nor the last request of its connection: then the head of the
    answer depends on nothing in the request."""
    return request.version == HttpVersion11 and request.keep_alive and request.method != "HEAD"


def respond(reply: Reply, *, pretty: bool = False) -> web.Response:
    return web.Response(
        body=codec.encode(reply.body, pretty=pretty),
        status=reply.status,
        headers={**HEAD, **reply.headers},
    )


def failed(
    error: Exception, more: Mapping[str, str] = NO_MORE, *, pretty: bool = False
) -> web.Response:
    """The CREST error body of whatever went wrong; ``more`` goes into its head."""
    headers = {**more}
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if isinstance(error, PayloadTooLarge | RequestExpired):
        headers["Connection"] = "close"
    if isinstance(error, MethodNotAllowed):  # RFC 9110, section 15.5.6
        headers["Allow"] = ", ".join(error.allow)
    reply = Reply(codec.error_body(error), codec.status_of(error), headers)
    return respond(reply, pretty=pretty)
