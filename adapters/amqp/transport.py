"""Keeps one link to the message server for as long as the broker runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import structlog
from aiormq.abc import DeliveredMessage

from adapters.amqp import message
from adapters.amqp.consumer import Consumer
from adapters.amqp.link import CLOSE_SECONDS, Link
from adapters.amqp.publish import UnconfirmedError
from adapters.amqp.topology import EXPIRED, REQUESTS, TopologyError
from adapters.messages.worker import Worker
from broker.model import Secret
from broker.ports import Clock

FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 10.0  # a link that lived this long starts the pauses anew

_log = structlog.get_logger(__name__)


class AmqpTransport:
    """Consumes requests and answers them; rebuilds its link, for ever, when that is lost.

    ``on_answered`` is awaited when an answer was confirmed and its request is not yet
    acknowledged: the seam where a test can end the process.
    """

    def __init__(
        self,
        *,
        url: Secret,
        worker: Worker,
        clock: Clock,
        digest_key: bytes,
        prefetch: int,
        on_answered: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._url = url
        self._prefetch = prefetch
        self._consumer = Consumer(
            worker=worker,
            clock=clock,
            digest_key=digest_key,
            on_answered=on_answered,
        )
        self._link: Link | None = None
        self._work: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()  # take no new work
        self._stopped = asyncio.Event()  # the work in hand is done, or its time is up
        self._ended = asyncio.Event()
        self._ended.set()

    @property
    def ready(self) -> bool:
        """True while consuming."""
        return self._link is not None and not self._link.lost.is_set()

    async def run(self) -> None:
        """Serve until cancelled or drained."""
        _quiet_libraries()
        self._ended.clear()
        pause = FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        try:
            while not self._stopping.is_set():
                started = loop.time()
                await self._serve()
                if loop.time() - started >= STEADY_SECONDS:
                    pause = FIRST_PAUSE_SECONDS
                await _first(self._stopping, seconds=pause)
                pause = min(pause * 2, MAX_PAUSE_SECONDS)
        finally:
            await self._drop_work()
            self._ended.set()

    async def drain(self, seconds: float) -> None:
        """Take no more, finish the work in hand within ``seconds``, close.

        What is not finished by then goes back unacknowledged.
        """
        self._stopping.set()
        link, self._link = self._link, None
        if link is not None:
            await link.stop_consuming()
        if self._work:
            await asyncio.wait(self._work, timeout=seconds)
        await self._drop_work()
        self._stopped.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._ended.wait()

    async def _serve(self) -> None:
        """One link from its opening to its loss; says why it could not be had."""
        try:
            link = await Link.open(self._url)
        except TopologyError as error:
            _log.error("amqp queues are not as they must be", problem=str(error))
            return
        except Exception as error:
            # Its text may quote the address with the password in it.
            _log.warning("amqp server not reached", server=self._server, error=type(error).__name__)
            return
        try:
            await self._consume(link)
        finally:
            self._link = None
            await link.close()

    async def _consume(self, link: Link) -> None:
        if self._stopping.is_set():
            return
        try:
            queues = {REQUESTS: self._prefetch, EXPIRED: self._prefetch}
            await link.consume(queues, self._accept)
        except Exception as error:
            _log.warning("amqp queues not consumed", error=type(error).__name__)
            return
        if not self._stopping.is_set():
            self._link = link
            _log.info("amqp consuming", server=self._server)
        await _first(link.lost, self._stopped)
        if not self._stopping.is_set():
            _log.warning("amqp link lost", server=self._server)

    def _accept(self, link: Link, queue: str, delivered: DeliveredMessage) -> None:
        """Start work on a delivery, apart from the link's own tasks: it outlives the link."""
        if self._stopping.is_set():
            return
        task = asyncio.create_task(self._deliver(link, queue, delivered))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _deliver(self, link: Link, queue: str, delivered: DeliveredMessage) -> None:
        try:
            incoming = message.read(delivered, expired=queue == EXPIRED)
            await self._consumer.handle(incoming, link.publisher)
        except UnconfirmedError:
            link.abandon()
        except Exception as error:
            _log.error("amqp delivery not handled", error=type(error).__name__)
            link.abandon()
        else:
            await link.acknowledge(delivered)

    async def _drop_work(self) -> None:
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    @property
    def _server(self) -> str:
        """Host and port, without the login."""
        return urlsplit(self._url.reveal()).netloc.rpartition("@")[2]


async def _first(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Wait for any of ``events``, or until ``seconds`` have passed."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _quiet_libraries() -> None:
    """The client libraries log frames, and with them bodies; what matters is logged here."""
    for name in ("aio_pika", "aiormq"):
        library = logging.getLogger(name)
        library.propagate = False
        library.handlers = [logging.NullHandler()]
