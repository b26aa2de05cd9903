"""Serving: one process or several on one port, signals, and a stop that drains.

Several workers are forked from a parent that does nothing but watch them. Each listens on the port
by SO_REUSEPORT. A worker whose parent is gone (even by ``kill -9``) stops by itself: it sees the
end of a pipe that the parent held open.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

import structlog
import uvloop
from aiohttp import web

from adapters import bootstrap
from adapters.bootstrap import Broker, Seed
from adapters.http.app import FrontDoor
from adapters.settings import Settings

RESTART_PAUSE_SECONDS = 1.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
BACKLOG = 1024

T = TypeVar("T")

_log = structlog.get_logger(__name__)

Served = Callable[[str], Awaitable[bool]]


class PortTaken(Exception):
    """Something listens there already, or the address is not ours."""


def run(settings: Settings, *, served: Served | None = None, seed: Seed | None = None) -> int:
    """Serve until told to stop; the exit code.

    ``seed`` puts first things in place before anything is served. ``served`` is called with the
    URL once requests are answered; True from it means stop.
    Raises PortTaken.
    """
    listener = _listen(settings, shared=settings.workers > 1)
    url = _public_url(settings, listener)
    if settings.workers == 1:
        _in_new_loop(_serve(settings, listener, url, first=True, served=served, seed=seed))
        return 0
    _in_new_loop(bootstrap.prepare(settings, url, seed))
    return _Parent(settings, listener, url).run(served)


def _in_new_loop(work: Coroutine[None, None, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


class _Parent:
    """Keeps ``workers`` children alive, and stops them all."""

    def __init__(self, settings: Settings, listener: socket.socket, url: str) -> None:
        self._settings = settings
        self._listener = listener
        self._url = url
        self._workers: set[int] = set()
        self._client: int | None = None
        self._stopping = False
        self._alive, self._held_open = os.pipe()

    def run(self, served: Served | None) -> int:
        for number in STOP_SIGNALS:
            signal.signal(number, lambda *_: self._stop())
        for _ in range(self._settings.workers):
            self._fork_worker()
        if served is not None:
            self._client = self._fork(lambda: int(_in_new_loop(_called(served, self._url))))
        while self._workers:
            pid, status = os.wait()
            if pid == self._client:
                if os.waitstatus_to_exitcode(status):
                    self._stop()
                continue
            self._workers.discard(pid)
            if not self._stopping:
                _log.error("a worker ended; starting another", pid=pid, status=status)
                time.sleep(RESTART_PAUSE_SECONDS)
                self._fork_worker()
        return 0

    def _stop(self) -> None:
        self._stopping = True
        for pid in self._workers:
            os.kill(pid, signal.SIGTERM)

    def _fork_worker(self) -> None:
        if not self._stopping:
            self._workers.add(self._fork(self._work))

    def _work(self) -> int:
        listener = _listen(self._settings, shared=True, port=self._listener.getsockname()[1])
        self._listener.close()
        _in_new_loop(_serve(self._settings, listener, self._url, first=False, parent=self._alive))
        return 0

    def _fork(self, body: Callable[[], int]) -> int:
        """Run ``body`` in a child, whose exit code it returns; the child's pid."""
        pid = os.fork()
        if pid:
            return pid
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        os.close(self._held_open)
        code = 1
        try:
            code = body()
        except BaseException as error:
            _log.error("the worker failed", exc_info=error)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


async def _called(served: Served, url: str) -> bool:
    return await served(url)


async def _serve(
    settings: Settings,
    listener: socket.socket,
    url: str,
    *,
    first: bool,
    parent: int | None = None,
    served: Served | None = None,
    seed: Seed | None = None,
) -> None:
    """One worker, from building its broker to the end of its drain."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    if parent is not None:
        loop.add_reader(parent, stop.set)
    broker = await bootstrap.build(settings, url=url, first=first, seed=seed)
    try:
        await _serve_broker(broker, listener, stop, served)
    finally:
        await broker.close()


async def _serve_broker(
    broker: Broker, listener: socket.socket, stop: asyncio.Event, served: Served | None
) -> None:
    settings = broker.components.settings
    app = FrontDoor(broker.components, broker).application()
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=settings.http.drain_seconds, handle_signals=False
    )
    await runner.setup()
    site = web.SockSite(runner, listener, ssl_context=_tls(settings), backlog=BACKLOG)
    await site.start()
    broker.start()
    _log.info("serving", url=broker.url, pid=os.getpid())
    tasks = [asyncio.create_task(broker.failed()), asyncio.create_task(stop.wait())]
    if served is not None:
        tasks.append(asyncio.create_task(_stop_if_done(served, broker.url, stop)))
    try:
        await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
    finally:
        _log.info("draining", pid=os.getpid())
        await broker.drain(settings.http.drain_seconds)
        await runner.cleanup()
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, Exception):
            raise outcome


async def _stop_if_done(served: Served, url: str, stop: asyncio.Event) -> None:
    done = True
    try:
        done = await served(url)
    finally:
        if done:
            stop.set()


def _listen(settings: Settings, *, shared: bool, port: int | None = None) -> socket.socket:
    """A bound socket. Raises PortTaken.

    A shared port is tried unshared first: SO_REUSEPORT would let a second broker in silently.
    """
    address = settings.http.host, settings.http.port if port is None else port
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    try:
        if shared and port is None:
            with socket.create_server(address, family=family) as probe:
                address = address[0], probe.getsockname()[1]
        return socket.create_server(address, family=family, reuse_port=shared, backlog=BACKLOG)
    except OSError as error:
        raise PortTaken(
            f"cannot listen on {address[0]} port {address[1]}: {error.strerror}"
        ) from None


def _public_url(settings: Settings, listener: socket.socket) -> str:
    if settings.http.public_url:
        return settings.http.public_url.rstrip("/")
    scheme = "https" if settings.http.tls == "on" else "http"
    host = settings.http.host
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def _tls(settings: Settings) -> ssl.SSLContext | None:
    http = settings.http
    if http.tls != "on" or http.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(http.tls_certificate, http.tls_key)
    return context
