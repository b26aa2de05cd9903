"""From one delivery to the moment it may be acknowledged.

Phases 1 to 3 and 12 of a request's life are here; the pipeline does the others. What is refused
before the pipeline is refused inside its decode step, so it is audited like any other attempt.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from adapters import codec
from adapters.amqp.message import Incoming, answer_message, dead_letter
from adapters.amqp.publisher import Publisher
from adapters.amqp.request import CANCEL, TRANSLATE, TRANSPORT, VALIDATE, Asked, asked
from broker.errors import Refusal, Unavailable
from broker.lifecycle import Lifecycle
from broker.model import Answer
from broker.pipeline import Pipeline
from broker.policy import shown
from broker.ports import Attempt, Clock
from broker.trail import AuditTrail

RETRY_PAUSES = (0.1, 0.4, 1.5)  # seconds; afterwards the requester hears of the failure

_log = structlog.get_logger(__name__)


class Consumer:
    """Gets requests answered, each on its own; holds no connection."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        lifecycle: Lifecycle,
        trail: AuditTrail,
        clock: Clock,
        digest_key: bytes,
        allow_anonymous: bool,
        on_answered: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._lifecycle = lifecycle
        self._trail = trail
        self._clock = clock
        self._digest_key = digest_key
        self._allow_anonymous = allow_anonymous
        self._on_answered = on_answered

    async def handle(self, incoming: Incoming, publisher: Publisher) -> None:
        """Returns once the delivery may be acknowledged. Raises UnconfirmedError."""
        wanted = asked(incoming, allow_anonymous=self._allow_anonymous)
        answer, body = await self._worked(incoming, wanted)
        if wanted.malformed is not None:
            letter = dead_letter(incoming, wanted.malformed, self._digest_key)
            await publisher.dead_letter(letter)
            _log_of(incoming).warning("amqp request to remint.dead", status=answer.status)
        if incoming.reply_to is not None and incoming.reply_allowed:
            await self._send(incoming, answer, body, publisher)

    async def _send(
        self, incoming: Incoming, answer: Answer, body: bytes, publisher: Publisher
    ) -> None:
        message = answer_message(incoming, answer, body, self._clock.now())
        if not await publisher.answer(incoming.reply_to or "", message):
            # The stored answer stays: the same message id gets it again.
            _log_of(incoming).warning("amqp answer undeliverable", status=answer.status)
        elif self._on_answered is not None:
            await self._on_answered()

    async def _worked(self, incoming: Incoming, wanted: Asked) -> tuple[Answer, bytes]:
        """The answer and its encoding; failures that may pass are tried again, a few times."""
        for pause in RETRY_PAUSES:
            try:
                return await self._tried(incoming, wanted)
            except Exception as error:
                _log_failure(incoming, error, retried=True)
            await asyncio.sleep(pause)
        try:
            return await self._tried(incoming, wanted)
        except Exception as error:
            _log_failure(incoming, error, retried=False)
            return _encoded(Answer(codec.status_of(error), codec.error_body(error)))

    async def _tried(self, incoming: Incoming, wanted: Asked) -> tuple[Answer, bytes]:
        try:
            return _encoded(await self._work(incoming, wanted))
        except Refusal as refusal:
            return _encoded(codec.answer_refusal(refusal))

    async def _work(self, incoming: Incoming, wanted: Asked) -> Answer:
        attempt = Attempt(
            operation=wanted.operation,
            transport=TRANSPORT,
            started_at=self._clock.now(),
            requester=incoming.user_id,
            request_id=incoming.message_id,
        )
        if wanted.operation == TRANSLATE:
            return await self._pipeline.translate(attempt, wanted.translation)
        if wanted.operation == VALIDATE:
            valid = await self._lifecycle.validate(attempt, wanted.presented)
            return Answer(200, {"token_valid": valid})
        if wanted.operation == CANCEL:
            cancelled = await self._lifecycle.cancel(attempt, wanted.presented)
            return Answer(200, {"result": f"{shown(cancelled)} token cancelled successfully."})
        return await self._trail.recorded(attempt, _refused(wanted))


async def _refused(wanted: Asked) -> Answer:
    raise wanted.refusal()


def _encoded(answer: Answer) -> tuple[Answer, bytes]:
    return answer, codec.encode(answer.body)


def _log_of(incoming: Incoming) -> structlog.stdlib.BoundLogger:
    bound: structlog.stdlib.BoundLogger = _log.bind(
        message_id=incoming.message_id, user_id=incoming.user_id
    )
    return bound


def _log_failure(incoming: Incoming, error: Exception, *, retried: bool) -> None:
    """Kind and place of the error only: its text may quote what must not be shown."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"
    expected = isinstance(error, Unavailable)
    record = _log_of(incoming).warning if expected else _log_of(incoming).error
    record("amqp request failed", error=type(error).__name__, place=place, retried=retried)
