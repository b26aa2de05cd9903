"""What an application's router refuses, in CREST's words."""

from __future__ import annotations

from aiohttp import web

from adapters.http.answer import failed
from adapters.http.listening import Handler
from broker.errors import MethodNotAllowed, NotFound, RemintError


@web.middleware
async def crest_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """404, 405, and what a handler raised, each as a CREST body."""
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as error:
        allow = sorted(error.allowed_methods)
        return failed(MethodNotAllowed("this path has no such method", allow=allow))
    except web.HTTPNotFound:
        return failed(NotFound("there is nothing at this path"))
    except RemintError as error:
        return failed(error)
