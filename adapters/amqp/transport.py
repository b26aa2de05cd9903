"""Keeps one link to the message server for as long as the broker runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from aiormq.abc import DeliveredMessage

from adapters.amqp import message
from adapters.amqp.consumer import Consumer
from adapters.amqp.link import Link
from adapters.amqp.publish import RebuildError, UnconfirmedError
from adapters.amqp.quiet import FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS, QuietQueue
from adapters.amqp.room import Place, Room
from adapters.amqp.topology import BATCHES, CONTROL, EXPIRED, REQUESTS, TopologyError
from adapters.messages.lifetime import Lifetime
from adapters.messages.suspects import Suspects
from adapters.messages.waiting import first
from adapters.messages.worker import Worker
from broker.failures import failure_of
from broker.model import Secret
from broker.ports import Clock, RequestLedger

MAX_IN_HAND_SECONDS = 20 * 60.0
"""Afterwards a request goes back to its queue; RabbitMQ ends a channel after 30 minutes."""

MAX_DOUBLINGS = 10  # of the pause of what is held back, which is at its longest long before

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _HeldBack:
    """A delivery whose answer or dead letter is not confirmed, perhaps for a ``quiet`` queue."""

    failures: int
    quiet: QuietQueue | None

    @property
    def pause(self) -> float:
        """Seconds, growing with the times that it came back already, whoever gave it back."""
        growing = FIRST_PAUSE_SECONDS * 2.0 ** min(self.failures, MAX_DOUBLINGS)
        left = 0.0 if self.quiet is None else self.quiet.left
        return max(min(growing, MAX_PAUSE_SECONDS), left)


class AmqpTransport:
    """Consumes requests and answers them; rebuilds its link, for ever, when that is lost.

    Each queue has its own prefetch, so that a cancel never waits behind translations. Nothing is
    consumed while what requests depend on is down, and only ``remint.control`` while the message
    server takes no answers. ``on_answered`` is awaited when an answer was confirmed and its request
    is not yet acknowledged: the seam where a test can end the process.
    """

    def __init__(
        self,
        *,
        url: Secret,
        worker: Worker,
        ledger: RequestLedger,
        clock: Clock,
        digest_key: bytes,
        prefetch: int,
        batch_prefetch: int,
        control_prefetch: int,
        seal_body: Callable[[bytes], bytes] | None = None,
        on_answered: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._url = url
        self._prefetch = {
            CONTROL: control_prefetch,
            REQUESTS: prefetch,
            BATCHES: batch_prefetch,
            EXPIRED: prefetch,
        }
        self._breaker = worker.breaker
        self._breaker.watch(self._on_change)
        self._consumer = Consumer(
            worker=worker,
            suspects=Suspects(ledger, worker.breaker, clock),
            batches_at_once=batch_prefetch,
            clock=clock,
            digest_key=digest_key,
            seal_body=seal_body,
            on_answered=on_answered,
        )
        self._link: Link | None = None
        self._problem = "not connected"
        self._room = Room(self._prefetch, self._on_change)
        self._changed = asyncio.Event()  # look again at which queues to consume
        self._lifetime = Lifetime(self._serve, worker.breaker)

    @property
    def ready(self) -> bool:
        """True while consuming."""
        return self.trouble is None

    @property
    def trouble(self) -> str | None:
        """Why requests are not consumed, for an operator; None while they are."""
        link = self._link
        if link is None or link.lost.is_set():
            return f"not consuming: {self._problem}"
        if self._breaker.open:
            return "not consuming: the store is down"
        if link.publisher.blocked:
            return "not consuming: the message server takes no answers (memory or disk alarm)"
        return None

    @property
    def consumed(self) -> frozenset[str]:
        """The queues that deliveries are taken from now."""
        return frozenset() if self._link is None else self._link.consumed

    async def run(self) -> None:
        """Serve until cancelled or drained."""
        _quiet_libraries()
        await self._lifetime.run()

    async def drain(self, seconds: float) -> None:
        """Take no more, finish the work in hand within ``seconds``, close.

        What is not finished by then goes back unacknowledged.
        """
        self._problem = "stopping"
        self._link = None
        self._changed.set()
        await self._lifetime.drain(seconds)

    async def _serve(self) -> None:
        """One link from its opening to its loss; says why it could not be had."""
        try:
            link = await Link.open(self._url, self._prefetch, self._on_change)
        except TopologyError as error:
            self._problem = str(error)
            _log.error("amqp queues are not as they must be", problem=self._problem)
            return
        except Exception as error:
            self._problem = "the message server is not reached"
            # Its text may quote the address with the password in it.
            _log.warning("amqp server not reached", server=self._server, error=type(error).__name__)
            return
        try:
            await self._consume(link)
        except Exception as error:
            _log.warning("amqp queues not consumed", error=type(error).__name__)
        finally:
            self._link = None
            await link.close()

    async def _consume(self, link: Link) -> None:
        """Consume what may be consumed, until the link is lost or the work in hand is done."""
        while not (link.lost.is_set() or self._lifetime.stopped.is_set()):
            self._changed.clear()
            before = link.consumed
            await self._begin(link, self._consumable(link))
            if not self._lifetime.stopping.is_set():
                self._link = link
                self._problem = "the link was lost"
            if link.consumed != before:
                queues = sorted(link.consumed)
                _log.info("amqp consuming", server=self._server, queues=queues)
            await first(link.lost, self._lifetime.stopped, self._changed)
        if not self._lifetime.stopping.is_set():
            _log.warning("amqp link lost", server=self._server)

    async def _begin(self, link: Link, queues: frozenset[str]) -> None:
        """Consume ``queues``, with another consumer where deliveries that wait took the places of
        the present one. Raises what ended the link."""
        going_on = {queue for queue in queues & link.consumed if not self._room.is_short(queue)}
        await link.consume(going_on, self._accept)
        for queue in queues - going_on:
            self._room.begun(queue)
        await link.consume(queues, self._accept)

    def _consumable(self, link: Link) -> frozenset[str]:
        """The queues to consume now.

        One that was left begins anew only when it has room: what is in hand stays bounded however
        often links and consumers change.
        """
        if self._lifetime.stopping.is_set() or self._breaker.open:
            return frozenset()
        allowed = {CONTROL} if link.publisher.blocked else set(self._prefetch)
        return frozenset(
            queue for queue in allowed if queue in link.consumed or self._room.has_some(queue)
        )

    def _accept(self, link: Link, queue: str, delivered: DeliveredMessage) -> None:
        """Start work on a delivery, apart from the link's own tasks: it outlives the link."""
        if self._lifetime.stopping.is_set():
            return
        self._lifetime.begin(self._deliver(link, delivered, self._room.enter(queue)))

    async def _deliver(self, link: Link, delivered: DeliveredMessage, place: Place) -> None:
        tag = delivered.delivery_tag or 0
        handling = self._handled(link, delivered, place)
        del delivered  # what is held back is not kept in memory
        try:
            held = await handling
        except RebuildError:
            link.abandon()
        else:
            if held is None:
                await link.acknowledge(place.queue, tag)
            else:
                place.step_aside()
                await self._held_back(held, link)
                await link.give_back(place.queue, tag)
        finally:
            place.leave()
            if place.queue not in link.consumed:
                self._changed.set()

    async def _handled(
        self, link: Link, delivered: DeliveredMessage, place: Place
    ) -> _HeldBack | None:
        """None once the delivery may be acknowledged. Raises RebuildError."""
        try:
            async with asyncio.timeout(MAX_IN_HAND_SECONDS):
                incoming = message.read(delivered, place.queue)
                await self._consumer.handle(incoming, link.publisher, place)
        except RebuildError:
            raise
        except UnconfirmedError as error:
            return _HeldBack(incoming.failures, link.publisher.quiet(error.queue))
        except BaseException as error:
            failure = failure_of(error)
            _log.error("amqp delivery not handled", error=type(failure).__name__)
            raise RebuildError from None
        return None

    async def _held_back(self, held: _HeldBack, link: Link) -> None:
        """Returns when the delivery may come again."""
        events = [link.lost, self._lifetime.stopping]
        if held.quiet is not None:
            events.append(held.quiet.heard)
        await first(*events, seconds=held.pause)

    def _on_change(self) -> None:
        self._changed.set()

    @property
    def _server(self) -> str:
        """Host and port, without the login."""
        return urlsplit(self._url.reveal()).netloc.rpartition("@")[2]


def _quiet_libraries() -> None:
    """The client libraries log frames, and with them bodies; what matters is logged here."""
    for name in ("aio_pika", "aiormq"):
        library = logging.getLogger(name)
        library.propagate = False
        library.handlers = [logging.NullHandler()]
