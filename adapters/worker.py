"""One process that serves: a broker on a listening socket, until it is told to stop.

A broker whose store was replaced cannot go on, since what is in the new one is sealed under another
key. It refuses requests while its successor is built beside it, and hands over the port.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from adapters import allocator, bootstrap
from adapters.bootstrap import Seed
from adapters.http import management
from adapters.http.app import FrontDoor
from adapters.http.listening import Listening
from adapters.http.openapi.document import Front
from adapters.running import Broker
from adapters.settings import Settings
from adapters.stores import StoreEmptied
from adapters.stores.condition import StoreReplaced
from adapters.telemetry.metrics import Metrics
from adapters.telemetry.seats import Seats
from adapters.tls import tls_context
from broker.errors import Unavailable

REBUILD_PAUSE_SECONDS = 1.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

Served = Callable[[str], Awaitable[bool]]

_log = structlog.get_logger(__name__)


async def serve(
    settings: Settings,
    listener: socket.socket,
    url: str,
    *,
    first: bool,
    parent: int | None = None,
    served: Served | None = None,
    seed: Seed | None = None,
    team: Team | None = None,
) -> None:
    """One worker, from building its broker to the end of its drain.

    ``team`` is what it shares with other workers. ``seed`` is for the broker that makes a new
    store: the ``first``, and the successor of one whose store was replaced.
    """
    allocator.use_one_arena()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    if parent is not None:
        loop.add_reader(parent, _parent_gone, parent, stop)
    team = team or Team()
    metrics = Metrics(team.seats, team.seat)
    place = _Place(settings, listener, url, seed, team.management, metrics)
    broker: Broker | None = await bootstrap.build(
        settings, url=url, first=first, seed=seed if first else None, metrics=metrics
    )
    while broker is not None:
        serving = broker
        try:
            broker = await _serve_broker(serving, place, stop, served)
        finally:
            await serving.close()
        served = None  # it has been called


@dataclass(frozen=True, slots=True)
class Team:
    """What the workers of one broker share: the management port's socket, if there is one, which
    any of them accepts from, and the seats of their metrics, of which this worker has ``seat``."""

    management: socket.socket | None = None
    seats: Seats | None = None
    seat: int = 0


@dataclass(frozen=True, slots=True)
class _Place:
    """What a broker and its successor have in common."""

    settings: Settings
    listener: socket.socket
    url: str
    seed: Seed | None
    management: socket.socket | None
    metrics: Metrics


def _parent_gone(parent: int, stop: asyncio.Event) -> None:
    """The end of the pipe stays readable, so it is looked at once."""
    asyncio.get_running_loop().remove_reader(parent)
    stop.set()


async def _serve_broker(
    broker: Broker, place: _Place, stop: asyncio.Event, served: Served | None
) -> Broker | None:
    """Until told to stop, or until the store was replaced: then the successor, not yet started."""
    settings = place.settings
    app = FrontDoor(broker.components, broker).application()
    listening = Listening(
        app,
        max_connections=settings.http.max_connections,
        drain_seconds=settings.http.drain_seconds,
    )
    # A socket of its own, since the end of listening closes it.
    await listening.start(place.listener.dup(), tls_context(settings))
    managed = await _managed(broker, place)
    broker.start()
    _settle_memory()
    _log.info("serving", url=broker.url, pid=os.getpid())
    replaced = asyncio.create_task(_successor(broker, place))
    publishing = asyncio.create_task(place.metrics.publish_for_ever())
    tasks: list[asyncio.Task[object]] = [replaced, asyncio.create_task(stop.wait()), publishing]
    if served is not None:
        url = listening_url(settings, place.listener)
        tasks.append(asyncio.create_task(_stop_if_done(served, url, stop)))
    try:
        await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
    finally:
        _log.info("draining", pid=os.getpid())
        if not _succeeded(replaced):
            place.listener.close()  # so that a stop refuses new connections at once
        await asyncio.gather(broker.drain(settings.http.drain_seconds), listening.stop())
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        place.metrics.publish()
        if managed is not None:
            await managed.stop()
    for outcome in ended:
        if isinstance(outcome, Exception):
            raise outcome
    return replaced.result() if _succeeded(replaced) else None


async def _managed(broker: Broker, place: _Place) -> Listening | None:
    """The management port, to the very end: until then it says that this worker is not ready."""
    if place.management is None:
        return None
    front = Front.of(place.settings.http, place.url)
    listening = Listening(
        management.Management(broker, place.metrics, front).application(),
        max_connections=management.MAX_CONNECTIONS,
        drain_seconds=management.DRAIN_SECONDS,
    )
    await listening.start(place.management.dup())
    return listening


GC_THRESHOLDS = (5_000, 10, 10)
"""A request leaves next to no cycles behind, so looking for them at each 700 objects, as CPython
does by default, is work for nothing: a few µs of each token of a batch."""


def _settle_memory() -> None:
    """What a start has made stays for good: the garbage collector need not walk through it again,
    which would hold up every request under way for tens of milliseconds."""
    gc.unfreeze()  # a successor's start: what was its predecessor's is garbage now
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    allocator.give_back()


def _succeeded(task: asyncio.Task[Broker | None]) -> bool:
    """There is somebody to hand the port over to."""
    if not task.done() or task.cancelled() or task.exception() is not None:
        return False
    return task.result() is not None


async def _successor(broker: Broker, place: _Place) -> Broker | None:
    """Waits until the store was replaced, and builds the next broker; this one refuses requests
    meanwhile, since its store is in trouble. Raises what ended the broker otherwise."""
    try:
        await broker.failed()
    except StoreReplaced:
        _log.warning("the store was made anew; building the broker again")
    else:
        return None  # it drains
    while True:
        try:
            return await bootstrap.build(
                place.settings, url=place.url, first=True, seed=place.seed, metrics=place.metrics
            )
        except (StoreEmptied, Unavailable) as error:
            _log.warning("the broker cannot be built yet", reason=str(error))
            await asyncio.sleep(REBUILD_PAUSE_SECONDS)


async def _stop_if_done(served: Served, url: str, stop: asyncio.Event) -> None:
    done = True
    try:
        done = await served(url)
    finally:
        if done:
            stop.set()


def listening_url(settings: Settings, listener: socket.socket) -> str:
    scheme = "https" if settings.http.tls == "on" else "http"
    host = settings.http.host
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
