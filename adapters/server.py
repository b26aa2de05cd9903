"""Serving: one process or several on one port, signals, and a stop that drains.

Several workers are forked from a parent that does nothing but watch them. Each listens on the port
by SO_REUSEPORT. A worker whose parent is gone (even by ``kill -9``) stops by itself: it sees the
end of a pipe that the parent held open.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from typing import TypeVar

import structlog
import uvloop

from adapters import bootstrap
from adapters.bootstrap import Seed
from adapters.http.listening import BACKLOG
from adapters.settings import Settings
from adapters.telemetry.seats import Seats
from adapters.tls import CertificateUnusable, tls_context
from adapters.worker import STOP_SIGNALS, Served, Team, listening_url, serve

RESTART_PAUSE_SECONDS = 1.0
CLIENT_DONE = 3  # the exit code of a client process that wants the broker stopped

__all__ = ["CertificateUnusable", "PortTaken", "run", "tls_context"]

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class PortTaken(Exception):
    """Something listens there already, or the address is not ours."""


def run(settings: Settings, *, served: Served | None = None, seed: Seed | None = None) -> int:
    """Serve until told to stop; the exit code.

    ``seed`` puts first things in place before anything is served. ``served`` is called with the
    listening URL once requests are answered; True from it means stop.
    Raises PortTaken, CertificateUnusable, and what ``bootstrap.build`` raises.
    """
    tls_context(settings)
    listener = _listen(settings, shared=settings.workers > 1)
    team = _team(settings)
    url = settings.http.public_url.rstrip("/") or listening_url(settings, listener)
    if settings.workers == 1:
        _in_new_loop(
            serve(settings, listener, url, first=True, served=served, seed=seed, team=team)
        )
        return 0
    _in_new_loop(bootstrap.prepare(settings, url, seed))
    return _Parent(settings, listener, url, seed, team).run(served)


def _in_new_loop(work: Coroutine[None, None, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


class _Parent:
    """Keeps ``workers`` children alive, and stops them all.

    It must not listen itself: it never accepts, and its share of the connections would wait for
    ever. So the first worker inherits the socket, which has held the port since before the start.
    """

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        url: str,
        seed: Seed | None,
        team: Team,
    ) -> None:
        self._settings = settings
        self._seed = seed
        self._listener: socket.socket | None = listener
        self._port: int = listener.getsockname()[1]
        self._listening_url = listening_url(settings, listener)
        self._url = url
        self._team = team
        self._workers: dict[int, int] = {}  # process id to seat
        self._client: int | None = None
        self._code = 0
        self._stopping = False
        self._alive, self._held_open = os.pipe()

    def run(self, served: Served | None) -> int:
        for number in STOP_SIGNALS:
            signal.signal(number, lambda *_: self._stop())
        for seat in range(self._settings.workers):
            self._fork_worker(seat)
        if served is not None:
            with _signals_held():
                self._client = self._fork(
                    lambda: _in_new_loop(_called(served, self._listening_url))
                )
        while self._workers:
            pid, status = os.wait()
            if pid == self._client:
                self._client_ended(os.waitstatus_to_exitcode(status))
                continue
            if pid not in self._workers:
                continue
            seat = self._workers.pop(pid)
            if not self._stopping:
                _log.error("a worker ended; starting another", pid=pid, status=status)
                time.sleep(RESTART_PAUSE_SECONDS)
                self._fork_worker(seat)
        return self._code

    def _client_ended(self, code: int) -> None:
        self._client = None
        if code == 0 or self._stopping:
            return
        self._code = 0 if code == CLIENT_DONE else 1
        self._stop()

    def _stop(self) -> None:
        self._stopping = True
        for pid in (*self._workers, *([self._client] if self._client else [])):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _fork_worker(self, seat: int) -> None:
        with _signals_held():
            if not self._stopping:
                self._workers[self._fork(lambda: self._work(seat))] = seat
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _work(self, seat: int) -> int:
        listener = self._listener or _listen(self._settings, shared=True, port=self._port)
        _in_new_loop(
            serve(
                self._settings,
                listener,
                self._url,
                first=False,
                parent=self._alive,
                seed=self._seed,
                team=replace(self._team, seat=seat),
            )
        )
        return 0

    def _fork(self, body: Callable[[], int]) -> int:
        """Run ``body`` in a child, whose exit code it returns; the child's pid.

        Call it with the signals held, so that a stop reaches the child or finds it listed.
        """
        pid = os.fork()
        if pid:
            return pid
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
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


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """A stop that arrives meanwhile takes effect afterwards."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


async def _called(served: Served, url: str) -> int:
    try:
        return CLIENT_DONE if await served(url) else 0
    except Exception as error:
        _log.error("stopping", reason=str(error), error=type(error).__name__)
        return 1


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
            f"cannot listen on {address[0]} port {address[1]}: {_reason(error)}; "
            "REMINT_HTTP__PORT names another port"
        ) from None


def _team(settings: Settings) -> Team:
    """What the workers are to share. Raises PortTaken."""
    seats = Seats(settings.workers) if settings.workers > 1 else None
    place = settings.http.management_place
    if place is None:
        return Team(None, seats)
    family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    try:
        return Team(socket.create_server(place, family=family), seats)
    except OSError as error:
        raise PortTaken(
            f"cannot listen on {place[0]} port {place[1]}: {_reason(error)}; "
            "REMINT_HTTP__MANAGEMENT_PORT names another port"
        ) from None


def _reason(error: OSError) -> str:
    """What the system says; the library adds the address once more. Resolvers have own numbers."""
    if isinstance(error, socket.gaierror) or error.errno is None:
        return error.strerror or str(error)
    return os.strerror(error.errno)
