"""From one delivery to the moment it may be acknowledged: phase 12 of a request's life."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from adapters.amqp.message import Incoming, answer_message, dead_letter
from adapters.amqp.publish import LinkLostError, UnconfirmedError
from adapters.amqp.publisher import Publisher
from adapters.amqp.room import Place
from adapters.messages.asked import TRANSLATE_BATCH
from adapters.messages.copies import Copies
from adapters.messages.suspects import Suspects
from adapters.messages.worker import Outcome, Worker
from broker.errors import RemintError
from broker.ports import Clock

MAX_BLAMED = 1000  # requests remembered because a link was lost over their answer, or another's
MAX_HELD_BACK = 4000  # requests remembered because a queue confirms nothing

T = TypeVar("T")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Sending:
    """How what came of one request is sent."""

    publisher: Publisher
    alone: bool
    place: Place


class Consumer:
    """Gets requests answered, each on its own; holds no connection.

    ``batches_at_once`` bounds the batches in work, whatever queue they came by.
    ``seal_body`` encrypts the bodies of dead letters; without it they have none.
    """

    def __init__(
        self,
        *,
        worker: Worker,
        suspects: Suspects,
        batches_at_once: int,
        clock: Clock,
        digest_key: bytes,
        seal_body: Callable[[bytes], bytes] | None = None,
        on_answered: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._worker = worker
        self._suspects = suspects
        self._copies = Copies()
        self._batches = asyncio.Semaphore(batches_at_once)
        self._blamed: dict[Hashable, None] = {}
        self._held_back: dict[Hashable, str] = {}  # by which queue
        self._clock = clock
        self._digest_key = digest_key
        self._seal_body = seal_body
        self._on_answered = on_answered

    async def handle(self, incoming: Incoming, publisher: Publisher, place: Place) -> None:
        """Returns once the delivery may be acknowledged. Raises UnconfirmedError.

        It steps aside from its ``place`` when a confirm takes long.
        """
        self._check(incoming, publisher)
        request = _identity(incoming)
        async with self._copies.one_by_one(request):
            outcome = await self._worked(incoming)
            # What a link was lost over, perhaps, goes alone the next time.
            sending = _Sending(publisher, request in self._blamed, place)
            try:
                await self._let_out(incoming, outcome, sending)
            except UnconfirmedError as error:
                if isinstance(error, LinkLostError):
                    _remember(self._blamed, request, None, MAX_BLAMED)
                elif error.queue is not None:
                    _remember(self._held_back, _all_of(incoming), error.queue, MAX_HELD_BACK)
                raise
            except Exception:
                _remember(self._blamed, request, None, MAX_BLAMED)
                raise
            self._blamed.pop(request, None)

    def _check(self, incoming: Incoming, publisher: Publisher) -> None:
        """Raises UnconfirmedError for what waits for a queue to which nothing is sent now: it need
        not be worked on, and audited, again and again."""
        if not self._held_back:
            return
        queue = self._held_back.get(_all_of(incoming))
        quiet = publisher.quiet(queue)
        if quiet is None:
            self._held_back.pop(_all_of(incoming), None)
        elif quiet.closed:
            raise UnconfirmedError(queue)

    async def _worked(self, incoming: Incoming) -> Outcome:
        """What is to be sent. Neither a batch's turn nor a suspect's lasts until that is confirmed:
        a queue that confirms nothing must not hold up either, nor count as a crash."""
        async with self._turn(incoming), self._suspects.counted(incoming) as poison:
            if poison is None:
                return await self._worker.work(incoming.envelope())
            return await self._worker.give_up(incoming.envelope(), poison, look=poison.first_time)

    def _turn(self, incoming: Incoming) -> contextlib.AbstractAsyncContextManager[None]:
        batch = incoming.type == TRANSLATE_BATCH and not incoming.misplaced
        return self._batches if batch else contextlib.nullcontext()

    async def _let_out(self, incoming: Incoming, outcome: Outcome, sending: _Sending) -> None:
        if outcome.dead is not None:
            await self._bury(incoming, outcome.dead, sending)
            _log_of(incoming).warning("amqp request to remint.dead", status=outcome.answer.status)
        if incoming.reply_to is not None and incoming.reply_allowed:
            await self._send(incoming, outcome, sending)

    async def _bury(self, incoming: Incoming, error: RemintError, sending: _Sending) -> None:
        for seal_body in (self._seal_body, None):  # RabbitMQ may find it too large
            letter = dead_letter(incoming, error, self._digest_key, seal_body)
            if await sending.publisher.dead_letter(
                letter, alone=sending.alone, slow=sending.place.step_aside
            ):
                return
        _log_of(incoming).error("amqp dead letter not taken by the message server")

    async def _send(self, incoming: Incoming, outcome: Outcome, sending: _Sending) -> None:
        message = answer_message(incoming, outcome, self._clock.now())
        if not await sending.publisher.answer(
            incoming.reply_to or "",
            message,
            alone=sending.alone,
            slow=sending.place.step_aside,
        ):
            # The stored answer stays: the same message id gets it again.
            _log_of(incoming).warning("amqp answer undeliverable", status=outcome.answer.status)
        elif self._on_answered is not None:
            await self._on_answered()


def _identity(incoming: Incoming) -> Hashable:
    """The same for copies of a request; strangers are told apart by what they ask."""
    known = incoming.user_id is not None
    return incoming.user_id, incoming.message_id, b"" if known else _digest(incoming.body)


def _all_of(incoming: Incoming) -> Hashable:
    """The same for a request that comes again, and no other: not if it has another way back."""
    return incoming.user_id, incoming.message_id, incoming.reply_to, _digest(incoming.body)


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def _remember(memory: dict[Hashable, T], request: Hashable, what: T, most: int) -> None:
    """The oldest is forgotten for it, if there are too many."""
    memory[request] = what
    if len(memory) > most:
        del memory[next(iter(memory))]


def _log_of(incoming: Incoming) -> structlog.stdlib.BoundLogger:
    bound: structlog.stdlib.BoundLogger = _log.bind(
        message_id=incoming.message_id, user_id=incoming.user_id
    )
    return bound
