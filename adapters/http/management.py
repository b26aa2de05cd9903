"""``/livez``, ``/readyz``, ``/metrics``, ``/openapi.json`` and ``/asyncapi.json``, for those who
look after brokers.

They are on the main port, or on ``http.management_port`` alone where that is set. Nobody is asked
who they are, so nothing there is secret. A management port is plain HTTP, whatever the main one is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from aiohttp import web

from adapters.http.answer import respond
from adapters.http.asyncapi import describe
from adapters.http.call import Reply
from adapters.http.crest_errors import crest_errors
from adapters.http.metrics import MetricsPage
from adapters.http.openapi.document import Front
from adapters.http.openapi.page import OpenApiPage
from adapters.telemetry.metrics import Metrics

MAX_CONNECTIONS = 100
"""Open at once on a management port, per worker."""

DRAIN_SECONDS = 1.0


class Health(Protocol):
    """How this process is doing."""

    def not_ready(self) -> list[str]:
        """Why it cannot take requests; empty if it can."""

    def store_report(self) -> Mapping[str, object]:
        """What an acknowledged write is worth, for people to read."""

    async def unsent_events(self) -> int:
        """How many wait in the store. Raises Unavailable."""


class Management:
    """What one worker tells: of itself, but for the metrics, which are those of all workers.

    ``front`` is the front door that it describes.
    """

    def __init__(self, health: Health, metrics: Metrics, front: Front) -> None:
        self._health = health
        self._page = MetricsPage(metrics, health.unsent_events)
        self._openapi = OpenApiPage(front)

    def application(self) -> web.Application:
        """With these five paths and no other."""
        app = web.Application(middlewares=[crest_errors])
        self.add_to(app.router)
        return app

    def add_to(self, router: web.UrlDispatcher) -> None:
        router.add_get("/livez", self._live)
        router.add_get("/readyz", self._ready)
        router.add_get("/metrics", self._page.serve)
        router.add_get("/openapi.json", self._openapi.serve)
        router.add_get("/asyncapi.json", describe)

    async def _live(self, _: web.Request) -> web.Response:
        return respond(Reply({"status": "alive"}))

    async def _ready(self, _: web.Request) -> web.Response:
        reasons = self._health.not_ready()
        if reasons:
            return respond(Reply({"status": "not ready", "reasons": reasons}, 503))
        return respond(Reply({"status": "ready", "store": self._health.store_report()}))
