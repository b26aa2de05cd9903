"""From one delivery to the moment it may be acknowledged: phase 12 of a request's life."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Hashable

import structlog

from adapters.amqp.message import Incoming, answer_message, dead_letter
from adapters.amqp.publisher import Publisher
from adapters.messages.asked import TRANSLATE_BATCH
from adapters.messages.copies import Copies
from adapters.messages.suspects import Suspects
from adapters.messages.worker import Outcome, Worker
from broker.errors import RemintError
from broker.ports import Clock

MAX_BLAMED = 1000  # requests remembered because a link was lost over their answer, or another's

_log = structlog.get_logger(__name__)


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
        self._clock = clock
        self._digest_key = digest_key
        self._seal_body = seal_body
        self._on_answered = on_answered

    async def handle(self, incoming: Incoming, publisher: Publisher) -> None:
        """Returns once the delivery may be acknowledged. Raises UnconfirmedError."""
        request = _identity(incoming)
        async with (
            self._copies.one_by_one(request),
            self._turn(incoming),
            self._suspects.counted(incoming) as poison,
        ):
            if poison is None:
                outcome = await self._worker.work(incoming.envelope())
            else:
                outcome = await self._worker.give_up(
                    incoming.envelope(), poison, look=poison.first_time
                )
            # What a link was lost over, perhaps, goes alone the next time.
            alone = request in self._blamed
            try:
                await self._let_out(incoming, outcome, publisher, alone=alone)
            except Exception:
                self._blame(request)
                raise
            self._blamed.pop(request, None)

    def _turn(self, incoming: Incoming) -> contextlib.AbstractAsyncContextManager[None]:
        batch = incoming.type == TRANSLATE_BATCH and not incoming.misplaced
        return self._batches if batch else contextlib.nullcontext()

    def _blame(self, request: Hashable) -> None:
        self._blamed[request] = None
        if len(self._blamed) > MAX_BLAMED:
            del self._blamed[next(iter(self._blamed))]

    async def _let_out(
        self, incoming: Incoming, outcome: Outcome, publisher: Publisher, *, alone: bool
    ) -> None:
        if outcome.dead is not None:
            await self._bury(incoming, outcome.dead, publisher, alone=alone)
            _log_of(incoming).warning("amqp request to remint.dead", status=outcome.answer.status)
        if incoming.reply_to is not None and incoming.reply_allowed:
            await self._send(incoming, outcome, publisher, alone=alone)

    async def _bury(
        self, incoming: Incoming, error: RemintError, publisher: Publisher, *, alone: bool
    ) -> None:
        for seal_body in (self._seal_body, None):  # RabbitMQ may find it too large
            letter = dead_letter(incoming, error, self._digest_key, seal_body)
            if await publisher.dead_letter(letter, alone=alone):
                return
        _log_of(incoming).error("amqp dead letter not taken by the message server")

    async def _send(
        self, incoming: Incoming, outcome: Outcome, publisher: Publisher, *, alone: bool
    ) -> None:
        message = answer_message(incoming, outcome, self._clock.now())
        if not await publisher.answer(incoming.reply_to or "", message, alone=alone):
            # The stored answer stays: the same message id gets it again.
            _log_of(incoming).warning("amqp answer undeliverable", status=outcome.answer.status)
        elif self._on_answered is not None:
            await self._on_answered()


def _identity(incoming: Incoming) -> Hashable:
    """The same for copies of a request; strangers are told apart by what they ask."""
    known = incoming.user_id is not None
    return incoming.user_id, incoming.message_id, b"" if known else incoming.body


def _log_of(incoming: Incoming) -> structlog.stdlib.BoundLogger:
    bound: structlog.stdlib.BoundLogger = _log.bind(
        message_id=incoming.message_id, user_id=incoming.user_id
    )
    return bound
