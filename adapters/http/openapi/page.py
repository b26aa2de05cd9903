"""``GET /openapi.json``: what can be asked over HTTP, for anybody to read."""

from __future__ import annotations

from aiohttp import web

from adapters import codec
from adapters.http.answer import HEAD
from adapters.http.openapi.document import Front, document


class OpenApiPage:
    """The OpenAPI 3.1 document of one front door; written when it is first asked for."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._written = b""

    async def serve(self, _: web.Request) -> web.Response:
        if not self._written:
            self._written = codec.encode(document(self._front))
        headers = {**HEAD, "Content-Type": "application/json"}
        return web.Response(body=self._written, headers=headers)
