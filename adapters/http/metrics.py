"""``GET /metrics``: what Prometheus reads, on a listener of its own that settings name.

The front door has no such path: names of instances and rates are nobody's business there.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

from aiohttp import web

from adapters.http.listening import Listening
from adapters.telemetry import prometheus
from adapters.telemetry.metrics import Metrics
from broker.errors import Unavailable
from broker.ports import Outbox

PUBLISH_SECONDS = 1.0
MAX_CONNECTIONS = 16
DRAIN_SECONDS = 1.0


class MetricsPage:
    """Serves the numbers of all workers; whichever of them is asked."""

    def __init__(self, metrics: Metrics, outbox: Outbox) -> None:
        self._metrics = metrics
        self._outbox = outbox
        app = web.Application()
        app.router.add_get("/metrics", self._page)
        self._listening = Listening(
            app, max_connections=MAX_CONNECTIONS, drain_seconds=DRAIN_SECONDS
        )
        self._publishing: asyncio.Task[None] | None = None

    async def start(self, listener: socket.socket) -> None:
        await self._listening.start(listener)
        if self._metrics.shared:
            self._publishing = asyncio.create_task(self._publish_for_ever())

    async def stop(self) -> None:
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.gather(self._publishing, return_exceptions=True)
        self._metrics.publish()
        await self._listening.stop()

    async def _publish_for_ever(self) -> None:
        while True:
            self._metrics.publish()
            await asyncio.sleep(PUBLISH_SECONDS)

    async def _page(self, _: web.Request) -> web.Response:
        total = self._metrics.total()
        with contextlib.suppress(Unavailable):  # then this one number is missing
            total.now["outbox_messages"] = await self._outbox.size()
        return web.Response(
            body=prometheus.written(total), headers={"Content-Type": prometheus.CONTENT_TYPE}
        )
