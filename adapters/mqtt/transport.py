"""Keeps one slot's link to the message server for as long as the broker runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from adapters.messages.lifetime import FIRST_PAUSE_SECONDS, Lifetime
from adapters.messages.suspects import Suspects
from adapters.messages.waiting import first, unless
from adapters.messages.worker import Outcome, Worker
from adapters.mqtt.address import MqttAddress
from adapters.mqtt.alone import MAX_LOST_ALONE, Blamed, own_connection
from adapters.mqtt.client import MqttClient
from adapters.mqtt.consumer import Consumer
from adapters.mqtt.intake import Intake
from adapters.mqtt.link import Link
from adapters.mqtt.message import Incoming
from adapters.mqtt.names import Names
from adapters.mqtt.packets import CannotConnect, Delivery, UnconfirmedError
from adapters.mqtt.slots import Lease, Slots
from adapters.mqtt.survivor import Survivor
from adapters.mqtt.topics import BATCHES, CONTROL, REQUESTS, Lane
from broker.errors import Unavailable
from broker.failures import failure_of
from broker.ports import Clock, RequestLedger

BATCHES_IN_WORK = 2

_log = structlog.get_logger(__name__)


class MqttTransport:
    """Consumes requests and answers them; rebuilds its link, for ever, when that is lost.

    ``on_answered`` is awaited when an answer was confirmed and its request is not yet
    acknowledged: the seam where a test can end the process.
    """

    def __init__(
        self,
        *,
        address: MqttAddress,
        worker: Worker,
        slots: Slots,
        names: Names,
        ledger: RequestLedger,
        clock: Clock,
        digest_key: bytes,
        prefetch: int,
        session_expiry: int,
        seal_body: Callable[[bytes], bytes] | None = None,
        on_answered: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._address = address
        self._slots = slots
        self._names = names
        self._breaker = worker.breaker
        self._session_expiry = session_expiry
        self._lanes = {
            REQUESTS: Intake(prefetch),
            CONTROL: Intake(prefetch),
            BATCHES: Intake(BATCHES_IN_WORK),
        }
        self._consumer = Consumer(
            worker=worker,
            suspects=Suspects(ledger, worker.breaker, clock),
            clock=clock,
            digest_key=digest_key,
            seal_body=seal_body,
            on_answered=on_answered,
        )
        self._survivor = Survivor(
            slots=slots,
            address=address,
            names=names,
            lanes=self._lanes,
            session_expiry=session_expiry,
            accept=self._accept,
        )
        self._link: Link | None = None  # that requests come over
        self._publishing: Link | None = None  # that answers go over: while it drains, too
        self._problem = "not connected"
        self._blamed = Blamed()
        self._linked = asyncio.Event()  # answers can go out
        self._lifetime = Lifetime(self._serve, worker.breaker)

    @property
    def ready(self) -> bool:
        """True while consuming."""
        return self.trouble is None

    @property
    def trouble(self) -> str | None:
        """Why requests are not consumed, for an operator; None while they are."""
        if self._link is None or self._link.lost.is_set():
            return f"not consuming: {self._problem}"
        if self._breaker.open:
            return "not consuming: the store is down"
        return None

    @property
    def in_hand(self) -> int:
        """Deliveries that came and are not acknowledged."""
        return self._lifetime.in_hand

    async def run(self) -> None:
        """Serve until cancelled or drained."""
        await self._lifetime.run()

    async def drain(self, seconds: float) -> None:
        """Take no more, finish the work in hand within ``seconds``, close.

        What is not finished by then stays in the session, unacknowledged.
        """
        self._problem = "stopping"
        self._link = None
        await self._lifetime.drain(seconds)

    async def _serve(self) -> None:
        """One link from its opening to its loss; says why it could not be had."""
        try:
            async with self._slots.lowest() as lease:
                await self._serve_slot(lease)
        except CannotConnect as error:
            self._problem = f"the message server is not reached ({error})"
            _log.warning("mqtt server not reached", server=self._address.server, problem=str(error))
        except Unavailable as error:
            self._problem = "no slot in the store"
            _log.warning("mqtt slot not leased", problem=error.sentence)
        except Exception as error:
            _log.error("mqtt link ended", error=type(error).__name__)
        finally:
            self._link = None

    async def _serve_slot(self, lease: Lease) -> None:
        link = await Link.open(self._address, lease, self._names)
        survivor: asyncio.Task[None] | None = None
        try:
            # Answers first: while the kept requests wait for their turn, nothing else is read.
            self._publishing = link
            self._linked.set()
            await self._consume(link, lease)
            survivor = asyncio.create_task(self._survivor.run(lease.slot))
            if not self._lifetime.stopping.is_set():
                self._link = link
                self._problem = "the link was lost"
                _log.info("mqtt consuming", server=self._address.server, slot=lease.slot)
            await first(link.lost, self._lifetime.stopped)
            if not self._lifetime.stopping.is_set():
                _log.warning("mqtt link lost", server=self._address.server)
        finally:
            self._linked.clear()
            if survivor is not None:
                survivor.cancel()
                await asyncio.gather(survivor, return_exceptions=True)
            await link.close()

    async def _consume(self, link: Link, lease: Lease) -> None:
        """Raises CannotConnect, also if answers cannot go out any more."""
        consuming = link.consume(
            self._address,
            lease.slot,
            self._lanes,
            session_expiry=self._session_expiry,
            accept=self._accept,
        )
        try:
            await unless(link.lost, consuming)
        except ConnectionError:
            raise CannotConnect("the link was lost") from None

    def _accept(
        self, lane: Lane, client: MqttClient, delivery: Delivery
    ) -> asyncio.Task[bool] | None:
        """Start work on a delivery, apart from the link's own tasks: it outlives the link."""
        if self._lifetime.stopping.is_set():
            return None
        intake = self._lanes[lane]
        intake.enter(client)
        task = self._lifetime.begin(self._deliver(intake, client, delivery))
        task.add_done_callback(lambda _: intake.leave())
        return task

    async def _deliver(self, intake: Intake, client: MqttClient, delivery: Delivery) -> bool:
        """True once the delivery is acknowledged."""
        try:
            async with intake.turn():
                incoming = self._consumer.read(delivery)
                async with self._consumer.worked(incoming) as outcome:
                    await self._let_out(incoming, outcome)
        except BaseException as error:
            failure = failure_of(error)
            _log.error("mqtt delivery not handled", error=type(failure).__name__)
            client.abandon()
            return False
        client.acknowledge(delivery)
        return not client.lost.is_set()

    async def _let_out(self, incoming: Incoming, outcome: Outcome) -> None:
        """Over this link or a later one: a message server that was killed may have forgotten the
        request, and will not bring it again. What links are lost over is sent alone."""
        while not self._blamed.sends_alone(incoming):
            link = await self._answering()
            try:
                await self._consumer.let_out(incoming, outcome, link.publisher)
            except UnconfirmedError:
                self._blamed.lost_over(incoming)
                link.abandon()
                if link is self._publishing:
                    self._linked.clear()
            else:
                self._blamed.forget(incoming)
                return
        await self._let_out_alone(incoming, outcome)

    async def _let_out_alone(self, incoming: Incoming, outcome: Outcome) -> None:
        lost = 0
        while lost < MAX_LOST_ALONE:
            await self._answering()
            try:
                async with own_connection(self._address) as client:
                    await self._consumer.let_out(incoming, outcome, client, sealed=False)
            except CannotConnect:
                await asyncio.sleep(FIRST_PAUSE_SECONDS)
            except UnconfirmedError:
                lost += 1
            else:
                self._blamed.forget(incoming)
                return
        self._consumer.give_up(incoming, outcome)

    async def _answering(self) -> Link:
        """The link that answers go over, once there is one."""
        await self._linked.wait()
        if self._publishing is None:
            raise UnconfirmedError
        return self._publishing
