"""One CREST call: what every endpoint needs to know of the HTTP request, read once and checked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from aiohttp import web

from adapters import codec
from adapters.http import fields
from adapters.http.address import AddressBook
from adapters.http.answer import Reply, Whole, may_be_whole, respond
from adapters.http.places import Place
from adapters.http.query import TRANSLATE_BATCH, Query
from adapters.trace import trace_of
from broker.errors import (
    InvalidRequest,
    MethodNotAllowed,
    PayloadTooLarge,
    RemintError,
    RequestExpired,
    Unavailable,
    UnsupportedMediaType,
)
from broker.model import Requester, Secret
from broker.policy import shown
from broker.ports import Attempt

BODY_SECONDS = 30.0  # a client that dribbles its body is let go after this
DRAIN_BYTES = 16 * 1024 * 1024  # read and dropped, so that the client gets to see its 413
DRAIN_SECONDS = 5.0
CHUNK_BYTES = 64 * 1024
CUT_SHORT = (ConnectionError, web.RequestPayloadError)

__all__ = ["TRANSLATE_BATCH", "Call", "Reply", "new_attempt", "utf8"]

NEWEST_PROTOCOL = (2, 1)
_PROTOCOL = re.compile(
    r"(?:^|,)\s*protocol=([0-9]{1,3})(?:\.([0-9]{1,3}))?\s*(?=,|$)", re.IGNORECASE
)

USUAL_LENGTH = 64

OVERRIDE = "X-HTTP-Method-Override"
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


class Call:
    """A request under way; ``path`` is the part of it that the route left open.

    Raises InvalidRequest where its CREST head makes no sense.
    """

    def __init__(
        self,
        request: web.Request,
        path: str,
        query: Query,
        attempt: Attempt,
        cookie_name: str,
        place: Place,
    ) -> None:
        self.request = request
        self.path = path
        self.attempt = attempt
        self.place = place
        self._cookie_name = cookie_name
        self._body: bytes | RemintError = b""
        self.method = _method(request)
        self.action = query.action
        self.trace: Mapping[str, str] = trace_of(request.headers)
        self.protocol = _protocol(request.headers.get("Accept-API-Version", ""))
        self._pretty = query.pretty
        self._fields = _fields(query, self.protocol)

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query

    @property
    def session_id(self) -> Secret | None:
        """The session shown in the header named like the cookie, else in the cookie.

        A cookie comes along by itself, so one that another site's page sent along counts for
        nothing: browsers say the page's origin with every request that can change something.
        """
        given = self.request.headers.get(self._cookie_name) or self.cookie(self._cookie_name)
        return Secret(utf8(given)) if given else None

    def cookie(self, name: str) -> str | None:
        """A cookie, if it does not come along with another site's request."""
        return self.request.cookies.get(name) if self._own_origin() else None

    def _own_origin(self) -> bool:
        origin = self.request.headers.get("Origin")
        return origin is None or origin.partition("://")[2] == self.request.headers.get("Host")

    @property
    def requester(self) -> Requester:
        return Requester("http", address=self.attempt.address)

    def header(self, name: str) -> str | None:
        value = self.request.headers.get(name)
        return None if value is None else utf8(value)

    def expected_revision(self) -> str | None:
        """The revision in If-Match; None where any will do.

        A proxy that compresses answers turns an ETag into a weak one, and a client repeats that.
        """
        value = (self.header("If-Match") or "*").strip()
        return None if value == "*" else value.removeprefix("W/").strip('"')

    async def read(self) -> None:
        """Take the body in, whatever its fate: who sends it slowly holds up nobody else."""
        if not self.request.can_read_body:
            return
        try:
            self._body = self._at_hand() or await self._read()
        except RemintError as error:
            self._body = error

    async def body(self) -> bytes:
        """The body within ``codec.MAX_BODY_BYTES``, that of a batch ``codec.MAX_BATCH_BYTES``.

        Raises PayloadTooLarge, UnsupportedMediaType (a content coding), RequestExpired (too slow),
        InvalidRequest (cut short), Unavailable (too many large ones at once).
        """
        if isinstance(self._body, RemintError):
            raise self._body
        return self._body

    def _at_hand(self) -> bytes | None:
        """A body that came whole together with its head, as most do: then nothing is waited for."""
        if self.request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise UnsupportedMediaType("send the body without a content coding")
        content = self.request.content
        if not content.is_eof() or content.total_bytes > codec.MAX_BODY_BYTES:
            return None
        try:
            return content.read_nowait()
        except CUT_SHORT:
            raise InvalidRequest("the body did not arrive whole") from None

    async def _read(self) -> bytes:
        most = codec.MAX_BATCH_BYTES if self._carries_batch() else codec.MAX_BODY_BYTES
        if (self.request.content_length or 0) > most:
            await self._drain()
            raise PayloadTooLarge(f"the body is over {most} bytes")
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in self.request.content.iter_chunked(CHUNK_BYTES):
                    size += len(chunk)
                    if size > most:
                        break
                    if size > codec.MAX_BODY_BYTES:
                        self.place.take()
                    chunks.append(chunk)
        except TimeoutError:
            raise RequestExpired("the body took too long to arrive") from None
        except CUT_SHORT:
            raise InvalidRequest("the body did not arrive whole") from None
        except Unavailable:
            await self._drain()
            raise
        if size > most:
            await self._drain()
            raise PayloadTooLarge(f"the body is over {most} bytes")
        return b"".join(chunks)

    def _carries_batch(self) -> bool:
        """Batches are sent to instances; nothing else may be as large."""
        wanted = self.method == "POST" and self.action == TRANSLATE_BATCH
        return wanted and "/rest-sts/" in self.request.path

    async def json_object(self) -> Mapping[str, Any]:
        """The body as a JSON object. Raises as ``body`` does, and InvalidRequest."""
        return codec.decode_object(await self.body())

    def needs_content_type(self) -> None:
        """Create and update insist on one; actions do not. Raises InvalidRequest."""
        if "Content-Type" not in self.request.headers:
            raise InvalidRequest("say Content-Type: application/json")

    def reply(self, reply: Reply) -> web.StreamResponse:
        """The response; of what succeeded, the members that ``_fields`` names."""
        if self._fields and reply.status < 400:
            reply = replace(reply, body=fields.chosen(reply.body, self._fields))
        if self.trace:
            reply = replace(reply, headers={**reply.headers, **self.trace})
        if reply.status == 200 and not reply.headers and may_be_whole(self.request):
            return Whole(codec.encode(reply.body, pretty=self._pretty))
        return respond(reply, pretty=self._pretty)

    async def _drain(self) -> None:
        size = 0
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                async for chunk in self.request.content.iter_chunked(CHUNK_BYTES):
                    size += len(chunk)
                    if size > DRAIN_BYTES:
                        return
        except (TimeoutError, *CUT_SHORT):
            return


def new_attempt(request: web.Request, query: Query, book: AddressBook, now: float) -> Attempt:
    return Attempt(
        operation=shown(request.method if query.action is None else query.action),
        transport="http",
        started_at=now,
        address=_client(request, book),
    )


def _client(request: web.Request, book: AddressBook) -> str | None:
    if not book.believes_any:
        return request.remote
    return book.client(request.remote, request.headers.getall("X-Forwarded-For", ()))


def utf8(value: str) -> str:
    """A header value as text: bytes that are not UTF-8 are taken as Latin-1, as HTTP once said."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def _method(request: web.Request) -> str:
    if request.method == "POST":
        override = request.headers.get(OVERRIDE, "POST").upper()
        if override not in METHODS:
            raise MethodNotAllowed(
                f"{OVERRIDE} names no method that is known here", allow=sorted(METHODS)
            )
        return override
    return request.method


def _fields(query: Query, protocol: tuple[int, int]) -> fields.Pointers:
    """What of the answer is wanted. Raises InvalidRequest, before anything is done."""
    if query.twice is not None:
        raise InvalidRequest(f"give {query.twice} once")
    return fields.parse(query.fields, identified=protocol >= (2, 0)) if query.fields else ()


def _protocol(header: str) -> tuple[int, int]:
    """CREST's protocol version; the newest where the header does not name one."""
    if not header:
        return NEWEST_PROTOCOL
    return _usual(header) if len(header) <= USUAL_LENGTH else _named(header)


def _named(header: str) -> tuple[int, int]:
    if "protocol" not in header.lower():
        return NEWEST_PROTOCOL
    match = _PROTOCOL.search(header)
    if match is None:
        raise InvalidRequest("write Accept-API-Version as protocol=2.1, resource=1.0")
    version = int(match[1]), int(match[2] or 0)
    newest_minor = {1: 0, 2: NEWEST_PROTOCOL[1]}.get(version[0])
    if newest_minor is None or version[1] > newest_minor:
        raise InvalidRequest(f"protocol {version[0]}.{version[1]} is not supported; 2.1 is")
    return version


_usual = lru_cache(maxsize=64)(_named)
"""A client's library sends the same few words with each request."""
