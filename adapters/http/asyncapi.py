"""``GET /asyncapi.json``: what travels by message, for anybody to read."""

from __future__ import annotations

from functools import cache

from aiohttp import web

from adapters import codec
from adapters.http.answer import HEAD
from adapters.schema import asyncapi


@cache
def _written() -> bytes:
    return codec.encode(asyncapi.document())


async def describe(_request: web.Request) -> web.Response:
    """The AsyncAPI 3.0 document."""
    return web.Response(body=_written(), headers={**HEAD, "Content-Type": "application/json"})
