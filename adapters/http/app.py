"""The aiohttp application: routes, and the envelope that every call travels in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiohttp import web

from adapters.components import Components
from adapters.http import query
from adapters.http.address import AddressBook
from adapters.http.answer import NO_MORE, failed, respond
from adapters.http.call import Call, Reply, new_attempt
from adapters.http.crest_errors import crest_errors
from adapters.http.events import EventStream
from adapters.http.json_tree import JsonTree
from adapters.http.listening import DIRECT, Handler
from adapters.http.management import Health, Management
from adapters.http.openapi.document import Front
from adapters.http.places import Places
from adapters.http.publish import Publish
from adapters.http.realm_path import of_oauth2
from adapters.http.requests import Requests
from adapters.http.rest_sts import RestSts
from adapters.http.tokengen import TokenGen
from adapters.trace import trace_of
from broker.errors import NotFound, RemintError, Unavailable
from broker.failures import failure_of
from broker.ports import Attempt

_log = structlog.get_logger(__name__)

Endpoint = Callable[[Call], Awaitable[Reply]]
Enveloped = Callable[[web.Request, str], Awaitable[web.StreamResponse]]


REST_STS = "/rest-sts/"


class _Slots:
    """Requests in work, so many at most."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.taken = 0

    def __enter__(self) -> None:
        """Raises Unavailable when there are enough."""
        if self.taken >= self._limit:
            raise Unavailable("the broker is at its limit; ask again shortly")
        self.taken += 1

    def __exit__(self, *_: object) -> None:
        self.taken -= 1


class FrontDoor:
    """Bounded intake, one audit line a call, and every failure as a CREST body."""

    def __init__(self, components: Components, health: Health) -> None:
        self._components = components
        self._health = health
        self._settings = components.settings.http
        self._book = AddressBook(self._settings.trusted_proxies)
        self._slots = _Slots(self._settings.max_concurrency)
        components.metrics.watch("http_requests_in_progress", lambda: self._slots.taken)
        self._places = Places()

    def application(self) -> web.Application:
        app = web.Application(middlewares=[crest_errors])
        for prefix in ("", *self._settings.context_path):
            self._add_routes(app.router, prefix)
        results = _routed(self._enveloped(Requests(self._components).handle))
        app.router.add_route("*", "/requests/{path:.+}", results, expect_handler=_expect)
        stream = EventStream(self._components)
        app.router.add_get("/events", self._streamed(stream), allow_head=False)
        app.on_shutdown.append(stream.stop)
        if self._settings.management_place is None:
            front = Front.of(self._settings, self._components.url)
            Management(self._health, self._components.metrics, front).add_to(app.router)
        app[DIRECT] = self._direct
        return app

    def _add_routes(self, router: web.UrlDispatcher, prefix: str) -> None:
        rest_sts = _routed(self._enveloped(RestSts(self._components).handle))
        tokengen = _routed(self._enveloped(TokenGen(self._components).handle))
        publish = _routed(self._enveloped(Publish(self._components).handle))
        tree = _routed(self._enveloped(JsonTree(self._components).handle))
        router.add_route("*", prefix + "/rest-sts/{path:.*}", rest_sts, expect_handler=_expect)
        router.add_route("*", prefix + "/sts-tokengen", tokengen, expect_handler=_expect)
        router.add_route("*", prefix + "/sts-tokengen/{path:.*}", tokengen, expect_handler=_expect)
        router.add_route("*", prefix + "/sts-publish/rest", publish, expect_handler=_expect)
        router.add_route(
            "*", prefix + "/sts-publish/rest/{path:.*}", publish, expect_handler=_expect
        )
        soap = _routed(self._enveloped(Publish(self._components).soap))
        router.add_route("*", prefix + "/sts-publish/soap", soap, expect_handler=_expect)
        router.add_route("*", prefix + "/sts-publish/soap/{path:.*}", soap, expect_handler=_expect)
        router.add_route("*", prefix + "/json/{path:.+}", tree, expect_handler=_expect)
        router.add_get(prefix + "/oauth2/jwks", self._jwks)
        router.add_get(prefix + "/oauth2/realms/{path:.+}/jwks", self._jwks)

    def _direct(self, routed: Handler) -> Handler:
        """``routed``, with a way past it for what nearly every request is: finding its route takes
        longer than all else that is done here. What is spelt in an unusual way is routed."""
        handle = self._enveloped(RestSts(self._components).handle)

        def handler(request: web.Request) -> Awaitable[web.StreamResponse]:
            path = request.rel_url.raw_path
            if (
                path.startswith(REST_STS)
                and request.method == "POST"
                and "%" not in path
                and path.isascii()
                and "Expect" not in request.headers
            ):
                return handle(request, path[len(REST_STS) :])
            return routed(request)

        return handler

    def _enveloped(self, endpoint: Endpoint) -> Enveloped:
        components = self._components
        cookie_name = self._settings.cookie_name

        async def handle(request: web.Request, path: str) -> web.StreamResponse:
            asked = query.read(request)
            attempt = new_attempt(request, asked, self._book, components.clock.now())
            try:
                with self._places.visit() as place:
                    call = Call(request, path, asked, attempt, cookie_name, place)
                    await call.read()
                    with self._slots:
                        response = call.reply(await endpoint(call))
                        if not attempt.recorded:
                            await components.trail.ended(attempt)
                        return response
            except BaseException as error:
                trace = trace_of(request.headers)
                return await self._failed(attempt, failure_of(error), trace, pretty=asked.pretty)

        return handle

    def _streamed(self, stream: EventStream) -> Handler:
        """Like ``_enveloped``, without a slot: a stream lasts, and does next to nothing."""

        async def handle(request: web.Request) -> web.StreamResponse:
            asked = query.read(request)
            attempt = new_attempt(request, asked, self._book, self._components.clock.now())
            try:
                with self._places.visit() as place:
                    call = Call(request, "", asked, attempt, self._settings.cookie_name, place)
                    return await stream.serve(call)
            except BaseException as error:
                return await self._failed(attempt, failure_of(error))

        return handle

    async def _failed(
        self,
        attempt: Attempt,
        error: Exception,
        more: Mapping[str, str] = NO_MORE,
        *,
        pretty: bool = False,
    ) -> web.Response:
        if not isinstance(error, RemintError):
            _log.error("unexpected failure", operation=attempt.operation, exc_info=error)
        try:
            await self._components.trail.ended(attempt, error)
        except Exception as unwritten:
            return failed(unwritten, more, pretty=pretty)
        return failed(error, more, pretty=pretty)

    async def _jwks(self, request: web.Request) -> web.Response:
        realm = of_oauth2(request.match_info.get("path", ""))
        if realm is None or not await self._components.realm_exists(realm):
            raise NotFound("there is no such realm")
        keys = self._components.keys
        # What may be out of date is not to be kept: a key that is new elsewhere is missing in it.
        fresh = await keys.refresh()
        age = self._components.settings.keys.jwks_max_age
        headers = {"Cache-Control": f"public, max-age={age}" if fresh else "no-cache"}
        return respond(Reply(keys.jwks(realm), headers=headers))


def _routed(enveloped: Enveloped) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await enveloped(request, request.match_info.get("path", ""))

    return handle


async def _expect(request: web.Request) -> None:
    """RFC 9110 section 10.1.1: tell a client that waits to go on; expect nothing else of us."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
