"""From one delivery to the moment it may be acknowledged: phase 12 of a request's life."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from adapters.amqp.message import Incoming, answer_message, dead_letter
from adapters.amqp.publisher import Publisher
from adapters.messages.worker import Outcome, Worker
from broker.ports import Clock

_log = structlog.get_logger(__name__)


class Consumer:
    """Gets requests answered, each on its own; holds no connection."""

    def __init__(
        self,
        *,
        worker: Worker,
        clock: Clock,
        digest_key: bytes,
        on_answered: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._worker = worker
        self._clock = clock
        self._digest_key = digest_key
        self._on_answered = on_answered

    async def handle(self, incoming: Incoming, publisher: Publisher) -> None:
        """Returns once the delivery may be acknowledged. Raises UnconfirmedError."""
        outcome = await self._worker.work(incoming.envelope())
        if outcome.dead is not None:
            await publisher.dead_letter(dead_letter(incoming, outcome.dead, self._digest_key))
            _log_of(incoming).warning("amqp request to remint.dead", status=outcome.answer.status)
        if incoming.reply_to is not None and incoming.reply_allowed:
            await self._send(incoming, outcome, publisher)

    async def _send(self, incoming: Incoming, outcome: Outcome, publisher: Publisher) -> None:
        message = answer_message(incoming, outcome, self._clock.now())
        if not await publisher.answer(incoming.reply_to or "", message):
            # The stored answer stays: the same message id gets it again.
            _log_of(incoming).warning("amqp answer undeliverable", status=outcome.answer.status)
        elif self._on_answered is not None:
            await self._on_answered()


def _log_of(incoming: Incoming) -> structlog.stdlib.BoundLogger:
    bound: structlog.stdlib.BoundLogger = _log.bind(
        message_id=incoming.message_id, user_id=incoming.user_id
    )
    return bound
