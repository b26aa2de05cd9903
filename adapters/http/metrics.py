"""``GET /metrics``: what Prometheus reads."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from aiohttp import web

from adapters.http.answer import HEAD
from adapters.telemetry import prometheus
from adapters.telemetry.metrics import Metrics
from broker.errors import Unavailable

KEPT_SECONDS = 1.0
"""How long a page is shown: writing one takes milliseconds, and anybody may ask."""


class MetricsPage:
    """The numbers of all workers, whichever of them is asked."""

    def __init__(self, metrics: Metrics, unsent_events: Callable[[], Awaitable[int]]) -> None:
        self._metrics = metrics
        self._unsent_events = unsent_events
        self._page = b""
        self._kept_until = 0.0
        self._writing = asyncio.Lock()

    async def serve(self, _: web.Request) -> web.Response:
        clock = asyncio.get_running_loop()
        async with self._writing:
            if clock.time() >= self._kept_until:
                self._page = await self._written()
                self._kept_until = clock.time() + KEPT_SECONDS
            page = self._page
        return web.Response(body=page, headers={**HEAD, "Content-Type": prometheus.CONTENT_TYPE})

    async def _written(self) -> bytes:
        total = self._metrics.total()
        with contextlib.suppress(Unavailable):  # then this one number is missing
            total.now["outbox_messages"] = await self._unsent_events()
        return prometheus.written(total)
