"""The work that a message asks for, and what comes of it.

Phases 1 to 3 of a request's life are here; the pipeline does the others. What is refused before
the pipeline is refused inside its decode step, so it is audited like any other attempt.
"""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from adapters import codec
from adapters.messages.asked import CANCEL, TRANSLATE, VALIDATE, Asked, Decoder
from adapters.messages.envelope import Envelope
from adapters.messages.opening import JSON
from broker.errors import Refusal, Unavailable
from broker.lifecycle import Lifecycle
from broker.model import Answer
from broker.pipeline import Pipeline
from broker.policy import shown
from broker.ports import Attempt, Clock
from broker.trail import AuditTrail

RETRY_PAUSES = (0.1, 0.4, 1.5)  # seconds; afterwards the requester hears of the failure

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, encoded. ``dead`` is set where the message belongs among the dead letters too."""

    answer: Answer
    body: bytes = field(repr=False)
    content_type: str = JSON
    dead: Refusal | None = None


class Worker:
    """Gets requests answered, each on its own; holds no connection."""

    def __init__(
        self,
        *,
        decoder: Decoder,
        pipeline: Pipeline,
        lifecycle: Lifecycle,
        trail: AuditTrail,
        clock: Clock,
    ) -> None:
        self._decoder = decoder
        self._pipeline = pipeline
        self._lifecycle = lifecycle
        self._trail = trail
        self._clock = clock

    async def work(self, envelope: Envelope) -> Outcome:
        """Failures that may pass are tried again, a few times; it never raises."""
        for pause in RETRY_PAUSES:
            try:
                return await self._tried(envelope)
            except Exception as error:
                _log_failure(envelope, error, retried=True)
            await asyncio.sleep(pause)
        try:
            return await self._tried(envelope)
        except Exception as error:
            _log_failure(envelope, error, retried=False)
            answer = Answer(codec.status_of(error), codec.error_body(error))
            return Outcome(answer, codec.encode(answer.body))

    async def _tried(self, envelope: Envelope) -> Outcome:
        asked = await self._decoder.asked(envelope)
        try:
            answer = await self._answered(envelope, asked)
        except Refusal as refusal:
            answer = codec.answer_refusal(refusal)
        body = codec.encode(answer.body)
        if asked.sealer is None:
            return Outcome(answer, body, dead=asked.malformed)
        return Outcome(answer, asked.sealer.seal(body), asked.sealer.content_type, asked.malformed)

    async def _answered(self, envelope: Envelope, asked: Asked) -> Answer:
        attempt = Attempt(
            operation=asked.operation,
            transport=envelope.transport,
            started_at=self._clock.now(),
            requester=asked.requester,
            request_id=envelope.message_id,
        )
        if asked.operation == TRANSLATE:
            return await self._pipeline.translate(attempt, asked.translation)
        if asked.operation == VALIDATE:
            valid = await self._lifecycle.validate(attempt, asked.presented)
            return Answer(200, {"token_valid": valid})
        if asked.operation == CANCEL:
            cancelled = await self._lifecycle.cancel(attempt, asked.presented)
            return Answer(200, {"result": f"{shown(cancelled)} token cancelled successfully."})
        return await self._trail.recorded(attempt, _refused(asked))


async def _refused(asked: Asked) -> Answer:
    raise asked.refusal()


def answer_headers(answer: Answer, envelope: Envelope) -> dict[str, Any]:
    """What stands beside an answer on every transport (docs/amqp.md, "An answer")."""
    headers: dict[str, Any] = {
        "status": answer.status,
        "retry": codec.retry_advice(answer.status),
    }
    if answer.token_id is not None:
        headers["token-id"] = answer.token_id
    if answer.expires_at is not None:
        headers["expires-at"] = answer.expires_at
    return {**headers, **envelope.trace}


def _log_failure(envelope: Envelope, error: Exception, *, retried: bool) -> None:
    """Kind and place of the error only: its text may quote what must not be shown."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"
    expected = isinstance(error, Unavailable)
    bound = _log.bind(message_id=envelope.message_id, requester=envelope.requester)
    record = bound.warning if expected else bound.error
    record(
        "message failed",
        transport=envelope.transport,
        error=type(error).__name__,
        place=place,
        retried=retried,
    )
