"""The work that a message asks for, and what comes of it.

Phases 1 to 3 of a request's life are here; the pipeline does the others. What is refused before
the pipeline is refused inside its decode step, so it is audited like any other attempt.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

from adapters import codec
from adapters.messages.asked import (
    CANCEL,
    RESULT,
    TRANSLATE,
    TRANSLATE_BATCH,
    VALIDATE,
    Asked,
    Decoder,
    too_late,
)
from adapters.messages.breaker import Breaker
from adapters.messages.envelope import Envelope
from adapters.messages.opening import JSON, sealer_of
from broker.errors import OutcomeUnknown, Refusal, RemintError, Unavailable
from broker.failures import failure_of
from broker.lifecycle import Lifecycle
from broker.model import Answer
from broker.pipeline import Pipeline
from broker.policy import shown
from broker.ports import Attempt, Clock
from broker.trail import AuditTrail

NO_ANSWER_STORED = 408  # to a request that is as good as expired
RETRY_PAUSES = (0.1, 0.4, 1.5)  # seconds; afterwards the requester hears of the failure
NEVER_SECONDS = 86400.0  # no message is in hand for so long, and a timer takes no infinity

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _InHand:
    """A message while it is worked on, and what it asks for once that was read."""

    envelope: Envelope
    asked: Asked | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, encoded. ``dead`` is set where the message belongs among the dead letters too."""

    answer: Answer
    body: bytes = field(repr=False)
    content_type: str = JSON
    dead: RemintError | None = None


class Worker:
    """Gets requests answered, each on its own; holds no connection.

    While ``breaker`` is open, requests in hand wait, for as long as their deadline lets them.
    """

    def __init__(
        self,
        *,
        decoder: Decoder,
        pipeline: Pipeline,
        lifecycle: Lifecycle,
        trail: AuditTrail,
        clock: Clock,
        breaker: Breaker | None = None,
    ) -> None:
        self.breaker = breaker or Breaker()
        self._decoder = decoder
        self._pipeline = pipeline
        self._lifecycle = lifecycle
        self._trail = trail
        self._clock = clock

    async def work(self, envelope: Envelope) -> Outcome:
        """Failures that may pass are tried again, a few times; it never raises."""
        return await self._patiently(_InHand(envelope), self._tried)

    async def give_up(self, envelope: Envelope, error: RemintError, *, look: bool) -> Outcome:
        """For a message that must not be worked on again: audited, answered, a dead letter.

        With ``look`` it is read once more, for the answer that may be stored; that is its answer
        then.
        """

        async def given_up(hand: _InHand) -> Outcome:
            if look:
                outcome = await self._tried(hand)
                if outcome.answer.status != NO_ANSWER_STORED:
                    return outcome
            await self._trail.ended(self._attempt(envelope, "unknown", envelope.requester), error)
            return replace(_failed(error, hand), dead=error)

        return await self._patiently(_InHand(replace(envelope, expired=True)), given_up)

    async def _patiently(
        self, hand: _InHand, attempt: Callable[[_InHand], Awaitable[Outcome]]
    ) -> Outcome:
        """What comes of ``attempt``; a dependency that is down is waited for, and not counted."""
        pauses = iter(RETRY_PAUSES)
        unknown: Exception | None = None
        envelope = hand.envelope
        while await self.breaker.wait(self._left(envelope)):
            try:
                return await attempt(hand)
            except BaseException as error:
                failure = failure_of(error)
            if isinstance(failure, OutcomeUnknown):
                unknown = failure
            down = await self.breaker.opened_by(failure)
            pause = 0.0 if down else next(pauses, None)
            _log_failure(envelope, failure, retried=pause is not None)
            if pause is None:
                return _failed(failure, hand)
            await asyncio.sleep(pause)
        # A token may stand behind an unknown outcome: then it is not for us to say "expired".
        return await self._too_late(hand) if unknown is None else _failed(unknown, hand)

    def _left(self, envelope: Envelope) -> float | None:
        """Seconds until the deadline, None without one that could come."""
        if envelope.deadline is None:
            return None
        left = envelope.deadline - self._clock.now()
        return max(0.0, left) if left < NEVER_SECONDS else None

    async def _too_late(self, hand: _InHand) -> Outcome:
        """Nothing is asked of the store, which is down."""
        try:
            return await self._ended(hand.envelope, too_late(hand.envelope, hand.asked))
        except BaseException as error:
            failure = failure_of(error)
            _log_failure(hand.envelope, failure, retried=False)
            return _failed(failure, hand)

    async def _tried(self, hand: _InHand) -> Outcome:
        hand.asked = await self._decoder.asked(hand.envelope)
        return await self._ended(hand.envelope, hand.asked)

    async def _ended(self, envelope: Envelope, asked: Asked) -> Outcome:
        try:
            answer = await self._answered(envelope, asked)
            if asked.operation == RESULT and answer.reply_key is not None:
                # Its request said who may read it; to ask for it proves less than that did.
                asked = replace(asked, sealer=sealer_of(answer.reply_key))
        except Refusal as refusal:
            answer = codec.answer_refusal(refusal)
        return _outcome(answer, asked, asked.malformed)

    async def _answered(self, envelope: Envelope, asked: Asked) -> Answer:
        attempt = self._attempt(envelope, asked.operation, asked.requester)
        if asked.operation == TRANSLATE:
            return await self._pipeline.translate(attempt, asked.translation)
        if asked.operation == TRANSLATE_BATCH:
            return await self._pipeline.translate_batch(attempt, asked.batch)
        if asked.operation == RESULT:
            return await self._pipeline.stored_answer(attempt, asked.inquiry)
        if asked.operation == VALIDATE:
            valid = await self._lifecycle.validate(attempt, asked.presented)
            return Answer(200, {"token_valid": valid})
        if asked.operation == CANCEL:
            cancelled = await self._lifecycle.cancel(attempt, asked.presented)
            return Answer(200, {"result": f"{shown(cancelled)} token cancelled successfully."})
        return await self._trail.recorded(attempt, _refused(asked))

    def _attempt(self, envelope: Envelope, operation: str, requester: str | None) -> Attempt:
        return Attempt(
            operation=operation,
            transport=envelope.transport,
            started_at=self._clock.now(),
            requester=requester,
            request_id=envelope.message_id,
        )


def _failed(error: Exception, hand: _InHand) -> Outcome:
    return _outcome(Answer(codec.status_of(error), codec.error_body(error)), hand.asked)


def _outcome(answer: Answer, asked: Asked | None, dead: RemintError | None = None) -> Outcome:
    """Encrypted if the request, where it was read, asked for that."""
    body = codec.encode(answer.body)
    if asked is None or asked.sealer is None:
        return Outcome(answer, body, dead=dead)
    return Outcome(answer, asked.sealer.seal(body), asked.sealer.content_type, dead)


async def _refused(asked: Asked) -> Answer:
    raise asked.refusal()


def answer_headers(answer: Answer, type: str | None, trace: Mapping[str, str]) -> dict[str, Any]:
    """What stands beside an answer to a request of that type, on every transport (docs/amqp.md,
    "An answer")."""
    headers: dict[str, Any] = {
        "status": answer.status,
        "retry": _advice(answer, type),
    }
    if answer.token_id is not None:
        headers["token-id"] = answer.token_id
    if answer.expires_at is not None:
        headers["expires-at"] = answer.expires_at
    return {**headers, **trace}


def _advice(answer: Answer, type: str | None) -> str:
    """An answer that is not there yet may be there later; any other 404 stays one."""
    if type == RESULT and answer.status == 404:
        return "later"
    return codec.advice(answer)


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
