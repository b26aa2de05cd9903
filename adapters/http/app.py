"""The aiohttp application: routes, and the envelope that every call travels in."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Protocol

import structlog
from aiohttp import web

from adapters.components import Components
from adapters.http.address import AddressBook
from adapters.http.asyncapi import describe
from adapters.http.call import Call, Reply, failed, new_attempt, respond
from adapters.http.events import EventStream
from adapters.http.json_tree import JsonTree
from adapters.http.places import Places
from adapters.http.publish import Publish
from adapters.http.requests import Requests
from adapters.http.rest_sts import RestSts
from adapters.http.tokengen import TokenGen
from adapters.trace import trace_of
from broker.errors import MethodNotAllowed, NotFound, RemintError, Unavailable
from broker.failures import failure_of
from broker.model import normal_realm
from broker.ports import Attempt

_log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Endpoint = Callable[[Call], Awaitable[Reply]]


class Health(Protocol):
    """Whether this process can take requests; the reasons why not, else an empty list."""

    def not_ready(self) -> list[str]: ...

    def store_report(self) -> Mapping[str, object]:
        """What an acknowledged write is worth, for people to read."""


class FrontDoor:
    """Bounded intake, one audit line a call, and every failure as a CREST body."""

    def __init__(self, components: Components, health: Health) -> None:
        self._components = components
        self._health = health
        self._settings = components.settings.http
        self._book = AddressBook(self._settings.trusted_proxies)
        self._in_work = 0
        self._places = Places()

    def application(self) -> web.Application:
        app = web.Application(middlewares=[_crest_errors])
        for prefix in ("", *self._settings.context_path):
            self._add_routes(app.router, prefix)
        results = self._enveloped(Requests(self._components).handle)
        app.router.add_route("*", "/requests/{path:.+}", results, expect_handler=_expect)
        stream = EventStream(self._components)
        app.router.add_get("/events", self._streamed(stream), allow_head=False)
        app.on_shutdown.append(stream.stop)
        app.router.add_get("/oauth2/jwks", self._jwks)
        app.router.add_get("/oauth2/realms/{path:.+}/jwks", self._jwks)
        app.router.add_get("/asyncapi.json", describe)
        app.router.add_get("/livez", self._live)
        app.router.add_get("/readyz", self._ready)
        return app

    def _add_routes(self, router: web.UrlDispatcher, prefix: str) -> None:
        rest_sts = self._enveloped(RestSts(self._components).handle)
        tokengen = self._enveloped(TokenGen(self._components).handle)
        publish = self._enveloped(Publish(self._components).handle)
        tree = self._enveloped(JsonTree(self._components).handle)
        router.add_route("*", prefix + "/rest-sts/{path:.*}", rest_sts, expect_handler=_expect)
        router.add_route("*", prefix + "/sts-tokengen", tokengen, expect_handler=_expect)
        router.add_route("*", prefix + "/sts-tokengen/{path:.*}", tokengen, expect_handler=_expect)
        router.add_route("*", prefix + "/sts-publish/rest", publish, expect_handler=_expect)
        router.add_route(
            "*", prefix + "/sts-publish/rest/{path:.*}", publish, expect_handler=_expect
        )
        soap = self._enveloped(Publish(self._components).soap)
        router.add_route("*", prefix + "/sts-publish/soap", soap, expect_handler=_expect)
        router.add_route("*", prefix + "/sts-publish/soap/{path:.*}", soap, expect_handler=_expect)
        router.add_route("*", prefix + "/json/{path:.+}", tree, expect_handler=_expect)

    def _enveloped(self, endpoint: Endpoint) -> Handler:
        components = self._components
        cookie_name = self._settings.cookie_name

        async def handle(request: web.Request) -> web.Response:
            attempt = new_attempt(request, self._book, components.clock.now())
            try:
                with self._places.visit() as place:
                    call = Call(request, attempt, cookie_name, place)
                    await call.read()
                    with self._slot():
                        response = call.reply(await endpoint(call))
                        await components.trail.ended(attempt)
            except BaseException as error:
                response = await self._failed(attempt, failure_of(error))
            response.headers.update(trace_of(request.headers))
            return response

        return handle

    def _streamed(self, stream: EventStream) -> Handler:
        """Like ``_enveloped``, without a slot: a stream lasts, and does next to nothing."""

        async def handle(request: web.Request) -> web.StreamResponse:
            attempt = new_attempt(request, self._book, self._components.clock.now())
            try:
                with self._places.visit() as place:
                    call = Call(request, attempt, self._settings.cookie_name, place)
                    return await stream.serve(call)
            except BaseException as error:
                return await self._failed(attempt, failure_of(error))

        return handle

    async def _failed(self, attempt: Attempt, error: Exception) -> web.Response:
        if not isinstance(error, RemintError):
            _log.error("unexpected failure", operation=attempt.operation, exc_info=error)
        try:
            await self._components.trail.ended(attempt, error)
        except Exception as unwritten:
            return failed(unwritten)
        return failed(error)

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        """One of the requests in work. Raises Unavailable when there are enough."""
        if self._in_work >= self._settings.max_concurrency:
            raise Unavailable("the broker is at its limit; ask again shortly")
        self._in_work += 1
        try:
            yield
        finally:
            self._in_work -= 1

    async def _jwks(self, request: web.Request) -> web.Response:
        realm = normal_realm(request.match_info.get("path", ""))
        if not await self._components.realm_exists(realm):
            raise NotFound("there is no such realm")
        keys = self._components.keys
        # What may be out of date is not to be kept: a key that is new elsewhere is missing in it.
        fresh = await keys.refresh()
        age = self._components.settings.keys.jwks_max_age
        headers = {"Cache-Control": f"public, max-age={age}" if fresh else "no-cache"}
        return respond(Reply(keys.jwks(realm), headers=headers))

    async def _live(self, request: web.Request) -> web.Response:
        return respond(Reply({"status": "alive"}))

    async def _ready(self, request: web.Request) -> web.Response:
        reasons = self._health.not_ready()
        if reasons:
            return respond(Reply({"status": "not ready", "reasons": reasons}, 503))
        return respond(Reply({"status": "ready", "store": self._health.store_report()}))


async def _expect(request: web.Request) -> None:
    """RFC 9110 section 10.1.1: tell a client that waits to go on; expect nothing else of us."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


@web.middleware
async def _crest_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What the router refuses, in CREST's words."""
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed:
        return failed(MethodNotAllowed("this path has no such method"))
    except web.HTTPNotFound:
        return failed(NotFound("there is nothing at this path"))
    except RemintError as error:
        return failed(error)
